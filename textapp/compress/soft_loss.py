"""The loss of a student: its true targets and its teachers' probabilities, weighed against each other."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from textapp.data.rows import NO_TARGET


def soft_rows(targets: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Puts true and soft targets into one array, as Keras hands a loss one `y_true`.

    Args:
        targets: Integers, one a unit, `(N,)`, or one for each class, `(N, C)`; negative where a unit has none.
        probs: float `(N, C)`, all 0 where a unit has no soft target.

    Returns:
        float32 `(N, 1 + C)` or `(N, 2 C)`.
    """
    return np.column_stack([targets, probs]).astype(np.float32)


class SoftLoss(keras.losses.Loss):
    r"""The loss of a student: $\alpha\,\mathrm{hard}(y) + (1 - \alpha)\,\mathrm{soft}(p)$, each of a whole row.

    A row without true targets has the soft part alone, one without soft targets the hard part. What the two are is the
    task's: `Task.loss` and `Task.soft_distance`.

    Args:
        hard: The loss of true targets, a row at a time: a function of integers, `(B,)`, `(B, C)` or `(B, T)`, -1 on
            padding, and of the model's outputs, to `(B,)`.
        soft: A function of probabilities, `(B, C)` or `(B, T, C)`, outputs and mask `(B, T)` (None of a text), to
            `(B,)`.
        alpha: The weight of the hard part, in [0, 1].
        per_token: Whether a target belongs to a token.
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
        """As in Keras, but for a mask that outputs may carry: Keras would weigh by it, but losses are of rows."""
        return super().__call__(y_true, ops.add(y_pred, 0.0), sample_weight)  # a new tensor, which carries none

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
        # Whatever stands in place of a missing target must be one, for its loss to be a number that is left out.
        filled = ops.where(known, targets, NO_TARGET if self.per_token else 0)
        hard = ops.where(labelled, self.hard(filled, y_pred), 0.0)
        taught = ops.sum(probs, axis=axes) > 0
        soft = ops.where(taught, self.soft(probs, y_pred, mask), 0.0)
        return self.alpha * hard + (1 - self.alpha) * soft
