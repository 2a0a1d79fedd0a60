"""Tagged sentences as ids, for the batches of `textapp.data.pipeline`.

A batch is `(inputs, tag_ids)`: inputs are `token_ids`, int32 `(B, T)` padded with 0, or with characters a dictionary
of them and `char_ids`, int32 `(B, T, L)` padded with 0; tag ids are int32 `(B, T)`, -1 on padding. L is the longest
word of the batch, and with static shapes the longest that a model reads.
"""

import dataclasses
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from textapp.data.pipeline import Gather
from textapp.text.token_encoder import TokenEncoder
from textapp.text.vocabulary import PAD_ID
from textapp.text.word_form import WordForm

NO_TAG = -1
"""Stands on padding wherever tag ids do, as `textapp.layers.CRFLoss` wants it."""


@dataclasses.dataclass(frozen=True)
class EncodedSentences:
    """Sentences as rows of a table of their distinct tokens, which is held once.

    Attributes:
        rows: int32 `(sum of lengths,)`, the tokens of all sentences one after the other, each a row of the table.
        offsets: int64 `(N + 1,)`; sentence n is `rows[offsets[n]:offsets[n + 1]]`.
        tag_ids: int32 `(sum of lengths,)`.
        token_ids: int32 `(W,)`, the table: the id of each token's word; row 0 is padding.
        char_ids: int32 `(W, max_characters)`, the ids of its characters; or None.
        firsts: Where these are pieces of tokens: for each sentence, the position of each token's first piece.
    """

    rows: np.ndarray
    offsets: np.ndarray
    tag_ids: np.ndarray
    token_ids: np.ndarray
    char_ids: np.ndarray | None
    firsts: Sequence[Sequence[int]] | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each sentence, int64 `(N,)`."""
        return np.diff(self.offsets)

    def word_ids(self) -> np.ndarray:
        """The id of each token's word, int32 `(sum of lengths,)`."""
        return self.token_ids[self.rows]

    def arrays(self) -> list[np.ndarray]:
        """All that tells these sentences from others."""
        arrays = [self.rows, self.offsets, self.tag_ids, self.token_ids]
        return arrays if self.char_ids is None else [*arrays, self.char_ids]

    def gather(self) -> Gather:
        """See `textapp.data.pipeline.Encoded` and the module."""
        sentences = tf.RaggedTensor.from_row_splits(self.rows, self.offsets)
        tags = tf.RaggedTensor.from_row_splits(self.tag_ids, self.offsets)
        token_ids = tf.constant(self.token_ids)
        char_ids = None if self.char_ids is None else tf.constant(self.char_ids)
        letters = None if self.char_ids is None else tf.constant(np.count_nonzero(self.char_ids, axis=1))

        def batch(numbers: tf.Tensor, shape: list[Any]) -> tuple[Any, tf.Tensor]:
            rows = tf.gather(sentences, numbers).to_tensor(0, shape=shape)
            tag_ids = tf.gather(tags, numbers).to_tensor(NO_TAG, shape=shape)
            if char_ids is None:
                return tf.gather(token_ids, rows), tag_ids
            spelled = tf.gather(char_ids, rows)
            if shape[0] is None:
                longest = tf.reduce_max(tf.gather(letters, rows))
                spelled = spelled[:, :, : tf.maximum(longest, 1)]  # a convolution wants one character at least
            return {"token_ids": tf.gather(token_ids, rows), "char_ids": spelled}, tag_ids

        return batch


def encode_sentences(
    sentences: Iterable[Sequence[str]],
    tag_ids: Iterable[Sequence[int]],
    encoder: TokenEncoder,
    firsts: Sequence[Sequence[int]] | None = None,
) -> EncodedSentences:
    """Encodes sentences, each of one token or more, and their tags; `firsts` as in `EncodedSentences`."""
    row_of: dict[str, int] = defaultdict(lambda: len(row_of) + 1)
    parts = [[row_of[token] for token in sentence] for sentence in sentences]
    tokens = list(row_of)
    spellings = encoder.spellings(tokens)
    char_ids = None if spellings is None else padded([[], *spellings], encoder.max_characters)
    return EncodedSentences(
        rows=np.fromiter(itertools.chain.from_iterable(parts), np.int32),
        offsets=np.cumsum([0, *map(len, parts)], dtype=np.int64),
        tag_ids=np.fromiter(itertools.chain.from_iterable(tag_ids), np.int32),
        token_ids=np.asarray([PAD_ID, *encoder.words(tokens)], np.int32),
        char_ids=char_ids,
        firsts=firsts,
    )


def padded(ids: Sequence[Sequence[int]], length: int) -> np.ndarray:
    """Ids as int32 `(N, length)`, cut at the end, padded with 0 on the right."""
    rows = np.full((len(ids), length), PAD_ID, np.int32)
    for row, numbers in zip(rows, ids, strict=True):
        row[: min(len(numbers), length)] = numbers[:length]
    return rows


def count_words(sentences: Iterable[Sequence[str]], form: WordForm) -> Counter[str]:
    """How often each word comes in sentences."""
    counts: Counter[str] = Counter()
    for token, count in Counter(itertools.chain.from_iterable(sentences)).items():
        counts[form.word(token)] += count
    del counts[""]  # of what is never seen: no word
    return counts


def count_characters(sentences: Iterable[Sequence[str]], form: WordForm) -> Counter[str]:
    """How often each character comes in sentences, line breaks left out."""
    counts: Counter[str] = Counter()
    for token, count in Counter(itertools.chain.from_iterable(sentences)).items():
        for character in form.spelling(token):
            counts[character] += count
    del counts["\n"], counts["\r"]
    return counts
