"""AdamW that freezes some layers for its first steps, and then trains them with a share of the learning rate."""

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops


@keras.saving.register_keras_serializable("textapp")
class UnfreezingAdamW(keras.optimizers.AdamW):
    """AdamW for a model with a pretrained part, such as an embedding from a file of word vectors.

    While the other layers still have random weights, their gradients would only damage the pretrained ones. So the
    named layers are frozen for `frozen_steps` steps, and then train with `rate` times the learning rate:

    - Frozen layers stay exactly the same: no update, no weight decay, no running averages. Their gradients do not count
      in the norm that is clipped. The other layers train as if the frozen ones had `trainable=False`.
    - After that they start like at the first step: Adam's bias correction counts their own steps. Otherwise the first
      updates would be up to three times too large.

    Everything depends only on `iterations`, which is saved and restored, and runs in one compiled training step. With
    `frozen_steps=0` and `rate=1` this equals `keras.optimizers.AdamW`. To freeze a layer for the whole training, set
    its `trainable` to False instead: then its gradients are not computed.

    Args:
        learning_rate: A number or a Keras schedule.
        layers: Names of the layers, which are the beginnings of their variables' paths: `embedding` is not
            `characters/embedding`. Each must have a variable.
        frozen_steps: Optimizer steps in which the layers are frozen.
        rate: Share of the learning rate, and so of the weight decay, after that; above 0.
        **options: Arguments of `keras.optimizers.AdamW`.

    Raises:
        ValueError: An argument is out of range; or, at the first step, the model has no layer of a name.

    Example:
        >>> optimizer = UnfreezingAdamW(1e-3, layers=["embedding"], frozen_steps=200, rate=0.1, global_clipnorm=1.0)
        >>> optimizer.frozen_steps
        200

    Reference:
        Howard and Ruder 2018, Universal Language Model Fine-tuning (gradual unfreezing, discriminative rates);
        Loshchilov and Hutter 2019, Decoupled Weight Decay Regularization.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        layers: Sequence[str] = (),
        frozen_steps: int = 0,
        rate: float = 1.0,
        **options: Any,
    ):
        if frozen_steps < 0:
            raise ValueError(f"`frozen_steps` must be 0 or more. Received: frozen_steps={frozen_steps}")
        if not 0 < rate < float("inf"):
            raise ValueError(f"`rate` must be above 0. Received: rate={rate}")
        super().__init__(learning_rate, **options)
        self.layers = tuple(layers)
        self.frozen_steps = frozen_steps
        self.rate = rate

    def build(self, var_list: Sequence[keras.Variable]) -> None:
        """Finds the layers' variables."""
        if self.built:
            return
        for name in self.layers:
            if not any(_is_in(variable, [name]) for variable in var_list):
                raise ValueError(f"`layers` must name layers with trainable variables. Received: {name!r}")
        self._late = tuple(_is_in(variable, self.layers) for variable in var_list)
        super().build(var_list)

    def moved(self, variable: keras.Variable) -> tf.Tensor:
        """Whether the last step changed a variable, a bool scalar; before the first step, whether that step will."""
        frozen_steps = self.frozen_steps if _is_in(variable, self.layers) else 0
        return ops.greater(ops.maximum(self.iterations, 1), frozen_steps)

    def apply(self, grads: Iterable[Any], trainable_variables: Sequence[keras.Variable] | None = None) -> None:
        """Takes a step, with zero gradients for frozen layers."""
        grads = list(grads)
        if trainable_variables is not None and not self.built:
            self.build(list(trainable_variables))
        if trainable_variables is None:
            late: Iterable[bool] = self._late
        else:
            late = [self._is_late(variable) for variable in trainable_variables]
        moves = ops.greater_equal(self.iterations, self.frozen_steps)
        grads = [_zero_unless(moves, grad) if is_late else grad for grad, is_late in zip(grads, late, strict=True)]
        super().apply(grads, trainable_variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates one variable; called by `apply`."""
        if not self._is_late(variable):
            super().update_step(gradient, variable, learning_rate)
            return
        step = self.iterations + 1
        own_step = ops.maximum(step - self.frozen_steps, 1)
        moves = ops.greater(step, self.frozen_steps)
        rate = ops.where(moves, ops.cast(learning_rate, variable.dtype) * self.rate, 0.0)
        if self._use_weight_decay(variable):
            self.assign_sub(variable, variable * ops.cast(self.weight_decay, variable.dtype) * rate)
        # Keras corrects by the number of all steps, but these averages have seen fewer.
        correction = self._bias_correction(own_step) / self._bias_correction(step)
        super().update_step(gradient, variable, rate * correction)

    def _bias_correction(self, step: Any) -> Any:
        """Adam's factor for the learning rate at step n (Kingma and Ba 2015, section 2)."""
        step = ops.cast(step, "float32")
        return ops.sqrt(1 - ops.power(self.beta_2, step)) / (1 - ops.power(self.beta_1, step))

    def _apply_weight_decay(self, variables: Sequence[keras.Variable]) -> None:
        """Decays only the other variables, as Keras has one rate for all. `update_step` decays the named layers."""
        super()._apply_weight_decay([variable for variable in variables if not self._is_late(variable)])

    def _is_late(self, variable: Any) -> bool:
        return self._late[self._get_variable_index(variable)]

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {
            **super().get_config(),
            "layers": list(self.layers),
            "frozen_steps": self.frozen_steps,
            "rate": self.rate,
        }


def _is_in(variable: keras.Variable, layers: Iterable[str]) -> bool:
    """Whether a variable belongs to one of the layers."""
    return any(variable.path.startswith(f"{name}/") for name in layers)


def _zero_unless(moves: tf.Tensor, gradient: Any) -> Any:
    """The gradient, or zeros of its type. A product would not do: NaN times 0 is NaN."""
    if isinstance(gradient, tf.IndexedSlices):
        values = _zero_unless(moves, gradient.values)
        return tf.IndexedSlices(values, gradient.indices, gradient.dense_shape)
    return None if gradient is None else ops.where(moves, gradient, ops.zeros_like(gradient))
