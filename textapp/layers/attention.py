"""Additive attention pooling: a sequence becomes one vector, a weighted mean of its tokens."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("textapp")
class AttentionPooling(keras.layers.Layer):
    """Weighs the steps of a sequence by a learned query and sums them.

    `score_t = v . tanh(W h_t + b)`, `weights = softmax(score)` over the real tokens, `context = sum_t weights_t h_t`.
    Padding gets a weight of exactly 0. A row with only padding gets zero weights and a zero context, never NaN.
    The softmax always runs in float32, since half precision cannot sum long texts exactly.

    Args:
        units: Integer, width A of the hidden layer that scores a step. Positive.
        kernel_initializer: Initializer of W and v.
        kernel_regularizer: Regularizer of W and v.
        **kwargs: `name`, `dtype` and the other arguments of `keras.layers.Layer`.

    Call arguments:
        encoded: Float tensor `(B, T, H)`.
        mask: Boolean tensor `(B, T)`, True on real tokens. By default the Keras mask that `encoded` carries.
        return_attention_scores: Boolean, whether to return the weights too.

    Returns:
        `context`, a float tensor `(B, H)`; with `return_attention_scores=True` the pair of `context` and the weights,
        a float32 tensor `(B, T)` whose rows sum to 1 (0 for a row with only padding).

    Example:
        >>> import numpy as np
        >>> pool = AttentionPooling(8)
        >>> mask = np.array([[True, True, False]])
        >>> context, weights = pool(np.ones((1, 3, 4)), mask=mask, return_attention_scores=True)
        >>> context.shape, weights.numpy().round(2).tolist()
        (TensorShape([1, 4]), [[0.5, 0.5, 0.0]])

    Reference:
        Yang et al. 2016, Hierarchical Attention Networks for Document Classification, equations 5 to 7;
        Bahdanau et al. 2015, Neural Machine Translation by Jointly Learning to Align and Translate.
    """

    def __init__(
        self,
        units: int,
        kernel_initializer: Any = "glorot_uniform",
        kernel_regularizer: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if not isinstance(units, int) or units < 1:
            raise ValueError(f"`units` must be a positive integer. Received: units={units!r}")
        self.units = units
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.supports_masking = True

    def build(self, encoded_shape: tuple[int | None, ...]) -> None:
        """Creates W `(H, A)`, b `(A,)` and v `(A, 1)`."""
        if len(encoded_shape) != 3 or encoded_shape[-1] is None:
            raise ValueError(f"`encoded` must have shape (B, T, H) with H known. Received: shape={encoded_shape}")

        def kernel(name: str, shape: tuple[int, int]) -> Any:
            # A copy for each kernel: one instance called twice gives the same numbers twice.
            return self.add_weight(
                name=name,
                shape=shape,
                initializer=self.kernel_initializer.clone(),
                regularizer=self.kernel_regularizer,
            )

        self.kernel = kernel("kernel", (encoded_shape[-1], self.units))
        self.bias = self.add_weight(name="bias", shape=(self.units,), initializer="zeros")
        self.query = kernel("query", (self.units, 1))

    def call(self, encoded: Any, mask: Any = None, return_attention_scores: bool = False) -> Any:
        """Pools `encoded`; see the class."""
        hidden = ops.tanh(ops.matmul(encoded, self.kernel) + self.bias)
        scores = ops.cast(ops.squeeze(ops.matmul(hidden, self.query), axis=-1), "float32")
        if mask is None:
            weights = ops.softmax(scores, axis=-1)
        else:
            real = ops.cast(mask, "float32")
            # The second product makes the weights of an all-padding row 0 instead of 1 / T.
            weights = ops.softmax(scores + (real - 1.0) * 1e9, axis=-1) * real
        # (B, 1, T) x (B, T, H): one matrix product, no (B, T, H) temporary.
        context = ops.matmul(ops.expand_dims(ops.cast(weights, encoded.dtype), 1), encoded)[:, 0]
        return (context, weights) if return_attention_scores else context

    def compute_mask(self, encoded: Any, mask: Any = None) -> None:
        """Returns None, since the output has no time axis."""
        del encoded, mask

    def compute_output_spec(self, encoded: Any, mask: Any = None, return_attention_scores: bool = False) -> Any:
        """Shapes and types of what `call` returns."""
        del mask
        context = keras.KerasTensor((encoded.shape[0], encoded.shape[-1]), self.compute_dtype)
        weights = keras.KerasTensor(encoded.shape[:2], "float32")
        return (context, weights) if return_attention_scores else context

    def get_config(self) -> dict[str, Any]:
        """The arguments, serialized."""
        return {
            **super().get_config(),
            "units": self.units,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }
