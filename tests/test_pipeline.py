"""The whole road on a small sample: the task is learned, the file is smaller, the labels agree."""

import json
import os
from functools import cache
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from textapp.data.readers import read_examples
from textapp.data.samples import write_samples
from textapp.errors import InputError
from textapp.export.run import export
from textapp.runtime import load
from textapp.task import task
from textapp.training.predictor import run_decisions, run_predictor
from textapp.training.run import Run
from textapp.training.run_folder import read_command
from textapp.training.train import train

SETTINGS = ["epochs=3", "units=16", "max_tokens=32"]


@pytest.fixture(scope="module", name="road")
def _road(tmp_path_factory):
    folder = tmp_path_factory.mktemp("Straße")
    files = write_samples(folder, {"train": 1500, "valid": 200, "test": 300}, seed=1)
    lines: list[str] = []
    config = task("classification").preset("tiny").override(SETTINGS)
    metrics = train("classification", config, folder / "run", **files, report=lines.append)
    return folder, files, metrics, lines, config


@pytest.fixture(scope="module", name="exported")
def _exported(road):
    """Exports the run in a way, once, scored on the test split; gives the bundle."""
    folder, files, *_ = road

    @cache
    def exported(recipe, lowering):
        bundle = folder / f"{recipe}_{lowering}"
        export(folder / "run", bundle, recipe=recipe, lowering=lowering, examples=read_examples(files["test"]))
        return bundle

    return exported


def test_the_task_is_learned(road):
    *_, metrics, lines, _ = road
    assert metrics["test"]["accuracy"] > 0.85
    assert metrics["test"]["count"] == 300
    table = "\n".join(lines).splitlines()
    assert next(line.split() for line in table if line.startswith("data "))[-2:] == ["cut", "unknown"]
    assert any("duplicates dropped" in line for line in lines)


def test_the_run_folder_is_whole(road):
    folder, _, metrics, _, config = road
    names = {path.name for path in (folder / "run").iterdir()}
    assert names == {
        "model.keras",
        "config.json",
        "tokenizer.json",
        "vocabulary.txt",
        "labels.txt",
        "sample.jsonl",
        "metrics.json",
        "logs",
    }
    run = Run.load(folder / "run")
    assert not keras.models.load_model(folder / "run/model.keras").compiled  # an optimizer would treble the file
    assert run.config == config
    assert run.targets.names == ("negative", "positive")
    assert run.metrics == json.loads(json.dumps(metrics))


@pytest.mark.parametrize("lowering", ["fused", "unrolled"])
def test_the_bundle_is_smaller_and_agrees(road, exported, lowering):
    folder, files, metrics, *_ = road
    test = read_examples(files["test"])
    sizes, predictions = {}, {}
    for recipe in ("float32", "dynamic_wi8_afp32"):
        bundle = exported(recipe, lowering)
        description = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))
        assert description["lengths"] == [16, 32]
        assert description["metrics"]["before"]["accuracy"] == pytest.approx(metrics["test"]["accuracy"])
        sizes[recipe] = (bundle / "model.tflite").stat().st_size
        predictions[recipe] = load(bundle).predict(test.texts)
    assert sizes["dynamic_wi8_afp32"] < 0.8 * sizes["float32"]
    keras_labels = np.array([decision.label for decision in run_decisions(Run.load(folder / "run"), test)])
    for recipe, share in (("float32", 1.0), ("dynamic_wi8_afp32", 0.98)):
        labels = [prediction.label for prediction in predictions[recipe]]
        assert np.mean(keras_labels == labels) >= share
    for prediction, text in zip(predictions["dynamic_wi8_afp32"], test.texts, strict=True):
        assert sum(token.weight for token in prediction.tokens) == pytest.approx(1.0, abs=1e-3)
        assert all(
            text[token.start : token.end].lower() == token.text for token in prediction.tokens if token.text.isalpha()
        )


