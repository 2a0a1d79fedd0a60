"""Every encoder's file passes every check, in float32 and in int8, in all signatures; how our layers are lowered."""

import keras
import numpy as np
import pytest

from textapp.config import Encoder, Words
from textapp.errors import InputError
from textapp.export import convert, lower
from textapp.export.checks import LABEL_TOLERANCE, check_file
from textapp.export.lowering import in_float32
from textapp.export.lowerings.light_recurrence import ChunkedLightRecurrence
from textapp.export.model_inputs import token_inputs
from textapp.layers import LightRecurrence, SelfAttention
from textapp.layers.leaves import leaves
from textapp.models.encoders import ENCODERS
from textapp.models.model import text_model
from textapp.tasks.classification.head import classification_head
from textapp.tasks.tagging.head import tagging_head, without_crf

V, LENGTHS = 60, [1, 8, 19]
ENCODER = {
    "recurrent": Encoder(units=32),
    "recurrent, one direction": Encoder(units=32, bidirectional=False),
    "GRU, one direction": Encoder(units=16, bidirectional=False, cell="gru"),
    "convolution": Encoder(encoder="convolution", units=32, num_layers=3),
    "gated convolution": Encoder(encoder="convolution", units=32, kernel_width=5, gated=True),
    "transformer": Encoder(encoder="transformer", units=32, heads=2, num_layers=2),
    "light_recurrence": Encoder(encoder="light_recurrence", units=32, num_layers=2),
    "light_recurrence, one direction": Encoder(encoder="light_recurrence", units=32, bidirectional=False),
    "none": Encoder(encoder="none"),
}
HEADS = {"classifier": classification_head(3, attention_units=32), "tagger": tagging_head(5)}
RNG = np.random.default_rng(0)
TEXTS = [token_inputs(RNG.integers(1, V, length)) for length in (*range(1, 24), 40)]


def built(name: str, head: str, randomized) -> keras.Model:
    keras.utils.set_random_seed(1)
    model = text_model(Words(embedding_dim=36), ENCODER[name], HEADS[head], vocabulary_size=V)
    return without_crf(randomized(model))[0]


@pytest.fixture(name="randomized", scope="module")
def _randomized():
    """Gives biases values too, and gates all sizes."""

    def changed(model: keras.Model) -> keras.Model:
        rng = np.random.default_rng(1)
        for variable in model.trainable_variables:
            variable.assign(variable + rng.normal(0, 0.2, variable.shape))
        return model

    return changed


def test_every_encoder_is_listed():
    assert {encoder.encoder for encoder in ENCODER.values()} == set(ENCODERS)


@pytest.mark.parametrize(("head", "recipe"), [("classifier", "float32"), ("tagger", "dynamic_wi8_afp32")])
@pytest.mark.parametrize("name", ENCODER)
def test_the_file_passes_all_checks(name, head, recipe, randomized, monkeypatch):
    """Builtin operators without a loop; in every signature Keras' scores of short, long and empty texts."""
    # Nothing is learned here, and many classes are as good as equal.
    monkeypatch.setitem(LABEL_TOLERANCE, "dynamic_wi8_afp32", 0.06)
    model = built(name, head, randomized)
    lowered = lower(model, "unrolled")
    measured = check_file(convert(lowered, LENGTHS, recipe), lowered, in_float32(model), LENGTHS, recipe, TEXTS)
    assert max(measured["padding"].values()) < 1e-4


@pytest.mark.parametrize("length", [1, 7, 8, 9, 40])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_a_light_recurrence_is_exact_without_a_loop(length, bidirectional):
    sequences = RNG.normal(size=(2, length, 6)).astype("float32")
    mask = np.arange(length) < np.array([[length], [1]])
    layer = LightRecurrence(5, bidirectional)
    expected = layer(sequences, mask=mask)
    lowered = ChunkedLightRecurrence.from_config(layer.get_config())
    lowered.build(sequences.shape)
    lowered.set_weights(layer.get_weights())
    np.testing.assert_allclose(lowered(sequences, mask=mask), expected, atol=1e-6)


def test_a_light_recurrence_takes_its_place(randomized):
    found = [type(layer) for _, layer in leaves(lower(built("light_recurrence", "tagger", randomized)))]
    assert found.count(ChunkedLightRecurrence) == 2
    assert LightRecurrence not in found


def test_attention_has_no_int8_form():
    ids = keras.Input((None,), dtype="int32")
    model = keras.Model(ids, SelfAttention(2, name="внимание")(keras.layers.Embedding(V, 8)(ids)))
    with pytest.raises(InputError, match=r"layer 'внимание' \(SelfAttention\): has no form for int8 activations; use"):
        lower(model, integer=True)
