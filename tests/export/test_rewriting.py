"""The rewritten file is smaller and gives the numbers of the converter's own file."""

import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from keras import layers

from textapp.export import convert, flatbuffer, lower, rewriting

RECIPES = ["float32", "float16", "dynamic_wi8_afp32"]


def constants(file) -> list[bytes]:
    return [buffer.data.tobytes() for buffer in file.buffers if buffer.data is not None]


def position(content: bytes, part: bytes) -> int:
    found = content.find(part)
    assert found >= 0
    assert content.find(part, found + 1) < 0, "stored twice"
    return found


@pytest.fixture(scope="module")
def untouched(attentive) -> bytes:
    """What the converter wrote."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("textapp.export.conversion.rewrite", bytes)
        return convert(lower(attentive, "fused"), [3, 7], "dynamic_wi8_afp32")


def test_numbers_stay_to_the_bit(untouched, converted):
    rng = np.random.default_rng(5)
    before, after = (Interpreter(model_content=c) for c in (untouched, converted("fused", "dynamic_wi8_afp32")))
    for length in (3, 7):
        first, second = (file.get_signature_runner(f"tokens_{length}") for file in (before, after))
        for count in range(length + 1):
            ids = np.zeros((1, length), "int32")
            ids[0, :count] = rng.integers(1, 40, count)
            for name, values in first(token_ids=ids).items():
                np.testing.assert_array_equal(second(token_ids=ids)[name], values)


def test_it_is_smaller(untouched, converted):
    content = converted("fused", "dynamic_wi8_afp32")
    payload = sum(map(len, constants(flatbuffer.read(content))))
    assert len(content) < 0.75 * len(untouched)
    assert len(content) - payload < 14_000  # two signatures of some 40 operators


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("lowering", ["fused", "unrolled"])
def test_each_constant_is_stored_once_and_aligned(converted, lowering, recipe):
    content = converted(lowering, recipe)
    file = flatbuffer.read(content)
    parts = constants(file)
    assert len(set(parts)) == len(parts)
    wide = [part for part in parts if len(part) >= 1024]
    assert wide
    for part in wide:
        assert position(content, part) % 16 == 0
    assert file.buffers[0].data is None  # 0 means no content
    assert sum(buffer.data is None for buffer in file.buffers) == 1


@pytest.mark.parametrize("lowering", ["fused", "unrolled"])
def test_signatures_share_their_weights(attentive, converted, lowering):
    content = converted(lowering, "dynamic_wi8_afp32")
    first, second = flatbuffer.read(content).subgraphs
    tables = [{t.buffer for t in graph.tensors if t.type == schema.TensorType.INT8} for graph in (first, second)]
    assert tables[0] == tables[1]
    weights = sum(int(np.prod(v.shape)) for v in attentive.trainable_variables if len(v.shape) == 2)
    file = flatbuffer.read(content)
    packed = sum(len(file.buffers[index].data) for index in tables[0])
    # All but the query (1 x 32) and the logits' kernel (64 x 2); fused kernels have four rows more for padding.
    assert packed == weights - 32 - 128 + (2 * 4 * 128 if lowering == "fused" else 0)


def test_row_scales_take_four_bytes(attentive, converted):
    file = flatbuffer.read(converted("fused", "dynamic_wi8_afp32"))
    table = attentive.get_layer("embedding").embeddings.numpy()
    for graph in file.subgraphs:
        lookups = [
            operator
            for operator in graph.operators
            if flatbuffer.operator_code(file, operator) == schema.BuiltinOperator.EMBEDDING_LOOKUP
        ]
        packed, scales = (graph.tensors[lookup.inputs[1]] for lookup in lookups)
        assert (packed.type, len(packed.quantization.scale)) == (schema.TensorType.INT8, 1)
        assert (scales.type, scales.quantization) == (schema.TensorType.FLOAT32, None)
        rows = file.buffers[packed.buffer].data.view(np.int8).reshape(table.shape).astype("f4")
        factors = file.buffers[scales.buffer].data.view("f4").reshape(-1, 1)
        np.testing.assert_allclose(factors[:, 0], np.abs(table).max(axis=1) / 127, rtol=1e-6)
        assert np.all(np.abs(rows * factors - table) <= factors * 0.501)


def test_only_inputs_and_outputs_are_named(converted):
    for graph in flatbuffer.read(converted("unrolled", "float32")).subgraphs:
        named = {index for index, tensor in enumerate(graph.tensors) if tensor.name is not None}
        assert named == {*graph.inputs, *graph.outputs}


def test_no_state_is_clipped(untouched, converted):
    def clips(content):
        file = flatbuffer.read(content)
        options = [operator.builtinOptions for graph in file.subgraphs for operator in graph.operators]
        return [o.cellClip for o in options if isinstance(o, schema.UnidirectionalSequenceLSTMOptionsT)]

    assert clips(untouched) == [10.0] * 4  # else `unclip` has nothing to undo any more
    assert clips(converted("fused", "dynamic_wi8_afp32")) == [0.0] * 4


def test_an_embedding_shared_by_two_lookups():
    ids = keras.Input((None,), dtype="int32")
    table = layers.Embedding(64, 32)
    keras.utils.set_random_seed(1)
    both = layers.Add()([table(ids), table(keras.ops.flip(ids, axis=1))])
    model = keras.Model(ids, both)
    content = convert(lower(model), [4], "dynamic_wi8_afp32")
    rows = np.array([[3, 60, 2, 0]], "int32")
    got = Interpreter(model_content=content).get_signature_runner("tokens_4")(token_ids=rows)["logits"]
    np.testing.assert_allclose(got, model(rows), atol=2 * 0.05 / 127)


def test_rewriting_twice_changes_nothing(converted):
    content = converted("unrolled", "dynamic_wi8_afp32")
    assert rewriting.rewrite(content) == content


def biases_and_sums(content: bytes) -> tuple[int, int]:
    """The FULLY_CONNECTED whose bias is computed, and the ADDs, of the second signature."""
    file = flatbuffer.read(content)
    graph = file.subgraphs[1]
    codes = [(flatbuffer.operator_code(file, operator), operator) for operator in graph.operators]
    computed = {int(index) for operator in graph.operators for index in operator.outputs}
    products = [operator for code, operator in codes if code == schema.BuiltinOperator.FULLY_CONNECTED]
    sums = [operator for code, operator in codes if code == schema.BuiltinOperator.ADD]
    return sum(int(product.inputs[2]) in computed for product in products), len(sums)


@pytest.mark.parametrize("recipe", RECIPES)
def test_many_steps_share_their_weights(converted, monkeypatch, recipe):
    copies = 2 * 6 * 32 * 128 * (1 if recipe == "dynamic_wi8_afp32" else 4)  # directions, later steps, H x 4H
    plain = converted("unrolled", recipe)
    monkeypatch.setattr(rewriting, "COPIES_LIMIT", copies)
    assert rewriting.rewrite(plain) == plain
    monkeypatch.setattr(rewriting, "COPIES_LIMIT", copies - 1)
    shared = rewriting.rewrite(plain)
    (before, sums_before), (after, sums_after) = biases_and_sums(plain), biases_and_sums(shared)
    assert after - before == 2 * 6  # float16 computes some before: it unpacks constants
    assert sums_before - sums_after == 2 * 6
    assert len(shared) < len(plain)

    runners = [Interpreter(model_content=content).get_signature_runner("tokens_7") for content in (plain, shared)]
    ids = np.array([[3, 5, 39, 1, 0, 0, 0]], "int32")
    expected, got = (runner(token_ids=ids)["logits"] for runner in runners)
    exact = recipe != "dynamic_wi8_afp32"  # int8 kernels round the state each in its way
    np.testing.assert_allclose(got, expected, atol=1e-4 if exact else 0.02 * np.abs(expected).max())


def test_a_sum_with_an_activation_stays(monkeypatch):
    """A step that Keras itself adds and rectifies: the ADD carries the activation, and cannot become a bias."""
    monkeypatch.setattr(rewriting, "COPIES_LIMIT", 0)
    ids = keras.Input((None,), dtype="int32")
    model = keras.Model(ids, layers.SimpleRNN(8, activation="relu")(layers.Embedding(20, 4)(ids)))
    rows = np.array([[3, 4, 5, 6]], "int32")
    content = convert(lower(model), [4])
    got = Interpreter(model_content=content).get_signature_runner("tokens_4")(token_ids=rows)["logits"]
    np.testing.assert_allclose(got, model(rows), atol=1e-6)
