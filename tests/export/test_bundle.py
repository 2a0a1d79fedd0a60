"""A bundle is written whole, with what it says about itself, or not at all."""

import hashlib
import json
from collections import Counter

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from keras import layers, ops

from tests.export.test_tagger_bundle import encoder as tagger_encoder
from tests.export.test_tagger_bundle import export as export_tagger
from tests.small_models import small_classifier
from textapp.errors import InputError
from textapp.export import ExportError, bundle, export_bundle, export_model
from textapp.export.conversion import convert
from textapp.export.model_inputs import TOKENS, padded_rows, token_inputs
from textapp.runtime import load
from textapp.task import Compared, task
from textapp.tasks.classification.config import ClassificationConfig
from textapp.text.labels import ExclusiveLabels
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary

TEXTS = ["A very good film!", "电影很难看 😀", "", "ça déçoit, vraiment", "good, good " * 9]
TOKENIZER = Tokenizer()
LABELS = ["bad", "好"]


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    """As many words as the table of `attentive` has rows."""
    counts = Counter(word for text in TEXTS for word in TOKENIZER.words(text))
    return Vocabulary.build(counts | dict.fromkeys(map(chr, range(0x5000, 0x5028)), 1), 40, 1)


@pytest.fixture
def export(attentive, vocabulary, tmp_path):
    """`export_bundle` with good arguments but for those given."""

    def call(**changes):
        arguments = {
            "model": attentive,
            "folder": tmp_path / "包",
            "tokenizer": TOKENIZER,
            "vocabulary": vocabulary,
            "labels": LABELS,
            "lengths": [5],
            "texts": TEXTS,
            "lowering": "unrolled",
            **changes,
        }
        return export_bundle(**arguments)

    return call


@pytest.fixture(params=["classification", "tagging"])
def export_any(request, export, tmp_path):
    """`export` of a classifier; and the same of a tagger."""
    if request.param == "classification":
        return export
    defaults = {"lengths": [5], "lowering": "unrolled"}
    return lambda **changes: export_tagger(tmp_path / "包", **{**defaults, **changes})


def described(folder) -> dict:
    return json.loads((folder / "bundle.json").read_text(encoding="utf-8"))


def test_a_bundle_says_what_it_is(export_any, request, tmp_path):
    folder = export_any(lengths=[9, 4], lowering="fused", recipe="dynamic_wi8_afp32")
    assert folder == tmp_path / "包"
    assert [path.name for path in tmp_path.iterdir()] == ["包"]
    description = described(folder)
    name = "tagging" if (folder / "tags.txt").exists() else "classification"
    assert name in request.node.name
    files = {"classification": ["labels.txt"], "tagging": ["characters.txt", "crf.json", "tags.txt"]}[name]
    names = sorted([*files, "model.tflite", "selftest.json", "vocabulary.txt"])
    assert sorted(path.name for path in folder.iterdir()) == sorted(["README.md", "bundle.json", *names])
    hashes = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    assert description["sha256"] == hashes
    assert {key: description[key] for key in ("format", "format_version", "task", "lowering", "recipe")} == {
        "format": "textapp-bundle",
        "format_version": 1,
        "task": name,
        "lowering": "fused",
        "recipe": "dynamic_wi8_afp32",
    }
    lowercase = name == "classification"
    assert description["tokenizer"] == {"kind": "word", "lowercase": lowercase, "normalization": "nfkc"}
    assert description["lengths"] == [4, 9]
    assert description["signatures"] == {"4": "tokens_4", "9": "tokens_9"}
    assert set(description["versions"]) == {"tensorflow", "keras", "ai_edge_litert"}
    assert len(description["checks"]) == 5


def test_a_classifier_is_scored_before_and_after(export, attentive, vocabulary):
    folder = export(lengths=[4, 9], true_labels=["好", "bad", "bad", "bad", "好"], recipe="dynamic_wi8_afp32")
    assert (folder / "labels.txt").read_text(encoding="utf-8") == "bad\n好\n"
    assert Vocabulary.load(folder / "vocabulary.txt").tokens == vocabulary.tokens
    ids = padded_rows([token_inputs(vocabulary.encode(TOKENIZER.words(text))) for text in TEXTS], 9)[TOKENS]
    expected = attentive(ids).numpy()
    truth = np.array([1, 0, 0, 0, 1])
    metrics = described(folder)["metrics"]
    assert metrics["before"]["accuracy"] == pytest.approx((expected.argmax(1) == truth).mean())
    assert metrics["count"] == 5
    runner = Interpreter(model_content=(folder / "model.tflite").read_bytes()).get_signature_runner("tokens_9")
    got = np.concatenate([runner(token_ids=row[None])["logits"] for row in ids])
    np.testing.assert_allclose(got, expected, atol=0.1 * np.abs(expected).max())


