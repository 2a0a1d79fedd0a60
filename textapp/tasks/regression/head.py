"""The head of a regressor: attention pooling and standardized numbers."""

from collections.abc import Callable
from typing import Any

from keras import layers

from textapp.layers import AttentionPooling


def regression_head(outputs: int, attention_units: int = 64, dropout: float = 0.3) -> Callable[[Any, Any], Any]:
    """Makes the last part of a regressor: attention pooling -> dropout -> numbers.

    Args:
        outputs: C, one or more: of T numbers T, or with intervals 3 T; see `textapp.text.estimates.Numbers`.
        attention_units: Width of the attention's hidden layer.
        dropout: Rate in [0, 1) on the pooled context.

    Returns:
        A function from `encoded`, float `(B, T, H)`, and `mask`, boolean `(B, T)`, to standardized numbers, float32
        `(B, C)`.
    """

    def head(encoded: Any, mask: Any) -> Any:
        context = AttentionPooling(attention_units, name="attention")(encoded, mask=mask)
        context = layers.Dropout(dropout, name="context_dropout")(context)
        # float32 under mixed precision too: half precision has three digits.
        return layers.Dense(outputs, dtype="float32", name="logits")(context)

    return head
