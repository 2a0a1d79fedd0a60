"""The recipe static_wi8_ai8: int8 throughout, near Keras on every length, whatever was called before."""

import json

import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from keras import layers, ops

from tests.small_models import small_classifier, small_tagger
from textapp.errors import InputError
from textapp.export import ExportError, convert, export_bundle, flatbuffer, lower, rewriting
from textapp.export.checks import OPERATORS, check_integers, check_loads, check_operators, check_order
from textapp.export.model_inputs import TOKENS, InputBatch, pack_to_length, padded_rows, token_inputs
from textapp.runtime import load
from textapp.tasks.tagging.head import without_crf
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary

V, LENGTHS = 40, [3, 7]
RECIPE = "static_wi8_ai8"


def texts(count: int = 60, longest: int = 9):
    rng = np.random.default_rng(5)
    return [token_inputs(rng.integers(1, V, rng.integers(0, longest + 1)).tolist()) for _ in range(count)]


def randomized(model: keras.Model, scale: float = 0.3) -> keras.Model:
    rng = np.random.default_rng(3)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(scale=scale, size=variable.shape))
    return model


@pytest.fixture(scope="module")
def classifier() -> keras.Model:
    return randomized(small_classifier(V, 2, embedding_dim=12, units=8, attention_units=8))


@pytest.fixture(scope="module", params=["fused", "unrolled"])
def lowered(request, classifier) -> keras.Model:
    return lower(classifier, request.param, integer=True)


@pytest.fixture(scope="module")
def content(lowered) -> bytes:
    return convert(lowered, LENGTHS, RECIPE, calibration=texts())


def rows() -> dict[int, InputBatch]:
    return {length: padded_rows([token_inputs([]), *texts(30)], length) for length in LENGTHS}


