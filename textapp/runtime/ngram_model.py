"""A linear model over the n-grams of a text, whose logits are added to those of the encoder's model.

Its file `ngrams.bin` has a row of K int8 numbers for each row of the hash: first those of n-grams of words, then those
of n-grams of characters. `ngrams.json` has the rest. For a text whose n-grams of each kind have n rows, each counted
once, and rows of zeros not at all, the K numbers are

    sum over kinds of scales[kind] * (sum of the n rows) / sqrt(n)

The sums are whole numbers, so that they are the same on every device. A `projection` `(K, C)` turns the K numbers into
those of C labels; without one K is C. With the `bias` they are logits. The logits of both models together are

    weights[0] * (logits of model.tflite) + weights[1] * (these logits)

Without rows of zeros, n-grams that no training text has do not make the others count less. Where `count_zero_rows` is
true, or missing as in bundles of the first version with n-grams, n counts them too.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textapp.errors import InputError
from textapp.files import parse_json
from textapp.text.ngrams import NgramHash

NGRAMS, NGRAM_TABLE = "ngrams.json", "ngrams.bin"
MOST_ROWS = 2**20
MOST_COLUMNS = 256  # that a training gives the table: the logits of more labels are a product with a matrix
_LONGEST = 8  # words or characters of an n-gram
_FIELDS = {
    "order",
    "rows",
    "characters",
    "character_rows",
    "scales",
    "bias",
    "projection",
    "weights",
    "count_zero_rows",
}
_LARGEST = 1e9  # of a number in ngrams.json: sums of products stay finite in float32


@dataclasses.dataclass(frozen=True, eq=False)
class NgramModel:
    """A linear model over hashed n-grams.

    Attributes:
        hashed: Turns words into the rows of their n-grams.
        table: int8 `(rows + character_rows, K)`.
        scales: float32 `(2, K)`: of the rows of words, and of those of characters.
        bias: float32 `(C,)`.
        projection: float32 `(K, C)`; None if K is C.
        weights: The weight of the encoder's logits, and that of these logits.
        count_zero_rows: Whether n counts rows of zeros.
    """

    hashed: NgramHash
    table: NDArray[np.int8]
    scales: NDArray[np.float32]
    bias: NDArray[np.float32]
    projection: NDArray[np.float32] | None = None
    weights: tuple[float, float] = (1.0, 1.0)
    count_zero_rows: bool = False

    @property
    def classes(self) -> int:
        """The number of labels, C."""
        return len(self.bias)

    def logits(self, words: Sequence[str]) -> NDArray[np.float32]:
        """The logits of a text without the weights, float32 `(C,)`."""
        rows = self.hashed(words)
        values = np.zeros(self.table.shape[1], np.float32)
        for kind, (scale, start) in enumerate(zip(self.scales, (0, self.hashed.rows), strict=True)):
            if numbers := rows[kind]:
                found = self.table[np.asarray(numbers) + start]
                count = len(found) if self.count_zero_rows else int(found.any(axis=1).sum())
                values = values + scale * (found.sum(axis=0, dtype=np.int32) / np.float32(max(count, 1) ** 0.5))
        return np.asarray((values if self.projection is None else values @ self.projection) + self.bias, np.float32)

    def combined(self, logits: NDArray[np.float32], words: Sequence[str]) -> NDArray[np.float32]:
        """The logits of both models together, for a text whose encoder's logits are `logits`, `(C,)`.

        Without words they are those of the encoder, which says how frequent labels are.
        """
        if not words:
            return logits
        encoder, ngrams = self.weights
        return np.asarray(encoder * logits + ngrams * self.logits(words), np.float32)

    def files(self, names: tuple[str, str] = (NGRAMS, NGRAM_TABLE)) -> dict[str, bytes]:
        """The content of the model's files, by name: that of its settings and that of its table."""
        fields = {
            **dataclasses.asdict(self.hashed),
            "scales": self.scales.tolist(),
            "bias": self.bias.tolist(),
            "projection": None if self.projection is None else self.projection.tolist(),
            "weights": list(self.weights),
            "count_zero_rows": self.count_zero_rows,
        }
        content = json.dumps(fields, indent=None, separators=(", ", ": "), allow_nan=False) + "\n"
        return dict(zip(names, (content.encode(), self.table.tobytes()), strict=True))

    @classmethod
    def parse(cls, files: Mapping[str, bytes], folder: Path, classes: int) -> "NgramModel":
        """Reads the model from the content of its files.

        Args:
            files: The content of the files, by name.
            folder: Their folder, for messages.
            classes: The number of labels.

        Raises:
            InputError: A file breaks a rule of the format.
        """
        path = folder / NGRAMS
        fields = parse_json(files[NGRAMS], path)
        if isinstance(fields, dict):
            fields = {"count_zero_rows": True, **fields}
        if not isinstance(fields, dict) or set(fields) != _FIELDS:
            raise InputError(f"{path}: must be an object of {', '.join(sorted(_FIELDS))}")
        if type(fields["count_zero_rows"]) is not bool:
            raise InputError(f'{path}: "count_zero_rows" must be true or false')
        hashed = _hash(fields, path)
        projection = fields["projection"]
        columns = classes if projection is None else len(projection) if isinstance(projection, list) else 0
        expected = (hashed.rows + hashed.character_rows) * columns
        if not columns or len(files[NGRAM_TABLE]) != expected:
            raise InputError(
                f"{folder / NGRAM_TABLE}: must have {expected:,} bytes by {NGRAMS} for {classes} labels. Received: "
                f"{len(files[NGRAM_TABLE]):,}; the files are of another model: copy or export them again"
            )
        return cls(
            hashed=hashed,
            table=np.frombuffer(files[NGRAM_TABLE], np.int8).reshape(-1, columns),
            scales=_numbers(fields, "scales", (2, columns), path),
            bias=_numbers(fields, "bias", (classes,), path),
            projection=None if projection is None else _numbers(fields, "projection", (columns, classes), path),
            weights=_weights(fields, path),
            count_zero_rows=fields["count_zero_rows"],
        )


