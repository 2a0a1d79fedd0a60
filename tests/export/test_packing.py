"""Packed rows: the device's interpreter reads from them what Keras computes with rounded rows, to the bit."""

import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from keras import layers

from tests.small_models import small_classifier, small_tagger
from textapp.compress.quantization_aware import post_training
from textapp.compress.rounding import levels
from textapp.errors import InputError
from textapp.export import convert, flatbuffer, lower
from textapp.export.lowering import in_float32
from textapp.export.packing import pack_rows, packed_bytes, quantized_rows, round_rows
from textapp.export.rewriting import rewrite
from textapp.tasks.tagging.head import without_crf

V = 50


def unpacked(data: np.ndarray, bits: int) -> np.ndarray:
    """Bit by bit: the numbers of a packed buffer."""
    text = "".join(f"{byte:08b}"[::-1] for byte in data)
    numbers = [sum(int(bit) << i for i, bit in enumerate(text[at : at + bits])) for at in range(0, len(text), bits)]
    return np.array([number - (1 << bits) * (number >> (bits - 1)) for number in numbers])


@pytest.mark.parametrize("bits", [4, 2])
def test_bytes_hold_each_number(bits):
    top = levels(bits)
    numbers = np.random.default_rng(0).integers(-top, top + 1, (7, 8)).astype(np.int8)
    data = packed_bytes(numbers, bits)
    assert (data.dtype, len(data)) == (np.uint8, 7 * bits)
    np.testing.assert_array_equal(unpacked(data, bits), numbers.ravel())
    assert packed_bytes(np.array([[1, -1]], np.int8), 4).tolist() == [0xF1]  # by hand
    assert packed_bytes(np.array([[1, 0, -1, 1]], np.int8), 2).tolist() == [0b01_11_00_01]


def test_rows_have_a_scale_each():
    table = np.array([[0.7, -0.35, 0.1, 0.0], [0.0] * 4, [-14.0, 2.1, 13.0, 1.0]], "f4")
    integers, scales = quantized_rows(table, 4)
    np.testing.assert_allclose(scales, [0.1, 1.0, 2.0])
    assert integers.tolist()[1:] == [[0] * 4, [-7, 1, 6, 0]]
    assert integers.tolist()[0][0] == 7


@pytest.fixture(scope="module")
def looking_up() -> keras.Model:
    """A table and nothing else, one row of it zeros."""
    keras.utils.set_random_seed(4)
    ids = keras.Input((None,), dtype="int32")
    table = layers.Embedding(V, 32)
    model = keras.Model(ids, table(ids))
    values = np.random.default_rng(1).normal(size=(V, 32))
    values[3] = 0
    table.embeddings.assign(values)
    return model


