"""Fonts of this machine that can draw a text."""

import functools
from collections.abc import Iterable
from pathlib import Path

from matplotlib import font_manager, ft2font

# Draws a box with the block's name for every character there is, so it "has" them all.
_PLACEHOLDER = "Last Resort"


def families(text: str) -> list[str] | None:
    """Font families for matplotlib's `fontfamily`, the default first, that together have all characters of `text`.

    Returns:
        The families, or None where a character is in no installed font: matplotlib would draw an empty box for it.
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
    """Upright text fonts, those installed after matplotlib had made its list included."""
    manager = font_manager.fontManager
    known = {Path(font.fname) for font in manager.ttflist}
    for path in font_manager.findSystemFonts():
        if Path(path) not in known:
            try:
                manager.addfont(path)
            except (OSError, RuntimeError, KeyError):  # a bitmap or broken font: not one that we can draw with
                continue
    upright = (font for font in manager.ttflist if font.style == "normal" and not font.name.startswith(_PLACEHOLDER))
    return sorted(upright, key=lambda font: (abs(_weight(font) - 400), font.name))


def _weight(font: font_manager.FontEntry) -> int:
    return font.weight if isinstance(font.weight, int) else font_manager.weight_dict[font.weight]


@functools.lru_cache(maxsize=256)
def _characters(path: str) -> frozenset[int]:
    """Code points that a font file has outlines for; none where it holds bitmaps only."""
    font = ft2font.FT2Font(path)
    return frozenset(font.get_charmap()) if font.scalable else frozenset()
