"""Draws the curves of a training as SVG. The style sheet of the page gives the colours, for light and dark screens."""

import html
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

WIDTH, HEIGHT = 520, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, WIDTH - 14, 34, HEIGHT - 42  # of the field, in pixels
_LETTER = 6.6  # width of a letter, in pixels
_MOST_MARKS = 8  # on the axis of epochs
_MOST_DOTS = 40  # epochs with a dot each


class Curve(NamedTuple):
    """A curve.

    Attributes:
        name: Its name.
        values: A value for each epoch; NaN for none.
        kind: Its class in the style sheet: `first` or `second`.
    """

    name: str
    values: Sequence[float]
    kind: str = "first"


def curves(title: str, drawn: Sequence[Curve], best: int | None = None, level: tuple[str, float] | None = None) -> str:
    """Draws one or two curves over the epochs.

    Args:
        title: What they show.
        drawn: The curves; each has a value that is a number.
        best: The epoch to mark as the best, from 0; None for none.
        level: A level line to compare them with: its name and its value.

    Returns:
        An `<svg>` element. It uses the classes `axis`, `grid`, `honest`, `first`, `second` and their `-name`.
    """
    known = [value for curve in drawn for value in curve.values if math.isfinite(value)]
    known += [] if level is None else [level[1]]
    count = max(len(curve.values) for curve in drawn)
    marks = _marks(min(known), max(known))
    low, high = min(marks[0], min(known)), max(marks[-1], max(known))

    def x(epoch: int) -> float:
        return (_LEFT + _RIGHT) / 2 if count == 1 else _LEFT + epoch / (count - 1) * (_RIGHT - _LEFT)

    def y(value: float) -> float:
        return _BOTTOM - (value - low) / (high - low) * (_BOTTOM - _TOP)

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(_spoken(title, drawn))}">']
    for mark in marks:
        parts.append(f'<path class="grid" d="M{_LEFT} {y(mark):.1f}H{_RIGHT}"/>')
        parts.append(f'<text class="axis" x="{_LEFT - 8}" y="{y(mark) + 4:.1f}" text-anchor="end">{mark:.6g}</text>')
    for epoch in range(0, count, -(-count // _MOST_MARKS)):
        place = f'x="{x(epoch):.1f}" y="{_BOTTOM + 18}"'
        parts.append(f'<text class="axis" {place} text-anchor="middle">{epoch + 1}</text>')
    parts.append(f'<text class="axis" x="{(_LEFT + _RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">epoch</text>')
    if best is not None:
        parts.append(f'<path class="honest" d="M{x(best):.1f} {_TOP}V{_BOTTOM}"/>')
        side = "end" if x(best) > (_LEFT + _RIGHT) / 2 else "start"
        shift = -5 if side == "end" else 5
        parts.append(
            f'<text class="axis" x="{x(best) + shift:.1f}" y="{_TOP + 10}" text-anchor="{side}">best: {best + 1}</text>'
        )
    if level is not None:
        name, value = level
        parts.append(f'<path class="honest" opacity=".6" d="M{_LEFT} {y(value):.1f}H{_RIGHT}"/>')
        under = 14 if y(value) < _TOP + 14 else -4  # not over the title
        parts.append(
            f'<text class="axis" x="{_LEFT + 4}" y="{y(value) + under:.1f}">{html.escape(name)} {value:.3g}</text>'
        )
    for curve in drawn:
        parts += _line([(x(epoch), y(value)) for epoch, value in enumerate(curve.values)], curve.kind)
    parts += _legend(title, drawn)
    return "".join([*parts, "</svg>"])


def _line(points: Sequence[tuple[float, float]], kind: str) -> Iterator[str]:
    """Yields a line with gaps where a value is missing, and a dot for each epoch where there are few."""
    path, drawing = "", False
    for left, top in points:
        if math.isfinite(top):
            path += f"{'L' if drawing else 'M'}{left:.1f} {top:.1f}"
        drawing = math.isfinite(top)
    yield f'<path class="{kind}" d="{path}"/>'
    if len(points) <= _MOST_DOTS:
        for left, top in points:
            if math.isfinite(top):
                yield f'<circle class="{kind}-name" cx="{left:.1f}" cy="{top:.1f}" r="2.5"/>'


def _legend(title: str, drawn: Sequence[Curve]) -> Iterator[str]:
    """Yields the title, and the name of each curve in its colour."""
    yield f'<text class="name" x="{_LEFT}" y="16">{html.escape(title)}</text>'
    left = float(_RIGHT)
    for curve in reversed(drawn):
        name = html.escape(curve.name)
        yield f'<text class="{curve.kind}-name" x="{left:.1f}" y="16" text-anchor="end">{name}</text>'
        left -= _LETTER * len(curve.name) + 26
        yield f'<path class="{curve.kind}" d="M{left + 2:.1f} 12h18"/>'
        left -= 10


def _spoken(title: str, drawn: Sequence[Curve]) -> str:
    """The drawing in words: where each curve begins and ends."""
    rows = []
    for curve in drawn:
        known = [value for value in curve.values if math.isfinite(value)]
        rows.append(f"{curve.name} from {known[0]:.3g} to {known[-1]:.3g}")
    return f"{title} by epoch: {'; '.join(rows)}"


def _marks(low: float, high: float) -> list[float]:
    """Round values from below the lowest to above the highest, about five."""
    span = (high - low) or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / 4))
    step = next(factor * power for factor in (1, 2, 5, 10, 20) if span / (factor * power) <= 5)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    return [round(number * step, 12) for number in range(first, last + 1)]
