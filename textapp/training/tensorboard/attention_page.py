"""A text and the weights of its tokens as markdown tables, in any script."""

import re
from collections.abc import Sequence

import numpy as np

_COLUMNS = 12
_SHADES = "▁▂▃▄▅▆▇█"


def markdown(tokens: Sequence[str], weights: np.ndarray, title: str) -> str:
    """Tables of three rows: the tokens, a bar for the weight of each, the weight in percent.

    Args:
        tokens: The tokens, one or more.
        weights: Float `(T,)`; the largest has the highest bar.
        title: Line above the tables.

    Returns:
        Markdown as TensorBoard's text page takes it: it shows tables, but no colours.
    """
    highest = max(float(weights.max()), 1e-9)
    bars = [_SHADES[round(float(weight) / highest * (len(_SHADES) - 1))] for weight in np.nan_to_num(weights)]
    parts = [f"**{escape(title)}**"]
    for start in range(0, len(tokens), _COLUMNS):
        part = slice(start, start + _COLUMNS)
        cells = [escape(token) for token in tokens[part]]
        numbers = [f"{weight:.0%}" for weight in weights[part]]
        rows = [cells, [":-:"] * len(cells), bars[part], numbers]
        parts.append("\n".join(f"| {' | '.join(row)} |" for row in rows))
    return "\n\n".join(parts)


def escape(text: str) -> str:
    """Makes text stand for itself in markdown and HTML."""
    return re.sub(r"[!-/:-@\[-`{-~]", lambda match: f"&#{ord(match[0])};", text)
