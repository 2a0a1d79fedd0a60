"""The whole training of a tagger: it is learned, survives being killed, and leaves a run that says the same."""

import json
import shutil

import keras
import numpy as np
import pytest
from textapp.training.ner import train_ner
from textapp.training.ner_run import NerRun

from tests.dashboards.events import read
from textapp.config import ner_preset
from textapp.errors import InputError
from textapp.text.word_shape import SHAPES
from textapp.training import ner
from textapp.training.adversarial import AdversarialTraining
from textapp.training.checkpoint import Checkpoint
from textapp.training.run import CHECKPOINT, Run

ENGLISH = ("units=12", "embedding_dim=8", "batch_size=8", "epochs=4", "min_count=3", "learning_rate=0.03")
CHINESE = ("characters=false", "tokenizer=char", "units=12", "embedding_dim=12", "batch_size=8", "learning_rate=0.03")


class Killed(Exception):
    """Stands for `kill -9`: nothing after it runs."""


class KillAt(keras.callbacks.Callback):
    """Raises after some steps."""

    def __init__(self, steps):
        super().__init__()
        self.left = steps

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if not self.left:
            raise Killed


@pytest.fixture(scope="module")
def corpora(tmp_path_factory, tagged_corpus):
    folder = tmp_path_factory.mktemp("Körper 语料")
    return {
        (language, split): tagged_corpus(folder / f"{language}.{split}", language, count, seed)
        for language in ("english", "chinese")
        for seed, (split, count) in enumerate({"train": 120, "valid": 30, "test": 30}.items())
    }


def train(folder, corpora, language, *settings, **options):
    splits = {split: corpora[language, split] for split in ("train", "valid", "test")}
    config = ner_preset("tiny").override(settings)
    return train_ner(config, folder, **splits, report=lambda line: None, **options)


@pytest.fixture(scope="module")
def english(tmp_path_factory, corpora):
    folder = tmp_path_factory.mktemp("Läufe") / "英 run"
    return folder, train(folder, corpora, "english", *ENGLISH)


def test_english_names_never_seen_are_found(english):
    folder, metrics = english
    assert metrics["task"] == "ner"
    assert metrics["tags"][0] == "O"
    assert metrics["test"]["entity_f1"] > 0.9
    assert metrics["data"]["test"]["oov_rate"] > 0.2
    assert metrics["test"]["count"] == 60
    assert set(metrics["test"]["types"]) == {"LOC", "PER"}
    names = {"val_entity_f1", "val_precision", "val_recall", "val_token_accuracy", "loss", "val_loss"}
    assert {frozenset(logs) for logs in metrics["history"]} == {frozenset(names)}
    assert max(logs["val_entity_f1"] for logs in metrics["history"]) == metrics["valid"]["entity_f1"]
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "model.keras", "config.json", "metrics.json", "tokenizer.json", "vocabulary.txt", "characters.txt", "tags.txt",
        "sample.tsv", "logs",
    }  # fmt: skip
    assert json.loads((folder / "metrics.json").read_text(encoding="utf-8")) == metrics


def test_the_run_says_the_same_when_it_is_read_back(english, corpora):
    folder, metrics = english
    run = NerRun.load(folder)
    assert run.score(corpora["english", "test"]) == metrics["test"]
    assert run.score(folder / "sample.tsv") == metrics["valid"]  # the validation split is smaller than a sample
    assert list(run.tag_set.tags) == metrics["tags"]


def test_a_run_killed_anywhere_ends_with_the_same_numbers(english, corpora, tmp_path, monkeypatch):
    folder = tmp_path / "убитый 死"
    monkeypatch.setattr(Checkpoint.__init__, "__defaults__", (0.0,))
    with monkeypatch.context() as patch:
        patch.setattr(ner, "tagging_dashboards", lambda *_: [KillAt(21)])  # inside the second epoch of 15 steps
        with pytest.raises(Killed):
            train(folder, corpora, "english", *ENGLISH)
        assert (folder / CHECKPOINT).exists()
        with pytest.raises(InputError, match="not finished"):
            NerRun.load(folder)
        with pytest.raises(InputError, match="holds an unfinished run with other units; use --force"):
            train(folder, corpora, "english", *ENGLISH, "units=13")
        patch.setattr(ner, "tagging_dashboards", lambda *_: [])
        metrics = train(folder, corpora, "english", *ENGLISH)
    assert {**metrics, "seconds": 0} == {**english[1], "seconds": 0}
    weights, expected = (NerRun.load(path).model.get_weights() for path in (folder, english[0]))
    for received, wanted in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(received, wanted)


def test_a_run_is_not_taken_for_one_of_another_task(english, tmp_path):
    with pytest.raises(InputError, match=r"a run of `textapp train ner`, not of `textapp train sentiment`"):
        Run.load(english[0])
    (tmp_path / "config.json").write_text('{"settings": {}, "textapp_version": "0"}', encoding="utf-8")
    (tmp_path / "metrics.json").write_text('{"task": "sentiment"}', encoding="utf-8")
    with pytest.raises(InputError, match=r"a run of `textapp train sentiment`, not of `textapp train ner`"):
        NerRun.load(tmp_path)


