"""Tagged sentences as ids, for the batches of `textapp.data.pipeline`.

A batch is `(inputs, tag_ids)`: inputs are `token_ids`, int32 `(B, T)` padded with 0, or with characters or shapes a
dictionary of them, `char_ids`, int32 `(B, T, L)`, and `shape_ids`, int32 `(B, T)`, padded with 0; tag ids are int32
`(B, T)`, -1 on padding. L is the longest word of the batch, and with static shapes the longest that a model reads.
"""

import dataclasses
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from textapp.data.pipeline import Gather
from textapp.text.token_encoder import TokenEncoder
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
        inputs: The table: by the name of an input, `token_ids` among them, int32 `(W, ...)`; row 0 is padding.
        firsts: Where these are pieces of tokens: for each sentence, the position of each token's first piece.
    """

    rows: np.ndarray
    offsets: np.ndarray
    tag_ids: np.ndarray
    inputs: Mapping[str, np.ndarray]
    firsts: Sequence[Sequence[int]] | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each sentence, int64 `(N,)`."""
        return np.diff(self.offsets)

    def word_ids(self) -> np.ndarray:
        """The id of each token's word, int32 `(sum of lengths,)`."""
        return self.inputs["token_ids"][self.rows]

    def arrays(self) -> list[np.ndarray]:
        """All that tells these sentences from others."""
        return [self.rows, self.offsets, self.tag_ids, *self.inputs.values()]

    def gather(self) -> Gather:
        """See `textapp.data.pipeline.Encoded` and the module."""
        sentences = tf.RaggedTensor.from_row_splits(self.rows, self.offsets)
        tags = tf.RaggedTensor.from_row_splits(self.tag_ids, self.offsets)
        tables = {name: tf.constant(table) for name, table in self.inputs.items()}
        letters = tf.constant(np.count_nonzero(self.inputs["char_ids"], axis=1)) if "char_ids" in tables else None

        def batch(numbers: tf.Tensor, shape: list[Any]) -> tuple[Any, tf.Tensor]:
            rows = tf.gather(sentences, numbers).to_tensor(0, shape=shape)
            tag_ids = tf.gather(tags, numbers).to_tensor(NO_TAG, shape=shape)
            inputs = {name: tf.gather(table, rows) for name, table in tables.items()}
            if letters is not None and shape[0] is None:
                longest = tf.reduce_max(tf.gather(letters, rows))
                # A convolution wants one character at least.
                inputs["char_ids"] = inputs["char_ids"][:, :, : tf.maximum(longest, 1)]
            return inputs if len(inputs) > 1 else inputs["token_ids"], tag_ids

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
    ids = encoder.encode(tokens)
    return EncodedSentences(
        rows=np.fromiter(itertools.chain.from_iterable(parts), np.int32),
        offsets=np.cumsum([0, *map(len, parts)], dtype=np.int64),
        tag_ids=np.fromiter(itertools.chain.from_iterable(tag_ids), np.int32),
        inputs={
            name: np.concatenate([np.zeros((1, *shape), np.int32), np.array(ids[name], np.int32)])
            for name, shape in encoder.inputs.items()
        },
        firsts=firsts,
    )


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
