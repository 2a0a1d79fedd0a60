"""The recurrent encoder: its cells, its layers, its errors."""

import keras
import pytest

from textapp.config import Encoder
from textapp.models.encoders import encode


def encoder(config: Encoder) -> keras.Model:
    embedded, mask = keras.Input((None, 6)), keras.Input((None,), dtype="bool")
    return keras.Model([embedded, mask], encode(config, embedded, mask))


@pytest.mark.parametrize(
    ("cell", "layer", "gates"),
    [("lstm", keras.layers.LSTM, 4), ("gru", keras.layers.GRU, 3), ("rnn", keras.layers.SimpleRNN, 1)],
)
def test_cells(cell, layer, gates):
    model = encoder(Encoder(units=5, cell=cell))
    found = model.get_layer("encoder")
    assert type(found.forward_layer) is layer
    assert found.forward_layer.cell.kernel.shape == (6, 5 * gates)
    assert model.output_shape == (None, None, 10)


def test_layers_are_stacked_with_dropout_between():
    model = encoder(Encoder(units=5, num_layers=3, dropout=0.25))
    names = [layer.name for layer in model.layers if "encoder" in layer.name]
    assert names == ["encoder_0", "encoder_dropout_1", "encoder_1", "encoder_dropout_2", "encoder_2"]
    assert model.get_layer("encoder_dropout_1").rate == 0.25


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (Encoder(num_layers=0), "`num_layers` must be 1 or more"),
        (Encoder(cell="qrnn"), "`cell` must be one of lstm, gru, rnn"),
    ],
)
def test_wrong_arguments_are_named(config, message):
    with pytest.raises(ValueError, match=message):
        encoder(config)
