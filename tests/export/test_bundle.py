"""A bundle is written whole, with what it says about itself, or not at all."""

import hashlib
import json
from collections import Counter

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from keras import layers
from textapp.export.rows import TOKENS, padded_rows, token_text

from textapp.errors import InputError
from textapp.export import ExportError, export_bundle
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary

TEXTS = ["A very good film!", "电影很难看 😀", "", "ça déçoit, vraiment", "good, good " * 9]
TOKENIZER = Tokenizer()
LABELS = ["bad", "好"]


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary.build(Counter(word for text in TEXTS for word in TOKENIZER.words(text)), 40, 1)


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


def test_a_bundle_says_what_it_is(export, attentive, vocabulary, tmp_path):
    folder = export(
        lengths=[9, 4], true_labels=["好", "bad", "bad", "bad", "好"], lowering="fused", recipe="dynamic_wi8_afp32"
    )
    assert folder == tmp_path / "包"
    assert sorted(path.name for path in folder.iterdir()) == [
        "bundle.json", "labels.txt", "model.tflite", "vocabulary.txt",
    ]  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["包"]
    description = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    for name, digest in description.pop("sha256").items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert (folder / "labels.txt").read_text(encoding="utf-8") == "bad\n好\n"
    assert Vocabulary.load(folder / "vocabulary.txt").tokens == vocabulary.tokens
    assert {key: description[key] for key in ("format", "format_version", "task", "lowering", "recipe")} == {
        "format": "textapp-bundle",
        "format_version": 1,
        "task": "classification",
        "lowering": "fused",
        "recipe": "dynamic_wi8_afp32",
    }
    assert description["tokenizer"] == {"kind": "word", "lowercase": True, "normalization": "nfkc"}
    assert description["lengths"] == [4, 9]
    assert description["signatures"] == {"4": "tokens_4", "9": "tokens_9"}
    assert set(description["versions"]) == {"tensorflow", "keras", "ai_edge_litert"}
    assert len(description["checks"]) == 5

    ids = padded_rows([token_text(vocabulary.encode(TOKENIZER.words(text))) for text in TEXTS], 9)[TOKENS]
    expected = attentive(ids).numpy()
    truth = np.array([1, 0, 0, 0, 1])
    assert description["metrics"]["before"]["accuracy"] == pytest.approx((expected.argmax(1) == truth).mean())
    assert description["metrics"]["count"] == 5
    runner = Interpreter(model_content=(folder / "model.tflite").read_bytes()).get_signature_runner("tokens_9")
    got = np.concatenate([runner(token_ids=row[None])["logits"] for row in ids])
    np.testing.assert_allclose(got, expected, atol=0.1 * np.abs(expected).max())


def test_a_bundle_is_not_overwritten_by_accident(export, tmp_path):
    folder = export(recipe="float32")
    before = (folder / "bundle.json").read_bytes()
    with pytest.raises(InputError, match="包: exists; choose another folder, or overwrite it"):
        export()
    assert (folder / "bundle.json").read_bytes() == before
    export(overwrite=True, recipe="float16")
    assert json.loads((folder / "bundle.json").read_text(encoding="utf-8"))["recipe"] == "float16"
    assert [path.name for path in tmp_path.iterdir()] == ["包"]


def test_only_a_bundle_is_overwritten(export, tmp_path):
    (tmp_path / "包").mkdir()
    (tmp_path / "包" / "论文.txt").write_text("ü")
    with pytest.raises(InputError, match="is not a bundle; only a bundle may be overwritten"):
        export(overwrite=True)
    assert (tmp_path / "包" / "论文.txt").read_text() == "ü"


def test_a_failed_check_keeps_nothing(export, tmp_path):
    ids = keras.Input((None,), dtype="int32")
    pooled = layers.GlobalAveragePooling1D()(layers.Embedding(40, 4, mask_zero=True)(ids))
    with pytest.raises(ExportError, match="not finite on the empty text"):
        export(model=keras.Model(ids, layers.Dense(2)(pooled)))
    assert not list(tmp_path.iterdir())


def test_a_failed_check_leaves_the_old_bundle(export, monkeypatch):
    folder = export(recipe="float32")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr("textapp.export.bundle.convert", lambda *_: b"broken")
    with pytest.raises(ExportError, match="LiteRT refuses the file"):
        export(overwrite=True)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def head(**settings) -> keras.Model:
    ids = keras.Input((None,), dtype="int32")
    return keras.Model(ids, layers.Dense(2, name="头", **settings)(layers.LSTM(3)(layers.Embedding(40, 4)(ids))))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lengths": []}, r"lengths \[\]: must be different positive numbers of tokens"),
        ({"lengths": [0, 3]}, r"lengths \[0, 3\]: must be"),
        ({"lengths": [3, 3]}, r"lengths \[3, 3\]: must be"),
        ({"texts": []}, "texts: at least one real text"),
        ({"labels": ["好"]}, "labels: must be two or more different lines"),
        ({"labels": ["好", "好"]}, "labels: must be two or more different lines"),
        ({"labels": ["好", "b\nad"]}, "labels: must be two or more different lines"),
        ({"labels": ["a", "b", "c"]}, r"logits \(B, 3\), for 3 labels. Received: \(None, 2\)"),
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
