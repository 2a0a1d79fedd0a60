"""Encoders make each token know its neighbours: `(B, T, E)` to `(B, T, H)`. One file each, chosen by a setting."""

from collections.abc import Callable
from typing import Any

from textapp.config import Encoder
from textapp.models.encoders import recurrent

ENCODERS: dict[str, Callable[[Encoder, Any, Any], Any]] = {"recurrent": recurrent.encode}
"""The function of each value of the setting `encoder`."""


def encode(config: Encoder, embedded: Any, mask: Any) -> Any:
    """Adds the encoder of the settings to a model.

    Args:
        config: Which encoder, and its sizes.
        embedded: Float `(B, T, E)`.
        mask: Boolean `(B, T)`, True on real tokens.

    Returns:
        `encoded`, float `(B, T, H)`. What stands on padding has no meaning, and depends on no other token.
    """
    return ENCODERS["recurrent"](config, embedded, mask)
