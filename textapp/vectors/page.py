"""A map of words as one HTML file that needs no network: pan, zoom, hover, search."""

import html
import json
import os
import re
from importlib import resources

from textapp.files import write_text
from textapp.vectors.word_map import WordMap


def save_page(word_map: WordMap, path: str | os.PathLike[str], title: str) -> None:
    """Writes the page. Raises `InputError` where the file cannot be written."""
    write_text(path, page(word_map, title))


def page(word_map: WordMap, title: str) -> str:
    """The page. Words are data to it, never markup: they go in as JSON without `<`, and are drawn as text."""
    data = {
        "words": word_map.words,
        "x": [round(x, 5) for x in word_map.places[:, 0].tolist()],
        "y": [round(1 - y, 5) for y in word_map.places[:, 1].tolist()],  # a page's y points downwards
        "clusters": word_map.clusters.tolist(),
        "neighbors": word_map.neighbors.tolist(),
        "cosines": [[round(x, 3) for x in row] for row in word_map.cosines.tolist()],
        "ranks": word_map.ranks.tolist(),
    }
    # ASCII alone, lone surrogates as escapes; "<" escaped, as "</script>" would end the data.
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    parts = {"TITLE": html.escape(title), "DATA": text}
    template = resources.files("textapp.vectors").joinpath("page.html").read_text(encoding="utf-8")
    return re.sub(r"__(TITLE|DATA)__", lambda match: parts[match[1]], template)
