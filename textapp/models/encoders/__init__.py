"""Encoders add context to each token: `(B, T, E)` to `(B, T, H)`. One file each, chosen by a setting."""

from collections.abc import Callable
from typing import Any

from textapp.config import Encoder
from textapp.models.encoders import convolution, light_recurrence, none, recurrent, transformer

ENCODERS: dict[str, Callable[[Encoder, Any, Any], Any]] = {
    "recurrent": recurrent.encode,
    "convolution": convolution.encode,
    "transformer": transformer.encode,
    "light_recurrence": light_recurrence.encode,
    "none": none.encode,
}
"""Value of the setting `encoder` -> the function that adds this encoder to a model."""


def encode(config: Encoder, embedded: Any, mask: Any) -> Any:
    """Adds the encoder of the settings to a model.

    Args:
        config: Which encoder, and its sizes.
        embedded: Float `(B, T, E)`.
        mask: Boolean `(B, T)`, True on real tokens.

    Returns:
        `encoded`, float `(B, T, H)`. The values on padding have no meaning, and real tokens do not depend on padding.

    Raises:
        ValueError: The encoder is unknown.
        InputError: Settings contradict each other.
    """
    if config.encoder not in ENCODERS:
        raise ValueError(f"`encoder` must be one of {', '.join(ENCODERS)}. Received: encoder={config.encoder!r}")
    if config.num_layers < 1:
        raise ValueError(f"`num_layers` must be 1 or more. Received: num_layers={config.num_layers}")
    config.check()
    return ENCODERS[config.encoder](config, embedded, mask)
