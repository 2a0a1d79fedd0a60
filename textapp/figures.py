"""matplotlib figures without pyplot's global state, and the installed fonts that can draw a text."""

import functools
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from matplotlib import font_manager, ft2font
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

DPI = 150

# A font that draws a box with the block's name for every character, so it "has" them all.
_PLACEHOLDER = "Last Resort"


def new_figure(width: float, height: float) -> Figure:
    """Makes a figure of `width` by `height` inches at `DPI` dots an inch, white in any matplotlib style."""
    return Figure(figsize=(width, height), dpi=DPI, facecolor="white", layout="constrained")


def pixels(figure: Figure) -> np.ndarray:
    """Draws a figure: uint8 `(height, width, 4)`."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


def font_families(text: str) -> list[str] | None:
    """Finds font families, the default first, that together have all characters of a text.

    Returns:
        Values of `fontfamily`; None if no installed font has a character, as matplotlib would draw an empty box.
    """
    default = font_manager.FontProperties()
    missing = _visible(text) - _characters(font_manager.findfont(default))
    chosen = list(default.get_family())
    for font in _installed() if missing else ():
        drawn = missing & _characters(font.fname)
        if drawn:
            chosen.append(font.name)
            missing -= drawn
        if not missing:
            break
    return None if missing else chosen


def _visible(text: Iterable[str]) -> set[int]:
    return {ord(character) for character in text if not character.isspace()}


@functools.lru_cache(maxsize=1)
def _installed() -> list[font_manager.FontEntry]:
    """Upright text fonts, including those installed after matplotlib made its list."""
    manager = font_manager.fontManager
    known = {Path(font.fname) for font in manager.ttflist}
    for path in font_manager.findSystemFonts():
        if Path(path) not in known:
            try:
                manager.addfont(path)
            except (OSError, RuntimeError, KeyError):  # a bitmap font or a broken one: matplotlib cannot draw with it
                continue
    upright = (font for font in manager.ttflist if font.style == "normal" and not font.name.startswith(_PLACEHOLDER))
    return sorted(upright, key=lambda font: (abs(_weight(font) - 400), font.name))


def _weight(font: font_manager.FontEntry) -> int:
    return font.weight if isinstance(font.weight, int) else font_manager.weight_dict[font.weight]


@functools.lru_cache(maxsize=256)
def _characters(path: str) -> frozenset[int]:
    """Code points that a font file has outlines for; none if it has only bitmaps."""
    font = ft2font.FT2Font(path)
    return frozenset(font.get_charmap()) if font.scalable else frozenset()
