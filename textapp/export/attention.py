"""Attention weights as a second output."""

from typing import Any

import keras

from textapp.layers import AttentionPooling


@keras.saving.register_keras_serializable("textapp")
class ScoredAttentionPooling(AttentionPooling):
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
