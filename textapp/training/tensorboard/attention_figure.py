"""A text whose tokens are shaded by weight."""

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from textapp import fonts
from textapp.figures import DPI, new_figure

# Pixels. TensorBoard shrinks pictures to some 330 pixels, so the letters are large and the lines short.
_WIDTH, _MARGIN, _HEADING, _LINE = 660, 18, 88, 48
_GAP, _PADDING = 4, 6
_FONT_SIZE = 12.5
_LONGEST = 28  # characters of a token that are drawn: more are wider than the picture
_DARKEST = 0.65  # of the colour map's range: black letters stay legible on it


def draw(tokens: Sequence[str], weights: np.ndarray, title: str) -> Figure | None:
    """Draws tokens in lines, like text.

    Args:
        tokens: The tokens, one or more.
        weights: Float `(T,)`; the largest is drawn darkest.
        title: Line above the text.

    Returns:
        The figure, or None where no installed font can draw a character of it.
    """
    families = fonts.families("".join(tokens) + title + "…")
    if families is None:
        return None
    shown = [token if len(token) <= _LONGEST else token[: _LONGEST - 1] + "…" for token in tokens]
    style: dict[str, Any] = {"fontfamily": families, "parse_math": False}  # a "$" is a dollar, not a formula
    places, lines = _places(_widths(shown, style))
    height = _HEADING + lines * _LINE + _MARGIN
    figure = new_figure(_WIDTH / DPI, height / DPI)

    def write(left: float, bottom: float, text: str, **how: Any) -> None:
        figure.add_artist(Text(left, bottom, text, transform=None, **style, **how))

    write(_MARGIN, height - 36, title, fontsize=11.5, fontweight="bold")
    write(_MARGIN, height - 70, f"darkest token: {weights.max():.0%} of the attention", fontsize=9.5, color="dimgray")
    colours = matplotlib.colormaps["Oranges"](_DARKEST * weights / max(weights.max(), 1e-9))
    for token, colour, (left, line, width) in zip(shown, colours, places, strict=True):
        bottom = height - _HEADING - (line + 1) * _LINE
        figure.add_artist(Rectangle((left, bottom + 3), width, _LINE - 6, transform=None, facecolor=colour))
        write(left + width / 2, bottom + 15, token, ha="center", fontsize=_FONT_SIZE)
    return figure


def _widths(tokens: Sequence[str], style: dict[str, Any]) -> list[float]:
    """Width of each token's box, pixels."""
    figure = new_figure(1, 1)
    renderer = FigureCanvasAgg(figure).get_renderer()
    widths = []
    for token in tokens:
        text = figure.add_artist(Text(0, 0, token, transform=None, fontsize=_FONT_SIZE, **style))
        widths.append(text.get_window_extent(renderer).width + 2 * _PADDING)
    return widths


def _places(widths: Sequence[float]) -> tuple[list[tuple[float, int, float]], int]:
    """Left edge, line and width of each box, and the number of lines."""
    places, left, line = [], float(_MARGIN), 0
    for width in widths:
        if left > _MARGIN and left + width > _WIDTH - _MARGIN:
            left, line = float(_MARGIN), line + 1
        places.append((left, line, width))
        left += width + _GAP
    return places, line + 1
