"""The weighted loss of a multi-label classifier, and the distance of a student from its teachers."""

from collections.abc import Callable
from typing import Any, Literal

from keras import ops

from textapp.tasks.classification.losses import SMALLEST, WeightedLoss


class WeightedBinaryCrossentropy(WeightedLoss):
    r"""The mean over labels of a binary cross-entropy with class weights, focal loss and label smoothing.

    Each label is a choice between two classes, without (0) and with (1) it, and the loss of a label is that of
    `textapp.tasks.classification.losses.WeightedCrossentropy` with the logits 0 and z. So `balanced` weights are those
    of one balanced classifier for each label, as of scikit-learn's `OneVsRestClassifier`.

    Args:
        class_weights: For each label, the weight of a text without and with it, float `(C, 2)`.
        focal_gamma: The focal parameter, at least 0.
        label_smoothing: The share of a target that is spread over both classes, at least 0 and below 1.
        reduction: As in `keras.losses.Loss`.

    Call arguments:
        y_true: Whether a text has each label, `(B, C)`: 0 or 1.
        y_pred: Logits, float `(B, C)`.
        sample_weight: Optional weights of the texts, `(B,)`.
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each text, float32 `(B,)`."""
        true, logits = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
        log_yes, log_no = ops.log_sigmoid(logits), ops.log_sigmoid(-logits)
        yes = true * (1 - self.label_smoothing) + self.label_smoothing / 2
        terms = -yes * log_yes * ops.exp(self.focal_gamma * log_no)
        terms -= (1 - yes) * log_no * ops.exp(self.focal_gamma * log_yes)
        without, having = self.class_weights.T
        return ops.mean((without * (1 - true) + having * true) * terms, axis=-1)


def soft_distance(kind: Literal["kl", "mse"], temperature: float) -> Callable[[Any, Any, Any], Any]:
    r"""The distance between a student with logits $z$ and its teachers' probabilities $p$, for each label separately.

    Each label is a binary choice with the logits $z$ and 0. With `kl` the distance is the mean over labels of

    $$T^2\,\mathrm{KL}(\sigma(\mathrm{logit}(p) / T) \,\|\, \sigma(z / T))$$

    and with `mse` the mean of $(\mathrm{logit}(p) - z)^2$.

    Args:
        kind: `kl` or `mse`.
        temperature: $T$, above 0.

    Returns:
        A function from probabilities `(B, C)`, logits `(B, C)` and a mask, which is not used, to float32 `(B,)`.

    Reference:
        Hinton et al. 2015, Distilling the Knowledge in a Neural Network, section 2.
    """

    def distance(probs: Any, outputs: Any, mask: Any = None) -> Any:
        del mask
        probs = ops.clip(probs, SMALLEST, 1 - SMALLEST)
        teacher, student = ops.log(probs) - ops.log1p(-probs), ops.cast(outputs, "float32")
        if kind == "mse":
            return ops.mean(ops.square(teacher - student), axis=-1)
        teacher, student = teacher / temperature, student / temperature
        log_yes, log_no = ops.log_sigmoid(teacher), ops.log_sigmoid(-teacher)
        yes = ops.exp(log_yes) * (log_yes - ops.log_sigmoid(student))
        no = ops.exp(log_no) * (log_no - ops.log_sigmoid(-student))
        return temperature**2 * ops.mean(yes + no, axis=-1)

    return distance
