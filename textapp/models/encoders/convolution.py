"""A convolutional encoder: each layer sees more context than the previous one."""

from typing import Any

from keras import layers, ops

from textapp.config import Encoder
from textapp.models.encoders.stack import layer_name, resized

DILATIONS = (1, 2, 4, 8)
"""Distance between the tokens that a filter sees, by layer; after four layers it repeats. Four layers see 31 tokens."""


def encode(config: Encoder, embedded: Any, mask: Any) -> Any:
    """`(B, T, E)` to `(B, T, units)`: `x + f(x)` for each layer, f a convolution.

    f ends in a ReLU; with `gated`, in a linear unit times the sigmoid of another one. Padding is set to 0 before each
    convolution, like the zeros that Keras adds before and after a text, so more padding changes no result.

    Reference:
        Strubell et al. 2017, Fast and Accurate Entity Recognition with Iterated Dilated Convolutions; Dauphin et al.
        2017, Language Modeling with Gated Convolutional Networks; He et al. 2016 (residual connections).
    """
    encoded = resized(config, embedded)
    real = ops.cast(ops.expand_dims(mask, 2), encoded.dtype)
    for depth in range(config.num_layers):
        inputs = encoded
        if depth:
            inputs = layers.Dropout(config.dropout, name=f"encoder_dropout_{depth}")(inputs)
        convolved = layers.Conv1D(
            2 * config.units if config.gated else config.units,
            config.kernel_width,
            padding="same",
            dilation_rate=DILATIONS[depth % len(DILATIONS)],
            activation=None if config.gated else "relu",
            name=layer_name(config, depth),
        )(inputs * real)
        encoded = encoded + (ops.glu(convolved) if config.gated else convolved)
    return encoded
