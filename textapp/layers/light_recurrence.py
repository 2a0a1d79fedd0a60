"""A recurrent layer whose gates do not read the state: one matrix product for all steps, then a scan."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

CHUNK = 8
"""Number of steps in a chunk of `linear_recurrence`. Of 4, 8 and 16, 8 needs the fewest device ops at 128 tokens."""


@keras.saving.register_keras_serializable("textapp")
class LightRecurrence(keras.layers.Layer):
    """A minimal gated recurrent unit, in one or both directions.

        candidate_t, update_t = x_t W + b
        z_t = sigmoid(update_t)
        h_t = (1 - z_t) * h_t-1 + z_t * candidate_t

    The gate does not read the state `h_t-1`. So candidates and gates of all steps are one matrix product, and only the
    last line, without a matrix, runs step by step. The state is a weighted mean of candidates, so it does not grow with
    the length. It is always float32, since half precision is too inexact for long texts.

    On padding the state does not change: it is 0 before the first token, and the state of the last token after it. So
    padding may be on either side.

    Args:
        units: Integer, width of the state in each direction. Positive.
        bidirectional: Boolean, whether a second recurrence runs from the last token to the first.
        kernel_initializer: Initializer of W.
        kernel_regularizer: Regularizer of W.
        **kwargs: `name`, `dtype` and the other arguments of `keras.layers.Layer`.

    Call arguments:
        sequences: Float tensor `(B, T, E)`.
        mask: Boolean tensor `(B, T)`, True on real tokens. By default the Keras mask that `sequences` carries.

    Returns:
        Float tensor `(B, T, H)`. H is `units`, or `2 * units` in both directions, the forward direction first.

    Raises:
        ValueError: `units` is not positive.

    Example:
        >>> import numpy as np
        >>> LightRecurrence(4)(np.ones((2, 3, 5)), mask=np.array([[True] * 3, [True, False, False]])).shape
        TensorShape([2, 3, 8])

    Reference:
        Feng et al. 2024, Were RNNs All We Needed? (minGRU, appendix A: without the logarithms of its section 3.2, which
        need candidates above 0). Lei et al. 2018, Simple Recurrent Units for Highly Parallelizable Recurrence, has an
        output gate as well, and a third matrix for it.
    """

    def __init__(
        self,
        units: int,
        bidirectional: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        kernel_regularizer: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if not isinstance(units, int) or units < 1:
            raise ValueError(f"`units` must be a positive integer. Received: units={units!r}")
        self.units = units
        self.bidirectional = bidirectional
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.supports_masking = True

    def build(self, sequences_shape: tuple[int | None, ...]) -> None:
        """Creates W `(E, 2H)` and b `(2H,)`: the columns of the candidate, then of the gate; each by direction."""
        if len(sequences_shape) != 3 or sequences_shape[-1] is None:
            raise ValueError(f"`sequences` must have shape (B, T, E) with E known. Received: shape={sequences_shape}")
        columns = 2 * self.width
        self.kernel = self.add_weight(
            name="kernel",
            shape=(sequences_shape[-1], columns),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
        )
        self.bias = self.add_weight(name="bias", shape=(columns,), initializer="zeros")

    @property
    def width(self) -> int:
        """H, the width of the output."""
        return 2 * self.units if self.bidirectional else self.units

    def call(self, sequences: Any, mask: Any = None) -> Any:
        """Runs over `sequences`; see the class."""
        projected = ops.matmul(sequences, self.kernel) + self.bias
        candidate, update = (ops.cast(part, "float32") for part in ops.split(projected, 2, axis=-1))
        update = ops.sigmoid(update)
        if mask is not None:
            update *= ops.expand_dims(ops.cast(mask, "float32"), 2)
        states = self.recur(self._in_order(1.0 - update), self._in_order(update * candidate))
        return ops.cast(self._in_order(states), self.compute_dtype)

    def recur(self, keep: Any, new: Any) -> Any:
        """The states `h_t = keep_t * h_t-1 + new_t`, `(B, T, H)`; a device computes them in its own way."""
        return linear_recurrence(keep, new)

    def _in_order(self, sequences: Any) -> Any:
        """Reverses the steps of the backward direction of `(B, T, H)`."""
        if not self.bidirectional:
            return sequences
        forward, backward = ops.split(sequences, 2, axis=-1)
        return ops.concatenate([forward, ops.flip(backward, axis=1)], axis=-1)

    def compute_output_spec(self, sequences: Any, mask: Any = None) -> Any:
        """Shape and type of what `call` returns."""
        del mask
        return keras.KerasTensor((*sequences.shape[:2], self.width), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments, serialized."""
        return {
            **super().get_config(),
            "units": self.units,
            "bidirectional": self.bidirectional,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }


