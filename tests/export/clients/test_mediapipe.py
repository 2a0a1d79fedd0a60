"""Client mediapipe: the metadata, the archive, and scores that are those of the bundle for what MediaPipe hands in.

`clients/check.py mediapipe` runs the file in MediaPipe itself; here LiteRT runs it, and tensorflow-text cuts the texts,
from whose parts MediaPipe's tokenizer is built.
"""

import io
import json
import os
import shutil
import struct
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from tests.export.clients.samples import SAMPLES
from tests.small_models import small_classifier
from tests.text.test_bert import split, texts
from textapp.errors import InputError
from textapp.export import export_bundle, flatbuffer
from textapp.export.clients.mediapipe import TOKENIZER, MediaPipeModel
from textapp.export.mediapipe import mediapipe_file
from textapp.export.verb import export
from textapp.files import digest
from textapp.runtime import load
from textapp.runtime.model_check import check_model
from textapp.runtime.model_check.file import ModelFile, Table
from textapp.text.vocabulary import Vocabulary

ROOT = Path(__file__).parents[3]
PYTHON = os.environ.get("MEDIAPIPE_PYTHON")
"""A Python with MediaPipe."""
CHROMEDRIVER = os.environ.get("CHROMEDRIVER")
PACKAGES = Path(os.environ.get("PACKAGES", ""), "@mediapipe/tasks-text")
"""MediaPipe for the web."""
NEWER = frozenset(
    "\u1b4e\u1b4f\u1b7f\U00010d6e\U00010ed0\U000113d4\U000113d5\U000113d7\U000113d8\U00011be1\U00016d6d\U00016d6e"
    "\U00016d6f\U0001e5ff"
)
"""Punctuation of Unicode 16.0, which some versions of MediaPipe know."""
LABELS = ("schlecht", "gut 好", "très bien")
WORDS = [
    "[PAD]",
    "[UNK]",
    "good",
    "bad",
    "don",
    "'",
    "t",
    "好",
    "吃",
    "！",
    "très",
    "a",
    "e\u0301",
    "한국",
    "\x0b",
    "\u3000",
]
LENGTHS = [4, 12]

FILE = Table("AssociatedFile", {"name": (0, "string"), "type": (2, "b")})
OPTIONS = Table("BertTokenizerOptions", {"vocab_file": (0, [FILE])})
UNIT = Table("ProcessUnit", {"options_type": (0, "B"), "options": (1, OPTIONS)})
CONTENT = Table("Content", {"properties_type": (0, "B"), "properties": (1, Table("FeatureProperties", {}))})
STATS = Table("Stats", {"max": (0, ["f"]), "min": (1, ["f"])})
TENSOR = Table(
    "TensorMetadata",
    {"name": (0, "string"), "content": (3, CONTENT), "stats": (5, STATS), "associated_files": (6, [FILE])},
)
SUBGRAPH = Table("SubGraphMetadata", {"inputs": (2, [TENSOR]), "outputs": (3, [TENSOR]), "units": (5, [UNIT])})
METADATA = Table(
    "ModelMetadata",
    {"name": (0, "string"), "subgraphs": (3, [SUBGRAPH]), "min_parser_version": (7, "string")},
)
"""The tables of metadata_schema.fbs, by their numbers there."""


class MetadataFile(ModelFile):
    """The checked reader of TFLite files, for another root."""

    def __init__(self, content):
        super().__init__(content[:4] + b"TFL3" + content[8:])
        assert content[4:8] == b"M001"


def metadata_of(file):
    [number] = [entry.buffer for entry in file.metadata if entry.name == b"TFLITE_METADATA"]
    content = file.buffers[number].data.tobytes()
    return MetadataFile(content).table(struct.unpack_from("<I", content)[0], METADATA)