def test_a_bundle_records_what_it_computes(export_any):
    folder = export_any(recipe="dynamic_wi8_afp32")
    recorded = json.loads((folder / "selftest.json").read_text(encoding="utf-8"))
    assert len(recorded["texts"]) == 12
    predictor = load(folder)
    for row, prediction in zip(
        recorded["texts"], predictor.predict([row["text"] for row in recorded["texts"]]), strict=True
    ):
        assert len(row["text"].encode()) <= 1024
        assert row["tokens"] == [[token.text, token.start, token.end] for token in prediction.tokens]
        assert {name: len(ids) for name, ids in row["ids"].items()} == dict.fromkeys(
            predictor.encoder.inputs, len(row["tokens"])
        )
        units = len(row["tokens"]) if predictor.task == "tagging" else 1
        assert len(row["logits"]) == units * len(predictor.targets)


def test_a_bundle_is_not_overwritten_by_accident(export_any, tmp_path):
    folder = export_any(recipe="float32")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(InputError, match="包: exists; choose another folder, or overwrite it"):
        export_any()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_an_overwritten_bundle_is_replaced_whole(export, tmp_path):
    """A bundle of the other task had files that this one has not."""
    folder = export_tagger(tmp_path / "包", recipe="float32")
    export(overwrite=True, recipe="float16")
    assert described(folder)["recipe"] == "float16"
    names = {"README.md", "bundle.json", "labels.txt", "model.tflite", "selftest.json", "vocabulary.txt"}
    assert {path.name for path in folder.iterdir()} == names
    assert [path.name for path in tmp_path.iterdir()] == ["包"]
    assert load(folder).labels == tuple(LABELS)


def test_a_classifier_may_read_characters_and_shapes_and_start_from_vectors(tmp_path):
    """What a model knows of its words does not depend on its task."""
    texts = ["Ann lives in Łódź.", "北京 wins", "NASA", "the sky", ""]
    encode = tagger_encoder(shapes=True)
    vectors = np.random.default_rng(6).normal(size=(len(encode.vocabulary), 40)).astype("float32")
    model = small_classifier(
        *(len(encode.vocabulary), 2),
        character_vocabulary_size=len(encode.characters),
        vectors=vectors,
        **{"characters": True, "shapes": True, "units": 16, "embedding_dim": None},
    )
    np.testing.assert_array_equal(model.get_layer("embedding").embeddings, vectors)
    shapes = model.get_layer("shape_ids_embedding").embeddings
    shapes.assign(np.random.default_rng(7).normal(size=shapes.shape))
    tokenizer = Tokenizer(lowercase=False)
    folder = export_model(
        task("classification"),
        model,
        tmp_path / "包",
        config=ClassificationConfig(),
        tokenizer=tokenizer,
        encoder=encode,
        targets=ExclusiveLabels(tuple(LABELS)),
        lengths=[3, 6],
        compared=Compared([tokenizer.words(text) for text in texts], texts),
        recipe="float32",
    )
    predictor = load(folder)
    probs = []
    for text in texts:
        (inputs,) = predictor.pieces(text)
        probs.append(keras.ops.softmax(model(padded_rows([inputs], 6)))[0])
    np.testing.assert_allclose(predictor.probabilities(texts), probs, atol=1e-5)
    assert not np.allclose(*predictor.probabilities(["nasa", "NASA"]), atol=1e-3)


@pytest.mark.parametrize(
    "foreign", ["{}", "[", '{"format": "textapp-bundle"}', '{"format": "textapp-bundle", "format_version": 1}']
)
def test_only_a_bundle_is_overwritten(export, tmp_path, foreign):
    """Many programs have a bundle.json."""
    (tmp_path / "包").mkdir()
    (tmp_path / "包" / "bundle.json").write_text(foreign)
    (tmp_path / "包" / "论文.txt").write_text("ü")
    with pytest.raises(InputError, match=r"包: holds bundle\.json, which is not a file as this command wrote it"):
        export(overwrite=True)
    assert (tmp_path / "包" / "论文.txt").read_text() == "ü"
    assert (tmp_path / "包" / "bundle.json").read_text() == foreign


