"""`textapp quantize`: a run with rounded weights, what it refuses, and that killing it changes nothing."""

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.cli.commands import change_json, read_json, run_and_kill
from textapp.cli.quantize import _say_summary
from textapp.compress import quantize
from textapp.compress.config import QuantizeConfig
from textapp.compress.granularity import stored_weights
from textapp.compress.rounding import rounded
from textapp.training import scores, train
from textapp.training.run import Run
from textapp.training.run_folder import CHECKPOINT

pytestmark = pytest.mark.usefixtures("undrawn")
OPTIONS = ("--bits", "4", "--embedding-bits", "2", "--epochs", "2", "--set", "learning_rate=0.02")


@pytest.fixture(scope="module")
def wide_run(tmp_path_factory, models, undrawn) -> Path:
    """A classifier whose table and attention are large enough for integers."""
    model, folder = models("classification"), tmp_path_factory.mktemp("Läufe") / "широкий 宽"
    config = model.task.preset("tiny").override(
        ["epochs=1", "max_tokens=8", "units=16", "encoder=recurrent", "cell=rnn", "baseline=false"]
    )
    files = {name: model.files[name] for name in ("train", "test")}
    train.train("classification", config, folder, **files, report=lambda line: None)
    return folder


@pytest.fixture(scope="module")
def quantized(tmp_path_factory, wide_run) -> Path:
    """The run that `OPTIONS` make of it."""
    folder = tmp_path_factory.mktemp("Läufe") / "сжатый 小"
    config = QuantizeConfig().replaced(bits=4, embedding_bits=2, epochs=2, learning_rate=0.02)
    quantize.quantize(config, wide_run, folder, report=lambda line: None)
    return folder


def test_a_run_is_trained_on_and_described(textapp, wide_run, quantized, tmp_path):
    folder = tmp_path / "прогон 好"
    outcome = textapp("quantize", wide_run, "--out", folder, *OPTIONS, "--json")
    assert outcome.code == 0
    metrics = outcome.json
    assert metrics == read_json(folder / "metrics.json")
    expected = read_json(quantized / "metrics.json")
    assert {**metrics, "seconds": 0} == {**expected, "seconds": 0}
    assert {path.name for path in folder.iterdir()} == {*(path.name for path in wide_run.iterdir()), "logs"}

    quantization = metrics["quantization"]
    assert (quantization["bits"], quantization["embedding_bits"]) == (4, 2)
    assert quantization["recipe"] == "dynamic_wi8_afp32_emb2"
    floats = read_json(wide_run / "metrics.json")
    assert quantization["float"]["valid"]["accuracy"] == floats["valid"]["accuracy"]
    assert quantization["float"]["test"] == pytest.approx(floats["test"])
    assert set(quantization["post_training"]) == {"valid", "test"}
    accuracies = [epoch["val_accuracy"] for epoch in metrics["history"]]
    assert len(accuracies) == 2
    best = max([*accuracies, quantization["post_training"]["valid"]["accuracy"]])
    assert metrics["valid"]["accuracy"] == pytest.approx(best)
    assert metrics["valid"] == quantization[quantization["kept"]]["valid"]
    assert quantization["quantization_aware"]["valid"]["accuracy"] == pytest.approx(max(accuracies))
    assert quantization["bytes"] == sum(weight["bytes"] for weight in quantization["weights"])
    assert f"{quantization['bytes']:,}" in outcome.err
    assert f"--recipe {quantization['recipe']} --lowering fused" in outcome.err
    assert "post-training: valid accuracy" in outcome.err


def test_its_weights_are_rounded_and_it_is_a_run(textapp, quantized, classifier):
    run = Run.load(quantized)
    weights = [weight for weight in stored_weights(run.model) if weight.granularity is not None]
    assert {weight.granularity.kind for weight in weights} == {"row", "channel"}
    for weight in weights:
        value = weight.variable.numpy()
        np.testing.assert_array_equal(rounded(value, weight.granularity, 2 if weight.is_table else 4), value)
    accuracy = textapp("evaluate", quantized, "--data", classifier.files["test"], "--json").json["accuracy"]
    assert accuracy == pytest.approx(run.metrics["test"]["accuracy"])


