"""A light recurrent encoder: its gates do not read the state, so all their steps are computed at once."""

from typing import Any

from textapp.config import Encoder
from textapp.layers import LightRecurrence
from textapp.models.encoders.stack import stacked


def encode(config: Encoder, embedded: Any, mask: Any) -> Any:
    """`(B, T, E)` to `(B, T, 2 units)`, or `(B, T, units)` in one direction; see `LightRecurrence`."""
    return stacked(config, lambda name: LightRecurrence(config.units, config.bidirectional, name=name), embedded, mask)
