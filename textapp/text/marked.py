"""Texts with marks as HTML: tokens tinted by their weight, and spans with their types. For pages and notebooks.

The colours are inline and half transparent, so that they read on a light and on a dark background, and need no style
sheet: a notebook may remove one. A colour never stands alone. A span has its type as text. A tinted token has its
weight as a tooltip, and callers list the heaviest tokens.
"""

import html
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from textapp.text.characters import one_line

WEIGHT, FOR, AGAINST = "230, 159, 0", "0, 158, 115", "213, 94, 0"
"""Colours of tints, which differ for colour-blind people too: attention, and contributions for and against a label."""

_TYPES = (  # Okabe and Ito's colours, and hues between them
    *("86, 180, 233", "0, 158, 115", "230, 159, 0", "204, 121, 167", "213, 94, 0", "148, 130, 226"),
    *("170, 160, 20", "0, 150, 175", "200, 90, 110", "110, 160, 60", "150, 115, 80", "120, 140, 160"),
)
_LEAST, _MOST = 0.06, 0.6  # opacity of tints
_SPAN = 0.28  # opacity of a span


class Mark(NamedTuple):
    """A marked part of a text.

    Attributes:
        start: Position of its first code point.
        end: Position after its last code point.
        colour: `red, green, blue` from 0 to 255.
        strength: From 0 (no colour) to 1, for a tint.
        label: What is written after a span, such as its type; empty for a tint.
        tip: The tooltip; empty for none.
    """

    start: int
    end: int
    colour: str
    strength: float = 1.0
    label: str = ""
    tip: str = ""


class Marked(NamedTuple):
    """A text and its marks, from left to right, without overlap.

    Attributes:
        text: The text.
        marks: Its marks.
        is_cut: Whether the text goes on.
    """

    text: str
    marks: tuple[Mark, ...]
    is_cut: bool = False

    def first(self, characters: int) -> "Marked":
        """The text of at most some code points, with the marks that begin in it."""
        if len(self.text) <= characters:
            return self
        marks = tuple(mark._replace(end=min(mark.end, characters)) for mark in self.marks if mark.start < characters)
        return Marked(self.text[:characters], marks, is_cut=True)

    def html(self) -> str:
        """The text as HTML, with everything escaped that could be markup.

        Line breaks and control characters are spaces. An element isolates the direction of the text.

        Example:
            >>> Marked("a <b>", (Mark(2, 5, WEIGHT, 0.0),)).html()
            '<bdi>a &lt;b&gt;</bdi>'
        """
        parts, end = [], 0
        for mark in self.marks:
            parts += [_escaped(self.text[end : mark.start]), _element(self.text[mark.start : mark.end], mark)]
            end = mark.end
        return f"<bdi>{''.join(parts)}{_escaped(self.text[end:])}{'…' if self.is_cut else ''}</bdi>"


def type_colour(name: str, types: Sequence[str]) -> str:
    """The colour of a type of spans, by its place among all types; of more than 12 types some share a colour."""
    return _TYPES[types.index(name) % len(_TYPES)] if name in types else _TYPES[-1]


def weighted(text: str, tokens: Iterable[tuple[int, int, float]]) -> Marked:
    """A text whose tokens are tinted by their attention weights.

    Args:
        text: The text.
        tokens: Start, end and weight (0 or more) of each token, from left to right. The heaviest has the full tint.
    """
    rows = list(tokens)
    most = max((weight for *_, weight in rows), default=0.0) or 1.0
    return Marked(text, tuple(Mark(a, b, WEIGHT, weight / most, tip=f"{weight:.3f}") for a, b, weight in _apart(rows)))


def contributing(text: str, tokens: Iterable[tuple[int, int, float]]) -> Marked:
    """A text whose tokens are tinted by what they contribute to a probability, from -1 to 1, as `weighted` does."""
    rows = list(tokens)
    most = max((abs(value) for *_, value in rows), default=0.0) or 1.0
    marks = (
        Mark(a, b, FOR if value > 0 else AGAINST, abs(value) / most, tip=f"{value:+.3f}")
        for a, b, value in _apart(rows)
    )
    return Marked(text, tuple(marks))


def with_spans(text: str, spans: Iterable[tuple[str, int, int, float | None]], types: Sequence[str]) -> Marked:
    """A text with its spans in the colours of their types.

    Args:
        text: The text.
        spans: Type, start, end, and confidence or None, of each span, from left to right.
        types: All types.
    """
    return Marked(
        text,
        tuple(
            Mark(start, end, type_colour(name, types), 1.0, name or "_", "" if chance is None else f"{chance:.3f}")
            for name, start, end, chance in spans
        ),
    )


def joined(tokens: Iterable[tuple[str, int, int]]) -> tuple[str, list[tuple[int, int]]]:
    """A text of tokens, with a space where the text that they come from has anything between them.

    Args:
        tokens: Each token, and its start and end in that text.

    Returns:
        The text, and start and end of each token in it.

    Example:
        >>> joined([("do", 0, 2), ("n't", 2, 5), ("go", 6, 8)])
        ("don't go", [(0, 2), (2, 5), (6, 8)])
    """
    text, places, last = "", [], None
    for token, start, end in tokens:
        text += " " if last is not None and start > last else ""
        places.append((len(text), len(text) + len(token)))
        text += token
        last = end
    return text, places


def _apart(rows: Iterable[tuple[int, int, float]]) -> Iterable[tuple[int, int, float]]:
    """Yields tokens without those whose characters an earlier token has: normalization may cut one character."""
    done = 0
    for start, end, value in rows:
        if end > max(start, done):
            yield max(start, done), end, value
            done = end


def _element(text: str, mark: Mark) -> str:
    """The element of a mark."""
    tip = f' title="{html.escape(one_line(mark.tip))}"' if mark.tip else ""
    if mark.label:
        label = f'<small style="font-weight:600;opacity:.85;margin-left:.35em">{_escaped(mark.label)}</small>'
        style = f"background:rgba({mark.colour}, {_SPAN});border-radius:3px;padding:0 .2em"
        return f'<span style="{style}"{tip}>{_escaped(text)}{label}</span>'
    opacity = _MOST * min(1.0, max(0.0, mark.strength))
    if not opacity >= _LEAST:  # also of a weight that is NaN
        return _escaped(text)
    style = f"background:rgba({mark.colour}, {opacity:.2f});border-radius:2px"
    return f'<span style="{style}"{tip}>{_escaped(text)}</span>'


def _escaped(text: str) -> str:
    """A text on one line, in which nothing is markup. Controls of direction are spaces too, so that none acts."""
    return html.escape(one_line(text))