def softmax(logits):
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def given(ids, length):
    """The inputs as MediaPipe makes them: [CLS] and [SEP] are the last entries of its vocabulary."""
    row = np.zeros((3, 1, length + 2), np.int32)
    ids = ids[:length]
    row[0, 0, : len(ids) + 2] = [len(WORDS), *ids, len(WORDS) + 1]
    row[1, 0, : len(ids) + 2] = 1
    return dict(zip(("input_word_ids", "input_mask", "input_type_ids"), row, strict=True))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A bundle of the tokenizer `bert`."""
    model = small_classifier(len(WORDS), len(LABELS), embedding_dim=32, units=32, attention_units=16)
    rng = np.random.default_rng(11)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(scale=0.5, size=variable.shape))
    folder = tmp_path_factory.mktemp("包") / "bündel"
    return export_bundle(
        model,
        folder,
        tokenizer=TOKENIZER,
        vocabulary=Vocabulary(WORDS),
        labels=LABELS,
        lengths=LENGTHS,
        texts=["good 好吃！ don't", "bad", "très a"],
        recipe="float32",
    )


@pytest.fixture(scope="module")
def written(bundle, tmp_path_factory):
    """What is written for MediaPipe, and what was reported."""
    out, lines = tmp_path_factory.mktemp("приложение") / "mp", []
    export(bundle, out, clients=["mediapipe"], report=lines.append)
    return out, lines


@pytest.fixture(scope="module")
def content(written):
    return (written[0] / "model.tflite").read_bytes()


def test_the_metadata_is_what_mediapipe_wants(content):
    file = flatbuffer.read(content)
    metadata = metadata_of(file)
    [subgraph], [graph] = metadata["subgraphs"], file.subgraphs
    names = {"ids": b"input_word_ids", "segment_ids": b"input_type_ids", "mask": b"input_mask"}
    for tensor, index in zip(subgraph["inputs"], graph.inputs, strict=True):
        assert graph.tensors[index].name == names[tensor["name"]]
        assert graph.tensors[index].shape.tolist() == [1, 14]
        assert graph.tensors[index].shapeSignature is None
        assert tensor["content"]["properties_type"] == 1
    [output], [index] = subgraph["outputs"], graph.outputs
    assert graph.tensors[index].shape.tolist() == [1, 3]
    assert output["name"] == "score"
    assert [(one["name"], one["type"]) for one in output["associated_files"]] == [("labels.txt", 2)]
    assert (output["stats"]["min"].tolist(), output["stats"]["max"].tolist()) == ([0], [1])
    [unit] = subgraph["units"]
    assert unit["options_type"] == 4
    assert [(one["name"], one["type"]) for one in unit["options"]["vocab_file"]] == [("vocabulary.txt", 5)]
    assert (metadata["name"], metadata["min_parser_version"]) == ("TextClassifier", "1.1.0")


def test_the_files_lie_in_an_archive_that_is_not_compressed(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert [(one.filename, one.compress_type) for one in archive.infolist()] == [
            ("vocabulary.txt", zipfile.ZIP_STORED),
            ("labels.txt", zipfile.ZIP_STORED),
        ]
        assert archive.read("vocabulary.txt").decode().split("\n") == [*WORDS, "[CLS]", "[SEP]", ""]
        assert archive.read("labels.txt").decode().split("\n") == [*LABELS, ""]


def test_the_file_is_the_same_each_time_and_holds_weights_once(content, bundle, tmp_path):
    export(bundle, tmp_path / "again", clients=["mediapipe"])
    assert (tmp_path / "again/model.tflite").read_bytes() == content
    file = flatbuffer.read(content)
    buffers = [buffer.data.tobytes() for buffer in file.buffers if buffer.data is not None]
    assert len({*buffers}) == len(buffers)
    used = {tensor.buffer for tensor in file.subgraphs[0].tensors} | {entry.buffer for entry in file.metadata}
    assert used == set(range(len(file.buffers)))
    assert len(content) < (bundle / "model.tflite").stat().st_size + 3_000


def test_scores_are_those_of_the_bundle(content, bundle):
    """From the text on: RE2 cuts it, the file in the archive gives the ids, the softmax is in the graph."""
    generated = [
        *texts(200, seed=5),
        "",
        "GOOD don't 好吃！",
        "good " * 50,
        "x" * 101 + " good",
        "e\u0301 \u3000 \x0b 한국",
    ]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        lines = archive.read("vocabulary.txt").decode().split("\n")
    ids = {line: number for number, line in enumerate(lines) if line}
    run = Interpreter(model_content=content).get_signature_runner("serving_default")
    classifier = load(bundle, engine="litert")
    known = 0
    for text, tokens in zip(generated, split(generated), strict=True):
        row = [ids.get(token if len(token.encode()) <= 100 else "[UNK]", 1) for token, _, _ in tokens]
        known += sum(number > 1 for number in row)
        scores = run(**given(row, 12))["probabilities"][0]
        [prediction] = classifier.predict([text])
        np.testing.assert_allclose(scores, [prediction.probs[label] for label in LABELS], atol=1e-5)
    assert known > 100


@pytest.mark.parametrize(
    ("lowering", "recipe"),
    [("fused", "float32"), ("fused", "dynamic_wi8_afp32_emb4"), ("unrolled", "dynamic_wi8_afp32")],
)
def test_each_recipe_and_lowering(converted, lowering, recipe):
    whole = converted(lowering, recipe)
    made = mediapipe_file(whole, "tokens_7", 2.5, ["[PAD]", "[UNK]", *map(str, range(38))], LABELS[:2])
    bundle_run = Interpreter(model_content=whole).get_signature_runner("tokens_7")
    run = Interpreter(model_content=made).get_signature_runner("serving_default")
    rng = np.random.default_rng(2)
    for count in (0, 1, 5, 6, 7, 8, 30):
        ids = rng.integers(1, 40, count).tolist()
        padded = np.array([[*ids[:7], *[0] * (7 - len(ids))]], np.int32)
        expected = softmax(bundle_run(token_ids=padded)["logits"][0].astype(np.float64) / 2.5)
        np.testing.assert_allclose(run(**given(ids, 7))["probabilities"][0], expected, atol=1e-6)
        np.testing.assert_allclose(MediaPipeModel(made).probabilities(ids), expected, atol=1e-6)


def test_a_written_variable_is_refused(converted):
    """MediaPipe 1.2.3 says of such a file: \"Output tensor to op (DEQUANTIZE) is a variable\"."""
    with pytest.raises(InputError, match=r"fused recurrent layer with weights in float16; .* --lowering unrolled"):
        mediapipe_file(converted("fused", "float16"), "tokens_7", 1.0, ["[PAD]", "[UNK]"], LABELS)


