"""The recurrent encoder: its cells, its layers, its errors."""

import keras
import numpy as np
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


def test_one_direction_reads_from_the_first_token():
    """An output depends on the tokens before it and not on those after it; on padding it is 0."""
    keras.utils.set_random_seed(0)
    model = encoder(Encoder(units=5, bidirectional=False))
    assert type(model.get_layer("encoder")) is keras.layers.LSTM
    embedded = np.random.default_rng(0).normal(size=(1, 6, 6)).astype("float32")
    mask = np.array([[True] * 5 + [False]])
    outputs = np.asarray(model([embedded, mask]))
    assert outputs.shape == (1, 6, 5)
    assert np.all(outputs[:, 5] == 0)
    changed = embedded.copy()
    changed[:, 3] += 1
    difference = np.abs(np.asarray(model([changed, mask])) - outputs).max(axis=(0, 2)) > 1e-4
    assert difference.tolist() == [False, False, False, True, True, False]


def test_an_unknown_cell_is_named():
    with pytest.raises(ValueError, match="`cell` must be one of lstm, gru, rnn"):
        encoder(Encoder(cell="qrnn"))
