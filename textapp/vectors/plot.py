"""A map of words as a picture whose labels do not overlap, and as an HTML page to zoom and search in."""

import html
import json
import os
import re
from collections.abc import Sequence
from importlib import resources
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.text import Text

from textapp.errors import InputError
from textapp.figures import DPI, font_families, new_figure
from textapp.output_files import Overwrite, replacing_output, write_output
from textapp.vectors.word_map import WordMap

MARK = "textapp vectors plot"
"""Stands in each picture and page, near its start: a file without it is somebody else's and is not replaced."""

# Lengths in pixels.
_MARGIN, _HEADING = 60, 110
_DOT, _GAP = 5, 3  # a dot's radius; the smallest distance between two labels
_RINGS = (0, 16, 34)  # distances of a label from its dot; except at the first, a line joins them
_FONT_SIZE = 8.5
_MAX_CHARACTERS = 24  # of a word in a label
_LABEL_BRIGHTNESS = 0.62  # share of the dot's, so that yellow is legible on white


class Label(NamedTuple):
    """The position of a label, pixels from the lower left, and whether a line joins it to its dot."""

    left: float
    bottom: float
    moved: bool


class Picture(NamedTuple):
    """A figure, how many of its words have a label, and how many have none because no font can draw them."""

    figure: Figure
    labelled: int
    without_font: int


def save_picture(word_map: WordMap, path: str | os.PathLike[str], title: str, overwrite: Overwrite = True) -> Picture:
    """Writes the picture as a PNG. Raises `InputError` as `draw_map` and `replacing_output` do."""
    picture = draw_map(word_map, title)
    with replacing_output(path, overwrite) as temporary:
        FigureCanvasAgg(picture.figure).print_png(temporary, metadata={"Software": MARK})
    return picture


def draw_map(word_map: WordMap, title: str) -> Picture:
    """Draws a dot for each word, coloured by cluster, and as many labels as fit; the first words have precedence.

    Raises:
        InputError: No installed font can draw any of the words.
    """
    texts = [word if len(word) <= _MAX_CHARACTERS else word[: _MAX_CHARACTERS - 1] + "…" for word in word_map.words]
    drawable = [font_families(word) is not None for word in texts]
    if not any(drawable):
        raise InputError(
            f"no installed font can draw these words ({texts[0]}, ...); install one (Debian: fonts-noto-cjk for "
            "Chinese), or plot to .html, which uses the browser's fonts"
        )
    legible = [word for word, can in zip(texts, drawable, strict=True) if can]
    if font_families(title) is None:
        title = "Words by t-SNE"
    families = font_families("".join([*legible, title, "…"]))
    style: dict[str, Any] = {"fontfamily": families, "parse_math": False}  # a "$" is a dollar, not a formula
    side = min(max(900, 85 * len(texts) ** 0.5 + 300), 3600)
    width, height = side + 2 * _MARGIN, side + _MARGIN + _HEADING
    figure = new_figure(width / DPI, height / DPI)
    figure.set_layout_engine("none")  # the axes fill the picture, so that data are pixels
    dots = word_map.positions * side + _MARGIN
    sizes = _sizes([word if can else "" for word, can in zip(texts, drawable, strict=True)], style)
    labels = place_labels(dots, sizes, (width, height - _HEADING), drawable)

    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height))
    axes.set_axis_off()
    colours = matplotlib.colormaps["tab10"](word_map.clusters % 10)[:, :3]
    axes.scatter(dots[:, 0], dots[:, 1], s=(2 * _DOT * 72 / DPI) ** 2, c=colours, linewidths=0, alpha=0.75)
    lines = [
        [dot, (label.left + size[0] / 2, label.bottom + size[1] / 2)]
        for dot, size, label in zip(dots, sizes, labels, strict=True)
        if label is not None and label.moved
    ]
    axes.add_collection(LineCollection(lines, colors="0.75", linewidths=0.5, zorder=0.5))
    for word, colour, label in zip(texts, colours, labels, strict=True):
        if label is not None:
            axes.add_artist(
                Text(
                    label.left,
                    label.bottom,
                    word,
                    fontsize=_FONT_SIZE,
                    va="bottom",
                    color=_LABEL_BRIGHTNESS * colour,
                    **style,
                )
            )
    labelled = sum(label is not None for label in labels)
    axes.add_artist(Text(_MARGIN, height - 48, title, fontsize=14, fontweight="bold", color="0.1", **style))
    note = f"{labelled:,} of {len(texts):,} words labelled. Near points are similar words; large distances mean little."
    axes.add_artist(Text(_MARGIN, height - 80, note, fontsize=9, color="0.4", **style))
    return Picture(figure, labelled, drawable.count(False))


