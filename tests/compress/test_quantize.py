"""Runs and students trained on with rounded weights: runs of their task, as good as rounding alone or better."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.compress.runs import (
    QUANTIZE,
    QUIET,
    Killed,
    assert_same_run,
    fit_replaced,
    killed_within_an_epoch,
    metrics_of,
    names_in,
    untrained,
)
from textapp.compress.config import QuantizeConfig
from textapp.compress.granularity import stored_weights
from textapp.compress.lineage import Lineage
from textapp.compress.quantize import quantize
from textapp.compress.rounding import rounded
from textapp.compress.soft_loss import SoftLoss
from textapp.compress.teachers import RunTeacher
from textapp.errors import InputError
from textapp.export.run import export
from textapp.layers import CRFLoss
from textapp.runtime import load
from textapp.task import task
from textapp.tasks.tagging.decoding import crf_scores
from textapp.training.run import Run
from textapp.training.run_folder import CHECKPOINT, SOFT_TARGETS
from textapp.training.train import train
from textapp.training.validation import ValidationScores

CONFIG = QuantizeConfig(embedding_bits=2, bits=4, epochs=2, learning_rate=0.01, freeze=0.75)
INTEGER = QuantizeConfig(activation_bits=8, epochs=2, learning_rate=0.01, delay=0.1)
LARGE_TABLE = ("embedding_dim=32", "min_count=1", "vocabulary_size=200")  # a smaller one stays float in files


@pytest.fixture(scope="session", name="run")
def _run(case, tmp_path_factory):
    """A run whose weights are those that it began with: there is more left to learn."""
    folder = tmp_path_factory.mktemp("Läufe") / "метки 好"
    recurrent = ["encoder=recurrent", "cell=rnn"] if case.task.name == "classification" else []
    with untrained():
        case.train(folder, *LARGE_TABLE, "units=32", *recurrent, test=case.files["test"])
    return folder


@pytest.fixture(scope="session", name="quantized")
def _quantized(run):
    """The run quantized, and the lines that this reported."""
    folder, lines = run.with_name("сжатые 小"), []
    quantize(CONFIG, run, folder, report=lines.append)
    return folder, lines


@pytest.fixture(scope="session", name="student")
def _student(case, run):
    """A student of the run, which is moved away then; its weights are those that it began with."""
    folder, teacher, texts = run.with_name("学生"), run.with_name("учитель"), run.with_name("ещё.txt")
    texts.write_text("Yesterday Ms Zorba slept well in Ōsaka.\nthen Mr Anbeço sang near Luda .\n", encoding="utf-8")
    shutil.copytree(run, teacher)
    with untrained():
        case.distill(folder, [RunTeacher(teacher)], *LARGE_TABLE, "alpha=0.25", unlabelled=[str(texts)])
    shutil.rmtree(teacher)
    return folder


@pytest.fixture(scope="session", name="quantized_student")
def _quantized_student(student):
    folder = student.with_name("сжатый 生")
    quantize(QuantizeConfig(4, 2, epochs=1), student, folder, **QUIET)
    return folder


@pytest.fixture(name="key")
def _key(case, run):
    """The name of the score by which models of the task are compared."""
    return case.task.main_score(Run.load(run).targets)


def check_rounded(model, bits, embedding_bits):
    weights = [weight for weight in stored_weights(model) if weight.granularity is not None]
    assert "row" in {weight.granularity.kind for weight in weights}
    for weight in weights:
        value = weight.variable.numpy()
        own_bits = embedding_bits if weight.is_table else bits
        np.testing.assert_array_equal(rounded(value, weight.granularity, own_bits), value)


def inspected(source, out, check, config=CONFIG):
    """Quantizes a run as far as its training, in whose place `check` is called with what `fit` is given."""

    def fit(model, batches, validation, **options):
        check(model, batches, validation, **options)
        raise Killed

    with fit_replaced(fit, QUANTIZE), pytest.raises(Killed):
        quantize(config, source, out, **QUIET)


def test_it_is_a_run_of_its_task_and_says_how_it_was_rounded(run, quantized, key):
    folder, lines = quantized
    metrics, trained = metrics_of(folder), metrics_of(run)
    assert names_in(folder) == names_in(run) | {"logs"}
    assert metrics.keys() == {*trained.keys(), "quantization"}
    changed = {"valid", "test", "intervals", "history", "epochs", "quantization", "thresholds", "temperature"}
    assert {name: metrics[name] for name in trained.keys() - changed} == {
        name: trained[name] for name in trained.keys() - changed
    }
    quantization = metrics["quantization"]
    assert quantization["recipe"] == "dynamic_wi8_afp32_emb2"
    assert quantization["float"] == {name: trained[name] for name in ("valid", "test")}
    assert Lineage.of_run(folder).quantized.embedding_bits == 2
    assert not any("crf" in weight["layer"] for weight in quantization["weights"])
    check_rounded(Run.load(folder).model, 4, 2)
    score, name = quantization["post_training"]["test"][key], Run.load(folder).task.score_titles[key]
    assert any(line.startswith(f"post-training: valid {name} ") and line.endswith(f" {score:.4f}") for line in lines)


def test_its_scores_are_those_of_the_rounded_weights(case, quantized, key):
    folder, _ = quantized
    metrics = metrics_of(folder)
    scores = [epoch[f"val_{key}"] for epoch in metrics["history"]]
    alone = metrics["quantization"]["post_training"]["valid"][key]
    assert len(scores) == CONFIG.epochs
    assert metrics["valid"][key] == pytest.approx(max([*scores, alone]))
    assert (metrics["quantization"]["kept"] == "quantization_aware") == (max(scores) >= alone)
    assert RunTeacher(folder).score(case.task.read(case.files["test"])) == metrics["test"]


def test_it_is_exported_without_further_rounding(case, quantized, tmp_path):
    folder, _ = quantized
    for recipe in ("dynamic_wi8_afp32", None):
        bundle = tmp_path / str(recipe)
        checks = export(folder, bundle, recipe=recipe, lengths=[12])["checks"]
        assert checks["agreement with Keras"]["label_agreement"] > 0.98
    assert json.loads((bundle / "bundle.json").read_text())["recipe"] == "dynamic_wi8_afp32_emb2"
    assert len(load(bundle).predict(case.texts("valid")[:2])) == 2
    if case.task.unit == "token":
        assert json.loads((bundle / "crf.json").read_text()) == crf_scores(Run.load(folder).model.get_layer("crf"))


def test_an_epoch_is_scored_with_rounded_weights(case, run, randomized, key, tmp_path):
    def check(aware, batches, validation, *, scores, monitor, **_):
        (callback,) = scores
        assert monitor == f"val_{key}"
        randomized(aware.model)
        floats, logs, of_floats = aware.model.get_weights(), {}, {}
        callback.on_epoch_end(0, logs)
        for one, other in zip(aware.model.get_weights(), floats, strict=True):
            np.testing.assert_array_equal(one, other)
        data = (case.task, aware.model, callback.examples, callback.rows, validation, batches.batch_size)
        plain = ValidationScores(*data, callback.targets)
        plain.on_epoch_end(0, of_floats)
        aware.apply_rounding()
        of_rounded = {}
        plain.on_epoch_end(0, of_rounded)
        assert logs == of_rounded != of_floats

    inspected(run, tmp_path / "п", check, QuantizeConfig(bits=2, embedding_bits=2))


def check_killed_and_resumed(config, source, folder, expected):
    with killed_within_an_epoch():
        quantize(config, source, folder, **QUIET)
    assert (folder / CHECKPOINT).exists()
    assert not (folder / "metrics.json").exists()
    quantize(config, source, folder, **QUIET)
    assert_same_run(folder, expected)


@pytest.mark.parametrize("case", ["classification", "tagging"], indirect=True)
def test_killed_within_an_epoch_it_ends_like_one_that_was_not(run, quantized, tmp_path):
    check_killed_and_resumed(CONFIG, run, tmp_path / "убитый 死", quantized[0])


@pytest.mark.parametrize("case", ["classification", "tagging"], indirect=True)
def test_killed_with_rounded_activations_it_ends_like_one_that_was_not(case, tmp_path):
    """The ranges of activations, which move in each step, are part of what is resumed."""
    source, expected = tmp_path / "run", tmp_path / "весь"
    with untrained():
        case.train(source, "units=8", *(["crf=false", "characters=false"] if case.task.unit == "token" else []))
    metrics = quantize(INTEGER, source, expected, **QUIET)
    assert metrics["quantization"]["recipe"] == "static_wi8_ai8"
    assert metrics["quantization"]["kept"] == "quantization_aware"
    check_killed_and_resumed(INTEGER, source, tmp_path / "убитый 死", expected)


def test_files_that_changed_since_are_refused(case, run, tmp_path):
    source = tmp_path / "метки"
    shutil.copytree(run, source)
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    config |= {"train": case.files["test"], "test": None}
    (source / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(
        InputError, match=rf"{Path(case.files['test']).name}: gives another vocabulary, other targets or other examples"
    ):
        quantize(CONFIG, source, tmp_path / "п", **QUIET)
    assert not (tmp_path / "п").exists()


def test_a_student_continues_without_its_teachers(student, quantized_student, key):
    metrics, trained = metrics_of(quantized_student), metrics_of(student)
    assert names_in(quantized_student) == names_in(student) | {"logs"}
    assert metrics.keys() == {*trained.keys(), "quantization"}
    assert metrics["data"] == trained["data"]
    assert metrics["data"]["train"]["unlabelled"] == 2
    assert metrics["quantization"]["float"]["valid"] == trained["valid"]
    alone = metrics["quantization"]["post_training"]["valid"][key]
    assert metrics["valid"][key] == pytest.approx(max(alone, metrics["history"][0][f"val_{key}"]))
    check_rounded(Run.load(quantized_student).model, 4, 2)


def test_the_teachers_of_a_student_are_still_named(student, quantized_student, key):
    metrics, before = metrics_of(quantized_student), metrics_of(student)["distillation"]
    assert before[f"valid_{key}"] > 0
    assert metrics["distillation"] == {**before, "kept": metrics["valid"][key] / before[f"valid_{key}"]}
    assert Lineage.of_run(quantized_student).teachers == Lineage.of_run(student).teachers
    assert (quantized_student / SOFT_TARGETS).read_bytes() == (student / SOFT_TARGETS).read_bytes()


def test_the_loss_of_a_student_is_that_of_its_distillation(case, student, tmp_path):
    def check(aware, batches, validation, **_):
        targets = Run.load(student).targets
        assert isinstance(aware.loss, SoftLoss)
        assert aware.loss.alpha == 0.25
        for inputs, soft, *_ in batches.dataset.take(1):
            width = (1 if case.task.exclusive else len(targets)) + len(targets)
            assert soft.shape == ((*inputs.shape, width) if case.task.unit == "token" else (len(inputs), width))
        if case.task.metrics():  # of soft targets too, as `fit` weighs them
            shown = aware.evaluate(validation, verbose=0, return_dict=True)["accuracy"]
            with aware.rounded_weights():
                score = RunTeacherOf(aware.model, student).score(case.task.read(case.files["valid"]))
            assert shown == pytest.approx(score["accuracy"])

    inspected(student, tmp_path / "п", check)


class RunTeacherOf(RunTeacher):
    """A run with another model in the place of its own."""

    def __init__(self, model, folder):
        super().__init__(folder)
        object.__setattr__(self._run, "model", model)


def test_what_was_quantized_can_be_quantized_in_turn(quantized_student, tmp_path):
    metrics = quantize(QuantizeConfig(epochs=0), quantized_student, tmp_path / "ещё", **QUIET)
    assert metrics["quantization"]["kept"] == "post_training"
    assert metrics["quantization"]["float"]["valid"] == metrics_of(quantized_student)["valid"]
    assert metrics["valid"] == metrics_of(quantized_student)["valid"]  # what is rounded already stays


def test_a_student_needs_its_soft_targets(student, tmp_path):
    source = tmp_path / "ученик"
    shutil.copytree(student, source)
    (source / SOFT_TARGETS).unlink()
    with pytest.raises(InputError, match=r"ученик/soft_targets\.jsonl\.gz: missing; distil the student again"):
        quantize(CONFIG, source, tmp_path / "п", **QUIET)
    assert not (tmp_path / "п").exists()


@pytest.mark.parametrize("case", ["classification"], indirect=True)
def test_a_student_of_textapp_0_1_continues_with_its_soft_labels(student, tmp_path):
    source = tmp_path / "ученик"
    shutil.copytree(student, source)
    (source / SOFT_TARGETS).rename(source / "soft_labels.jsonl.gz")
    for name in ("config.json", "metrics.json"):
        content = json.loads((source / name).read_text(encoding="utf-8"))
        content["task"] = "sentiment"
        content.pop("fingerprint", None)
        if name == "config.json":
            content["distillation"] |= {"attention_weight": 0.5}  # a setting that is gone
        (source / name).write_text(json.dumps(content), encoding="utf-8")
    metrics = quantize(QuantizeConfig(epochs=0), source, tmp_path / "п", **QUIET)
    assert metrics["quantization"]["float"]["valid"] == metrics_of(student)["valid"]
    assert (tmp_path / "п" / SOFT_TARGETS).read_bytes() == (student / SOFT_TARGETS).read_bytes()


@pytest.mark.parametrize("case", ["tagging"], indirect=True)
def test_the_transitions_of_a_crf_are_trained_and_stay_float(run, tmp_path):
    def check(aware, batches, *_, **__):
        crf = aware.model.get_layer("crf")
        assert isinstance(aware.loss, CRFLoss)
        assert aware.loss.layer is crf
        before = crf.transitions.numpy()
        aware.apply_rounding()
        np.testing.assert_array_equal(crf.transitions.numpy(), before)
        inputs, tag_ids, *_ = next(iter(batches.dataset))
        with tf.GradientTape() as tape:
            loss = aware.compute_loss(inputs, tag_ids, aware(inputs, training=True))
        table = aware.model.get_layer("embedding").embeddings
        for gradient in tape.gradient(loss, [crf.transitions.value, table.value]):
            assert np.abs(tf.convert_to_tensor(gradient)).max() > 0

    inspected(run, tmp_path / "п", check)


@pytest.mark.parametrize("case", ["tagging"], indirect=True)
def test_plain_tags_are_scored_by_accuracy(case, tmp_path):
    source, folder = tmp_path / "части речи", tmp_path / "сжатые"
    settings = [
        "units=8",
        "crf=false",
        "characters=false",
        "scheme=none",
        "max_tokens=16",
        "encoder=convolution",
        "batch_size=16",
    ]
    files = {name: case.files[name] for name in ("train", "valid")}
    with untrained():
        train("tagging", task("tagging").preset("tags").override(settings), source, **files, **QUIET)
    metrics = quantize(QuantizeConfig(epochs=1), source, folder, **QUIET)
    assert metrics["scheme"] is None
    alone = metrics["quantization"]["post_training"]["valid"]["accuracy"]
    assert metrics["valid"]["accuracy"] == max(alone, metrics["history"][0]["val_accuracy"])


def finished(folder, name, **command):
    """The two files that tell of a finished run."""
    folder.mkdir()
    command = {"settings": {}, "textapp_version": "0", "train": "t.tsv", **command}
    (folder / "config.json").write_text(json.dumps(command), encoding="utf-8")
    (folder / "metrics.json").write_text(json.dumps({"task": name}), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("name", "command", "rule"),
    [
        ("vectors", {}, "läuft 好: a training of word vectors, not a run"),
        ("regression", {}, r"läuft 好/metrics.json: task 'regression' must be one of classification, tagging"),
        ("ner", {"train": None}, "läuft 好/config.json: names no training file"),
        ("classification", {"train": None}, "läuft 好/config.json: names no training file"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(tmp_path, name, command, rule):
    with pytest.raises(InputError, match=rule):
        quantize(QuantizeConfig(), finished(tmp_path / "läuft 好", name, **command), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_run_itself_is_not_written_to(tmp_path):
    source = finished(tmp_path / "läuft", "tagging")
    with pytest.raises(InputError, match="läuft: is the run itself; choose another --out"):
        quantize(QuantizeConfig(), source, Path(tmp_path, "x", "..", "läuft"), force=True)
