"""Models as users of Keras write them: a bundle gives what `predict` gives, or says what to change."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from textapp.errors import InputError
from textapp.export import export_bundle
from textapp.export.lowerings.pooling import FiniteAveragePooling1D
from textapp.export.own_model import with_two_logits
from textapp.runtime import load
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary

TEXTS = ["a good film", "bad", "a film a film a bad film", "good good"]
VOCABULARY = Vocabulary(["[PAD]", "[UNK]", "a", "film", "good", "bad"])
TOKENIZER = Tokenizer()
LENGTH = 8


def ids() -> np.ndarray:
    rows = [VOCABULARY.encode(TOKENIZER.words(text)) for text in TEXTS]
    return np.array([row + [0] * (LENGTH - len(row)) for row in rows], np.int32)


def export(tmp_path, model, **changes):
    arguments = {"labels": ["no", "yes"], "lengths": [LENGTH], "texts": TEXTS, "recipe": "float32", **changes}
    return load(export_bundle(model, tmp_path / "bundle", tokenizer=TOKENIZER, vocabulary=VOCABULARY, **arguments))


def model_of(end, length=None) -> keras.Model:
    """An average of embedded tokens, and `end` behind it."""
    keras.utils.set_random_seed(5)
    tokens = keras.Input((length,), dtype="int32", name="token_ids")
    embedded = layers.Embedding(6, 4, embeddings_initializer="normal", mask_zero=True)(tokens)
    return keras.Model(tokens, end(layers.GlobalAveragePooling1D()(embedded)))


def probabilities(device) -> np.ndarray:
    return np.array([list(prediction.probs.values()) for prediction in device.predict(TEXTS)])


def test_an_average_of_masked_tokens_equals_keras_and_is_finite_on_the_empty_text(tmp_path):
    model = model_of(layers.Dense(2))
    device = export(tmp_path, model)
    np.testing.assert_allclose(
        probabilities(device), ops.softmax(model.predict(ids(), verbose=0)), rtol=1e-4, atol=1e-6
    )
    assert np.isfinite(list(device.predict([""])[0].probs.values())).all()


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("keepdims", [True, False])
def test_the_finite_average_is_keras_average_where_there_are_tokens(data_format, keepdims):
    values = np.random.default_rng(0).normal(size=(2, 3, 3)).astype("float32")
    mask = np.array([[True, True, False], [False, False, False]])
    settings = {"data_format": data_format, "keepdims": keepdims}
    found = np.asarray(FiniteAveragePooling1D(**settings)(values, mask=mask))
    expected = np.asarray(layers.GlobalAveragePooling1D(**settings)(values, mask=mask))
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-6)
    assert (found[1] == 0).all()
    assert np.isnan(expected[1]).all()


ONE_UNIT = {
    "sigmoid": layers.Dense(1, activation="sigmoid"),
    "activation": lambda x: layers.Activation("sigmoid")(layers.Dense(1)(x)),
    "float32": lambda x: layers.Activation("linear", dtype="float32")(layers.Dense(1, activation="sigmoid")(x)),
}


@pytest.mark.parametrize("end", ONE_UNIT.values(), ids=ONE_UNIT)
def test_the_probability_of_one_sigmoid_unit_is_that_of_the_second_label(tmp_path, end):
    model = model_of(end)
    before = [weight.copy() for weight in model.get_weights()]
    found = probabilities(export(tmp_path, model))
    p = model.predict(ids(), verbose=0)
    np.testing.assert_allclose(found, np.concatenate([1 - p, p], axis=1), rtol=1e-4, atol=1e-6)
    assert all((one == other).all() for one, other in zip(before, model.get_weights(), strict=True))


def test_one_unit_without_sigmoid_is_a_logit(tmp_path):
    model = model_of(layers.Dense(1))
    found = probabilities(export(tmp_path, model))
    np.testing.assert_allclose(found[:, 1:], ops.sigmoid(model.predict(ids(), verbose=0)), rtol=1e-4, atol=1e-6)


def test_one_unit_of_a_sequential_model_becomes_two_logits():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1, activation="sigmoid")])
    values = np.random.default_rng(0).normal(size=(2, 3)).astype("float32")
    z = np.asarray(with_two_logits(model, 2)(values))
    assert (z[:, 0] == 0).all()
    np.testing.assert_allclose(np.asarray(ops.sigmoid(z[:, 1:])), np.asarray(model(values)), rtol=1e-5)


@pytest.mark.parametrize(
    ("end", "labels", "message"),
    [
        (layers.Dense(1, activation="sigmoid"), ["a", "b", "c"], "one unit, which tells two labels apart.* 3 labels"),
        (lambda x: ops.sigmoid(layers.Dense(1)(x)), ["a", "b"], "Sigmoid.*must come from a Dense layer"),
        (lambda x: layers.Dense(1, activation="tanh")(x), ["a", "b"], "Dense.*must come from a Dense layer"),
    ],
)
def test_one_unit_that_is_no_logit_is_refused(tmp_path, end, labels, message):
    with pytest.raises(InputError, match=message):
        export(tmp_path, model_of(end), labels=labels)
    assert not list(tmp_path.iterdir())


def nested(x):
    inner = keras.Input((4,))
    return keras.Model(inner, layers.Dense(2, activation="softmax")(inner))(x)


PROBABILITIES = {
    "nested": nested,
    "operation": lambda x: ops.softmax(layers.Dense(2)(x)),
    "average": lambda x: layers.Average()([layers.Dense(2, activation="softmax")(x) for _ in range(2)]),
    "float32": lambda x: layers.Activation("linear", dtype="float32")(layers.Dense(2, activation="softmax")(x)),
}


@pytest.mark.parametrize("end", PROBABILITIES.values(), ids=PROBABILITIES)
def test_probabilities_are_refused_wherever_the_softmax_is(tmp_path, end):
    with pytest.raises(InputError, match=r"gives probabilities.*end the model at its logits"):
        export(tmp_path, model_of(end))
    assert not list(tmp_path.iterdir())


class Block(layers.Layer):
    """Without a get_config, as in Keras' example of a Transformer."""

    def __init__(self, size):
        super().__init__()
        self.dense = layers.Dense(size)

    def call(self, values):
        return self.dense(values)


