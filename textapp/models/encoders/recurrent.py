"""A recurrent encoder: LSTM, GRU or simple RNN, read in both directions."""

from typing import Any

from keras import layers

from textapp.config import Encoder

CELLS = {"lstm": layers.LSTM, "gru": layers.GRU, "rnn": layers.SimpleRNN}


def encode(config: Encoder, embedded: Any, mask: Any) -> Any:
    """`(B, T, E)` to `(B, T, 2 units)`: layers in a row with dropout between them.

    Raises:
        ValueError: The cell is unknown, or the number of layers not positive.

    Reference:
        Schuster and Paliwal 1997, Bidirectional Recurrent Neural Networks; Hochreiter and Schmidhuber 1997, Long
        Short-Term Memory; Cho et al. 2014 (GRU).
    """
    if config.cell not in CELLS:
        raise ValueError(f"`cell` must be one of {', '.join(CELLS)}. Received: cell={config.cell!r}")
    if config.num_layers < 1:
        raise ValueError(f"`num_layers` must be 1 or more. Received: num_layers={config.num_layers}")
    encoded = embedded
    for depth in range(config.num_layers):
        if depth:
            encoded = layers.Dropout(config.dropout, name=f"encoder_dropout_{depth}")(encoded)
        name = "encoder" if config.num_layers == 1 else f"encoder_{depth}"
        cell = CELLS[config.cell](config.units, return_sequences=True)
        encoded = layers.Bidirectional(cell, name=name)(encoded, mask=mask)
    return encoded