def largest_share(received: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference as a share of the largest number."""
    return float(np.abs(received - expected).max() / np.abs(expected).max())


def test_every_length_is_near_keras_in_any_order(classifier, lowered, content):
    check_operators(content, lowered, LENGTHS)
    outputs = check_order(check_loads(content), rows())
    for length in LENGTHS:
        expected = lowered(rows()[length][TOKENS])
        np.testing.assert_allclose(expected["logits"], classifier(rows()[length][TOKENS]), atol=2e-3)
        assert largest_share(outputs[length]["logits"], np.asarray(expected["logits"])) < 0.1
        weights = outputs[length]["attention_weights"]
        np.testing.assert_allclose(weights, expected["attention_weights"], atol=0.02)
        assert not weights[rows()[length][TOKENS] == 0].any()


def test_no_operator_but_the_named_ones_computes_in_float(content):
    assert check_integers(content) > 40
    runner = check_loads(content).get_signature_runner("tokens_7")
    assert {detail["dtype"] for detail in runner.get_input_details().values()} == {np.int32}
    assert {detail["dtype"] for detail in runner.get_output_details().values()} == {np.float32}


def test_operators_left_in_float_are_refused(classifier):
    content = convert(lower(classifier, "unrolled"), [3], "float32")
    with pytest.raises(ExportError, match=r"operators left in float: \d+ ADD, .*; the recipe wants int8 ones"):
        check_integers(content)


def test_what_moves_integers_keeps_their_scale(content):
    """The converter alone gives the output of a lookup another scale than its table has."""
    file = flatbuffer.read(content)
    moves = 0
    for graph in file.subgraphs:
        for operator in graph.operators:
            moved = rewriting.MOVED_INPUT.get(flatbuffer.operator_code(file, operator))
            if moved is not None and graph.tensors[operator.inputs[moved]].type == schema.TensorType.INT8:
                moves += 1
                scales = {scale_of(graph.tensors[index]) for index in (operator.inputs[moved], *operator.outputs)}
                if operator.intermediates is not None:  # of a fused LSTM: the last is the tensor of what it rounds
                    scales.add(scale_of(graph.tensors[operator.intermediates[-1]]))
                assert len(scales) == 1
    assert moves == len(LENGTHS) * (2 if "UNIDIRECTIONAL_SEQUENCE_LSTM" not in names(file) else 5)


def scale_of(tensor) -> tuple[float, int]:
    (scale,), (zero_point,) = tensor.quantization.scale, tensor.quantization.zeroPoint
    return float(scale), int(zero_point)


def test_a_fused_lstm_reads_and_writes_the_outputs_that_it_rounds():
    """The converter alone gives its state, its output and what it rounds three scales, here in both directions."""
    ids = keras.Input((None,), dtype="int32")
    last = layers.Bidirectional(layers.LSTM(6))(layers.Embedding(V, 8, mask_zero=True)(ids))
    model = randomized(keras.Model(ids, layers.Dense(3)(last)))
    content = convert(lower(model, "fused", integer=True), [5], RECIPE, calibration=texts())
    rows = padded_rows(texts(30), 5)
    logits = check_order(check_loads(content), {5: rows})[5]["logits"]
    assert largest_share(logits, np.asarray(model(rows[TOKENS]))) < 0.02  # 0.04 with three scales


def names(file) -> set[str]:
    return {OPERATORS[flatbuffer.operator_code(file, o)] for graph in file.subgraphs for o in graph.operators}


def test_weights_are_stored_once_for_all_lengths(content):
    file = flatbuffer.read(content)
    tables = {
        graph.tensors[operator.inputs[1]].buffer
        for graph in file.subgraphs
        for operator in graph.operators
        if flatbuffer.operator_code(file, operator) == schema.BuiltinOperator.EMBEDDING_LOOKUP
    }
    assert len(file.subgraphs) == 2
    assert len(tables) == 1


def max_pooled(encoder: layers.Layer) -> keras.Model:
    """The maximum over all steps: what an encoder gives out on padding counts too."""
    ids = keras.Input((None,), dtype="int32")
    encoded = encoder(layers.Embedding(V, 8, mask_zero=True)(ids))
    return randomized(keras.Model(ids, layers.Dense(3)(ops.max(encoded, axis=1))))


@pytest.mark.parametrize(
    "encoder",
    [
        layers.Bidirectional(layers.GRU(6, return_sequences=True)),
        layers.GRU(6, return_sequences=True, reset_after=False, go_backwards=True),
        layers.SimpleRNN(6, return_sequences=True),
        layers.LSTM(6, return_sequences=True, activation="relu"),
    ],
    ids=["BiGRU", "GRU, reset before", "SimpleRNN", "LSTM of ReLU"],
)
def test_other_encoders_too(encoder):
    model = max_pooled(encoder)
    content = convert(lower(model, integer=True), [5], RECIPE, calibration=texts())
    check_integers(content)
    ids = padded_rows(texts(30), 5)
    logits = check_order(check_loads(content), {5: ids})[5]["logits"]
    assert largest_share(logits, np.asarray(model(ids[TOKENS]))) < 0.1


def test_a_tagger_of_words_contexts_spellings_and_pairs():
    """Wide enough for kernels that the converter leaves unfolded where they are not written as it likes: a crash."""
    parts = {"character_vocabulary_size": 20, "bigrams": 50, "context_filters": 40}
    sizes = {"units": 64, "embedding_dim": 90}
    tagger, _ = without_crf(randomized(small_tagger(V, 5, **parts, **sizes)))
    rng = np.random.default_rng(6)
    spelled = [{**text, "char_ids": rng.integers(1, 20, (len(text[TOKENS]), 6)).astype("i4")} for text in texts(20)]
    content = convert(lower(tagger, "fused", integer=True), [5], RECIPE, 6, spelled)
    check_integers(content)
    ids = padded_rows(spelled, 5)
    logits = check_order(check_loads(content), {5: ids})[5]["logits"]
    real = ids[TOKENS] != 0
    assert largest_share(logits[real], np.asarray(tagger(ids))[real]) < 0.25


def test_an_operation_without_integers_is_told():
    ids = keras.Input((None,), dtype="int32")
    waves = ops.sin(ops.max(layers.Embedding(V, 4)(ids), axis=1))
    lowered = lower(keras.Model(ids, layers.Dense(2)(waves)), integer=True)
    with pytest.raises(ExportError, match="operators left in float: 1 SIN; the recipe wants int8 ones"):
        check_integers(convert(lowered, [3], RECIPE, calibration=texts()))


@pytest.mark.parametrize("calibration", [[], [token_inputs([])]])
def test_it_needs_texts(classifier, calibration):
    with pytest.raises(InputError, match="static_wi8_ai8: needs real texts to measure ranges on"):
        convert(lower(classifier, integer=True), [3], RECIPE, calibration=calibration)


def test_it_needs_a_lowering_of_its_own(classifier):
    with pytest.raises(InputError, match="needs a model for int8 activations: lower"):
        convert(lower(classifier), [3], RECIPE, calibration=texts())


def test_steps_of_integers_keep_their_additions(classifier, monkeypatch):
    """Beside int8 a bias would be int32: `share_step_weights` must leave these steps alone."""
    lowered = lower(classifier, "unrolled", integer=True)
    content = convert(lowered, [3], RECIPE, calibration=texts())
    monkeypatch.setattr(rewriting, "COPIES_LIMIT", -1)
    assert convert(lowered, [3], RECIPE, calibration=texts()) == content


def test_a_bundle_predicts_on_the_device(classifier, tmp_path):
    words = [chr(0x4E00 + number) for number in range(V - 2)]
    reviews = ["".join(words[number : number + 4]) for number in range(0, V - 4, 2)]
    export_bundle(
        classifier,
        tmp_path / "包",
        tokenizer=Tokenizer(),
        vocabulary=Vocabulary(["[PAD]", "[UNK]", *words]),
        labels=["bad", "好"],
        lengths=[5],
        texts=reviews,
        recipe=RECIPE,
        lowering="unrolled",
    )
    description = json.loads((tmp_path / "包" / "bundle.json").read_text(encoding="utf-8"))
    assert (description["recipe"], "int8 operators" in description["checks"]) == (RECIPE, True)
    predictor = load(tmp_path / "包")
    rows = [inputs for review in reviews for inputs in predictor.pieces(review)]
    assert all(len(set(row[TOKENS])) == 4 and min(row[TOKENS]) > 1 for row in rows)
    labels = [prediction.label for prediction in predictor.predict(reviews)]
    expected = classifier(padded_rows(rows, 5)[TOKENS])
    assert np.mean(np.equal(labels, np.array(["bad", "好"])[np.argmax(expected, axis=1)])) > 0.9


def test_texts_pack_to_length():
    pieces = pack_to_length([token_inputs([1, 2]), token_inputs([]), token_inputs([3, 4, 5])], 2)
    assert [piece[TOKENS].tolist() for piece in pieces] == [[1, 2], [3, 4]]
    (repeated,) = pack_to_length([token_inputs([6, 7])], 4)
    assert repeated[TOKENS].tolist() == [6, 7, 6, 7]
