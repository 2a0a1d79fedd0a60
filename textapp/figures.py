"""matplotlib figures without pyplot and its global state."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

DPI = 150


def new_figure(width: float, height: float) -> Figure:
    """A figure of `width` by `height` inches at `DPI` dots an inch, white whatever the user's matplotlib style."""
    return Figure(figsize=(width, height), dpi=DPI, facecolor="white", layout="constrained")


def pixels(figure: Figure) -> np.ndarray:
    """Draws a figure: uint8 `(height, width, 4)`."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())
