"""Quantization-aware training of any functional Keras model: the forward pass uses the weights of the device.

tensorflow-model-optimization (tfmot) refuses Keras 3 models, and all Embedding, LSTM and Bidirectional layers. But
Keras 3 can run a model with other tensors in place of its variables (`keras.StatelessScope`). So the layers stay stock
Keras layers, with their cuDNN kernels, and the rounding is outside them.

The rounding is `textapp.compress.rounding`, not tfmot's quantizers. These wrap
`tf.quantization.fake_quant_with_min_max_vars_per_channel`, with which tests compare this rounding. That op supports
only groups along the last axis, and no coarse grid within the file's int8 grid. Its values differ from the file's by a
unit in the last place. The largest weight of a group gets no gradient if float32 rounding puts it outside its own range
(1.2 % of the groups at 4 bits). The package would also need a second Keras and absl-py of major version 1.
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
    """Trains a model with the weights that its converted file will have; the model itself keeps float weights.

    Compile and fit it like the model. Every forward pass uses rounded weights, in validation too, so that scores are
    those of the device. The straight-through gradient updates the float weights. Ranges are symmetric and follow the
    weights. At the end call `apply_rounding`.

    Args:
        model: A functional Keras model, best a trained one; see `stored_weights` for supported layers.
        bits: Bits of matrices, from 2 to 8. Files always store them in int8; fewer bits are for research.
        embedding_bits: Bits of embedding rows, from 2 to 8, by default `bits`. Rows of 4 bits and fewer are packed.
        lowering: The lowering of the later export: groups differ.
        delay: Training steps with float weights before rounding starts.
        freeze: Training steps after which ranges are fixed, so that the rounding settles; None for never. The largest
            weight of a group then stays at its limit, because the file's range is always that of its weights. (Int8
            tables with one scale are not frozen.)
        activation_bits: 8 to train for the recipe `static_wi8_ai8`: the outputs of layers are rounded too, in moving
            averages of their ranges, see `textapp.compress.activations`. The converter measures its own ranges on real
            texts; give it texts from the same source. None for float activations.

    Attributes:
        plan: How each weight of the model is stored, and its bits in training.
        seen: The model of the forward pass: `model`, or its layers with rounded activations between them.

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
                "`delay` must be 0 or more, and `freeze` at least 1 and at least `delay`. "
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
        """Nothing to build: the model is built."""
        del input_shape
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Runs the model with rounded weights; during the delay, training uses float weights."""
        with substituted(self.seen, self._mapping(bool(training))):
            outputs = self.seen(inputs, training=training)
        if training:
            self.step.assign_add(1)
        return outputs

    def apply_rounding(self) -> None:
        """Assigns the rounded weights to the model: the converter then changes no weight."""
        for variable, value in self._mapping(training=False):
            variable.assign(value)

    @contextlib.contextmanager
    def rounded_weights(self) -> Iterator[None]:
        """Inside the context the model has the rounded weights; afterwards its float weights again."""
        floats = self.model.get_weights()
        self.apply_rounding()
        try:
            yield
        finally:
            self.model.set_weights(floats)

    def _state(self, name: str, shape: tuple[int, ...], dtype: str = "float32") -> keras.Variable:
        """A variable of the schedule. All replicas of a distributed training update it equally."""
        return self.add_weight(
            name=name,
            shape=shape,
            dtype=dtype,
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",
        )

    def _mapping(self, training: bool) -> list[tuple[keras.Variable, tf.Tensor]]:
        """The variables to round, each with the tensor that replaces it."""
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
        """The range of a weight's groups; None for the range of its values, if ranges are never frozen."""
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
    """Rounds a model's weights in place, without training: the baseline of quantization-aware training.

    Args:
        model: As for `QuantizationAware`.
        bits: Likewise.
        embedding_bits: Likewise.
        lowering: Likewise.
    """
    QuantizationAware(model, bits, embedding_bits, lowering).apply_rounding()