def linear_recurrence(keep: Any, new: Any) -> Any:
    """All states of `h_t = keep_t * h_t-1 + new_t`, where the state before the first step is 0.

    `in_chunks` computes them with only products and sums: no logarithm and no quotient can overflow. The gradient is
    also a linear recurrence, from the last step to the first, so it is written out here:

        g_t = upstream_t + keep_t+1 * g_t+1,  d/d new_t = g_t,  d/d keep_t = g_t * h_t-1

    So the steps of the loop need not be stored, and XLA need not differentiate the loop.

    Args:
        keep: float32 `(B, T, H)`, from 0 to 1.
        new: float32 `(B, T, H)`.

    Returns:
        float32 `(B, T, H)`.

    Example:
        >>> import numpy as np
        >>> keep, new = np.full((1, 3, 1), 0.5, "float32"), np.ones((1, 3, 1), "float32")
        >>> np.ravel(linear_recurrence(keep, new)).tolist()
        [1.0, 1.5, 1.75]
    """

    @ops.custom_gradient
    def recur(keep: Any, new: Any) -> tuple[Any, Callable[..., tuple[Any, Any]]]:
        states = in_chunks(keep, new, _scanned)

        def gradient(upstream: Any) -> tuple[Any, Any]:
            keep_next = ops.concatenate([keep[:, 1:], ops.zeros_like(keep[:, :1])], axis=1)
            total = ops.flip(in_chunks(ops.flip(keep_next, axis=1), ops.flip(upstream, axis=1), _scanned), axis=1)
            return total * _delayed(states), total

        return states, gradient

    return recur(ops.convert_to_tensor(keep), ops.convert_to_tensor(new))


def in_chunks(keep: Any, new: Any, between: Callable[[Any, Any], Any]) -> Any:
    """The states of a linear recurrence, computed in chunks of `CHUNK` steps.

    Let s be the state before a chunk. After j steps of the chunk the state is `K_j s + N_j`, with

        K_j = keep_j * K_j-1,  N_j = keep_j * N_j-1 + new_j

    All chunks compute these steps at once. The states between chunks follow from the last steps, and are again a linear
    recurrence, `CHUNK` times shorter.

    Args:
        keep: float32 `(B, T, H)`.
        new: float32 `(B, T, H)`.
        between: Computes the states `(B, N, H)` between N chunks, from the `keep` and `new` of the chunks.

    Returns:
        float32 `(B, T, H)`.

    Reference:
        Blelloch 1990, Prefix Sums and Their Applications, sections 1.2 and 1.4.
    """
    batch, length, width = ops.shape(keep)
    chunks = (length + CHUNK - 1) // CHUNK

    def steps(sequences: Any) -> list[Any]:
        """The steps of all chunks, `(B, N, H)` each, zeros after the last."""
        padded = ops.pad(sequences, ((0, 0), (0, chunks * CHUNK - length), (0, 0)))
        return list(ops.split(ops.reshape(padded, (batch, chunks, CHUNK * width)), CHUNK, axis=-1))

    keeps, news = steps(keep), steps(new)
    for step in range(1, CHUNK):
        news[step] = keeps[step] * news[step - 1] + news[step]
        keeps[step] = keeps[step] * keeps[step - 1]
    before = _delayed(between(keeps[-1], news[-1]))
    states = ops.concatenate([k * before + n for k, n in zip(keeps, news, strict=True)], axis=-1)
    return ops.reshape(states, (batch, chunks * CHUNK, width))[:, :length]


def _scanned(keep: Any, new: Any) -> Any:
    """The states of a linear recurrence, one step after the other."""
    width = keep.shape[-1]

    def step(state: Any, inputs: Any) -> tuple[Any, Any]:
        state = inputs[:, :width] * state + inputs[:, width:]
        return state, state

    # One tensor to scan: with several, keras.ops.scan on TensorFlow must know their length.
    inputs = ops.swapaxes(ops.concatenate([keep, new], axis=-1), 0, 1)
    _, states = ops.scan(step, ops.zeros_like(new[:, 0]), inputs)
    return ops.swapaxes(states, 0, 1)


def _delayed(states: Any) -> Any:
    """The state before each step: `(B, T, H)` moved one step to the right, with 0 first."""
    return ops.concatenate([ops.zeros_like(states[:, :1]), states[:, :-1]], axis=1)
