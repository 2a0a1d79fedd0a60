"""A recurrent encoder: LSTM, GRU or simple RNN, in one or both directions."""

from typing import Any

from keras import layers

from textapp.config import Encoder
from textapp.models.encoders.stack import stacked

CELLS = {"lstm": layers.LSTM, "gru": layers.GRU, "rnn": layers.SimpleRNN}


def encode(config: Encoder, embedded: Any, mask: Any) -> Any:
    """`(B, T, E)` to `(B, T, 2 units)`, or `(B, T, units)` in one direction.

    Raises:
        ValueError: The cell is unknown.

    Reference:
        Schuster and Paliwal 1997, Bidirectional Recurrent Neural Networks; Hochreiter and Schmidhuber 1997, Long
        Short-Term Memory; Cho et al. 2014, Learning Phrase Representations using RNN Encoder-Decoder (GRU).
    """
    if config.cell not in CELLS:
        raise ValueError(f"`cell` must be one of {', '.join(CELLS)}. Received: cell={config.cell!r}")

    def layer(name: str) -> layers.Layer:
        if config.bidirectional:
            return layers.Bidirectional(CELLS[config.cell](config.units, return_sequences=True), name=name)
        # 0 on padding, as in a Bidirectional: so the device need not search for the last token.
        return CELLS[config.cell](config.units, return_sequences=True, zero_output_for_mask=True, name=name)

    return stacked(config, layer, embedded, mask)
