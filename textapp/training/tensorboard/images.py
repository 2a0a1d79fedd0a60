"""matplotlib figures as TensorBoard images."""

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from textapp.figures import pixels


def write_figure(tag: str, figure: Figure, description: str) -> None:
    """Writes a figure to the default summary writer."""
    tf.summary.image(tag, pixels(figure)[np.newaxis], description=description)