def test_chinese_is_learned_by_characters(corpora, tmp_path, monkeypatch):
    monkeypatch.setattr(ner, "tagging_dashboards", lambda *_: [])
    parts = ["bigrams=99", "context_filters=8", "context_width=5"]
    metrics = train(tmp_path / "跑", corpora, "chinese", *CHINESE, "epochs=4", "adversarial=0.05", *parts)
    assert metrics["test"]["entity_f1"] > 0.95
    assert not (tmp_path / "跑/characters.txt").exists()
    run = NerRun.load(tmp_path / "跑")
    assert run.score(corpora["chinese", "test"]) == metrics["test"]
    assert run.model.get_layer("bigrams").rows == 99
    context = run.model.get_layer("context")
    assert (context.filters, context.kernel_size) == (8, (5,))
    assert not isinstance(run.model, AdversarialTraining)  # how it was trained ends with the training


def test_shapes_serve_in_place_of_characters(corpora, tmp_path, monkeypatch):
    monkeypatch.setattr(ner, "tagging_dashboards", lambda *_: [])
    settings = (*ENGLISH, "characters=false", "shapes=true", "shape_dim=6", "adversarial=0.05")
    metrics = train(tmp_path / "läuft", corpora, "english", *settings)
    assert metrics["test"]["entity_f1"] > 0.9
    run = NerRun.load(tmp_path / "läuft")
    assert run.score(corpora["english", "test"]) == metrics["test"]
    assert run.model.get_layer("shape_ids_embedding").embeddings.shape == (SHAPES, 6)
    small, capital = ({name: np.array([ids]) for name, ids in run.encoder.encode([word]).items()} for word in "xX")
    np.testing.assert_array_equal(small["token_ids"], capital["token_ids"])
    assert np.max(np.abs(run.model(small) - run.model(capital))) > 0.1


def test_parts_of_speech_are_learned_with_static_shapes_and_without_a_crf(tmp_path, monkeypatch):
    monkeypatch.setattr(ner, "tagging_dashboards", lambda *_: [])
    words = {"好": "ADJ", "吃": "VERB", "我": "PRON", "très": "ADV"}
    rng = np.random.default_rng(0)
    for name, count in (("train", 90), ("valid", 20)):
        sentences = (rng.choice(list(words), rng.integers(1, 9)) for _ in range(count))
        blocks = ("".join(f"{word}\t{words[word]}\n" for word in sentence) for sentence in sentences)
        (tmp_path / name).write_text("\n".join(blocks), encoding="utf-8")
    settings = ["crf=false", "static_shapes=true", "max_tokens=8", "units=4", "cell=rnn", "embedding_dim=8", "epochs=4"]
    config = ner_preset("tiny").override([*settings, "mixed_precision=true", "learning_rate=0.05"])
    out = tmp_path / "läuft"
    metrics = train_ner(config, out, train=tmp_path / "train", valid=tmp_path / "valid", report=lambda line: None)
    assert metrics["valid"]["accuracy"] > 0.95
    assert metrics["valid"].keys() == {"accuracy", "count"}
    assert metrics["scheme"] is None
    assert metrics["history"][-1]["val_accuracy"] > 0.95
    assert NerRun.load(out).score(tmp_path / "valid")["accuracy"] == metrics["valid"]["accuracy"]
    (tmp_path / "spans.jsonl").write_text('{"text": "好", "spans": []}\n', encoding="utf-8")
    with pytest.raises(InputError, match="holds spans, but the model gives plain tags"):
        NerRun.load(out).score(tmp_path / "spans.jsonl")


def test_vectors_are_asked_for_where_settings_need_them(corpora, tmp_path):
    with pytest.raises(InputError, match="setting extra_words: they come from a file of vectors"):
        train(tmp_path / "x", corpora, "english", "extra_words=3")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("name", "change", "rule"),
    [
        ("tags.txt", lambda text: text.replace("S-LOC", "S-地"), "not the tags that metrics.json names"),
        ("vocabulary.txt", lambda text: text + "好\n", r"vocabulary.txt: has \d+ entries, but model.keras \d+"),
        ("characters.txt", lambda text: text + "好\n", r"characters.txt: has \d+ entries, but model.keras \d+"),
        ("model.keras", lambda text: "чепуха", "not a Keras model: the file was cut"),
        ("config.json", lambda text: text.replace('"characters": true', '"characters": false'), "another model than"),
        ("config.json", lambda text: text.replace('"shapes": false', '"shapes": true'), "another model than"),
        ("config.json", lambda text: text.replace('"crf"', '"crv"'), "unknown setting crv; did you mean crf"),
    ],
)
def test_a_broken_run_is_named(english, tmp_path, name, change, rule):
    folder = tmp_path / "копия"
    shutil.copytree(english[0], folder)
    content = (folder / name).read_bytes().decode("utf-8", "replace")
    (folder / name).write_text(change(content), encoding="utf-8")
    with pytest.raises(InputError, match=rule):
        NerRun.load(folder)


def test_tensorboard_shows_types_confusion_and_sentences(english):
    tags = {tag for run in ("train", "validation") for tag in read(english[0] / "logs" / run)}
    expected = "fit/loss fit/entity_f1 fit/learning_rate gradient_norm/all_layers gradient_norm/crf sample_sentences "
    expected += "validation/entity_f1/LOC validation/entity_f1/PER validation/type_confusion"
    assert tags >= set(expected.split())
    assert any(tag.startswith("weights/") for tag in tags)
