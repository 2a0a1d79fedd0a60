"""Windows over a text that has more tokens than the model reads at once."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

SENTENCE_ENDS = frozenset([*".!?…。！？．｡؟۔।॥။።។‼⁇⁈⁉", "..."])
"""Tokens that end a sentence."""


class Window(NamedTuple):
    """Tokens that the model reads together, and the part of them whose logits are kept.

    Attributes:
        start: position of the first token that is read.
        end: position after the last token that is read.
        first: position of the first token whose logits are kept.
        stop: position after the last token whose logits are kept.
    """

    start: int
    end: int
    first: int
    stop: int


def windows(tokens: Sequence[str], size: int) -> Iterator[Window]:
    """Covers a text with as few windows as possible, evenly spaced, that overlap by at least a quarter of their size.

    Each token is kept from the window in which it is further from the border, since the model sees more context there.
    If a sentence ends in the overlap (its outer eighths excluded), the next window takes over after this sentence, as
    the model was trained on sentences. Even if this is no real end, as in "J. Smith", the tokens still have some
    context on both sides.

    Args:
        tokens: the text.
        size: number of tokens that the model reads, one or more.

    Yields:
        The windows from left to right; each token is kept from exactly one. A text that fits has one window, an empty
        text none.

    Example:
        >>> list(windows([*"abcdefgh.jklmnopq"], 12))
        [Window(start=0, end=12, first=0, stop=9), Window(start=5, end=17, first=9, stop=17)]
    """
    count, overlap = len(tokens), size // 4
    steps = max(0, -(-(count - size) // (size - overlap)))
    start = first = 0
    for step in range(1, steps + 1):
        following = step * (count - size) // steps
        stop = _change_over(tokens, middle=(start + size + following) // 2, reach=overlap * 3 // 8)
        yield Window(start, start + size, first, stop)
        start, first = following, stop
    if count:
        yield Window(start, count, first, count)


def _change_over(tokens: Sequence[str], middle: int, reach: int) -> int:
    """The position after a sentence's end that is nearest to the middle of an overlap; the middle if there is none."""
    sentence_ends = (
        position for position in range(middle - reach, middle + reach + 1) if tokens[position - 1] in SENTENCE_ENDS
    )
    return min(sentence_ends, key=lambda position: abs(position - middle), default=middle)
