"""A light recurrent encoder: gates without the state, so that all steps train at once."""

from typing import Any

from textapp.config import Encoder
from textapp.layers import LightRecurrence
from textapp.models.encoders.stack import stacked


def encode(config: Encoder, embedded: Any, mask: Any) -> Any:
    """`(B, T, E)` to `(B, T, 2 units)`, in one direction to `(B, T, units)`; see `LightRecurrence`."""
    return stacked(config, lambda name: LightRecurrence(config.units, config.bidirectional, name=name), embedded, mask)
