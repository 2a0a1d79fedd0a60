"""Draws how often predictions are right, by their confidence, as SVG. The style sheet of the page gives the colours."""

import html
from collections.abc import Sequence

from textapp.answers import ReliabilityBin

WIDTH, HEIGHT = 240, 236
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, WIDTH - 8, 28, HEIGHT - 40  # of the field, in pixels
_BAR = 9  # width of a bar, in pixels
_MARKS = (0, 25, 50, 75, 100)  # percent


def reliability_diagram(number: str, name: str, bins: Sequence[ReliabilityBin]) -> str:
    """Draws a bar for each bin, as high as its accuracy, at its mean confidence. Honest bars end at the dashed line.

    Bars of fewer predictions are paler, because a bar of one prediction is 0 or 100 % high by chance.

    Args:
        number: The number of the model in the report; empty for the only one.
        name: Name of the model.
        bins: The bins that have predictions, at least one.

    Returns:
        An `<svg>` element. It uses the classes `axis`, `grid`, `honest`, `dot` and `name`.
    """
    description = html.escape(f"{name}: share of right predictions by confidence")
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{description}">']
    for mark in _MARKS:
        x, y = _x(mark / 100), _y(mark / 100)
        parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{_RIGHT}"/>')
        parts.append(f'<text class="axis" x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{mark}</text>')
        parts.append(f'<text class="axis" x="{x:.1f}" y="{_BOTTOM + 16}" text-anchor="middle">{mark}</text>')
    most = max(one.count for one in bins)
    for one in bins:
        x, y = _x(one.confidence) - _BAR / 2, _y(one.accuracy)
        tip = f"{one.count:,} with {one.confidence:.1%} on average, {one.accuracy:.1%} right"
        parts.append(
            f'<rect class="dot" x="{x:.1f}" y="{y:.1f}" width="{_BAR}" height="{_BOTTOM - y:.1f}" '
            f'opacity="{0.25 + 0.75 * (one.count / most) ** 0.5:.2f}"><title>{tip}</title></rect>'
        )
    parts.append(f'<path class="honest" d="M{_x(0)} {_y(0)}L{_x(1)} {_y(1)}"/>')
    parts.append(f'<text class="name" x="{_LEFT}" y="16">{number}</text>')
    middle = (_LEFT + _RIGHT) / 2
    parts.append(f'<text class="axis" x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">confidence, %</text>')
    parts.append(f'<text class="axis" x="{middle}" y="16" text-anchor="middle">right, %</text>')
    return "".join([*parts, "</svg>"])


def _x(share: float) -> float:
    """Pixels from the left."""
    return _LEFT + share * (_RIGHT - _LEFT)


def _y(share: float) -> float:
    """Pixels from the top."""
    return _BOTTOM - share * (_BOTTOM - _TOP)
