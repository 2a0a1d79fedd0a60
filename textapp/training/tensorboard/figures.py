"""matplotlib figures as TensorBoard images, without pyplot and its global state."""

import numpy as np
import tensorflow as tf
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


def write_figure(tag: str, figure: Figure, description: str) -> None:
    """Writes a figure to the default summary writer."""
    tf.summary.image(tag, pixels(figure)[np.newaxis], description=description)