def _hash(fields: Mapping[str, Any], path: Path) -> NgramHash:
    """Reads the rule by which n-grams get their rows."""

    def whole(name: str, least: int, most: int) -> int:
        value = fields[name]
        if type(value) is not int or not least <= value <= most:
            raise InputError(f'{path}: "{name}" must be a whole number from {least} to {most:,}')
        return value

    hashed = NgramHash(
        whole("order", 1, _LONGEST),
        whole("rows", 1, MOST_ROWS),
        whole("characters", 0, _LONGEST),
        whole("character_rows", 0, MOST_ROWS),
    )
    for name, count in (("rows", hashed.rows), ("character_rows", hashed.character_rows)):
        if count & (count - 1):
            raise InputError(f'{path}: "{name}" must be a power of two. Received: {count}')
    if (hashed.characters == 0) != (hashed.character_rows == 0):
        raise InputError(f'{path}: "characters" and "character_rows" must both be 0, or neither')
    return hashed


def _weights(fields: Mapping[str, Any], path: Path) -> tuple[float, float]:
    """Reads the weights of both models, in the precision of the file."""
    _numbers(fields, "weights", (2,), path)
    first, second = map(float, fields["weights"])
    return first, second


def _numbers(fields: Mapping[str, Any], name: str, shape: tuple[int, ...], path: Path) -> NDArray[np.float32]:
    """Reads an array of finite numbers."""
    flat, rows = [], [fields[name]] if len(shape) == 1 else fields[name]
    if isinstance(rows, list) and len(rows) == (1 if len(shape) == 1 else shape[0]):
        flat = [number for row in rows if isinstance(row, list) and len(row) == shape[-1] for number in row]
    if len(flat) != np.prod(shape) or not all(
        type(number) in (int, float) and abs(number) <= _LARGEST for number in flat
    ):
        raise InputError(f'{path}: "{name}" must hold {" x ".join(map(str, shape))} numbers, none NaN or out of range')
    return np.array(flat, np.float32).reshape(shape)
