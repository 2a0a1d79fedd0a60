"""The engine of the core: the same logits as LiteRT for every encoder, recipe and lowering; files that break a rule."""

import functools
import json
from pathlib import Path

import numpy as np
import pytest

from tests.native.engine import Engine, LiteRT, Refused
from textapp.runtime.model_check import check_model

SAMPLES = Path(__file__).parents[1] / "samples"
BUNDLES = {name: SAMPLES / name / "bundle" for name in ("classifier", "tagger")}
SOME_FEATURES = 0xFFFFFFFF
# words, encoder, head, lowering, recipe, and whether a text costs its own length
MODELS = [
    ("words", "lstm", "classifier", "fused", "dynamic_wi8_afp32", True),
    ("words", "lstm", "classifier", "fused", "dynamic_wi8_afp32_emb2", True),
    ("words", "lstm", "classifier", "unrolled", "dynamic_wi8_afp32", False),
    ("words", "lstm", "classifier", "fused", "static_wi8_ai8", False),
    ("words", "transformer x 2", "tagger", "fused", "float32", True),
    ("words", "transformer x 2", "tagger", "fused", "dynamic_wi8_afp32", True),
    ("characters, shapes", "convolution x 3", "classifier", "fused", "float16", True),
    ("characters, shapes", "convolution x 3", "classifier", "fused", "dynamic_wi8_afp32_emb4", True),
    ("characters, shapes", "convolution x 3", "classifier", "fused", "static_wi8_ai8", False),
    ("factorized, context, pairs", "gru", "tagger", "fused", "dynamic_wi8_afp32", False),
    ("factorized, context, pairs", "light recurrence x 2", "classifier", "fused", "float32", False),
    ("words", "rnn", "tagger", "fused", "static_wi8_ai8", False),
    ("words", "none", "classifier", "fused", "float16", True),
]


@functools.cache
def built(*names):
    """A model, made once for all its recipes."""
    from tests.native.engine_models import build

    return build(*names)


@functools.cache
def exported(words, encoder, head, lowering, recipe):
    """A model file, with what its bundle would say: inputs, lengths, outputs."""
    pytest.importorskip("tensorflow")
    from tests.native.engine_models import LENGTHS, files

    ((_, _, content),) = files(built(words, encoder, head), [lowering], [recipe])
    return content, inputs_of(content), LENGTHS, 5 if head == "tagger" else 3, head == "tagger"


@functools.cache
def sample(name):
    """The same of a sample's bundle."""
    content = (BUNDLES[name] / "model.tflite").read_bytes()
    lengths = json.loads((BUNDLES[name] / "bundle.json").read_text(encoding="utf-8"))["lengths"]
    shape = next(iter(check_model(content).values())).outputs["logits"].shape
    return content, inputs_of(content), lengths, shape[-1], len(shape) == 3


def inputs_of(content):
    """Width and rows of each input."""
    signature = next(iter(check_model(content).values()))
    rows = {name: max(found, default=0) for name, found in signature.table_rows.items()}
    return {name: (max((1, *tensor.shape[2:])), rows[name]) for name, tensor in signature.inputs.items()}


def random_text(inputs, count, rng):
    """Ids of a text."""
    text = {}
    for name, (width, rows) in inputs.items():
        ids = rng.integers(1, rows or 30, (count, width))
        ids *= np.arange(width) < rng.integers(1, width + 1, (count, 1))  # words are of different lengths
        text[name] = (ids if width > 1 else ids[:, 0]).astype("i4")
    return text


def differences(engine, model):
    """The largest differences to LiteRT over some texts: of logits, as a share of the largest; of weights."""
    content, inputs, lengths, _, per_token = model
    reference, rng = LiteRT(content, lengths), np.random.default_rng(4)
    logits, weights, largest = 0.0, 0.0, 1.0
    for count in (0, 1, 2, *lengths, *rng.integers(1, lengths[-1] + 1, 8).tolist()):
        text = random_text(inputs, count, rng)
        (found, attention), (expected, others) = engine.run(text), reference.run(text, per_token)
        assert found.shape == expected.shape
        if expected.size:
            largest = max(largest, float(np.abs(expected).max()))
            logits = max(logits, float(np.abs(found - expected).max()))
        if attention is not None and count:
            weights = max(weights, float(np.abs(attention - others).max()))
    return logits / largest, weights