def test_the_graph_keeps_the_rules_of_a_model_file(content):
    """Without the metadata, which only MediaPipe reads: so nothing in the graph makes an interpreter crash."""
    file = flatbuffer.read(content)
    file.metadata = [entry for entry in file.metadata if entry.name != b"TFLITE_METADATA"]
    [tensors] = check_model(flatbuffer.write(file)).values()
    assert {name: tensor.shape for name, tensor in tensors.outputs.items()} == {"probabilities": (1, 3)}


def test_what_is_written_and_said(written):
    out, lines = written
    assert {path.name for path in out.iterdir()} == {"model.tflite", "README.md", "textapp-export.json"}
    readme = (out / "README.md").read_text()
    assert "It reads the first 12 tokens of a text, and has 3 labels." in readme
    said = "MediaPipe cuts a text as the model's tokenizer does, so its scores are those of the bundle"
    assert lines == [f"mediapipe: {said}"]
    assert readme.endswith(f"{said}.\n")
    assert str(out) not in readme


def test_another_tokenizer_is_said(tmp_path):
    lines = []
    export(SAMPLES["classifier"], tmp_path / "mp", clients=["mediapipe"], report=lines.append)
    [line] = lines
    assert "other rules than the model's tokenizer (word)" in line
    assert "--set tokenizer=bert" in line


