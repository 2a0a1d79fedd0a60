"""Multi-head self-attention with rotary positions: each token reads all tokens and their distances."""

from typing import Any

import keras
import numpy as np
from keras import ops

MASKED = 1e9
"""Subtracted from the scores of padding, so that its weights are exactly 0."""


@keras.saving.register_keras_serializable("textapp")
class SelfAttention(keras.layers.Layer):
    """Scaled dot-product attention of a sequence to itself, with several heads.

        query_t, key_t, value_t = x_t W + b, each split into heads of D numbers
        score_ts = rotate(query_t, t) . rotate(key_s, s) / sqrt(D)
        y_t = (sum_s softmax_s(score_ts) value_s, of all heads) W_out + b_out

    `rotate(x, t)` rotates each pair of numbers `(x_i, x_i+D/2)` by the angle `t * 10000^(-2i/D)`. The product of two
    rotated vectors depends only on the distance t - s. So no table of positions limits the length of a text, and
    padding on the left changes no result. Padding gets a weight of exactly 0. The softmax always runs in float32, since
    half precision cannot sum long texts exactly.

    `keras.layers.MultiHeadAttention` has no positions, and computes its softmax in the compute dtype.

    Args:
        heads: Integer, number of heads. Positive; the width of the input must be a multiple of `2 * heads`.
        kernel_initializer: Initializer of W and W_out.
        kernel_regularizer: Regularizer of W and W_out.
        **kwargs: `name`, `dtype` and the other arguments of `keras.layers.Layer`.

    Call arguments:
        sequences: Float tensor `(B, T, H)`.
        mask: Boolean tensor `(B, T)`, True on real tokens. By default the Keras mask that `sequences` carries.

    Returns:
        Float tensor `(B, T, H)`.

    Raises:
        ValueError: `heads` is not positive, or the width is not a multiple of `2 * heads`.

    Example:
        >>> import numpy as np
        >>> layer = SelfAttention(heads=2)
        >>> layer(np.ones((1, 3, 8)), mask=np.array([[True, True, False]])).shape
        TensorShape([1, 3, 8])

    Reference:
        Vaswani et al. 2017, Attention Is All You Need, section 3.2; Su et al. 2021, RoFormer: Enhanced Transformer with
        Rotary Position Embedding.
    """

    def __init__(
        self,
        heads: int,
        kernel_initializer: Any = "glorot_uniform",
        kernel_regularizer: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if not isinstance(heads, int) or heads < 1:
            raise ValueError(f"`heads` must be a positive integer. Received: heads={heads!r}")
        self.heads = heads
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.supports_masking = True

    def build(self, sequences_shape: tuple[int | None, ...]) -> None:
        """Creates W `(H, 3H)`, b `(3H,)`, W_out `(H, H)` and b_out `(H,)`."""
        if len(sequences_shape) != 3 or sequences_shape[-1] is None or sequences_shape[-1] % (2 * self.heads):
            raise ValueError(
                f"`sequences` must have shape (B, T, H), H a multiple of 2 * heads, {2 * self.heads}. "
                f"Received: shape={sequences_shape}"
            )
        width = sequences_shape[-1]

        def kernel(name: str, columns: int) -> Any:
            return self.add_weight(
                name=name,
                shape=(width, columns),
                initializer=self.kernel_initializer.clone(),
                regularizer=self.kernel_regularizer,
            )

        self.kernel = kernel("kernel", 3 * width)
        self.bias = self.add_weight(name="bias", shape=(3 * width,), initializer="zeros")
        self.output_kernel = kernel("output_kernel", width)
        self.output_bias = self.add_weight(name="output_bias", shape=(width,), initializer="zeros")

    def call(self, sequences: Any, mask: Any = None) -> Any:
        """Attends; see the class."""
        query, key, value = ops.split(ops.matmul(sequences, self.kernel) + self.bias, 3, axis=-1)
        angles = self.angles(sequences, mask)
        cosine, sine = (ops.cast(part, query.dtype) for part in (ops.cos(angles), ops.sin(angles)))
        query, key = (rotate(self._split(part), cosine, sine) for part in (query, key))
        scores = ops.matmul(query, ops.swapaxes(key, 2, 3)) / ops.cast(query.shape[-1] ** 0.5, query.dtype)
        scores = ops.cast(scores, "float32")
        if mask is not None:
            scores += (ops.cast(mask, "float32")[:, None, None] - 1.0) * MASKED
        weights = ops.cast(ops.softmax(scores, axis=-1), value.dtype)
        context = ops.swapaxes(ops.matmul(weights, self._split(value)), 1, 2)
        return ops.matmul(ops.reshape(context, ops.shape(sequences)), self.output_kernel) + self.output_bias

    def angles(self, sequences: Any, mask: Any) -> Any:
        """The angle of each pair of numbers at each token, float32 `(T, D/2)`."""
        del mask
        half = sequences.shape[-1] // self.heads // 2
        frequencies = (10_000.0 ** (-np.arange(half) / half)).astype("float32")
        return ops.cast(ops.arange(ops.shape(sequences)[1]), "float32")[:, None] * frequencies

    def _split(self, sequences: Any) -> Any:
        """`(B, T, H)` by head: `(B, heads, T, D)`."""
        shape = ops.shape(sequences)
        return ops.swapaxes(ops.reshape(sequences, (shape[0], shape[1], self.heads, shape[2] // self.heads)), 1, 2)

    def compute_output_spec(self, sequences: Any, mask: Any = None) -> Any:
        """Shape and type of what `call` returns."""
        del mask
        return keras.KerasTensor(sequences.shape, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments, serialized."""
        return {
            **super().get_config(),
            "heads": self.heads,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }


def rotate(vectors: Any, cosine: Any, sine: Any) -> Any:
    """Rotates pairs of numbers of `(B, heads, T, D)` by angles, given by their cosines and sines `(T, D/2)`."""
    first, second = ops.split(vectors, 2, axis=-1)
    return ops.concatenate([first * cosine - second * sine, first * sine + second * cosine], axis=-1)
