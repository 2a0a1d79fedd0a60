"""Converted files equal their Keras models in the device's interpreter, text by text, on every signature."""

from collections import Counter

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from keras import layers, ops

from tests.small_models import small_classifier
from textapp.errors import InputError
from textapp.export import convert, lower
from textapp.layers import AttentionPooling

V, LENGTHS = 40, [3, 7]  # as in conftest.py


def max_pooled(encoder: layers.Layer, mask: bool = True) -> keras.Model:
    """A model that looks at padding: the maximum over all steps, masked or not."""
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    encoded = encoder(layers.Embedding(V, 6, mask_zero=mask)(ids))
    return keras.Model(ids, layers.Dense(3)(ops.max(encoded, axis=1)))


def explicit_mask() -> keras.Model:
    ids = keras.Input((None,))  # floats, as Keras makes them by default
    encoded = layers.LSTM(5)(layers.Embedding(V, 6)(ids), mask=ops.not_equal(ids, 0.0))
    return keras.Model(ids, layers.Dense(3)(encoded))


def convolved() -> keras.Model:
    ids = keras.Input((None,), dtype="int32")
    embedded = layers.SpatialDropout1D(0.5)(layers.Embedding(V, 6)(ids))
    convolved = layers.LayerNormalization()(layers.Conv1D(4, 3, padding="same", activation="relu")(embedded))
    encoded = layers.Bidirectional(layers.LSTM(5, return_sequences=True), merge_mode="ave")(convolved)
    return keras.Model(ids, layers.Dense(3)(layers.GlobalAveragePooling1D()(encoded)))


def multiplied() -> keras.Model:
    ids = keras.Input((None,), dtype="int32")
    encoded = layers.Bidirectional(layers.LSTM(5), merge_mode="mul")(layers.Embedding(V, 6, mask_zero=True)(ids))
    return keras.Model(ids, layers.Dense(3)(encoded))


# Each with the lowerings that make a difference to it.
MODELS = {
    "two BiLSTMs and attention": (
        lambda: small_classifier(V, 3, embedding_dim=6, units=5, num_layers=2, attention_units=4),
        ["fused"],
    ),
    "LSTM backwards": (lambda: max_pooled(layers.LSTM(5, return_sequences=True, go_backwards=True)), ["fused"]),
    "LSTM without mask": (lambda: max_pooled(layers.LSTM(5, return_sequences=True), mask=False), ["fused"]),
    "last state of LSTMs": (multiplied, ["fused", "unrolled"]),
    "explicit mask": (explicit_mask, ["fused", "unrolled"]),
    "convolution": (convolved, ["fused"]),
    "BiGRU": (
        lambda: max_pooled(layers.Bidirectional(layers.GRU(5, return_sequences=True), merge_mode="sum")),
        ["unrolled"],
    ),
    "GRU, reset before": (
        lambda: max_pooled(layers.GRU(5, return_sequences=True, reset_after=False, activation="relu")),
        ["unrolled"],
    ),
    "SimpleRNN": (lambda: max_pooled(layers.SimpleRNN(5, return_sequences=True)), ["unrolled"]),
}
CASES = [(name, lowering) for name, (_, lowerings) in MODELS.items() for lowering in lowerings]


def randomized(model: keras.Model) -> keras.Model:
    rng = np.random.default_rng(3)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(scale=0.5, size=variable.shape))
    return model


def texts(length: int) -> np.ndarray:
    """Token ids `(N, length)`, padded on the right: empty, all lengths, and a full one between short ones."""
    rng = np.random.default_rng(4)
    counts = [0, *range(1, length + 1), 1, length, 0]
    rows = np.zeros((len(counts), length), "int32")
    for row, count in zip(rows, counts, strict=True):
        row[:count] = rng.integers(1, V, count)
    return rows


def outputs_of(content: bytes, rows: np.ndarray, name: str = "logits") -> np.ndarray:
    """One output for all rows, the interpreter never reset between them."""
    runner = Interpreter(model_content=content, num_threads=1).get_signature_runner(f"tokens_{rows.shape[1]}")
    return np.concatenate([runner(token_ids=row[None])[name] for row in rows])


def operators_of(content: bytes) -> Counter[str]:
    """The operators of the first signature, as the interpreter names them without its delegate's."""
    details = Interpreter(model_content=content)._get_ops_details()
    return Counter(operator["op_name"] for operator in details if operator["op_name"] != "DELEGATE")


@pytest.mark.parametrize(("name", "lowering"), CASES, ids=[", ".join(case) for case in CASES])
def test_a_file_equals_its_model(name, lowering):
    keras.utils.set_random_seed(7)
    model = randomized(MODELS[name][0]())
    rows = texts(5)
    content = convert(lower(model, lowering), [5])
    np.testing.assert_allclose(outputs_of(content, rows), model(rows), atol=3e-6, rtol=1e-5)