def place_labels(
    dots: np.ndarray, sizes: np.ndarray, room: tuple[float, float], wanted: Sequence[bool]
) -> list[Label | None]:
    """Finds a position for each label in turn. It covers no other label and, if possible, no dot.

    Args:
        dots: Float `(N, 2)`, pixels.
        sizes: Float `(N, 2)`, width and height of each label, pixels.
        room: Width and height of the picture's part for labels, pixels.
        wanted: Whether each dot gets a label.

    Returns:
        The position of each label; None if there is no free one.
    """
    boxes = np.empty((0, 4))  # left, bottom, right, top of the labels placed so far
    around = np.concatenate([dots - _DOT, dots + _DOT], axis=1)
    labels: list[Label | None] = []
    for dot, size, want in zip(dots, sizes, wanted, strict=True):
        choices = _choices(dot, size)
        free = np.full(len(choices), want)
        free &= (choices[:, :2] >= 0).all(axis=1) & (choices[:, 2:] <= room).all(axis=1)
        free &= ~_overlap(choices, boxes + np.array([-_GAP, 0, _GAP, 0])).any(axis=1)
        clear = free & (_overlap(choices, around).sum(axis=1) == 0)
        best = int((clear if clear.any() else free).argmax())
        if not free[best]:
            labels.append(None)
            continue
        boxes = np.concatenate([boxes, choices[best : best + 1]])
        labels.append(Label(choices[best, 0], choices[best, 1], bool(best >= len(choices) // len(_RINGS))))
    return labels


def _choices(dot: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Boxes next to a dot in 8 directions, ring by ring, the best first: `(24, 4)`."""
    boxes = []
    for ring in _RINGS:
        reach = _DOT + 2 + ring
        for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1)):
            near = reach * (0.75 if x and y else 1)
            left = dot[0] + x * near - size[0] * (1 - x) / 2
            bottom = dot[1] + y * near - size[1] * (1 - y) / 2
            boxes.append((left, bottom, left + size[0], bottom + size[1]))
    return np.array(boxes)


def _overlap(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Whether boxes `(A, 4)` and `(B, 4)` overlap, bool `(A, B)`."""
    one, other = some[:, np.newaxis], others[np.newaxis]
    return np.all((one[..., :2] < other[..., 2:]) & (other[..., :2] < one[..., 2:]), axis=-1)


def _sizes(words: Sequence[str], style: dict[str, Any]) -> np.ndarray:
    """Width and height of each label, pixels `(N, 2)`."""
    figure = new_figure(1, 1)
    renderer = FigureCanvasAgg(figure).get_renderer()
    sizes = []
    for word in words:
        text = Text(0, 0, word, transform=None, fontsize=_FONT_SIZE, **style)
        text.set_figure(figure)
        extent = text.get_window_extent(renderer)
        sizes.append((extent.width, extent.height))
    return np.array(sizes)


def save_page(word_map: WordMap, path: str | os.PathLike[str], title: str, overwrite: Overwrite = True) -> None:
    """Writes the page. Raises `InputError` as `replacing_output` does."""
    write_output(path, html_page(word_map, title), overwrite)


def html_page(word_map: WordMap, title: str) -> str:
    """Returns a page that needs no network: pan, zoom, hover, search.

    Words are data in it, never markup: they are written as JSON without `<` and drawn as text.
    """
    data = {
        "words": word_map.words,
        "x": [round(x, 5) for x in word_map.positions[:, 0].tolist()],
        "y": [round(1 - y, 5) for y in word_map.positions[:, 1].tolist()],  # y points downwards on a page
        "clusters": word_map.clusters.tolist(),
        "neighbors": word_map.neighbors.tolist(),
        "cosines": [[round(x, 3) for x in row] for row in word_map.cosines.tolist()],
        "ranks": word_map.ranks.tolist(),
    }
    # ASCII only, with lone surrogates as escapes; "<" is escaped because "</script>" would end the data.
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    parts = {"TITLE": html.escape(title), "DATA": text}
    template = resources.files("textapp.vectors").joinpath("page.html").read_text(encoding="utf-8")
    return re.sub(r"__(TITLE|DATA)__", lambda match: parts[match[1]], template)
