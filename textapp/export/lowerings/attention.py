"""Attention on the device: its weights as a second output, and its mask within the range of int8."""

from typing import Any

import keras
from keras import ops

from textapp.layers import AttentionPooling

BELOW = 10.0
"""The score of padding is this much below every token's: its weight is at most exp(-10) of any other."""


@keras.saving.register_keras_serializable("textapp")
class BoundedAttentionPooling(AttentionPooling):
    """`AttentionPooling` with scores of padding that stay near those of tokens.

    The stock layer subtracts 1e9 from the scores of padding. In int8 one step of this range would be four million. The
    results differ by the weight of the padding, at most 5e-5 a token.

    Attributes:
        integer: Whether activations will be int8; if not, this is the stock layer.
    """

    integer = False

    def call(self, encoded: Any, mask: Any = None, return_attention_scores: bool = False) -> Any:
        """Pools `encoded (B, T, H)` with `mask (B, T)`."""
        if mask is None or not self.integer:
            return super().call(encoded, mask, return_attention_scores)
        hidden = ops.tanh(ops.matmul(encoded, self.kernel) + self.bias)
        scores = ops.squeeze(ops.matmul(hidden, self.query), axis=-1)
        real = ops.cast(mask, scores.dtype)
        padding = ops.min(scores, axis=1, keepdims=True) - BELOW
        weights = ops.softmax(scores * real + padding * (1.0 - real), axis=-1) * real
        context = ops.matmul(ops.expand_dims(weights, 1), encoded)[:, 0]
        return (context, weights) if return_attention_scores else context


@keras.saving.register_keras_serializable("textapp")
class ScoredAttentionPooling(BoundedAttentionPooling):
    """`AttentionPooling` that always returns `(context (B, H), weights (B, T))`, computed once."""

    def call(self, encoded: Any, mask: Any = None, return_attention_scores: bool = True) -> Any:
        """Pools `encoded (B, T, H)` with `mask (B, T)`."""
        del return_attention_scores
        return super().call(encoded, mask, return_attention_scores=True)

    def compute_output_spec(self, encoded: Any, mask: Any = None, return_attention_scores: bool = True) -> Any:
        """Shapes `(B, H)` and `(B, T)`."""
        del return_attention_scores
        return super().compute_output_spec(encoded, mask, return_attention_scores=True)

    def compute_mask(self, encoded: Any, mask: Any = None) -> Any:
        """No mask for either output."""
        del encoded, mask
        return None, None


LOWERED: dict[type, type] = {AttentionPooling: BoundedAttentionPooling}