@pytest.mark.parametrize(
    ("inner", "message"),
    [
        (Block(4), r"layer 'block\w*' \(Block\): cannot be made again"),
        (layers.Dense(4, activation=lambda x: ops.relu(x)), r"layer 'dense\w*' \(Dense\): cannot be made again"),
    ],
)
@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
def test_a_layer_that_cannot_be_made_again_is_named(tmp_path, inner, message):
    with pytest.raises(InputError, match=message):
        export(tmp_path, model_of(lambda x: layers.Dense(2)(inner(x))))


class Positions(layers.Layer):
    """A table of 8 positions."""

    def build(self, shape):
        self.table = self.add_weight(shape=(8, shape[-1]))

    def call(self, values):
        return values + ops.take(self.table, ops.arange(ops.shape(values)[1]), axis=0)


@pytest.mark.parametrize(
    ("body", "length", "reason"),
    [(layers.Conv1D(4, 5), 4, "Negative dimension size"), (Positions(), 16, r"indices\[8\] = 8 is not in \[0, 8\)")],
)
def test_a_length_that_a_layer_cannot_take_is_named(tmp_path, body, length, reason):
    tokens = keras.Input((None,), dtype="int32", name="token_ids")
    scores = layers.Dense(2)(layers.GlobalMaxPooling1D()(body(layers.Embedding(6, 4)(tokens))))
    with pytest.raises(
        InputError, match=f"length {length}: the model cannot take {length} tokens; choose other.*{reason}"
    ):
        export(tmp_path, keras.Model(tokens, scores), lengths=sorted([LENGTH, length]))
    assert not list(tmp_path.iterdir())
