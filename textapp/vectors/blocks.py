"""A corpus as blocks of segments: what a training step scores against itself.

A block is M = `segments` * `length` words: runs of `length` consecutive words from far-apart places of the corpus.
Words of one run are each other's context; words of different runs are, for each other, random draws from the corpus:
noise. A step takes `blocks` of them, T = M * `blocks` words in all.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from textapp.vectors.token_cache import TokenCache

CHUNK = 1 << 20  # positions of the corpus that are read together: one step of `fit`, half a second or so
FEWEST_CHUNKS = 20  # an epoch, as long as they have at least
SMALLEST_CHUNK = 1 << 16  # positions
MOST_OF_A_WORD = 64  # occurrences of a word in a step, on average: their summed updates would overshoot
LARGEST_RATIO = 20.0  # of noise: a rarer word's few occurrences would pull at its neighbours too hard
PLACES = 64  # from which a chunk is read: a corpus sorted by topic is learned from all its topics at once


@dataclasses.dataclass(frozen=True)
class BlockShape:
    """How the words of a training step are laid out.

    Args:
        length: Words a segment. Pairs of words across a segment's end are not seen: with a window of 5, 15 % of them at
            16 words, 7 % at 32.
        segments: Segments a block; `(segments - 1) * length` noise words are shared by the words of a segment. With
            more of them rare words become better, and each word more work: it is scored against its whole block.
        blocks: Blocks a step. About a thousand words a step are right for a language: fewer, and the cost of calling an
            operation shows; more, and they leave the processor's cache. As rows are updated once a step, with 8,000 the
            updates of frequent words add up to too much. See `suited_shape`.
    """

    length: int = 16
    segments: int = 6
    blocks: int = 11

    @property
    def words_per_block(self) -> int:
        """M."""
        return self.length * self.segments

    @property
    def words_per_step(self) -> int:
        """T."""
        return self.words_per_block * self.blocks

    def lay_out(self, values: np.ndarray) -> np.ndarray:
        """Lays a run of values, int32 `(n,)`, out as steps, int32 `(N, blocks, M)`.

        What the last step lacks is taken from the beginning again, so that no word is left out.
        """
        steps = -(-len(values) // self.words_per_step)
        runs = np.resize(values, steps * self.words_per_step).reshape(self.segments, self.blocks, steps, self.length)
        return np.ascontiguousarray(runs.transpose(2, 1, 0, 3)).reshape(steps, self.blocks, self.words_per_block)


def keep_probabilities(counts: np.ndarray, sample: float) -> np.ndarray:
    """How likely each word is kept when frequent ones are thinned out.

    Args:
        counts: Integer `(V,)`.
        sample: Share of the corpus above which a word is thinned out, word2vec's `-sample`; 0 keeps all.

    Returns:
        float32 `(V,)`, `min(1, sqrt(t / c) + t / c)` with `t` the sample in words.

    Reference:
        word2vec.c (Mikolov et al. 2013, section 2.3, in the form of the released program).
    """
    if not sample:
        return np.ones(len(counts), np.float32)
    ratio = sample * counts.sum() / np.maximum(counts, 1)
    return np.minimum(1, np.sqrt(ratio) + ratio).astype(np.float32)


def noise_ratios(counts: np.ndarray, sample: float, power: float = 0.75) -> np.ndarray:
    """How much more likely each word is noise in word2vec than it is to stand in a block, float32 `(V,)`.

    Noise words are drawn with a probability proportional to `counts ** power`; the words of a block, which serve as
    noise here, come as often as in the thinned-out corpus. Weighing them by this ratio makes up for it.

    Args:
        counts: Integer `(V,)`.
        sample: See `keep_probabilities`.
        power: Of the noise distribution.

    Returns:
        Ratios at most `LARGEST_RATIO` before they are scaled to a mean of 1 over the thinned-out corpus; 0 for words
        that do not occur.
    """
    drawn = counts.astype(np.float64) ** power * (counts > 0)
    kept = counts * keep_probabilities(counts, sample).astype(np.float64)
    kept /= kept.sum()
    ratios = np.divide(drawn / drawn.sum(), kept, out=np.zeros(len(counts)), where=kept > 0)
    ratios = np.minimum(ratios, LARGEST_RATIO)
    return (ratios / (ratios @ kept)).astype(np.float32)


def suited_shape(counts: np.ndarray, sample: float) -> BlockShape:
    """The default layout, with fewer blocks a step where a few words make up most of the corpus.

    Args:
        counts: Integer `(V,)`.
        sample: See `keep_probabilities`.
    """
    kept = counts * keep_probabilities(counts, sample)
    shape = BlockShape()
    most = int(MOST_OF_A_WORD * kept.sum() / kept.max()) // shape.words_per_block
    return dataclasses.replace(shape, blocks=min(shape.blocks, max(1, most)))


class TrainingBlocks:
    """A corpus as steps for `Word2Vec.fit`, read from the disk chunk by chunk and thinned out anew each epoch.

    An element of `dataset` is a chunk: `(word_ids, sentences)`, both int32 `(N, blocks, M)`, where words of one
    sentence have one number. Elements are a function of the seed, the epoch and the chunk alone. Memory: some 30 MB.

    Args:
        cache: The corpus.
        shape: The layout of a step; by default `BlockShape()`.
        sample: See `keep_probabilities`.
        seed: Of the thinning out.
        chunk: Positions of the corpus an element; by default a million, or fewer where an epoch would be few steps.

    Attributes:
        dataset: Epoch after epoch without end, for `fit(..., steps_per_epoch=blocks.steps_per_epoch)`.
        position: (epoch, chunk) at which the next iterator over `dataset` starts.
        steps_per_epoch: Chunks an epoch.
    """

    def __init__(
        self,
        cache: TokenCache,
        shape: BlockShape | None = None,
        sample: float = 1e-3,
        seed: int = 0,
        chunk: int | None = None,
    ):
        shape = shape or BlockShape()
        self.cache, self.shape, self.seed = cache, shape, seed
        self.position = (0, 0)
        chunk = chunk or min(CHUNK, max(SMALLEST_CHUNK, cache.length // FEWEST_CHUNKS))
        self.steps_per_epoch = -(-cache.length // chunk)
        self._piece = -(-cache.length // (self.steps_per_epoch * PLACES))
        self._keep = keep_probabilities(cache.counts, sample)
        spec = tf.TensorSpec((None, shape.blocks, shape.words_per_block), tf.int32)
        dataset = tf.data.Dataset.from_generator(self._chunks, output_signature=(spec, spec))
        self.dataset = dataset.prefetch(1)

    def _chunks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Chunk after chunk, from `position` on."""
        epoch, step = self.position
        while True:
            for chunk in range(step, self.steps_per_epoch):
                ids, sentences = self._read(epoch, chunk)
                yield self.shape.lay_out(ids), self.shape.lay_out(sentences)
            epoch, step = epoch + 1, 0

    def _read(self, epoch: int, chunk: int) -> tuple[np.ndarray, np.ndarray]:
        """The words of a chunk that are kept in an epoch, and their sentences."""
        ids, sentences = [], []
        first = 0
        for place in range(PLACES):
            start = min((place * self.steps_per_epoch + chunk) * self._piece, self.cache.length)
            piece, numbers = self.cache.read(start, start + self._piece)
            ids.append(piece)
            sentences.append(numbers + first)
            first += int(numbers[-1]) + 1 if len(numbers) else 0
        words = np.concatenate(ids)
        rng = np.random.default_rng((self.seed, epoch, chunk))
        kept = rng.random(len(words), dtype=np.float32) < self._keep[words]
        if not kept.any():  # a handful of words: better twice than never
            kept[:] = True
        return words[kept], np.concatenate(sentences)[kept]