def test_a_tagger_comes_out_as_a_run_for_all_commands(textapp, tagger, tmp_path):
    folder, data = tmp_path / "сжатые 小", tagger.files["test"]
    outcome = textapp("quantize", tagger.run, "--out", folder, "--embedding-bits", 4, "--epochs", 0, "--json")
    f1 = outcome.json["test"]["entity_f1"]
    assert f"post-training: valid entity F1 {outcome.json['valid']['entity_f1']:.4f}" in outcome.err
    assert outcome.json["quantization"]["recipe"] == "dynamic_wi8_afp32_emb4"
    assert textapp("evaluate", folder, "--data", data, "--json").json["entity_f1"] == pytest.approx(f1)
    assert textapp("predict", folder, "then Mr Ançolu sang in Dabe .").code == 0
    report = textapp("report", tagger.run, folder, "--data", data, "--out", tmp_path / "отчёт.html", "--json").json
    assert report["variants"][1]["score"] == pytest.approx(f1)
    assert report["variants"][1]["lineage"]["quantized"]["embedding_bits"] == 4


def test_it_exports_as_it_was_rounded_unless_told_otherwise(textapp, quantized, tmp_path):
    arguments = ["export", quantized, "--lengths", "8", "--json", "--out"]
    own = textapp(*arguments, tmp_path / "пакет")
    assert own.json["recipe"] == "dynamic_wi8_afp32_emb2"
    assert own.json["checks"]["agreement with Keras"]["label_agreement"] == 1.0
    assert "note:" not in own.err
    other = textapp(*arguments, tmp_path / "другой", "--recipe", "float32")
    assert other.json["recipe"] == "float32"
    assert "note: the run was quantized for dynamic_wi8_afp32_emb2 fused; float32 fused stores" in other.err


def test_files_that_have_changed_since_are_refused(textapp, copy, wide_run, classifier, tmp_path):
    train_file, changed, out = classifier.files["train"], tmp_path / "другой.tsv", tmp_path / "п"
    rule = "gives another vocabulary, other targets or other examples than the run has; the file has changed since"
    run = copy(wide_run)
    change_json(run / "metrics.json", fingerprint="0" * 64)  # the same words in another order, for example
    assert textapp("quantize", run, "--out", out, "--epochs", 0).refusal == f"{train_file}: {rule}"
    shutil.copy(classifier.files["test"], changed)
    change_json(run / "config.json", train=str(changed), test=None)
    assert textapp("quantize", run, "--out", out).refusal == f"{changed}: {rule}"
    assert not out.exists()


def test_without_epochs_it_is_rounded_only(textapp, wide_run, tmp_path):
    outcome = textapp("quantize", wide_run, "--out", tmp_path / "п", "--bits", 4, "--epochs", 0, "--json")
    assert outcome.code == 0
    quantization = outcome.json["quantization"]
    assert quantization["kept"] == "post_training"
    assert outcome.json["valid"] == quantization["post_training"]["valid"]
    assert outcome.json["history"] == []
    assert quantization["recipe"] == "dynamic_wi8_afp32"


def test_rounding_alone_is_kept_where_no_epoch_is_as_good(textapp, wide_run, tmp_path, monkeypatch):
    def worse(model, *_, **__):
        model.set_weights([np.zeros_like(value) for value in model.get_weights()])
        monkeypatch.setattr(quantize, "score_splits", lambda *_: scores.Scored({"valid": {"accuracy": 0.01}}, None, {}))
        return [{"val_accuracy": 0.01}]

    monkeypatch.setattr(quantize, "fit", worse)
    outcome = textapp("quantize", wide_run, "--out", tmp_path / "п", "--json")
    assert "quantization-aware: valid accuracy 0.0100\nno epoch was as good" in outcome.err
    assert outcome.json["quantization"]["kept"] == "post_training"
    assert outcome.json["valid"] == outcome.json["quantization"]["post_training"]["valid"]


def test_dropout_draws_other_masks_than_the_run_did(wide_run, tmp_path, monkeypatch):
    """The run's own masks over the same batches would be known by heart."""
    drawn = []

    def seeds(model):
        return [tuple(np.asarray(v)) for v in model.non_trainable_variables if v.dtype != "float32"]

    def fit(aware, *_, **__):
        drawn.append(seeds(aware.model))
        return [{"val_accuracy": 1.0}]

    monkeypatch.setattr(quantize, "fit", fit)
    for folder in ("п", "второй"):
        quantize.quantize(QuantizeConfig(), wide_run, tmp_path / folder, report=lambda line: None)
    keras.utils.set_random_seed(Run.load(wide_run).config.training.seed)
    of_the_run = seeds(Run.load(wide_run).model)
    assert of_the_run
    assert not set(of_the_run) & set(drawn[0])
    assert drawn[0] == drawn[1]