def untouched(model: keras.Model, lowering: str = "fused", lengths=(4, 6)) -> bytes:
    """What the converter writes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("textapp.export.conversion.rewrite", bytes)
        return convert(lower(model, lowering), list(lengths), "dynamic_wi8_afp32")


def tables(model: keras.Model) -> list[np.ndarray]:
    return [layer.embeddings.numpy() for layer in model.layers if isinstance(layer, layers.Embedding)]


def answers(content: bytes, rows: np.ndarray, name: str = "logits") -> np.ndarray:
    runner = Interpreter(model_content=content, num_threads=1).get_signature_runner(f"tokens_{rows.shape[1]}")
    return np.concatenate([runner(token_ids=row[None])[name] for row in rows])


@pytest.mark.parametrize("split", [True, False])
@pytest.mark.parametrize("bits", [4, 2])
def test_the_interpreter_reads_the_rounded_rows(looking_up, bits, split):
    content = pack_rows(untouched(looking_up), looking_up, bits)
    content = rewrite(content) if split else content
    rows = np.random.default_rng(2).integers(0, V, (9, 4)).astype("int32")
    rows[0, 0] = 3
    expected = round_rows(in_float32(looking_up), bits)(rows)
    np.testing.assert_array_equal(answers(content, rows), expected)
    assert np.abs(expected - looking_up(rows)).max() > 0.01


@pytest.mark.parametrize(("bits", "kind"), [(4, schema.TensorType.INT4), (2, schema.TensorType.INT2)])
def test_the_file_shrinks_and_all_signatures_share_the_table(looking_up, bits, kind):
    plain = untouched(looking_up)
    content = rewrite(pack_rows(plain, looking_up, bits))
    saved = V * 32 * (8 - bits) // 8
    assert abs(len(rewrite(plain)) - len(content) - saved) <= 32  # padding for alignment
    file = flatbuffer.read(content)
    packed = [[t for t in graph.tensors if t.type == kind] for graph in file.subgraphs]
    assert [len(tensors) for tensors in packed] == [1, 1]
    assert packed[0][0].buffer == packed[1][0].buffer
    assert len(file.buffers[packed[0][0].buffer].data) == V * 32 * bits // 8


@pytest.mark.parametrize("bits", [4, 2])
def test_snapped_rows_are_stored_to_the_bit(looking_up, bits):
    model = in_float32(looking_up)
    post_training(model, 8, bits)
    (table,) = tables(model)
    file = flatbuffer.read(pack_rows(untouched(model, lengths=[4]), model, bits))
    (tensor,) = [t for t in file.subgraphs[0].tensors if t.type in (schema.TensorType.INT4, schema.TensorType.INT2)]
    integers = unpacked(file.buffers[tensor.buffer].data, bits).reshape(V, 32).astype("f4")
    np.testing.assert_array_equal(integers * tensor.quantization.scale[:, None], table)


@pytest.mark.parametrize("lowering", ["fused", "unrolled"])
def test_a_whole_classifier(lowering):
    keras.utils.set_random_seed(5)
    model = small_classifier(V, 2, embedding_dim=32, units=32, attention_units=32)
    content = rewrite(pack_rows(untouched(model, lowering), model, 4))
    rows = np.random.default_rng(3).integers(0, V, (12, 6)).astype("int32")
    expected = np.asarray(round_rows(in_float32(model), 4)(rows))
    np.testing.assert_allclose(answers(content, rows), expected, atol=0.02 * np.abs(expected).max())


def several(widths: list[int]) -> keras.Model:
    ids = keras.Input((None,), dtype="int32")
    parts = [layers.Embedding(V + width, width)(ids) for width in widths]
    return keras.Model(ids, layers.Concatenate()(parts) if len(parts) > 1 else parts[0])


def test_each_table_by_its_width():
    """Of 2 bits asked for: 32 numbers fill bytes so, 30 with 4, 33 and small tables stay as they are."""
    model = several([32, 30, 33, 8])
    content = rewrite(pack_rows(untouched(model, lengths=[4]), model, 2))
    graph = flatbuffer.read(content).subgraphs[0]
    kinds = {tuple(t.shape): t.type for t in graph.tensors if t.shape is not None and t.shape[0] > V}
    types = schema.TensorType
    expected = {(82, 32): types.INT2, (80, 30): types.INT4, (83, 33): types.INT8, (58, 8): types.FLOAT32}
    assert {shape: kind for shape, kind in kinds.items() if shape[1] > 1} == expected
    rows = np.array([[0, 7, 49, 3]], "int32")
    np.testing.assert_allclose(answers(content, rows), round_rows(in_float32(model), 2)(rows), atol=2e-4)


def test_what_cannot_be_packed_is_refused():
    model = several([33])
    with pytest.raises(InputError, match=r"an even width\. Received widths: 33"):
        pack_rows(untouched(model), model, 4)


def test_another_model_is_refused(looking_up):
    with pytest.raises(ValueError, match="must be the model of the file"):
        pack_rows(untouched(looking_up), several([32]), 4)


def test_the_characters_and_pairs_of_a_tagger(monkeypatch):
    keras.utils.set_random_seed(6)
    sizes = {"embedding_dim": 32, "character_vocabulary_size": 60, "bigrams": 70, "units": 32}
    model, _ = without_crf(small_tagger(V, 5, **sizes))
    monkeypatch.setattr("textapp.export.conversion.rewrite", bytes)
    lowered = lower(model)
    content = rewrite(pack_rows(convert(lowered, [4], "dynamic_wi8_afp32", max_characters=6), lowered, 4))
    rng = np.random.default_rng(8)
    inputs = {"token_ids": rng.integers(1, V, (1, 4)), "char_ids": rng.integers(1, 60, (1, 4, 6))}
    inputs = {name: ids.astype("int32") for name, ids in inputs.items()}
    got = Interpreter(model_content=content).get_signature_runner("tokens_4")(**inputs)["logits"]
    expected = np.asarray(round_rows(in_float32(model), 4)(inputs))
    np.testing.assert_allclose(got, expected, atol=0.02 * np.abs(expected).max())
    kinds = [tensor.type for tensor in flatbuffer.read(content).subgraphs[0].tensors]
    assert kinds.count(schema.TensorType.INT4) == 3
