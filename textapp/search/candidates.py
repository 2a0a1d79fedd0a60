"""The grid of students that fit a budget of bytes."""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator
from decimal import ROUND_UP, Decimal

from textapp.errors import InputError
from textapp.text.characters import counted

# Below 32 units a fused LSTM stays float, see `textapp.compress.granularity`: 24 units take more bytes than 32. With 16
# units even the float LSTM is small.
WIDTHS = (16, 32, 48, 64, 96, 128, 192, 256)
FEWEST_WORDS = 2_000  # with fewer, too many words of a text are unknown, and a wider model cannot compensate
WIDTHS_TRIED = 3
PROBE_WORDS = 1_000  # vocabulary of the models whose files are measured
PADDING = 64  # bytes: parts of a file start at multiples of 16, so that the cost of a row varies a little

UNITS = {"BYTES": 1, "B": 1, "KB": 1_000, "KIB": 1_024, "MB": 1_000_000, "MIB": 1_048_576}
"""Bytes of each unit of a budget. Case does not matter."""


def in_unit(count: int, unit: str) -> str:
    """A number of bytes in one of `UNITS`, rounded up to three decimals.

    Example:
        >>> in_unit(28_112, "KB"), in_unit(28_112, "bytes"), in_unit(1_500_000, "MB")
        ('28.112KB', '28,112 bytes', '1.5MB')
    """
    factor = UNITS[unit.upper()]
    if factor == 1:
        return counted(count, "byte")
    number = (Decimal(count) / factor).quantize(Decimal("0.001"), ROUND_UP)
    return f"{number.normalize():,f}{unit}"


@dataclasses.dataclass(frozen=True)
class Shape:
    """The sizes that decide the bytes of a student, except its number of words.

    Attributes:
        width: E, H and the attention's width: all three are equal.
        rank: Rank of a factorized embedding table; None for a plain table.
        embedding_bits: Bits in which the file stores embedding rows.
    """

    width: int
    rank: int | None
    embedding_bits: int

    @property
    def name(self) -> str:
        """Width, rank and bits, such as `w32_r16_b4`."""
        return f"w{self.width}" + (f"_r{self.rank}" if self.rank else "") + f"_b{self.embedding_bits}"

    @property
    def row_bytes(self) -> int:
        """Bytes of one more word in the file: its row and the row's scale."""
        return (self.rank or self.width) * self.embedding_bits // 8 + 4


@dataclasses.dataclass(frozen=True)
class Candidate(Shape):
    """A student that fits the budget.

    Attributes:
        vocabulary_size: The most words that fit.
    """

    vocabulary_size: int


def candidates(budget: int, words: int, bytes_of: Callable[[Shape, int], int], unit: str = "bytes") -> list[Candidate]:
    """The students to try, the widest first.

    These are the three widest models that have room for `FEWEST_WORDS` words, or for all words if there are fewer.
    Each is tried with rows of 4 bits, and with a factorized table whose rank is half the width; the middle one also
    with rows of 8 bits. Each gets as many words as fit: the wider the model, the fewer words. So the grid compares
    spending the budget on width, on words and on bits.

    Args:
        budget: Bytes of the model file.
        words: Number of words in the texts.
        bytes_of: Bytes of the file for a shape and a number of words. It converts a model, so it is called once per
            shape.
        unit: The unit of sizes in a message, one of `UNITS`.

    Returns:
        Seven candidates or fewer.

    Raises:
        InputError: Not even the smallest student fits.
    """
    bytes_of = functools.cache(bytes_of)
    fitting = itertools.takewhile(lambda width: _fit(Shape(width, None, 4), budget, words, bytes_of), WIDTHS)
    found = []
    tried = list(fitting)[-WIDTHS_TRIED:][::-1] or [WIDTHS[0]]  # here perhaps only the factorized table fits
    for place, width in enumerate(tried):
        for shape in _shapes(width, with_8_bits=place == len(tried) // 2):
            found += _fit(shape, budget, words, bytes_of)
    if not found:
        fewest = min(words, FEWEST_WORDS)
        least = min(
            PADDING + bytes_of(shape, PROBE_WORDS) + (fewest - PROBE_WORDS) * shape.row_bytes
            for shape in _shapes(WIDTHS[0], with_8_bits=False)
        )
        raise InputError(
            f"--budget {in_unit(budget, unit)}: too small; the smallest student, of {fewest:,} words, takes "
            f"{in_unit(least, unit)}; fewer --lengths take less"
        )
    return found


def _shapes(width: int, with_8_bits: bool) -> Iterator[Shape]:
    """The shapes to try for a width."""
    yield Shape(width, None, 4)
    yield Shape(width, width // 2, 4)
    if with_8_bits:
        yield Shape(width, None, 8)


def _fit(shape: Shape, budget: int, words: int, bytes_of: Callable[[Shape, int], int]) -> list[Candidate]:
    """The candidate with the most words that fit; an empty list if they are too few."""
    fitting = PROBE_WORDS + (budget - PADDING - bytes_of(shape, PROBE_WORDS)) // shape.row_bytes
    if fitting < min(words, FEWEST_WORDS):
        return []
    return [Candidate(**dataclasses.asdict(shape), vocabulary_size=min(fitting, words))]
