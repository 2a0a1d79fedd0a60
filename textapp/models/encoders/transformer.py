"""A transformer: each token reads all tokens of the text."""

from typing import Any

from keras import layers

from textapp.config import Encoder
from textapp.layers import SelfAttention
from textapp.models.encoders.stack import layer_name, resized


def encode(config: Encoder, embedded: Any, mask: Any) -> Any:
    """`(B, T, E)` to `(B, T, units)`: pre-norm blocks of attention and of two dense layers, each added to its input.

    Reference:
        Vaswani et al. 2017, Attention Is All You Need; Xiong et al. 2020, On Layer Normalization in the Transformer
        Architecture (pre-norm: it needs no long warm-up).
    """
    encoded = resized(config, embedded)
    for depth in range(config.num_layers):
        name = layer_name(config, depth)
        normed = layers.LayerNormalization(name=f"{name}_norm")(encoded)
        attended = SelfAttention(config.heads, name=name)(normed, mask=mask)
        encoded = encoded + layers.Dropout(config.dropout, name=f"{name}_dropout")(attended)

        normed = layers.LayerNormalization(name=f"{name}_inner_norm")(encoded)
        inner = layers.Dense(config.expansion * config.units, activation="relu", name=f"{name}_inner")(normed)
        outer = layers.Dense(config.units, name=f"{name}_outer")(inner)
        encoded = encoded + layers.Dropout(config.dropout, name=f"{name}_outer_dropout")(outer)
    return layers.LayerNormalization(name="encoded_norm")(encoded)
