"""Histograms of weights."""

import numpy as np
import tensorflow as tf
from keras import ops

from textapp.dashboards.log import Dashboard

MAX_VALUES = 200_000  # of one weight: TensorFlow needs 240 bytes for each
_DESCRIPTION = "The weight's values at the end of each epoch."


class Histograms(Dashboard):
    """Writes a histogram of every weight (`weights/LAYER/WEIGHT`), without NaN and infinity.

    For a large weight, such as the embedding of many words, it shows `MAX_VALUES` random values.

    Args:
        log: An `EventLog`, or the path of a folder.
    """

    def write(self) -> None:
        """Writes one histogram for each weight."""
        for weight in self.model.weights:
            values = ops.convert_to_numpy(weight).reshape(-1)
            if values.size > MAX_VALUES:
                values = values[np.random.default_rng(0).integers(0, values.size, MAX_VALUES)]
            values = values.astype(np.float32)
            finite = values[np.isfinite(values)]
            if finite.size:  # TensorBoard cannot draw NaN edges
                tf.summary.histogram(f"weights/{weight.path}", finite, description=_DESCRIPTION)