@pytest.mark.parametrize("features", [0, SOME_FEATURES], ids=["scalar", "vectors"])
@pytest.mark.parametrize("name", BUNDLES)
def test_samples(internals, name, features):
    model = sample(name)
    logits, weights = differences(Engine(internals, *model, internals.textapp_features() & features), model)
    assert logits < 1e-5
    assert weights < 1e-5


@pytest.mark.parametrize(("words", "encoder", "head", "lowering", "recipe", "by_length"), MODELS)
def test_models_of_all_encoders(internals, words, encoder, head, lowering, recipe, by_length):
    model = exported(words, encoder, head, lowering, recipe)
    engine = Engine(internals, *model, internals.textapp_features())
    assert engine.by_length == by_length
    logits, weights = differences(engine, model)
    # Rows of int8 are rounded as LiteRT rounds them; where two sums differ in the last bit, a number may be rounded to
    # its other neighbour, and an LSTM carries this on.
    assert logits < (1e-5 if recipe.startswith("float") else 0.01)
    assert weights < (1e-5 if recipe.startswith("float") else 0.01)


def test_a_text_gives_the_same_at_its_own_length_and_padded(internals):
    """A file with one length pads; the same model with three lengths does not."""
    content, inputs, lengths, outputs, per_token = exported("words", "lstm", "classifier", "fused", "dynamic_wi8_afp32")
    assert Engine(internals, content, inputs, lengths, outputs, per_token).by_length
    with pytest.raises(Refused, match=r"must have the signatures of bundle.json and no others"):
        Engine(internals, content, inputs, lengths[:1], outputs, per_token)


def test_tables_must_have_the_rows_of_the_vocabulary(internals):
    content, inputs, lengths, outputs, per_token = sample("classifier")
    fewer = {name: (width, rows - 1) for name, (width, rows) in inputs.items()}
    with pytest.raises(Refused, match=r'2: model.tflite: "token_ids" is looked up in a table of 64 rows, .* 63 ids'):
        Engine(internals, content, fewer, lengths, outputs, per_token)


def test_another_operator_is_left_to_litert(internals):
    from ai_edge_litert import schema_py_generated as schema

    from textapp.export import flatbuffer

    content, *rest = sample("classifier")
    file = flatbuffer.read(content)
    for code in file.operatorCodes:
        if code.builtinCode == schema.BuiltinOperator.TANH:
            code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.SIN
    with pytest.raises(Refused, match=r"3: model.tflite: operator 31 \(SIN\): is no operator of textapp's own"):
        Engine(internals, flatbuffer.write(file), *rest)


def with_bias(content, value):
    """A file whose last bias is one number."""
    from textapp.export import flatbuffer

    file = flatbuffer.read(content)
    for graph in file.subgraphs:
        bias = graph.tensors[graph.operators[-1].inputs[2]]
        file.buffers[bias.buffer].data = np.full(tuple(bias.shape), value, "<f4").view(np.uint8)
    return flatbuffer.write(file)


def test_scores_that_are_not_finite(internals):
    content, *rest = sample("classifier")
    with pytest.raises(Refused, match=r"2: model.tflite: .*holds NaN"):
        Engine(internals, with_bias(content, np.nan), *rest)
    engine = Engine(internals, with_bias(content, np.inf), *rest)
    with pytest.raises(Refused, match=r"2: model.tflite: its scores are not finite; export it again"):
        engine.run(random_text(rest[0], 3, np.random.default_rng(0)))


def test_a_file_that_was_cut(internals):
    content, *rest = sample("classifier")
    for size in (0, 7, 8, 100, len(content) // 2, len(content) - 1):
        with pytest.raises(Refused, match=r"2: model.tflite: "):
            Engine(internals, content[:size], *rest)


@pytest.mark.parametrize("name", BUNDLES)
def test_changed_files_are_refused_or_run(internals, name):
    """Nothing crashes: a change is refused in one line, or the model gives numbers or says that they are none."""
    content, inputs, lengths, outputs, per_token = sample(name)
    rng = np.random.default_rng(7)
    messages = []
    for _ in range(200):
        changed = bytearray(content)
        for place in rng.integers(0, len(content), rng.integers(1, 6)):
            changed[place] = rng.choice([0, 1, 127, 128, 255, int(rng.integers(256))])
        try:
            engine = Engine(
                internals, bytes(changed), inputs, lengths, outputs, per_token, internals.textapp_features()
            )
            for count in (0, 3, lengths[-1]):
                engine.run(random_text(inputs, count, rng))
        except Refused as error:
            messages.append(str(error))
    assert 20 < len(messages) < 200
    assert all(message[0] in "123" and "model.tflite" in message and "\n" not in message for message in messages)