def in_python(model, given_texts):
    """The scores of MediaPipe for Python."""
    command = [PYTHON, ROOT / "clients/mediapipe/tests/classify.py", model]
    done = subprocess.run(command, input=json.dumps(given_texts).encode(), stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def in_browser(model, given_texts):
    """The scores of MediaPipe for the web, in Chromium."""
    from clients.mediapipe.tests.browser import classify

    return classify(model, given_texts, PACKAGES, CHROMEDRIVER)


@pytest.mark.parametrize(
    "scores_of",
    [
        pytest.param(
            in_python, marks=pytest.mark.skipif(PYTHON is None, reason="`clients/check.py mediapipe` runs it")
        ),
        pytest.param(
            in_browser,
            marks=pytest.mark.skipif(
                CHROMEDRIVER is None or not PACKAGES.is_dir(), reason="`clients/check.py mediapipe-web` runs it"
            ),
        ),
    ],
)
def test_mediapipe_itself_gives_these_scores(content, written, scores_of):
    """The same tokens and the same scores for generated texts, of letters, symbols and white space of all kinds."""
    without_newer = [text for text in texts(2_000, seed=6) if not NEWER & {*text}]
    generated = [*without_newer, "", "GOOD don't 好吃！", "good " * 50, "x" * 101 + " good", "é" * 50 + " bad"]
    generated += [" \t\n", "good 好 " * 100_000, "x" * 1_000_000]  # without tokens, and of a megabyte
    model, vocabulary = MediaPipeModel(content), Vocabulary(WORDS)
    for text, scores in zip(generated, scores_of(written[0] / "model.tflite", generated), strict=True):
        expected = model.probabilities(vocabulary.encode(TOKENIZER.words(text)))
        np.testing.assert_allclose([scores[label] for label in LABELS], expected, atol=1e-5, err_msg=ascii(text))


def changed(bundle, folder, files=(), **changes):
    """A bundle with other files and fields, whose hashes are right."""
    shutil.copytree(bundle, folder)
    (folder / "selftest.json").unlink(missing_ok=True)
    for name, part in dict(files).items():
        (folder / name).write_bytes(part)
    description = json.loads((folder / "bundle.json").read_bytes()) | {"selftest": False, **changes}
    names = [path.name for path in folder.iterdir() if path.name not in ("bundle.json", "README.md")]
    description["sha256"] = {name: digest(folder / name) for name in names}
    (folder / "bundle.json").write_text(json.dumps(description))
    return folder


def refusal(bundle, out):
    with pytest.raises(InputError) as caught:
        export(bundle, out, clients=["mediapipe"])
    assert not out.exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_tagger_is_refused(tmp_path):
    assert refusal(SAMPLES["tagger"], tmp_path / "mp") == (
        "client mediapipe: MediaPipe's TextClassifier gives each text one label; this model is for tagging"
    )


def test_several_labels_are_refused(bundle, tmp_path):
    several = changed(bundle, tmp_path / "viele", task="multilabel", thresholds=[0.5, 0.5, 0.5])
    assert "this model is for multilabel" in refusal(several, tmp_path / "mp")


def test_ngrams_are_refused_with_the_way_on(bundle, tmp_path):
    from tests.runtime.test_ngram_model import model

    with_ngrams = changed(bundle, tmp_path / "нграммы", model().files(), ngrams=True)
    message = refusal(with_ngrams, tmp_path / "mp")
    assert "cannot compute this model's n-grams" in message
    assert "--set tokenizer=bert --set ngram_rows=0" in message


def test_pieces_of_words_are_refused(bundle, tmp_path):
    vocabulary = "".join(f"{'##s' if word == 'bad' else word}\n" for word in WORDS).encode()
    assert "vocabulary.txt has '##s'" in refusal(
        changed(bundle, tmp_path / "b", {"vocabulary.txt": vocabulary}), tmp_path / "mp"
    )
