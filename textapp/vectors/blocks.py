"""A corpus as blocks of segments, whose words a training step scores against each other.

A segment is `length` consecutive words of the corpus. A block is `segments` of them from distant parts of the corpus,
M = `segments` * `length` words. Words of one segment are each other's context. Words of other segments are random draws
from the corpus: noise. A training step takes `blocks` blocks, T = M * `blocks` words.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from textapp.vectors.token_cache import TokenCache

CHUNK = 1 << 20  # positions of the corpus that are read together, for one step of `fit`: about half a second
MIN_CHUNKS = 20  # an epoch, unless they would have fewer positions than
MIN_CHUNK = 1 << 16
MAX_OCCURRENCES = 64  # of a word in a step, on average: the sum of more updates would overshoot
MAX_NOISE_RATIO = 20.0  # with a larger one, the few occurrences of a rare word would move their noise pairs too far
SOURCES_PER_CHUNK = 64  # parts of the corpus in a chunk, so that a corpus sorted by topic gives chunks of all topics


@dataclasses.dataclass(frozen=True)
class BlockShape:
    """The arrangement of the words of a training step.

    Args:
        length: Words a segment. Pairs across a segment's end are not trained: with a window of 5, 15 % of all pairs for
            16 words, 7 % for 32.
        segments: Segments a block. The words of a segment share `(segments - 1) * length` noise words. More segments
            give better vectors of rare words and cost more time, because a word is scored against its whole block.
        blocks: Blocks a step. About a thousand words a step suit a natural language: with fewer, the overhead of an
            operation is noticeable; more do not fit into the processor's cache. A row is updated once a step, so with
            8,000 words the summed updates of frequent words are too large. See `choose_shape`.
    """

    length: int = 16
    segments: int = 6
    blocks: int = 11

    @property
    def words_per_block(self) -> int:
        """Words a block, M."""
        return self.length * self.segments

    @property
    def words_per_step(self) -> int:
        """Words a step, T."""
        return self.words_per_block * self.blocks

    def arrange(self, values: np.ndarray) -> np.ndarray:
        """Arranges consecutive values, int32 `(n,)`, as steps, int32 `(N, blocks, M)`.

        The last step is filled up with the first values, so that no word is left out.
        """
        steps = -(-len(values) // self.words_per_step)
        runs = np.resize(values, steps * self.words_per_step).reshape(self.segments, self.blocks, steps, self.length)
        return np.ascontiguousarray(runs.transpose(2, 1, 0, 3)).reshape(steps, self.blocks, self.words_per_block)


def keep_probabilities(counts: np.ndarray, sample: float) -> np.ndarray:
    """Returns the probability that an occurrence of each word is kept when frequent words are subsampled.

    Args:
        counts: Occurrences of each word, integer `(V,)`.
        sample: Share of the corpus above which a word is subsampled, word2vec's `-sample`; 0 keeps all.

    Returns:
        float32 `(V,)`, `min(1, sqrt(t / c) + t / c)` with `t` the sample in words.

    Reference:
        Mikolov et al. 2013, Distributed Representations of Words and Phrases and their Compositionality, section 2.3,
        with the formula of the released program, word2vec.c.
    """
    if not sample:
        return np.ones(len(counts), np.float32)
    ratio = sample * counts.sum() / np.maximum(counts, 1)
    return np.minimum(1, np.sqrt(ratio) + ratio).astype(np.float32)


def noise_ratios(counts: np.ndarray, sample: float, power: float = 0.75) -> np.ndarray:
    """Returns the ratio of each word's probability as noise in word2vec to that of its occurrence in a block.

    word2vec draws noise words with a probability proportional to `counts ** power`. Here the words of a block serve as
    noise, and they occur as often as in the subsampled corpus. These ratios are importance weights that correct it.

    Args:
        counts: Occurrences of each word, integer `(V,)`.
        sample: See `keep_probabilities`.
        power: Exponent of the noise distribution.

    Returns:
        float32 `(V,)`, at most `MAX_NOISE_RATIO`, then scaled to a mean of 1 over the subsampled corpus; 0 for words
        that do not occur.
    """
    drawn = counts.astype(np.float64) ** power * (counts > 0)
    kept = counts * keep_probabilities(counts, sample).astype(np.float64)
    kept /= kept.sum()
    ratios = np.divide(drawn / drawn.sum(), kept, out=np.zeros(len(counts)), where=kept > 0)
    ratios = np.minimum(ratios, MAX_NOISE_RATIO)
    return (ratios / (ratios @ kept)).astype(np.float32)


def choose_shape(counts: np.ndarray, sample: float) -> BlockShape:
    """Returns the default arrangement, with fewer blocks a step if a few words make up most of the corpus.

    Args:
        counts: Occurrences of each word, integer `(V,)`.
        sample: See `keep_probabilities`.
    """
    kept = counts * keep_probabilities(counts, sample)
    shape = BlockShape()
    most = int(MAX_OCCURRENCES * kept.sum() / kept.max()) // shape.words_per_block
    return dataclasses.replace(shape, blocks=min(shape.blocks, max(1, most)))


class TrainingBlocks:
    """A corpus as steps for `Word2Vec.fit`, read from the disk chunk by chunk and subsampled again in each epoch.

    An element of `dataset` is a chunk: `(word_ids, sentences)`, both int32 `(N, blocks, M)`. Words of one sentence have
    one sentence number. Elements depend on the seed, the epoch and the chunk alone. Memory: about 30 MB.

    Args:
        cache: The corpus.
        shape: The arrangement of a step; by default `BlockShape()`.
        sample: See `keep_probabilities`.
        seed: Seed of the subsampling.
        chunk: Positions of the corpus an element; by default a million, or fewer if an epoch would have few steps.
        counts: Occurrences of each word that say how often it is subsampled, integer `(V,)`; by default those in
            `cache`, and for a part of a corpus those in all of it.

    Attributes:
        dataset: The epochs one after the other without end, for `fit(..., steps_per_epoch=blocks.steps_per_epoch)`.
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
        *,
        counts: np.ndarray | None = None,
    ):
        shape = shape or BlockShape()
        self.cache, self.shape, self.seed = cache, shape, seed
        self.position = (0, 0)
        chunk = chunk or min(CHUNK, max(MIN_CHUNK, cache.length // MIN_CHUNKS))
        self.steps_per_epoch = -(-cache.length // chunk)
        self._part_length = -(-cache.length // (self.steps_per_epoch * SOURCES_PER_CHUNK))
        self._keep = keep_probabilities(cache.counts if counts is None else counts, sample)
        spec = tf.TensorSpec((None, shape.blocks, shape.words_per_block), tf.int32)
        dataset = tf.data.Dataset.from_generator(self._chunks, output_signature=(spec, spec))
        self.dataset = dataset.prefetch(1)

    def _chunks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields the chunks from `position` on."""
        epoch, step = self.position
        while True:
            for chunk in range(step, self.steps_per_epoch):
                ids, sentences = self._read(epoch, chunk)
                yield self.shape.arrange(ids), self.shape.arrange(sentences)
            epoch, step = epoch + 1, 0

    def _read(self, epoch: int, chunk: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the words of a chunk that are kept in an epoch, and their sentence numbers."""
        ids, sentences = [], []
        first = 0
        for source in range(SOURCES_PER_CHUNK):
            start = min((source * self.steps_per_epoch + chunk) * self._part_length, self.cache.length)
            part, numbers = self.cache.read(start, start + self._part_length)
            ids.append(part)
            sentences.append(numbers + first)
            first += int(numbers[-1]) + 1 if len(numbers) else 0
        words = np.concatenate(ids)
        rng = np.random.default_rng((self.seed, epoch, chunk))
        kept = rng.random(len(words), dtype=np.float32) < self._keep[words]
        if not kept.any():  # a chunk of a few words: it is better to train them twice than never
            kept[:] = True
        return words[kept], np.concatenate(sentences)[kept]