def test_a_bundle_with_a_file_of_its_owner_is_not_overwritten(export, tmp_path, monkeypatch):
    folder = export()
    monkeypatch.setattr(bundle, "lower", None)  # nothing is converted before the refusal
    before = sorted(path.name for path in folder.iterdir())
    for name in ("заметки.txt", "characters.txt"):  # other bundles have the latter, this one does not
        (folder / name).write_text("ü")
        with pytest.raises(InputError, match=rf"包: holds {name}, which is not a file as this command wrote it"):
            export(overwrite=True)
        assert sorted(path.name for path in folder.iterdir()) == sorted([*before, name])
        (folder / name).unlink()


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_that_appears_during_the_conversion_is_kept(export, tmp_path, monkeypatch, overwrite):
    def slowly(*arguments, **options):
        (tmp_path / "包").mkdir()
        (tmp_path / "包" / "论文.txt").write_text("ü")
        return convert(*arguments, **options)

    monkeypatch.setattr(bundle, "convert", slowly)
    with pytest.raises(InputError, match="包: "):
        export(overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["包"]
    assert [path.name for path in (tmp_path / "包").iterdir()] == ["论文.txt"]


def test_of_two_exports_to_a_folder_the_second_is_refused(export, tmp_path, monkeypatch):
    def meanwhile(*arguments, **options):
        monkeypatch.undo()
        with pytest.raises(InputError, match="包: another textapp command is writing to it"):
            export(overwrite=True)
        return convert(*arguments, **options)

    monkeypatch.setattr(bundle, "convert", meanwhile)
    assert load(export(recipe="float32")).labels == tuple(LABELS)
    assert [path.name for path in tmp_path.iterdir()] == ["包"]


def test_a_model_that_is_not_finite_is_not_kept(export, tmp_path):
    ids = keras.Input((None,), dtype="int32")
    mask = ops.expand_dims(ops.cast(ops.not_equal(ids, 0), "float32"), -1)
    pooled = ops.sum(layers.Embedding(40, 4)(ids) * mask, axis=1) / ops.sum(mask, axis=1)
    with pytest.raises(ExportError, match="not finite on the empty text"):
        export(model=keras.Model(ids, layers.Dense(2)(pooled)))
    assert not list(tmp_path.iterdir())


def test_a_failed_check_keeps_nothing_new_and_the_old_bundle(export_any, tmp_path, monkeypatch):
    def fail(*_):
        raise ExportError("model.tflite: no good")

    with monkeypatch.context() as patches:
        patches.setattr("textapp.export.bundle.check_file", fail)
        with pytest.raises(ExportError, match="no good"):
            export_any()
    assert not list(tmp_path.iterdir())
    folder = export_any(recipe="float32")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr("textapp.export.bundle.convert", lambda *_: b"broken")
    with pytest.raises(ExportError, match=r"model\.tflite: bytes 4 to 8 must be TFL3"):
        export_any(overwrite=True)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def head(**settings) -> keras.Model:
    ids = keras.Input((None,), dtype="int32")
    return keras.Model(ids, layers.Dense(2, name="头", **settings)(layers.LSTM(3)(layers.Embedding(40, 4)(ids))))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lengths": []}, r"lengths \[\]: must be different positive numbers of tokens, at most 4096"),
        ({"lengths": [4097]}, r"lengths \[4097\]: must be different positive numbers of tokens, at most 4096"),
        ({"lengths": [0, 3]}, r"lengths \[0, 3\]: must be"),
        ({"lengths": [3, 3]}, r"lengths \[3, 3\]: must be"),
        ({"texts": []}, "texts: at least one real text"),
        ({"labels": ["好"]}, "labels: must be two or more different lines"),
        ({"labels": ["好", "好"]}, "labels: must be two or more different lines"),
        ({"labels": ["好", "b\nad"]}, "labels: must be two or more different lines"),
        ({"labels": ["a", "b", "c"]}, r"logits \(B, 3\), for 3 targets. Received: \(None, 2\)"),
        ({"true_labels": ["bad"]}, "true_labels: 1 for 5 texts"),
        ({"true_labels": ["bad"] * 4 + ["差"]}, "true_labels: '差' is none of the model's labels: bad, 好"),
        (
            {"model": head(activation="softmax")},
            r"layer '头' \(Dense\): gives probabilities; end the model at its logits",
        ),
        (
            {"vocabulary": Vocabulary(["[PAD]", "[UNK]", *map(chr, range(0x4E00, 0x4E00 + 39))])},
            "41 tokens, but layer 'embedding' has 40 rows",
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_arguments_are_checked_first(export, tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        export(**changes)
    assert not list(tmp_path.iterdir())


def test_an_edited_card_is_kept_and_a_card_as_written_is_replaced(export, tmp_path):
    folder = export(recipe="float32")
    assert described(folder)["card_sha256"] == hashlib.sha256((folder / "README.md").read_bytes()).hexdigest()
    export(overwrite=True, recipe="float16")
    assert "recipe `float16`" in (folder / "README.md").read_text(encoding="utf-8")
    (folder / "README.md").write_text("моё", encoding="utf-8")
    assert load(folder).labels == tuple(LABELS)
    with pytest.raises(InputError, match=r"包: holds README\.md, which is not a file as this command wrote it"):
        export(overwrite=True)
    assert (folder / "README.md").read_text(encoding="utf-8") == "моё"
