"""Rows of tokens, and rows of ids with a target for each text or each token."""

import collections
import dataclasses
import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from textapp.text.token_encoder import TokenEncoder

NO_TARGET = -1
"""The target of padding if each token has a target."""

UNLABELLED = -2
"""The target of an unlabelled text or token."""


@dataclasses.dataclass(frozen=True)
class TokenRows:
    """Rows of tokens as indices into a list of distinct tokens. It needs one pass, and any encoder can encode it.

    Attributes:
        tokens: The W distinct tokens, in order of first occurrence.
        index: int32 `(sum of lengths,)`, all rows one after the other; each token is an index into `tokens`.
        offsets: int64 `(N + 1,)`; row n is `index[offsets[n]:offsets[n + 1]]`.
    """

    tokens: list[str]
    index: np.ndarray
    offsets: np.ndarray

    @classmethod
    def read(cls, rows: Iterable[Sequence[str]]) -> "TokenRows":
        """Reads rows of tokens; a row may be empty."""
        index_of: dict[str, int] = collections.defaultdict(lambda: len(index_of))
        parts, lengths = [], [0]
        for row in rows:
            part = np.fromiter((index_of[token] for token in row), np.int32)
            parts.append(part)
            lengths.append(len(part))
        index = np.concatenate(parts) if parts else np.zeros(0, np.int32)
        return cls(list(index_of), index, np.cumsum(lengths, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each row, int64 `(N,)`."""
        return np.diff(self.offsets)

    def counts(self, rows: int | None = None) -> collections.Counter[str]:
        """The count of each token, in all rows or in the first `rows`."""
        index = self.index if rows is None else self.index[: self.offsets[rows]]
        numbers = np.bincount(index, minlength=len(self.tokens)).tolist()
        return collections.Counter({token: n for token, n in zip(self.tokens, numbers, strict=True) if n})

    def row(self, number: int) -> list[str]:
        """The tokens of one row."""
        return [self.tokens[index] for index in self.index[self.offsets[number] : self.offsets[number + 1]].tolist()]


@dataclasses.dataclass(frozen=True)
class TargetRows:
    """Rows of one token or more, with their targets.

    Attributes:
        tokens: The rows.
        targets: One for each row, `(N, ...)`, or for each token, `(sum of lengths, ...)`.
        per_token: Whether each token has a target, rather than each row.
        sources: int64 `(N,)`, the position of each row's example among the given examples; examples without tokens are
            missing.
        cut: Number of texts that were longer than the limit, and lost their end or were cut into pieces.
        word_starts: If tokens are pieces of the corpus' tokens: for each row, the position of the first piece of each
            corpus token. Otherwise None.
    """

    tokens: TokenRows
    targets: np.ndarray
    per_token: bool
    sources: np.ndarray
    cut: int = 0
    word_starts: Sequence[Sequence[int]] | None = None


@dataclasses.dataclass(frozen=True)
class EncodedRows:
    """Rows of ids with their targets, from which batches are made. No row is empty.

    Attributes:
        index: int32 `(sum of lengths,)`, all rows one after the other; each token is a row number of `inputs`.
        offsets: int64 `(N + 1,)`; row n is `index[offsets[n]:offsets[n + 1]]`.
        inputs: For each model input, such as `token_ids`, an array int32 `(1 + W, ...)` with the values of each
            distinct token. Row 0 is padding.
        targets: As in `TargetRows`.
        per_token: As in `TargetRows`.
        sources: As in `TargetRows`.
        cut: As in `TargetRows`.
        word_starts: As in `TargetRows`.
        words: The W distinct tokens as they are looked up in the vocabulary.
    """

    index: np.ndarray
    offsets: np.ndarray
    inputs: dict[str, np.ndarray]
    targets: np.ndarray
    per_token: bool
    sources: np.ndarray
    cut: int = 0
    word_starts: Sequence[Sequence[int]] | None = None
    words: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each row, int64 `(N,)`."""
        return np.diff(self.offsets)

    def row(self, number: int) -> list[str]:
        """The words of one row."""
        return [self.words[index - 1] for index in self.index[self.offsets[number] : self.offsets[number + 1]].tolist()]

    def token_ids(self) -> np.ndarray:
        """The id of each token, int32 `(sum of lengths,)`."""
        return self.inputs["token_ids"][self.index]

    def with_targets(self, targets: np.ndarray) -> "EncodedRows":
        """The same rows with other targets."""
        return dataclasses.replace(self, targets=targets)

    def target_counts(self, classes: int) -> np.ndarray:
        """How many rows, or tokens, have each target; rows without a target do not count.

        Args:
            classes: The number of targets, C.

        Returns:
            int64 `(C,)`. If a row may have several targets, `(C, 2)`: the rows without and with each.
        """
        return count_targets(self.targets, classes)

    def digest(self) -> bytes:
        """SHA-256 of everything that identifies these rows."""
        total = hashlib.sha256()
        for array in (self.index, self.offsets, self.targets, *self.inputs.values()):
            total.update(np.ascontiguousarray(array).tobytes())
        return total.digest()

    def padding(self) -> Any:
        """The target of a padding token: `NO_TARGET`, and 0 for the probabilities of a soft target."""
        rank_1 = self.targets.ndim == 1
        return np.asarray(NO_TARGET if rank_1 else [NO_TARGET] + [0] * (self.targets.shape[1] - 1), self.targets.dtype)


def count_targets(targets: np.ndarray, classes: int) -> np.ndarray:
    """See `EncodedRows.target_counts`; `targets` are those of rows that need not be encoded."""
    if targets.ndim == 1:
        return np.bincount(targets[targets >= 0], minlength=classes)
    labelled = (targets >= 0).all(axis=1)
    having = targets[labelled].sum(axis=0, dtype=np.int64)
    return np.stack([int(labelled.sum()) - having, having], axis=1)


def encode_rows(rows: TargetRows, encoder: TokenEncoder) -> EncodedRows:
    """Encodes rows of tokens."""
    ids = encoder.encode(rows.tokens.tokens)
    tables = {
        name: np.concatenate([np.zeros((1, *shape), np.int32), np.array(ids[name], np.int32).reshape(-1, *shape)])
        for name, shape in encoder.inputs.items()
    }
    return EncodedRows(
        index=rows.tokens.index + np.int32(1),
        offsets=rows.tokens.offsets,
        inputs=tables,
        targets=rows.targets,
        per_token=rows.per_token,
        sources=rows.sources,
        cut=rows.cut,
        word_starts=rows.word_starts,
        words=encoder.words(rows.tokens.tokens),
    )


def encode_untargeted(rows: Iterable[Sequence[str]], encoder: TokenEncoder) -> EncodedRows:
    """Encodes rows of one token or more that have no targets."""
    tokens = TokenRows.read(rows)
    count = len(tokens)
    return encode_rows(TargetRows(tokens, np.zeros(count, np.int32), False, np.arange(count)), encoder)
