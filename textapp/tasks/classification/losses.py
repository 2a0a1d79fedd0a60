"""The accuracy metric of a classifier, and the distance of a student from its teachers."""

from collections.abc import Callable
from typing import Any, Literal

import keras
from keras import ops

SMALLEST = 1e-7  # smallest probability of a teacher: float32 cannot resolve less beside 1


@keras.saving.register_keras_serializable("textapp")
class LabelAccuracy(keras.metrics.SparseCategoricalAccuracy):
    """The share of labelled texts whose largest logit is that of the label.

    Args:
        name: As in `keras.metrics.Metric`.

    Call arguments:
        y_true: Labels, `(B,)`, or soft targets `(B, 1 + C)`, whose first column is the label. Negative labels do not
            count.
        y_pred: Logits, float `(B, C)`.
        sample_weight: Optional weights of the texts, `(B,)`.
    """

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Counts a batch."""
        labels = y_true if len(y_true.shape) == 1 else y_true[:, 0]
        weights = ops.cast(labels >= 0, "float32")
        if sample_weight is not None:
            weights = weights * ops.cast(sample_weight, "float32")
        return super().update_state(ops.maximum(labels, 0), y_pred, weights)


def soft_distance(kind: Literal["kl", "mse"], temperature: float) -> Callable[[Any, Any, Any], Any]:
    r"""The distance between a student with logits $z$ and its teachers' probabilities $p$.

    With `kl`, as in Hinton et al. (2015):

    $$T^2\,\mathrm{KL}(p_T \,\|\, \mathrm{softmax}(z / T)), \qquad p_T \propto p^{1/T}$$

    $p_T$ equals the softmax of the teacher's logits divided by $T$: log probabilities are logits up to a constant, and
    a softmax ignores constants. $T^2$ keeps the gradient as large as that of the true labels, for any $T$.

    With `mse`, as in Tang et al. (2019), it is the squared distance between logits. Here the mean is subtracted from
    both, because probabilities do not determine it. The temperature is not used.

    Args:
        kind: `kl` or `mse`.
        temperature: $T$, above 0.

    Returns:
        A function from probabilities `(B, C)`, logits `(B, C)` and a mask, which is not used, to float32 `(B,)`.

    Reference:
        Hinton et al. 2015, Distilling the Knowledge in a Neural Network, section 2; Tang et al. 2019, Distilling
        Task-Specific Knowledge from BERT into Simple Neural Networks, section 3.2.
    """
    if kind not in ("kl", "mse"):
        raise ValueError(f"`kind` must be kl or mse. Received: kind={kind!r}")
    if not 0 < temperature < float("inf"):
        raise ValueError(f"`temperature` must be above 0. Received: temperature={temperature}")

    def distance(probs: Any, outputs: Any, mask: Any = None) -> Any:
        del mask
        teacher, student = ops.log(ops.maximum(probs, SMALLEST)), ops.cast(outputs, "float32")
        if kind == "mse":
            teacher, student = (x - ops.mean(x, axis=-1, keepdims=True) for x in (teacher, student))
            return ops.mean(ops.square(teacher - student), axis=-1)
        log_p = ops.log_softmax(teacher / temperature, axis=-1)
        log_q = ops.log_softmax(student / temperature, axis=-1)
        return temperature**2 * ops.sum(ops.exp(log_p) * (log_p - log_q), axis=-1)

    return distance
