"""How the weights are spread."""

import numpy as np
import tensorflow as tf
from keras import ops

from textapp.training.tensorboard.dashboard import Dashboard

_DESCRIPTION = "The weight's values at the end of each epoch."


class Histograms(Dashboard):
    """Writes a histogram of every weight (`weights/LAYER/WEIGHT`), NaN and infinity left out.

    Args:
        log: An `EventLog`, or the path of a folder.
    """

    def write(self) -> None:
        """Writes one histogram a weight."""
        for weight in self.model.weights:
            values = ops.convert_to_numpy(weight).astype(np.float32)
            finite = values[np.isfinite(values)]
            if finite.size:  # TensorBoard cannot draw edges that are NaN
                tf.summary.histogram(f"weights/{weight.path}", finite, description=_DESCRIPTION)