@pytest.mark.parametrize("lowering", ["fused", "unrolled"])
def test_every_signature_equals_the_model(attentive, converted, lowering):
    content = converted(lowering, "float32")
    for length in LENGTHS:
        rows = texts(length)
        np.testing.assert_allclose(outputs_of(content, rows), attentive(rows), atol=3e-5, rtol=1e-5)


@pytest.mark.parametrize(("recipe", "tolerance"), [("float16", 5e-3), ("dynamic_wi8_afp32", 0.15)])
@pytest.mark.parametrize("lowering", ["fused", "unrolled"])
def test_recipes(attentive, converted, lowering, recipe, tolerance):
    full, small = converted(lowering, "float32"), converted(lowering, recipe)
    assert len(small) < 0.75 * len(full)
    for length in LENGTHS:
        rows = texts(length)
        expected = attentive(rows).numpy()
        np.testing.assert_allclose(outputs_of(small, rows), expected, atol=tolerance * np.abs(expected).max())
        weights = outputs_of(small, rows, "attention_weights")
        np.testing.assert_allclose(weights.sum(axis=1), rows.any(axis=1), atol=1e-5)
        assert not weights[rows == 0].any()
        np.testing.assert_allclose(weights, outputs_of(full, rows, "attention_weights"), atol=0.1)


def test_operators(converted):
    fused, unrolled = operators_of(converted("fused", "float32")), operators_of(converted("unrolled", "float32"))
    assert fused["UNIDIRECTIONAL_SEQUENCE_LSTM"] == 2
    assert unrolled["UNIDIRECTIONAL_SEQUENCE_LSTM"] == 0
    assert unrolled["FULLY_CONNECTED"] - fused["FULLY_CONNECTED"] >= 2 * (1 + LENGTHS[0] - 1)  # projection, later steps
    for operators in (fused, unrolled):
        assert operators["EMBEDDING_LOOKUP"] == 1
        assert operators["SOFTMAX"] == 1  # the weights are computed once for both outputs
        assert not {"WHILE", "GATHER", "CUSTOM"} & set(operators)


def test_cell_states_may_grow():
    """Beyond 10, where the converter's fused op would clip."""
    ids = keras.Input((None,), dtype="int32")
    encoded = layers.LSTM(2, return_sequences=True)(layers.Embedding(V, 3)(ids))
    model = keras.Model(ids, encoded)
    table, kernel, recurrent_kernel, bias = model.trainable_variables
    table.assign(np.ones(table.shape))
    kernel.assign(np.tile(np.repeat([3.0, 3.0, 3.0, -3.0], 2), (3, 1)))
    recurrent_kernel.assign(recurrent_kernel * 0)
    # The state counts up to 20 with gates open, then halves at each of the last tokens.
    table.assign(np.where(np.arange(V)[:, None] == 2, -0.02, table.numpy()))
    bias.assign(np.zeros(8))
    rows = np.array([[1] * 20 + [2] * 5], "int32")
    expected = model(rows).numpy()
    content = convert(lower(model, "fused"), [25])
    np.testing.assert_allclose(outputs_of(content, rows), expected, atol=1e-6)


def test_converting_twice_gives_the_same_file(attentive, converted):
    assert convert(lower(attentive, "fused"), LENGTHS, "dynamic_wi8_afp32") == converted("fused", "dynamic_wi8_afp32")


def test_several_outputs_are_named():
    ids = keras.Input((5,), dtype="int32")
    embedded = layers.Embedding(V, 6, mask_zero=True)(ids)
    heads = {"意图": layers.Dense(2)(AttentionPooling(3)(embedded)), "tags": layers.Dense(4)(embedded)}
    content = convert(lower(randomized(keras.Model(ids, heads))), [5])
    signature = Interpreter(model_content=content).get_signature_list()["tokens_5"]
    assert signature == {"inputs": ["token_ids"], "outputs": ["attention_weights", "tags", "意图"]}


class Erfinv(layers.Layer):
    """A user's layer over an operation that devices lack."""

    def call(self, x):
        return ops.erfinv(ops.tanh(x))


def test_an_operation_that_devices_lack_is_named():
    ids = keras.Input((None,), dtype="int32")
    model = keras.Model(ids, Erfinv(name="mine")(layers.Embedding(V, 6)(ids)))
    with pytest.raises(InputError, match=r"^model: mine\S*/Erfinv uses Erfinv, which has no builtin device op"):
        convert(lower(model), [4])


def test_arguments_are_checked(attentive):
    with pytest.raises(InputError, match="recipe 'int8': must be one of float32, float16, dynamic_wi8_afp32"):
        convert(lower(attentive), [4], "int8")
    ids = keras.Input((4,), dtype="int32")
    fixed = lower(keras.Model(ids, layers.Flatten()(layers.Embedding(V, 6)(ids))))
    with pytest.raises(InputError, match=r"lengths \[4, 8\]: the model takes 4 tokens; use \[4\]"):
        convert(fixed, [4, 8])
