"""Layers of an encoder, one after the other."""

from collections.abc import Callable
from typing import Any

from keras import layers

from textapp.config import Encoder


def stacked(config: Encoder, layer: Callable[[str], layers.Layer], embedded: Any, mask: Any) -> Any:
    """Applies `num_layers` layers, with dropout between them; `layer` makes a layer from its name."""
    encoded = embedded
    for depth in range(config.num_layers):
        if depth:
            encoded = layers.Dropout(config.dropout, name=f"encoder_dropout_{depth}")(encoded)
        encoded = layer(layer_name(config, depth))(encoded, mask=mask)
    return encoded


def layer_name(config: Encoder, depth: int) -> str:
    """The name of an encoder's layer: `encoder`, or `encoder_0`, `encoder_1` ... if there are several."""
    return "encoder" if config.num_layers == 1 else f"encoder_{depth}"


def resized(config: Encoder, embedded: Any) -> Any:
    """Projects `(B, T, E)` to `(B, T, units)`, so that a layer's output can be added; unchanged if E is `units`."""
    if embedded.shape[-1] == config.units:
        return embedded
    return layers.Dense(config.units, name="encoder_input")(embedded)
