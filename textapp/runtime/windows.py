"""Windows over a text of more tokens than the model reads at a time."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

SENTENCE_ENDS = frozenset([*".!?…。！？．｡؟۔।॥။።។‼⁇⁈⁉", "..."])
"""Tokens that end a sentence."""


class Window(NamedTuple):
    """Tokens that the model reads together, and those of them for which it is asked.

    Attributes:
        start: position of the first token that is read.
        end: position behind the last one.
        first: position of the first token whose logits are taken from here.
        behind: position behind the last one.
    """

    start: int
    end: int
    first: int
    behind: int


def windows(tokens: Sequence[str], size: int) -> list[Window]:
    """Covers a text by as few windows as overlap by a quarter of their size, evenly spread.

    Each token is taken from the window in which it stands further from the border, since there the model sees more of
    what is around it. Where a sentence ends in the overlap, but for its outer eighths, the change-over is put there:
    sentences are what the model was trained on. What only looks like an end, as the point of an initial, then still has
    some tokens around it.

    Args:
        tokens: the text.
        size: how many tokens the model reads, one or more.

    Returns:
        The windows from left to right; each token is taken from exactly one. A text that fits has one, which overlaps
        nothing; an empty text has none.

    Example:
        >>> windows([*"abcdefgh.jklmnopq"], 12)
        [Window(start=0, end=12, first=0, behind=9), Window(start=5, end=17, first=9, behind=17)]
    """
    count, overlap = len(tokens), size // 4
    if count <= size:
        return [Window(0, count, 0, count)] if count else []
    steps = -(-(count - size) // (size - overlap))
    starts = [step * (count - size) // steps for step in range(steps + 1)]
    changes = [
        _change_over(tokens, middle=(left + size + right) // 2, reach=overlap * 3 // 8)
        for left, right in itertools.pairwise(starts)
    ]
    return [
        Window(start, start + size, *kept)
        for start, kept in zip(starts, itertools.pairwise([0, *changes, count]), strict=True)
    ]


def _change_over(tokens: Sequence[str], middle: int, reach: int) -> int:
    """The position nearest to the middle of an overlap that stands behind a sentence's end; without one the middle."""
    behind_ends = (
        position for position in range(middle - reach, middle + reach + 1) if tokens[position - 1] in SENTENCE_ENDS
    )
    return min(behind_ends, key=lambda position: abs(position - middle), default=middle)
