"""AdamW with gradient clipping, and a learning rate with warm-up and cosine decay."""

from typing import Any

import keras
from keras import ops

from textapp.config import Training
from textapp.training.unfreezing import UnfreezingAdamW

WORD_TABLE = "embedding"
"""Name of the layer that holds the word vectors."""


def warmup_cosine(peak: float, total_steps: int, warmup: float) -> keras.optimizers.schedules.CosineDecay:
    """A learning rate that rises linearly from 0 to `peak`, then falls to 0 along half a cosine.

    Args:
        peak: The highest learning rate.
        total_steps: Steps of the whole training.
        warmup: Share of the steps in which the rate rises, in [0, 1).

    Returns:
        A Keras schedule, a function of the optimizer's step count.

    Reference:
        Loshchilov and Hutter 2017, SGDR; Goyal et al. 2017 (why warm up).
    """
    warmup_steps = round(warmup * total_steps)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup_steps else peak,
        decay_steps=max(1, total_steps - warmup_steps),
        warmup_target=peak if warmup_steps else None,
        warmup_steps=warmup_steps,
    )


@keras.saving.register_keras_serializable("textapp")
class Cycles(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that begins anew after each cycle.

    Args:
        cycle: The learning rate of a cycle, a function of the step in it.
        steps: Steps of a cycle.

    Reference:
        Loshchilov and Hutter 2017, SGDR: Stochastic Gradient Descent with Warm Restarts.
    """

    def __init__(self, cycle: keras.optimizers.schedules.LearningRateSchedule, steps: int):
        super().__init__()
        self.cycle, self.steps = cycle, steps

    def __call__(self, step: Any) -> Any:
        """The learning rate at a step of the whole training."""
        return self.cycle(ops.mod(step, self.steps))

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {"cycle": keras.saving.serialize_keras_object(self.cycle), "steps": self.steps}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Cycles":
        """The inverse of `get_config`."""
        return cls(keras.saving.deserialize_keras_object(config["cycle"]), config["steps"])


def adamw(
    model: keras.Model,
    total_steps: int,
    *,
    learning_rate: float,
    warmup: float,
    weight_decay: float,
    clipnorm: float,
    frozen_steps: int = 0,
    embedding_rate: float = 1.0,
    cycles: int = 1,
) -> keras.optimizers.Optimizer:
    """Builds the optimizer for `model`, without weight decay for biases.

    Args:
        model: The model to train.
        total_steps: Steps of the whole training, or of one cycle of it.
        learning_rate: The highest rate.
        warmup: Share of the steps, see `warmup_cosine`.
        weight_decay: Each step multiplies a weight by `1 - learning_rate * weight_decay`.
        clipnorm: Largest norm of the gradient of all weights; recurrent nets explode without it (Pascanu et
            al. 2013).
        frozen_steps: Number of first steps in which the word vectors, the layer `WORD_TABLE`, are frozen, see
            `UnfreezingAdamW`.
        embedding_rate: Share of the learning rate for the word vectors after that.
        cycles: The most cycles, see `Cycles`.

    Reference:
        Loshchilov and Hutter 2019, Decoupled Weight Decay Regularization.
    """
    rate = warmup_cosine(learning_rate, total_steps, warmup)
    rate = rate if cycles == 1 else Cycles(rate, total_steps)
    # Only the word vectors: other tables, such as that of word shapes, start from random numbers and must learn.
    tables = [layer for layer in model.layers if layer.name == WORD_TABLE and layer.trainable]
    if tables and (frozen_steps, embedding_rate) != (0, 1.0):
        optimizer = UnfreezingAdamW(
            rate,
            layers=[table.name for table in tables],
            frozen_steps=frozen_steps,
            rate=embedding_rate,
            weight_decay=weight_decay,
            global_clipnorm=clipnorm,
        )
    else:
        optimizer = keras.optimizers.AdamW(rate, weight_decay=weight_decay, global_clipnorm=clipnorm)
    optimizer.exclude_from_weight_decay(var_list=[v for v in model.trainable_variables if v.path.endswith("bias")])
    return optimizer


def optimizer_of(training: Training, model: keras.Model, total_steps: int) -> keras.optimizers.Optimizer:
    """Builds the optimizer of the settings, for `total_steps` steps a cycle."""
    return adamw(
        model,
        total_steps,
        learning_rate=training.learning_rate,
        warmup=training.warmup,
        weight_decay=training.weight_decay,
        clipnorm=training.clipnorm,
        frozen_steps=total_steps // training.epochs * training.freeze_epochs,
        embedding_rate=training.embedding_rate,
        cycles=training.cycles,
    )
