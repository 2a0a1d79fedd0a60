"""How the weights are spread."""

import numpy as np
import tensorflow as tf
from keras import ops

from textapp.dashboards.log import Dashboard

MOST_VALUES = 200_000  # of one weight: TensorFlow takes 240 bytes for each
_DESCRIPTION = "The weight's values at the end of each epoch."


class Histograms(Dashboard):
    """Writes a histogram of every weight (`weights/LAYER/WEIGHT`), NaN and infinity left out.

    Of a large weight, as the embedding of many words, that of `MOST_VALUES` values drawn at random.

    Args:
        log: An `EventLog`, or the path of a folder.
    """

    def write(self) -> None:
        """Writes one histogram a weight."""
        for weight in self.model.weights:
            values = ops.convert_to_numpy(weight).reshape(-1)
            if values.size > MOST_VALUES:
                values = values[np.random.default_rng(0).integers(0, values.size, MOST_VALUES)]
            values = values.astype(np.float32)
            finite = values[np.isfinite(values)]
            if finite.size:  # TensorBoard cannot draw edges that are NaN
                tf.summary.histogram(f"weights/{weight.path}", finite, description=_DESCRIPTION)
