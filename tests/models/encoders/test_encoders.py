"""Every encoder: the width that it gives, what reaches a token, and the names of its layers."""

import dataclasses

import keras
import numpy as np
import pytest

from textapp.config import ENCODERS_OF, Encoder
from textapp.errors import InputError
from textapp.models.encoders import ENCODERS, encode

CASES = {
    "recurrent": (Encoder(units=8, num_layers=2), 16),
    "recurrent, one direction": (Encoder(units=8, bidirectional=False, cell="gru"), 8),
    "convolution": (Encoder(encoder="convolution", units=8, num_layers=2), 8),
    "convolution, gated": (Encoder(encoder="convolution", units=6, kernel_width=5, gated=True), 6),
    "transformer": (Encoder(encoder="transformer", units=8, heads=2, num_layers=2), 8),
    "light_recurrence": (Encoder(encoder="light_recurrence", units=8, num_layers=2), 16),
    "light_recurrence, one direction": (Encoder(encoder="light_recurrence", units=8, bidirectional=False), 8),
    "none": (Encoder(encoder="none"), 6),
}


def encoder(config: Encoder) -> keras.Model:
    keras.utils.set_random_seed(0)
    embedded, mask = keras.Input((None, 6)), keras.Input((None,), dtype="bool")
    return keras.Model([embedded, mask], encode(config, embedded, mask))


def reach(config: Encoder) -> list[int]:
    """The places of twelve tokens whose output the seventh one changes; the last two are padding."""
    model = encoder(config)
    embedded = np.random.default_rng(0).normal(size=(1, 14, 6)).astype("float32")
    mask = np.arange(14)[None] < 12
    changed = embedded.copy()
    changed[:, 6] += 3
    outputs = [np.asarray(model([values, mask]))[:, :12] for values in (embedded, changed)]
    return np.flatnonzero(np.abs(outputs[0] - outputs[1]).max(axis=(0, 2)) > 1e-6).tolist()


def test_every_encoder_is_listed():
    assert {config.encoder for config, _ in CASES.values()} == set(ENCODERS)
    kinds = {field.name: field for field in dataclasses.fields(Encoder)}
    assert set(ENCODERS_OF) == set(kinds) - {"encoder", "dropout"}
    assert {name for owners in ENCODERS_OF.values() for name in owners} <= set(ENCODERS)


@pytest.mark.parametrize("case", CASES)
def test_width_and_padding(case):
    config, width = CASES[case]
    model = encoder(config)
    assert model.output_shape == (None, None, width)
    embedded = np.random.default_rng(1).normal(size=(2, 9, 6)).astype("float32")
    mask = np.arange(9) < np.array([[5], [1]])
    padded, alone = model([embedded, mask]), model([embedded[:, :5], mask[:, :5]])
    np.testing.assert_allclose(np.asarray(padded)[:, :5][mask[:, :5]], np.asarray(alone)[mask[:, :5]], atol=1e-6)


@pytest.mark.parametrize(
    ("config", "places"),
    [
        (Encoder(units=8), range(12)),
        (Encoder(units=8, bidirectional=False), range(6, 12)),
        (Encoder(encoder="convolution", units=8), range(5, 8)),
        (Encoder(encoder="convolution", units=8, kernel_width=5), range(4, 9)),
        (Encoder(encoder="convolution", units=8, num_layers=2), range(3, 10)),
        (Encoder(encoder="convolution", units=8, num_layers=2, gated=True), range(3, 10)),
        (Encoder(encoder="transformer", units=8), range(12)),
        (Encoder(encoder="light_recurrence", units=8), range(12)),
        (Encoder(encoder="light_recurrence", units=8, bidirectional=False), range(6, 12)),
        (Encoder(encoder="none"), [6]),
    ],
)
def test_how_far_a_token_reaches(config, places):
    assert reach(config) == list(places)


def test_layers_are_named_alike():
    for kind in ("recurrent", "convolution", "transformer", "light_recurrence"):
        one = encoder(Encoder(encoder=kind, units=8))
        assert any(layer.name == "encoder" for layer in one.layers)
        three = {layer.name for layer in encoder(Encoder(encoder=kind, units=8, num_layers=3)).layers}
        assert {"encoder_0", "encoder_1", "encoder_2"} <= three
    assert encoder(Encoder(encoder="convolution", units=8)).get_layer("encoder_input").kernel.shape == (6, 8)
    same = encoder(Encoder(encoder="convolution", units=6))
    assert not any(layer.name == "encoder_input" for layer in same.layers)


@pytest.mark.parametrize("kind", [name for name in ENCODERS if name != "none"])
def test_dropout_acts_between_layers_in_training_only(kind):
    model = encoder(Encoder(encoder=kind, units=8, num_layers=2, dropout=0.9))
    embedded, mask = np.ones((1, 4, 6), "float32"), np.ones((1, 4), bool)
    still = np.asarray(model([embedded, mask], training=False))
    np.testing.assert_array_equal(model([embedded, mask], training=False), still)
    assert not np.allclose(model([embedded, mask], training=True), still)


def test_a_convolution_equals_a_sum_over_neighbours():
    """By hand: residual, ReLU, the second layer two tokens apart, zeros beyond the ends of the text."""
    model = encoder(Encoder(encoder="convolution", units=6, num_layers=2))
    embedded = np.random.default_rng(2).normal(size=(1, 7, 6)).astype("float32")
    mask = np.array([[True] * 5 + [False] * 2])
    expected = embedded[0, :5].astype("f8")
    for depth, distance in enumerate((1, 2)):
        kernel, bias = model.get_layer(f"encoder_{depth}").get_weights()
        around = np.concatenate([np.zeros((distance, 6)), expected, np.zeros((distance, 6))])
        seen = [around[place * distance : place * distance + 5] @ kernel[place] for place in range(3)]
        expected = expected + np.maximum(sum(seen) + bias, 0)
    np.testing.assert_allclose(np.asarray(model([embedded, mask]))[0, :5], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (Encoder(encoder="mlp"), "`encoder` must be one of recurrent, convolution"),
        (Encoder(num_layers=0), "`num_layers` must be 1 or more"),
        (Encoder(encoder="convolution", kernel_width=4), "setting kernel_width: must be odd; received 4"),
        (Encoder(encoder="transformer", units=20), "setting units: must be a multiple of twice the heads, 8"),
    ],
)
def test_wrong_settings_are_named(config, message):
    with pytest.raises((ValueError, InputError), match=message):
        encoder(config)
