"""Every check lets a good file pass and refuses the defect that it is there for."""

import flatbuffers
import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from keras import layers, ops

from textapp.errors import InputError
from textapp.export import ExportError, convert, flatbuffer, lower
from textapp.export.checks import check_agreement, check_file, check_finite, check_loads, check_operators, check_order
from textapp.export.lowering import in_float32
from textapp.export.model_inputs import TOKENS, InputBatch, padded_rows, token_inputs

LENGTHS = [3, 7]
IDS = [[5, 6], [7], [39, 1, 1, 20, 30, 2, 3, 4, 5], [8, 9, 10], []]  # shorter, longer and as long as the lengths
TEXTS = [token_inputs(ids) for ids in IDS]


def repacked(content: bytes, change) -> bytes:
    """A file with something in it changed."""
    file = flatbuffer.read(content)
    change(file)
    builder = flatbuffers.Builder()
    builder.Finish(file.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def rows(ids=IDS) -> dict[int, InputBatch]:
    return {length: padded_rows([token_inputs(text) for text in [[], *ids]], length) for length in LENGTHS}


@pytest.mark.parametrize("recipe", ["float32", "dynamic_wi8_afp32"])
@pytest.mark.parametrize("lowering", ["fused", "unrolled"])
def test_a_good_file_passes(attentive, converted, lowering, recipe):
    report = check_file(
        converted(lowering, recipe), lower(attentive, lowering), in_float32(attentive), LENGTHS, recipe, TEXTS
    )
    assert list(report) == ["builtin operators", "padding", "order of calls", "finite", "agreement with Keras"]
    assert report["builtin operators"].get("UNIDIRECTIONAL_SEQUENCE_LSTM", 0) == (4 if lowering == "fused" else 0)
    assert report["builtin operators"]["EMBEDDING_LOOKUP"] == (2 if recipe == "float32" else 4)  # ids and their scales
    assert report["order of calls"] == 2 * 2 * 6
    agreement = report["agreement with Keras"]
    assert 0 < agreement["max_logit_difference"] < agreement["allowed_difference"]
    assert agreement["label_agreement"] == 1.0


@pytest.mark.parametrize("kept", [0, 7, 1000, -1])
def test_a_cut_file_is_refused(converted, kept):
    with pytest.raises(ExportError, match=r"^model\.tflite: .*(must be TFL3|the file was cut)"):
        check_loads(converted("fused", "float32")[:kept])


def test_a_foreign_file_is_refused():
    with pytest.raises(ExportError, match="must be TFL3, as in a TFLite file"):
        check_loads("这不是模型".encode() * 100)


def test_a_loop_is_refused(attentive):
    """The stock conversion, with a WHILE for each LSTM."""
    stock = keras.Model(attentive.inputs[0], {"logits": attentive.output})
    content = convert(stock, [3])
    with pytest.raises(ExportError, match=r"^model\.tflite: has the operator WHILE, which the runtime does not run"):
        check_loads(content)


def test_a_custom_operator_is_refused(converted):
    def change(file):
        code = next(c for c in file.operatorCodes if c.builtinCode == schema.BuiltinOperator.SOFTMAX)
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
        code.customCode = "FlexSoftmax"

    with pytest.raises(ExportError, match="has the operator CUSTOM, which the runtime does not run"):
        check_loads(repacked(converted("fused", "float32"), change))


def test_a_lowering_that_did_not_take_is_refused(attentive, converted):
    with pytest.raises(ExportError, match="has 0 UNIDIRECTIONAL_SEQUENCE_LSTM operators where its layers need 4"):
        check_operators(converted("unrolled", "float32"), lower(attentive, "fused"), LENGTHS)
    with pytest.raises(ExportError, match="has 2 EMBEDDING_LOOKUP operators where its layers need 3"):
        check_operators(converted("unrolled", "float32"), lower(attentive, "unrolled"), [3, 7, 9])


def test_a_state_that_leaks_is_refused(converted):
    """Without the rows that close the gates, a fused LSTM remembers the text before."""

    def change(file):
        for graph in file.subgraphs:
            for operator in graph.operators:
                if flatbuffer.operator_code(file, operator) == schema.BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM:
                    for index in operator.inputs[1:5]:  # (H, E + 4), the last four for padding
                        weights = file.buffers[graph.tensors[index].buffer].data.view("f4").reshape(32, 36).copy()
                        weights[:, 32:] = 0
                        file.buffers[graph.tensors[index].buffer].data = weights.ravel().view("u1")

    content = repacked(converted("fused", "float32"), change)
    with pytest.raises(ExportError, match=r"of tokens_\d depend on the text before \(by .*\): state leaks"):
        check_order(check_loads(content), rows())


def test_the_empty_inputs_must_be_finite():
    """A mean that a model computes by itself: 0 / 0 without a token."""
    ids = keras.Input((None,), dtype="int32")
    mask = ops.expand_dims(ops.cast(ops.not_equal(ids, 0), "float32"), -1)
    pooled = ops.sum(layers.Embedding(40, 4)(ids) * mask, axis=1) / ops.sum(mask, axis=1)
    lowered = lower(keras.Model(ids, layers.Dense(2)(pooled)))
    outputs = check_order(check_loads(convert(lowered, LENGTHS)), rows())
    with pytest.raises(ExportError, match="logits of tokens_3 are not finite on the empty text"):
        check_finite(outputs[3], rows()[3][TOKENS], "tokens_3")
    full = {3: padded_rows([text for text in TEXTS if len(text[TOKENS])], 3)}
    check_finite(check_order(check_loads(convert(lowered, [3])), full)[3], full[3][TOKENS], "tokens_3")


def test_a_text_must_be_finite():
    ids = np.array([[0, 0], [3, 0]])
    with pytest.raises(ExportError, match="logits of tokens_2 are not finite on a real text"):
        check_finite({"logits": np.array([[0.0, 1.0], [np.inf, 0.0]])}, ids, "tokens_2")
    with pytest.raises(ExportError, match="attention_weights of tokens_2 are not finite on the empty text"):
        check_finite({"attention_weights": np.array([[np.nan, 0.0], [1.0, 0.0]])}, ids, "tokens_2")


def test_attention_must_sum_to_one():
    ids = np.array([[0, 0], [3, 0], [3, 4]])
    check_finite({"attention_weights": np.array([[0.0, 0.0], [1.0, 0.0], [0.3, 0.7]])}, ids, "tokens_2")
    with pytest.raises(ExportError, match=r"attention_weights of tokens_2 sum to 0\.5 on a real text, not 1"):
        check_finite({"attention_weights": np.array([[0.0, 0.0], [1.0, 0.0], [0.2, 0.3]])}, ids, "tokens_2")


def test_another_models_file_is_refused(attentive, converted):
    other = in_float32(attentive)
    query = other.get_layer("attention").query
    query.assign(-query)
    with pytest.raises(ExportError, match=r"a logit is \S+ from Keras'; dynamic_wi8_afp32 allows"):
        check_file(
            converted("fused", "dynamic_wi8_afp32"), lower(attentive), other, LENGTHS, "dynamic_wi8_afp32", TEXTS
        )


def logits_model() -> keras.Model:
    """Token ids in, the ids themselves out as logits."""
    ids = keras.Input((2,), dtype="int32")
    return keras.Model(ids, ops.cast(ids, "float32"))


@pytest.mark.parametrize(("changed", "passes"), [(1, True), (2, True), (3, False)])
def test_some_labels_may_change(changed, passes):
    """Two in a hundred by int8, when two classes are nearly as good."""
    ids = np.array([[10, 10]] * 100)
    received = ids.astype("f4")
    received[:changed, 1] += 0.01
    if passes:
        report = check_agreement(logits_model(), {2: {TOKENS: ids}}, {2: received}, "dynamic_wi8_afp32")
        assert report["label_agreement"] == pytest.approx(1 - changed / 100)
    else:
        with pytest.raises(ExportError, match=r"3 of 100 labels are not Keras'; dynamic_wi8_afp32 allows 2\.0%"):
            check_agreement(logits_model(), {2: {TOKENS: ids}}, {2: received}, "dynamic_wi8_afp32")


@pytest.mark.parametrize(("recipe", "share"), [("float32", 1e-4), ("float16", 1e-2), ("dynamic_wi8_afp32", 1e-1)])
def test_tolerances_scale_with_the_logits(recipe, share):
    ids = np.array([[-20, 10]])
    for factor, passes in ((0.9, True), (1.1, False)):
        received = ids + np.array([[0.0, 20 * share * factor]], "f4")
        if passes:
            check_agreement(logits_model(), {2: {TOKENS: ids}}, {2: received}, recipe)
        else:
            with pytest.raises(ExportError, match="a logit is"):
                check_agreement(logits_model(), {2: {TOKENS: ids}}, {2: received}, recipe)


def test_tokens_agree_where_they_are_real():
    """Of a model that scores each token, padding may say anything."""
    ids = keras.Input((3,), dtype="int32")
    model = keras.Model(ids, ops.stack([ops.cast(ids, "float32"), 5.0 - ops.cast(ids, "float32")], axis=2))
    rows = {3: {TOKENS: np.array([[4, 9, 0], [1, 0, 0], [0, 0, 0]])}}
    received = np.asarray(model(rows[3][TOKENS]), "f4").copy()
    received[rows[3][TOKENS] == 0] = 99.0
    report = check_agreement(model, rows, {3: received}, "float32")
    assert (report["max_logit_difference"], report["label_agreement"]) == (0.0, 1.0)
    received[0, 1] += 1.0
    with pytest.raises(ExportError, match="a logit is 1 from Keras'"):
        check_agreement(model, rows, {3: received}, "float32")


def test_a_broken_model_is_not_the_files_fault():
    ids = keras.Input((2,), dtype="int32")
    model = keras.Model(ids, ops.log(-1.0 - ops.cast(ids, "float32")))
    with pytest.raises(ExportError, match="model: gives NaN or infinity in Keras already"):
        check_agreement(model, {2: {TOKENS: np.ones((1, 2), "int32")}}, {2: np.zeros((1, 2))}, "float32")


def test_an_export_error_is_an_input_error():
    assert issubclass(ExportError, InputError)  # so that the command line shows it in one line
