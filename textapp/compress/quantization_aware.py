"""Quantization-aware training of any functional Keras model: the forward pass sees the weights of the device.

tensorflow-model-optimization refuses Keras 3 models, and every Embedding, LSTM and Bidirectional layer. Keras 3,
though, can run a model with other tensors in the place of its variables (`keras.StatelessScope`). So the layers stay
the stock ones, with their cuDNN paths, and the rounding stays outside of them.

The rounding itself is `textapp.compress.rounding`, not tfmot's quantizers. These are wrappers of
`tf.quantization.fake_quant_with_min_max_vars_per_channel`, which tests compare ours with. That op knows groups along
the last axis only and no coarse grid within the file's int8 one; its values are off the file's by a unit in the last
place, and it gives the largest weight of a group no gradient wherever float32 puts it outside of its own range (1.2 %
of the groups at 4 bits). The package would also bring a second Keras and an absl-py of major version 1.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from textapp.compress.activations import check_activation_bits, with_rounded_activations
from textapp.compress.granularity import Granularity, Lowering, StoredWeight, stored_weights
from textapp.compress.rounding import check_bits, largest, rounded
from textapp.training.functional_call import substituted


class QuantizationAware(keras.Model):
    """Trains a model with the weights that its converted file will hold; the model itself keeps the float ones.

    Compile and fit it like the model. Weights are rounded in every forward pass, in validation too, so that its scores
    are those of the device; the gradient passes straight through to the float weights. Ranges are symmetric and follow
    the weights. `apply_rounding` ends it.

    Args:
        model: A functional Keras model, best already trained; see `stored_weights` for its layers.
        bits: Of matrices, from 2 to 8. Files store them in int8 whatever the bits; fewer are for research.
        embedding_bits: Of embedding rows, from 2 to 8, by default `bits`. Rows of 4 bits and less are packed.
        lowering: How the model will be exported: groups differ.
        delay: Training steps with float weights before the rounding begins.
        freeze: Training steps after which ranges stand still, so that the rounding settles; None for never. A group's
            largest weight then stays at its limit, as the file's range is always that of its weights. (Int8 tables with
            one scale are not frozen.)
        activation_bits: 8 to train for the recipe `static_wi8_ai8`: the outputs of layers are rounded too, over moving
            averages of their ranges, see `textapp.compress.activations`. The converter takes ranges of its own, from
            real texts, which it should be given from the same source. None for float activations.

    Attributes:
        plan: How each weight of the model is stored, and in how many bits it is trained.
        seen: The model that a forward pass runs: `model`, or its layers with rounded activations between them.

    Example:
        >>> import numpy as np
        >>> from textapp.config import Encoder, Words
        >>> from textapp.models.model import text_model
        >>> from textapp.tasks.classification.head import classification_head
        >>> model = text_model(Words(), Encoder(units=32), classification_head(2), vocabulary_size=100)
        >>> aware = QuantizationAware(model, embedding_bits=4)
        >>> aware.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> _ = aware.fit(np.array([[5, 6, 7], [8, 9, 0]]), np.array([0, 1]), verbose=0)
        >>> aware.apply_rounding()
        >>> row = model.get_layer("embedding").embeddings.numpy()[5]
        >>> bool(len(np.unique(row)) <= 15)
        True

    Reference:
        Jacob et al. 2018, Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference;
        Bengio et al. 2013, Estimating or Propagating Gradients Through Stochastic Neurons (straight-through).
    """

    def __init__(
        self,
        model: keras.Model,
        bits: int = 8,
        embedding_bits: int | None = None,
        lowering: Lowering = "fused",
        delay: int = 0,
        freeze: int | None = None,
        activation_bits: int | None = None,
    ):
        super().__init__(name=f"{model.name}_quantization_aware")
        embedding_bits = bits if embedding_bits is None else embedding_bits
        check_bits("bits", bits)
        check_bits("embedding_bits", embedding_bits)
        check_activation_bits(activation_bits, embedding_bits)
        if delay < 0 or (freeze is not None and freeze < max(1, delay)):
            raise ValueError(
                "`delay` must be 0 or more, and `freeze` 1 or more and no less. "
                f"Received: delay={delay}, freeze={freeze}"
            )
        self.model = model
        self.activation_bits = activation_bits
        integer = activation_bits is not None
        self.seen = with_rounded_activations(model, delay, freeze) if integer else model
        self.delay = delay
        self.freeze = freeze
        self.plan: list[tuple[StoredWeight, int | None]] = [
            (weight, None if weight.granularity is None else embedding_bits if weight.is_table else bits)
            for weight in stored_weights(model, lowering, integer)
        ]
        self.step = self._state("step", (), "int32")
        self.limits = [
            None
            if freeze is None or weight.granularity is None or weight.granularity.kind == "tensor"
            else self._state(f"limit_{number}", weight.granularity.shape)
            for number, (weight, _) in enumerate(self.plan)
        ]

    def build(self, input_shape: Any) -> None:
        """Nothing to build: the model is."""
        del input_shape
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Runs the model with rounded weights, or, while the delay lasts, trains it with its own."""
        with substituted(self.seen, self._mapping(bool(training))):
            outputs = self.seen(inputs, training=training)
        if training:
            self.step.assign_add(1)
        return outputs

    def apply_rounding(self) -> None:
        """Writes the rounded weights into the model: the converter then rounds nothing."""
        for variable, value in self._mapping(training=False):
            variable.assign(value)

    @contextlib.contextmanager
    def rounded_weights(self) -> Iterator[None]:
        """Inside the context the model has the weights of the device; afterwards its own again."""
        floats = self.model.get_weights()
        self.apply_rounding()
        try:
            yield
        finally:
            self.model.set_weights(floats)

    def _state(self, name: str, shape: tuple[int, ...], dtype: str = "float32") -> keras.Variable:
        """A variable of the schedule; the replicas of a distributed training all advance it alike."""
        return self.add_weight(
            name=name,
            shape=shape,
            dtype=dtype,
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",
        )

    def _mapping(self, training: bool) -> list[tuple[keras.Variable, tf.Tensor]]:
        """The variables that are rounded, with what stands in for them."""
        mapping = []
        for (weight, bits), limit in zip(self.plan, self.limits, strict=True):
            if weight.granularity is None or bits is None:
                continue
            value = tf.convert_to_tensor(weight.variable.value)
            quantized = rounded(
                value, weight.granularity, bits, self._range(value, weight.granularity, limit, training)
            )
            if training and self.delay:
                quantized = tf.where(self.step.value < self.delay, value, quantized)
            mapping.append((weight.variable, quantized))
        return mapping

    def _range(
        self, value: tf.Tensor, granularity: Granularity, limit: keras.Variable | None, training: bool
    ) -> tf.Tensor | None:
        """The range of a weight's groups; None for that of its values, as where ranges are never frozen."""
        if limit is None or self.freeze is None:
            return None
        frozen = self.step.value >= self.freeze
        current = tf.where(frozen, limit.value, largest(tf.stop_gradient(value), granularity))
        if training:
            limit.assign(current)
        return current


def post_training(
    model: keras.Model, bits: int = 8, embedding_bits: int | None = None, lowering: Lowering = "fused"
) -> None:
    """Rounds a model's weights in place, without training: what quantization-aware training has to be better than.

    Args:
        model: As for `QuantizationAware`.
        bits: Likewise.
        embedding_bits: Likewise.
        lowering: Likewise.
    """
    QuantizationAware(model, bits, embedding_bits, lowering).apply_rounding()
