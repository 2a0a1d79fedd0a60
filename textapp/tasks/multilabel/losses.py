"""The distance of a multi-label student from its teachers."""

from collections.abc import Callable
from typing import Any, Literal

from keras import ops

from textapp.tasks.classification.losses import SMALLEST


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