def test_a_killed_quantization_ends_like_one_that_was_not(textapp, wide_run, quantized, tmp_path):
    folder = tmp_path / "убитый 死"
    arguments = ["quantize", str(wide_run), "--out", str(folder), *OPTIONS]
    run_and_kill(arguments, (folder / CHECKPOINT).exists)  # written at the end of the first of two epochs
    assert not (folder / "metrics.json").exists()

    refusal = textapp(*arguments, "--set", "freeze=0.5").refusal
    assert refusal.startswith(f"{folder}: holds an unfinished run with other quantize")
    spelled_otherwise = wide_run.parent / ".." / wide_run.parent.name / wide_run.name
    outcome = textapp("quantize", spelled_otherwise, *arguments[2:], "--json")
    assert outcome.code == 0
    assert "epoch 1/2" not in outcome.err
    expected = read_json(quantized / "metrics.json")
    assert {**outcome.json, "seconds": 0} == {**expected, "seconds": 0}
    weights, expected_weights = (Run.load(path).model.get_weights() for path in (folder, quantized))
    for received, wanted in zip(weights, expected_weights, strict=True):
        np.testing.assert_array_equal(received, wanted)


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["--bits", "9"], "setting bits: must be from 2 to 8; received 9"),
        (["--embedding-bits", "1"], "setting embedding_bits: must be from 2 to 8"),
        (["--set", "freez=1"], "unknown setting freez; did you mean freeze?"),
        (["--set", "delay=0.5", "--set", "freeze=0.5"], "delay below freeze"),
        (["--epochs", "-1"], "setting epochs: must be from 0"),
        (["--set", "learning_rate=0"], "setting learning_rate: must be above 0"),
        (["--set", "warmup=1"], "setting warmup: must be at least 0 and below 1"),
    ],
)
def test_a_wrong_setting_is_refused(textapp, wide_run, tmp_path, arguments, rule):
    assert rule in textapp("quantize", wide_run, "--out", tmp_path / "п", *arguments).refusal
    assert not (tmp_path / "п").exists()


def test_the_run_itself_is_never_written_to(textapp, copy, wide_run, snapshot):
    folder = copy(wide_run)
    before = snapshot(folder)
    for out in (folder, folder / ".." / folder.name):
        assert "is the run itself; choose another --out" in textapp("quantize", folder, "--out", out, "--force").refusal
    assert snapshot(folder) == before


def test_a_finished_run_is_not_overwritten(textapp, wide_run, quantized, snapshot):
    before = snapshot(quantized)
    assert "holds a finished run" in textapp("quantize", wide_run, "--out", quantized, *OPTIONS).refusal
    assert snapshot(quantized) == before


def test_what_is_no_finished_run_is_refused(textapp, copy, model, tmp_path):
    out = tmp_path / "п"
    assert "нет: no such folder; give the folder" in textapp("quantize", tmp_path / "нет", "--out", out).refusal
    assert "not a run folder" in textapp("quantize", model.bundle, "--out", out).refusal
    folder = copy(model.run)
    change_json(folder / "config.json", train=None)
    assert "names no training file" in textapp("quantize", folder, "--out", out).refusal
    (folder / "metrics.json").unlink()
    assert "this training is not finished" in textapp("quantize", folder, "--out", out).refusal
    assert not out.exists()


def test_the_table_of_a_tagger_fits_a_terminal(capsys):
    names = [
        "forward_lstm kernel",
        "backward_lstm recurrent_kernel",
        "very_long_name_of_a_backward_lstm recurrent_kernel",
    ]
    weights = [
        {"layer": "encoder_10/" + name.split()[0], "weight": name.split()[1], "shape": [30_000, 1_024]}
        | {"bits": 2, "stored_bits": 8, "bytes": 30_720_000, "error": 1.0}
        for name in names
    ]
    _say_summary({"weights": weights, "bytes": 92_160_000, "embedding_bits": 2})
    above, *lines = capsys.readouterr().err.splitlines()
    assert above == ""
    assert max(map(len, lines)) == 80
    assert lines[2].split()[-4:] == ["in", "8", "30,720,000", "100.00%"]
    assert lines[4].startswith("…")
    assert "lstm recurrent_kernel  " in lines[4]
