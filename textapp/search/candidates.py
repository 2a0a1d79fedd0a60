"""The grid of students that a budget of bytes allows."""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator

from textapp.errors import InputError

# Below 32 units a fused LSTM stays float, see `textapp.compress.granularity`: 24 take more bytes than 32. 16 are few
# enough to be worth it.
WIDTHS = (16, 32, 48, 64, 96, 128, 192, 256)
FEWEST_WORDS = 2_000  # with fewer, too many words of a text are unknown for a wider model to make up for
WIDTHS_TRIED = 3
PROBE_WORDS = 1_000  # of the files that are measured
PADDING = 64  # bytes: parts of a file begin at multiples of 16, so that a row does not cost quite the same each time


@dataclasses.dataclass(frozen=True)
class Shape:
    """What the bytes of a student depend on, its words aside.

    Attributes:
        width: E, H and the attention's width: all three grow together.
        rank: Rank of a factorized embedding table; None for one of one piece.
        embedding_bits: In which the file stores the rows.
    """

    width: int
    rank: int | None
    embedding_bits: int

    @property
    def name(self) -> str:
        """As `w32_r16_b4`: width, rank, bits."""
        return f"w{self.width}" + (f"_r{self.rank}" if self.rank else "") + f"_b{self.embedding_bits}"

    @property
    def row_bytes(self) -> int:
        """What one word more costs in the file: its row and the row's scale."""
        return (self.rank or self.width) * self.embedding_bits // 8 + 4


@dataclasses.dataclass(frozen=True)
class Candidate(Shape):
    """A student that fits.

    Attributes:
        vocabulary_size: As many words as the budget has room for.
    """

    vocabulary_size: int


def candidates(budget: int, words: int, bytes_of: Callable[[Shape, int], int]) -> list[Candidate]:
    """The students to try, the widest first.

    The three widest models that leave room for `FEWEST_WORDS` words, or all there are: each with rows of 4 bits, and
    with a factorized table of half the rank; the middle one with rows of 8 bits, too. Each has all the words that fit,
    so the wider, the fewer. The grid asks what the budget should be spent on: width, words, or bits.

    Args:
        budget: Bytes of the model file.
        words: How many there are.
        bytes_of: Bytes of the file of a shape with so many words; called once a shape, as that takes a conversion.

    Returns:
        Seven or fewer.

    Raises:
        InputError: Not even the smallest fits.
    """
    bytes_of = functools.cache(bytes_of)
    fitting = itertools.takewhile(lambda width: _fit(Shape(width, None, 4), budget, words, bytes_of), WIDTHS)
    found = []
    tried = list(fitting)[-WIDTHS_TRIED:][::-1] or [WIDTHS[0]]  # of which only the factorized table may fit
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
            f"--budget {budget}: too small; the smallest student, of {fewest:,} words, takes {least:,} bytes; fewer "
            "--lengths take less"
        )
    return found


def _shapes(width: int, with_8_bits: bool) -> Iterator[Shape]:
    """The shapes that are tried of a width."""
    yield Shape(width, None, 4)
    yield Shape(width, width // 2, 4)
    if with_8_bits:
        yield Shape(width, None, 8)


def _fit(shape: Shape, budget: int, words: int, bytes_of: Callable[[Shape, int], int]) -> list[Candidate]:
    """The candidate with as many of the words as fit, or none where these are too few."""
    fitting = PROBE_WORDS + (budget - PADDING - bytes_of(shape, PROBE_WORDS)) // shape.row_bytes
    if fitting < min(words, FEWEST_WORDS):
        return []
    return [Candidate(**dataclasses.asdict(shape), vocabulary_size=min(fitting, words))]
