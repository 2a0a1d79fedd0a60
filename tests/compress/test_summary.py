"""The summary's bytes are those of the file's weights, and its errors those of the rounding."""

import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from keras import layers

from tests.small_models import small_classifier
from textapp.compress.quantization_aware import QuantizationAware
from textapp.compress.summary import summarize
from textapp.export import convert, flatbuffer, lower
from textapp.export.packing import pack_rows
from textapp.export.rewriting import rewrite

# Where the weights stand among the inputs of each operator.
WEIGHTS = {"EMBEDDING_LOOKUP": [1], "UNIDIRECTIONAL_SEQUENCE_LSTM": [*range(1, 16)], "FULLY_CONNECTED": [1, 2]}
CODES = {getattr(schema.BuiltinOperator, name): places for name, places in WEIGHTS.items()}


def weight_bytes(content: bytes) -> int:
    """The bytes of all constants that are weights, and of their scales, read from the file."""
    file = flatbuffer.read(content)
    graph = file.subgraphs[0]
    sizes = {}
    for operator in graph.operators:
        for place in CODES.get(flatbuffer.operator_code(file, operator), []):
            index = int(operator.inputs[place]) if place < len(operator.inputs) else -1
            tensor = graph.tensors[index]
            if index < 0 or file.buffers[tensor.buffer].data is None:
                continue
            scales = 0 if tensor.quantization is None else len(tensor.quantization.scale)
            split = scales == 1 and tensor.quantization.scale[0] == 1.0  # a table whose scales are another table
            sizes[index] = len(file.buffers[tensor.buffer].data) + (0 if split else 4 * scales)
    return sum(sizes.values())


def summary(model: keras.Model, **settings) -> list:
    aware = QuantizationAware(model, **settings)
    before = [weight.variable.numpy() for weight, _ in aware.plan]
    aware.apply_rounding()
    return summarize(aware.plan, before, [weight.variable.numpy() for weight, _ in aware.plan])


def packed(model: keras.Model, lowering: str, bits: int) -> bytes:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("textapp.export.conversion.rewrite", bytes)
        content = convert(lower(model, lowering), [4], "dynamic_wi8_afp32")
    return rewrite(pack_rows(content, model, bits))


@pytest.mark.parametrize(
    ("lowering", "dim", "units"), [("fused", 32, 32), ("fused", 64, 16), ("unrolled", 64, 16), ("unrolled", 24, 32)]
)
def test_the_total_is_that_of_the_file(randomized, lowering, dim, units):
    model = randomized(small_classifier(45, 3, embedding_dim=dim, units=units, attention_units=32))
    total = sum(weight.bytes for weight in summary(model, lowering=lowering))
    assert total == weight_bytes(convert(lower(model, lowering), [4], "dynamic_wi8_afp32"))


@pytest.mark.parametrize("bits", [4, 2])
def test_packed_rows_count_as_packed(randomized, bits):
    model = randomized(small_classifier(45, 3, embedding_dim=32, units=32, attention_units=32))
    weights = summary(model, embedding_bits=bits)
    assert weights[0].bytes == 45 * 32 * bits // 8 + 4 * 45
    assert sum(weight.bytes for weight in weights) == weight_bytes(packed(model, "fused", bits))


def test_a_divided_kernel_is_counted_in_parts(randomized):
    ids = keras.Input((None,), dtype="int32")
    gru = layers.GRU(24, reset_after=False)
    model = randomized(keras.Model(ids, gru(layers.Embedding(45, 32)(ids))))
    weights = summary(model)
    assert weights[2].bytes == 24 * 48 + 4 * 48 + 4 * 24 * 24
    # The bias of the gates is in the file once, and the candidate's is part of it.
    assert sum(weight.bytes for weight in weights) == weight_bytes(convert(lower(model), [4], "dynamic_wi8_afp32"))


def test_what_it_says_of_each_weight(randomized):
    model = randomized(small_classifier(45, 2, embedding_dim=32, units=32, attention_units=32))
    table = model.get_layer("embedding").embeddings
    before = table.numpy()
    weights = summary(model, bits=8, embedding_bits=2)
    first, kernel, *_, bias = weights
    after = table.numpy()
    assert (first.layer, first.weight, first.shape) == ("embedding", "embeddings", (45, 32))
    assert (first.bits, first.stored_bits, first.groups) == (2, 2, 45)
    assert first.error == pytest.approx(np.sqrt(((after - before) ** 2).sum() / (before**2).sum()), rel=1e-5)
    assert (kernel.layer, kernel.weight, kernel.bits, kernel.groups) == ("encoder/forward", "kernel", 8, 4)
    assert 0 < kernel.error < 0.02 < first.error
    assert (bias.bits, bias.stored_bits, bias.groups, bias.error) == (32, 32, 0, 0.0)
    assert sum(weight.share for weight in weights) == pytest.approx(1.0)
    assert first.to_dict()["shape"] == [45, 32]
