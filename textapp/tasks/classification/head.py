"""The head of a classifier: attention pooling and class logits."""

from collections.abc import Callable
from typing import Any

from keras import layers

from textapp.layers import AttentionPooling


def classification_head(num_classes: int, attention_units: int = 64, dropout: float = 0.3) -> Callable[[Any, Any], Any]:
    """Makes the last part of a classifier: attention pooling -> dropout -> logits.

    Args:
        num_classes: C, two or more.
        attention_units: Width of the attention's hidden layer.
        dropout: Rate in [0, 1) on the pooled context.

    Returns:
        A function from `encoded`, float `(B, T, H)`, and `mask`, boolean `(B, T)`, to `logits`, float32 `(B, C)`.

    Raises:
        ValueError: There is only one class.

    Reference:
        Yang et al. 2016, Hierarchical Attention Networks for Document Classification.
    """
    if num_classes < 2:
        raise ValueError(f"`num_classes` must be 2 or more. Received: num_classes={num_classes}")

    def head(encoded: Any, mask: Any) -> Any:
        context = AttentionPooling(attention_units, name="attention")(encoded, mask=mask)
        context = layers.Dropout(dropout, name="context_dropout")(context)
        # float32 under mixed precision too: the loss's exponentials overflow half precision.
        return layers.Dense(num_classes, dtype="float32", name="logits")(context)

    return head
