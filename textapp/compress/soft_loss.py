"""The loss of a student: a weighted sum for true targets and for its teachers' probabilities."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from textapp.data.rows import NO_TARGET


def soft_rows(targets: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Puts true and soft targets into one array, because Keras passes a loss only one `y_true`.

    Args:
        targets: Integers, one per unit, `(N,)`, or one for each class, `(N, C)`; negative if a unit has none.
        probs: float `(N, C)`, all 0 if a unit has no soft target.

    Returns:
        float32 `(N, 1 + C)` or `(N, 2 C)`.
    """
    return np.column_stack([targets, probs]).astype(np.float32)


class SoftLoss(keras.losses.Loss):
    r"""The loss of a student for each row: $\alpha\,\mathrm{hard}(y) + (1 - \alpha)\,\mathrm{soft}(p)$.

    A row without true targets has only the soft part, a row without soft targets only the hard part. The task defines
    both: `Task.loss` and `Task.soft_distance`.

    Args:
        hard: The loss of true targets: a function from integers, `(B,)`, `(B, C)` or `(B, T)`, -1 on padding, and the
            model's outputs to `(B,)`.
        soft: A function from probabilities, `(B, C)` or `(B, T, C)`, outputs and mask `(B, T)` (None if the unit is a
            text) to `(B,)`.
        alpha: The weight of the hard part, in [0, 1].
        per_token: Whether each token has a target.
        reduction: As in `keras.losses.Loss`, over rows.

    Call arguments:
        y_true: float `(B, 1 + C)`, `(B, 2 C)` or `(B, T, 1 + C)`, from `soft_rows`.
        y_pred: The model's outputs, float `(B, C)` or `(B, T, C)`.
        sample_weight: Optional weights of the rows, `(B,)`.

    Reference:
        Hinton et al. 2015, Distilling the Knowledge in a Neural Network, section 2.
    """

    def __init__(
        self,
        hard: Callable[[Any, Any], Any],
        soft: Callable[[Any, Any, Any], Any],
        alpha: float,
        per_token: bool,
        reduction: str = "mean_with_sample_weight",
        name: str = "soft_loss",
    ):
        if not 0 <= alpha <= 1:
            raise ValueError(f"`alpha` must be from 0 to 1. Received: alpha={alpha}")
        super().__init__(name=name, reduction=reduction)
        self.hard, self.soft, self.alpha, self.per_token = hard, soft, alpha, per_token

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """As in Keras, but ignores a mask of the outputs: Keras would apply it, but here each loss is of a row."""
        return super().__call__(y_true, ops.add(y_pred, 0.0), sample_weight)  # a new tensor, without a mask

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each row, float32 `(B,)`."""
        classes = y_pred.shape[-1]
        targets, probs = ops.cast(y_true[..., :-classes], "int32"), y_true[..., -classes:]
        if targets.shape[-1] == 1:
            targets = ops.squeeze(targets, axis=-1)
        axes = tuple(range(1, len(probs.shape)))
        mask = targets != NO_TARGET if self.per_token else None
        known = targets >= 0
        labelled = ops.any(known, axis=1) if len(known.shape) > 1 else known
        # Replace missing targets by valid ones, so that their loss is finite; it is then ignored.
        filled = ops.where(known, targets, NO_TARGET if self.per_token else 0)
        hard = ops.where(labelled, self.hard(filled, y_pred), 0.0)
        has_soft_target = ops.sum(probs, axis=axes) > 0
        soft = ops.where(has_soft_target, self.soft(probs, y_pred, mask), 0.0)
        return self.alpha * hard + (1 - self.alpha) * soft