def test_attention_of_bundle_and_run_agree(road, exported):
    folder, *_ = road
    text = "这部电影一点也不无聊, not bad at all"
    predictors = load(exported("float32", "fused")), run_predictor(Run.load(folder / "run"))
    tokens, others = (predictor.predict([text])[0].tokens for predictor in predictors)
    assert [token.text for token in tokens] == [token.text for token in others]
    np.testing.assert_allclose([token.weight for token in tokens], [token.weight for token in others], atol=1e-5)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    "settings",
    [
        ["stream=true"],
        ["static_shapes=true", "jit_compile=true"],
        ["adversarial=0.05", "mixed_precision=true"],
    ],
    ids=["stream", "XLA", "adversarial, mixed precision"],
)
def test_other_ways_of_training(road, tmp_path, settings):
    _, files, *_, config = road
    config = config.override(["epochs=1", "units=8", "embedding_dim=8", "cell=rnn", "batch_size=128", *settings])
    metrics = train("classification", config, tmp_path / "run", **files)
    assert metrics["test"]["loss"] < 0.69
    # What early stopping looked at is what the model scores, filler rows of static shapes left out.
    tolerance = 0.02 if config.training.mixed_precision else 1e-6
    assert metrics["history"][-1]["val_accuracy"] == pytest.approx(metrics["valid"]["accuracy"], abs=tolerance)
    model = Run.load(tmp_path / "run").model
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}


def test_static_buckets_that_hold_no_batch_are_refused(road, tmp_path):
    _, files, *_, config = road
    config = config.override(["stream=true", "static_shapes=true", "batch_size=4000"])
    with pytest.raises(InputError, match="setting batch_size: with static_shapes a bucket"):
        train("classification", config, tmp_path / "run", **files)


def test_a_run_among_its_data_is_refused(road, tmp_path):
    *_, config = road
    (tmp_path / "pos").mkdir()
    with pytest.raises(InputError, match=r"逃: is inside .* and would become part of its data; choose another --out"):
        train("classification", config, tmp_path / "逃", train=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["pos"]


def test_a_training_file_may_have_a_name_that_is_no_utf_8(road, tmp_path, monkeypatch):
    _, files, *_, config = road
    path = tmp_path / os.fsdecode(b"\xff.tsv")
    path.write_bytes(Path(files["train"]).read_bytes())
    monkeypatch.setattr("textapp.training.train.fit", lambda *_, **__: [])
    train("classification", config, tmp_path / "run", train=path, valid=files["valid"])
    assert read_command(tmp_path / "run")["train"] == str(path)


def test_memory_that_does_not_suffice_is_said(road, tmp_path, monkeypatch):
    _, files, *_, config = road

    def exhausted(*_, **__):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(keras.Model, "fit", exhausted)
    with pytest.raises(InputError, match="out of memory; a smaller batch_size"):
        train("classification", config, tmp_path / "run", **files)


@pytest.mark.usefixtures("undrawn")
def test_resuming_with_other_validation_texts_is_refused(road, tmp_path, monkeypatch):
    _, files, *_, config = road
    run = tmp_path / "run"
    config = config.override(["cell=rnn", "units=4", "epochs=2"])
    with monkeypatch.context() as patch:  # killed after its last epoch, before the model is written
        patch.setattr("textapp.training.run.save_model", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            train("classification", config, run, **files)
    valid = tmp_path / "gültig.tsv"
    valid.write_bytes(Path(files["valid"]).read_bytes())
    settings = json.loads((run / "config.json").read_text(encoding="utf-8"))
    (run / "config.json").write_text(json.dumps({**settings, "valid": str(valid)}), encoding="utf-8")
    lines = valid.read_text(encoding="utf-8").splitlines(keepends=True)
    valid.write_text("".join(lines[:-1]), encoding="utf-8")
    with pytest.raises(InputError, match="data or settings have changed"):
        train("classification", config, run, **{**files, "valid": str(valid)})
