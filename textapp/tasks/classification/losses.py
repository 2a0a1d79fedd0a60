"""The weighted loss and the accuracy metric of a classifier, and the distance of a student from its teachers."""

from collections.abc import Callable
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from textapp.tasks.classification.balance import class_weights
from textapp.tasks.classification.config import Loss

SMALLEST = 1e-7  # smallest probability of a teacher: float32 cannot resolve less beside 1


class WeightedLoss(keras.losses.Loss):
    """A cross-entropy of labels with class weights, focal loss and label smoothing; a subclass gives the formula.

    Args:
        class_weights: The weight of a text by its class, see the subclass.
        focal_gamma: The focal parameter, at least 0.
        label_smoothing: The share of a target that is spread over the classes, at least 0 and below 1.
        reduction: As in `keras.losses.Loss`.
        name: Likewise.
    """

    def __init__(
        self,
        class_weights: np.ndarray,
        focal_gamma: float = 0.0,
        label_smoothing: float = 0.0,
        reduction: str = "mean_with_sample_weight",
        name: str | None = None,
    ):
        super().__init__(name=name, reduction=reduction)
        self.class_weights = np.asarray(class_weights, np.float32)
        self.focal_gamma, self.label_smoothing = focal_gamma, label_smoothing


def label_loss(
    settings: Loss, target_counts: np.ndarray, plain: type[keras.losses.Loss], weighted: type[WeightedLoss]
) -> keras.losses.Loss:
    """The loss of the settings: Keras' own where they ask for no more.

    Args:
        settings: The settings.
        target_counts: How many training texts each label has, see `EncodedRows.target_counts`.
        plain: Keras' class, of logits.
        weighted: The class with weights, focal loss and label smoothing.
    """
    if settings.is_plain:
        return plain(from_logits=True, reduction="mean_with_sample_weight")
    weights = class_weights(settings.class_weights, target_counts)
    return weighted(weights, settings.focal_gamma, settings.label_smoothing)


class WeightedCrossentropy(WeightedLoss):
    r"""The cross-entropy with class weights, focal loss and label smoothing.

    For a text with label y it is

    $$-w_y \sum_c q_c (1 - p_c)^\gamma \log p_c, \qquad q_c = (1 - \epsilon) [c = y] + \epsilon / C$$

    $p$ is the softmax of the logits, $w$ the class weights, $\gamma$ the focal parameter and $\epsilon$ the label
    smoothing. With weights of 1, $\gamma = 0$ and $\epsilon = 0$ it is `keras.losses.SparseCategoricalCrossentropy`.
    Focal loss lets texts that the model is already sure and right about count less. Label smoothing keeps a model from
    being too sure.

    Args:
        class_weights: Weight of a text by its class, float `(C,)`.
        focal_gamma: $\gamma$, at least 0; 2 in the paper.
        label_smoothing: $\epsilon$, at least 0 and below 1; 0.1 in the paper.
        reduction: As in `keras.losses.Loss`.

    Call arguments:
        y_true: Labels, integers `(B,)`.
        y_pred: Logits, float `(B, C)`.
        sample_weight: Optional weights of the texts, `(B,)`.

    Reference:
        Lin et al. 2017, Focal Loss for Dense Object Detection; Szegedy et al. 2016, Rethinking the Inception
        Architecture for Computer Vision, section 7. For class weights see `balance.class_weights`.

    Example:
        >>> loss = WeightedCrossentropy(np.array([1.0, 3.0]), focal_gamma=2.0)
        >>> round(float(loss(np.array([1]), np.zeros((1, 2)))), 4)  # 3 * (1 - 1/2)^2 * log 2
        0.5199
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each text, float32 `(B,)`."""
        labels, classes = ops.cast(y_true, "int32"), len(self.class_weights)
        log_probs = ops.log_softmax(ops.cast(y_pred, "float32"), axis=-1)
        smooth = self.label_smoothing
        terms = -(ops.one_hot(labels, classes) * (1 - smooth) + smooth / classes) * log_probs
        if self.focal_gamma:
            # Not 0, where the gradient of a power below 1 is infinite.
            terms *= ops.power(ops.maximum(-ops.expm1(log_probs), SMALLEST), self.focal_gamma)
        return ops.take(ops.convert_to_tensor(self.class_weights), labels) * ops.sum(terms, axis=-1)


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
