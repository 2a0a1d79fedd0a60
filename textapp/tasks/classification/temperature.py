"""The temperature of a classifier's probabilities, chosen on validation texts."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from textapp.text.labels import LEAST_TEMPERATURE, MOST_TEMPERATURE

_PRIOR = 10  # texts; on splits of CLINC150 and TREC 2 were too few for 10 validation texts, and 50 too many for 300


def best_temperature(labels: NDArray[np.integer], logits: NDArray[np.floating]) -> float:
    """Chooses the temperature with the least negative log-likelihood of the true labels.

    A few texts say little: a model that is right about all of ten texts would get the least temperature, and be sure of
    everything. So the result is that of the texts and of 10 more, whose labels are as frequent as the model says with
    temperature 1. For few texts it is near 1, for many it is that of the texts alone.

    The likelihood is concave in the inverse temperature b. So it is highest at the one b where its slope is 0: where
    the mean over texts of `sum(softmax(b z) z)`, with logits z, is the mean logit of the true labels.

    Args:
        labels: The true class indices, `(N,)`.
        logits: `(N, C)`. Rows with a value that is not finite are left out.

    Returns:
        From `LEAST_TEMPERATURE` to `MOST_TEMPERATURE`; 1 if the probabilities do not depend on it.

    Reference:
        Guo et al. 2017, On Calibration of Modern Neural Networks, section 4.2.

    Example:
        >>> sure = np.array([[0.0, 4.0]] * 1000)  # 98 % sure, and right about 80 % of the texts
        >>> round(best_temperature(np.repeat([0, 1], [200, 800]), sure), 2)
        2.86
    """
    finite = np.isfinite(logits).all(axis=1)
    logits, labels = logits[finite].astype(np.float64), labels[finite]
    logits -= logits.max(axis=1, keepdims=True, initial=-np.inf)
    if not logits.any():
        return 1.0

    def mean_logit(inverse: float) -> float:
        """The mean over texts of the logit that a label drawn by the model has."""
        powers = np.exp(inverse * logits)
        return float(((powers * logits).sum(axis=1) / powers.sum(axis=1)).mean())

    count = len(labels)
    wanted = count * logits[np.arange(count), labels].mean() + _PRIOR * mean_logit(1.0)
    wanted /= count + _PRIOR
    least, most = 1 / MOST_TEMPERATURE, 1 / LEAST_TEMPERATURE
    if mean_logit(least) >= wanted:
        return MOST_TEMPERATURE
    if mean_logit(most) <= wanted:
        return LEAST_TEMPERATURE
    return 1 / float(brentq(lambda inverse: mean_logit(inverse) - wanted, least, most))
