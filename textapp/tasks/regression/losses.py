"""The loss of a regressor, and the distance of a student from its teachers."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import keras
from keras import ops


class StandardizedLoss(keras.losses.Loss):
    r"""A loss of standardized numbers: the mean over the outputs of a text.

    With the error $e = y - z$ of an output, in standard deviations of the training texts, it is

    - `mse`: $e^2$, whose best output is the mean;
    - `mae`: $|e|$, whose best output is the median;
    - `huber`: $e^2 / 2$ up to $\delta$ and $\delta (|e| - \delta / 2)$ from there on: few wrong numbers count less;
    - `quantile`: $\max(q e, (q - 1) e)$ with the quantile q of each output.

    Args:
        kind: One of these.
        delta: $\delta$, above 0.
        quantiles: For `quantile` the C quantiles of the outputs, from 0 to 1.
        reduction: As in `keras.losses.Loss`.

    Call arguments:
        y_true: Standardized numbers, float `(B, C)`.
        y_pred: The model's outputs, float `(B, C)`.
        sample_weight: Optional weights of the texts, `(B,)`.

    Reference:
        Huber 1964, Robust Estimation of a Location Parameter; Koenker and Bassett 1978, Regression Quantiles.
    """

    def __init__(
        self,
        kind: Literal["mse", "mae", "huber", "quantile"],
        delta: float = 1.0,
        quantiles: Sequence[float] = (),
        reduction: str = "mean_with_sample_weight",
        name: str = "standardized_loss",
    ):
        super().__init__(name=name, reduction=reduction)
        self.kind, self.delta, self.quantiles = kind, delta, list(quantiles)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each text, float32 `(B,)`."""
        error = ops.cast(y_true, "float32") - ops.cast(y_pred, "float32")
        size = ops.abs(error)
        if self.kind == "mse":
            found = ops.square(error)
        elif self.kind == "mae":
            found = size
        elif self.kind == "huber":
            found = ops.where(size <= self.delta, ops.square(error) / 2, self.delta * (size - self.delta / 2))
        else:
            quantiles = ops.convert_to_tensor(self.quantiles, "float32")
            found = ops.maximum(quantiles * error, (quantiles - 1) * error)
        return ops.mean(found, axis=-1)


def soft_distance() -> Callable[[Any, Any, Any], Any]:
    """The distance between a student and its teachers: the mean over outputs of the squared difference.

    Returns:
        A function from the teachers' standardized numbers `(B, C)`, outputs `(B, C)` and a mask, which is not used, to
        float32 `(B,)`.
    """

    def distance(numbers: Any, outputs: Any, mask: Any = None) -> Any:
        del mask
        return ops.mean(ops.square(numbers - ops.cast(outputs, "float32")), axis=-1)

    return distance
