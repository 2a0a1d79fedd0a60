"""What a student is trained on: true labels and soft labels, weighed against each other."""

from typing import Any, Literal

import keras
import numpy as np
from keras import ops

NO_LABEL = -1
SMALLEST = 1e-7  # of a teacher's probability: float32 tells no smaller one from 0 beside 1


def targets(labels: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Puts labels and soft labels into one array, as Keras hands a loss one `y_true`.

    Args:
        labels: int `(N,)`, `NO_LABEL` where there is none.
        probs: float `(N, C)`, all 0 where there is no soft label.

    Returns:
        float32 `(N, 1 + C)`.
    """
    return np.column_stack([labels, probs]).astype(np.float32)


@keras.saving.register_keras_serializable("textapp")
class DistillationLoss(keras.losses.Loss):
    r"""The loss of a student, whose logits are $z$, beside its teacher's probabilities $p$ and the true label $y$.

    With `kl`, as Hinton et al. (2015) have it:

    $$\alpha\,\mathrm{CE}(y, z) + (1 - \alpha)\,T^2\,\mathrm{KL}(p_T \,\|\, \mathrm{softmax}(z / T)), \qquad
    p_T \propto p^{1/T}$$

    That is their softmax of the teacher's logits over $T$: log probabilities are logits but for a constant, which no
    softmax sees. $T^2$ keeps the soft part's gradient as large as the other one's, whatever $T$.

    With `mse`, as Tang et al. (2019) have it, the soft part is the squared distance of the logits, here of both less
    their mean, as probabilities do not tell it; the temperature plays no part.

    A row without a label, or without soft labels, has the other part alone.

    Args:
        kind: `kl` or `mse`.
        temperature: $T$, above 0.
        alpha: The weight of the true labels, in [0, 1].

    Call arguments:
        y_true: float `(B, 1 + C)`, from `targets`.
        y_pred: `logits`, float `(B, C)`.
        sample_weight: Optional weights of the rows, `(B,)`.

    Example:
        >>> rows = targets(np.array([0, NO_LABEL]), np.array([[0.5, 0.5], [0.5, 0.5]]))
        >>> round(float(DistillationLoss(alpha=0.5)(rows, np.zeros((2, 2)))), 4)  # half of log 2, in one of two rows
        0.1733

    Reference:
        Hinton et al. 2015, Distilling the Knowledge in a Neural Network, section 2; Tang et al. 2019, Distilling
        Task-Specific Knowledge from BERT into Simple Neural Networks, section 3.2.
    """

    def __init__(
        self,
        kind: Literal["kl", "mse"] = "kl",
        temperature: float = 2.0,
        alpha: float = 0.5,
        reduction: str = "sum_over_batch_size",
        name: str = "distillation_loss",
    ):
        super().__init__(name=name, reduction=reduction)
        if kind not in ("kl", "mse"):
            raise ValueError(f"`kind` must be kl or mse. Received: kind={kind!r}")
        if not 0 < temperature < float("inf"):
            raise ValueError(f"`temperature` must be above 0. Received: temperature={temperature}")
        if not 0 <= alpha <= 1:
            raise ValueError(f"`alpha` must be from 0 to 1. Received: alpha={alpha}")
        self.kind, self.temperature, self.alpha = kind, temperature, alpha

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each row, float32 `(B,)`."""
        logits = ops.cast(y_pred, "float32")
        labels, probs = ops.cast(y_true[:, 0], "int32"), y_true[:, 1:]
        labelled = labels != NO_LABEL
        log_likelihoods = ops.log_softmax(logits, axis=-1)
        chosen = ops.take_along_axis(log_likelihoods, ops.where(labelled, labels, 0)[:, None], axis=1)[:, 0]
        hard = ops.where(labelled, -chosen, 0.0)
        taught = ops.sum(probs, axis=-1) > 0
        soft = ops.where(taught, self._soft(ops.log(ops.maximum(probs, SMALLEST)), logits), 0.0)
        return self.alpha * hard + (1 - self.alpha) * soft

    def _soft(self, teacher: Any, student: Any) -> Any:
        """The distance of two rows of logits, `(B,)`."""
        if self.kind == "mse":
            teacher, student = (x - ops.mean(x, axis=-1, keepdims=True) for x in (teacher, student))
            return ops.mean(ops.square(teacher - student), axis=-1)
        log_p = ops.log_softmax(teacher / self.temperature, axis=-1)
        log_q = ops.log_softmax(student / self.temperature, axis=-1)
        return self.temperature**2 * ops.sum(ops.exp(log_p) * (log_p - log_q), axis=-1)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        own = {"kind": self.kind, "temperature": self.temperature, "alpha": self.alpha}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("textapp")
class LabelAccuracy(keras.metrics.SparseCategoricalAccuracy):
    """The share of rows of `targets` with a label whose largest logit is that label's; others do not count."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Counts a batch. Arguments as of `DistillationLoss`."""
        labels = y_true[:, 0]
        weights = ops.cast(labels != NO_LABEL, "float32")
        if sample_weight is not None:
            weights = weights * ops.cast(sample_weight, "float32")
        return super().update_state(ops.maximum(labels, 0), y_pred, weights)
