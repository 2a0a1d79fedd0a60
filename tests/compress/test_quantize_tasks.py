"""Students and taggers trained on with rounded weights: runs of their kind, as good as rounding alone or better."""

import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from textapp.compress.distillation import distill
from textapp.compress.distillation_loss import DistillationLoss, LabelAccuracy
from textapp.compress.groups import stored_weights
from textapp.compress.quantize_classifiers import Student
from textapp.compress.quantize_taggers import RoundedValidationTags, Tagger, TaggerStudent
from textapp.compress.quantize_tasks import snapped
from textapp.compress.soft_labels import SoftLabels
from textapp.compress.tagger_distillation import distill_tagger
from textapp.compress.tagger_loss import TagDistillationLoss
from textapp.compress.tagger_teachers import TaggerTeacher
from textapp.export.tagger_bundle import crf_scores
from textapp.training.ner import train_ner
from textapp.training.ner_run import NerRun

from textapp.compress import quantize
from textapp.compress.config import QuantizeConfig, distill_preset, distill_tagger_preset
from textapp.compress.lineage import Lineage
from textapp.compress.quantization_aware import QuantizationAware
from textapp.compress.quantize import quantize_run, task_of
from textapp.compress.rounding import rounded
from textapp.config import ner_preset
from textapp.data.readers import read_examples
from textapp.data.samples import write_samples
from textapp.errors import InputError
from textapp.export.run import export_run, export_tagger_run
from textapp.layers import CRFLoss
from textapp.runtime import load
from textapp.training import ner
from textapp.training.fit import fit
from textapp.training.run import CHECKPOINT, Run, read_finished
from textapp.training.strategy import choose_strategy

pytestmark = pytest.mark.usefixtures("undrawn")
CONFIG = QuantizeConfig(embedding_bits=2, bits=4, epochs=2, learning_rate=0.01)
SMALL = ("max_tokens=16", "cell=rnn", "min_count=1", "batch_size=8", "character_filters=8")


def quiet(line):
    del line


def metrics_of(folder):
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


def opened(folder, report=quiet):
    command, metrics = read_finished(folder)
    return task_of(folder, command, metrics).open(folder, command, choose_strategy(), report)


def untrained(config, folder, files):
    """Leaves a run of a tagger without training it."""
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(ner, "fit", lambda *_, **__: [{"loss": 1.0}])
        train_ner(config, folder, report=quiet, **files)


def check_rounded(model, bits, embedding_bits):
    weights = [weight for weight in stored_weights(model) if weight.granularity is not None]
    assert "row" in {weight.granularity.kind for weight in weights}
    for weight in weights:
        value = weight.variable.numpy()
        own_bits = embedding_bits if weight.is_table else bits
        np.testing.assert_array_equal(rounded(value, weight.granularity, own_bits), value)


def names_in(folder):
    return {path.name for path in folder.iterdir()}


@pytest.fixture(scope="module", name="tag_files")
def _tag_files(tmp_path_factory, tagged_corpus):
    folder = tmp_path_factory.mktemp("данные 数据")
    counts = {"train": 80, "valid": 24, "test": 20}
    return {
        name: tagged_corpus(folder / f"{name}.txt", "english", n, seed) for seed, (name, n) in enumerate(counts.items())
    }


@pytest.fixture(scope="module", name="tagger")
def _tagger(tmp_path_factory, tag_files):
    """A run whose weights are those that it began with: there is more left to learn."""
    folder = tmp_path_factory.mktemp("Läufe") / "метки 好"
    untrained(ner_preset("tiny").override(SMALL), folder, tag_files)
    (folder / "logs").mkdir()
    return folder


@pytest.fixture(scope="module", name="quantized_tagger")
def _quantized_tagger(tagger):
    folder = tagger.with_name("сжатые 小")
    lines = []
    quantize_run(CONFIG, tagger, folder, report=lines.append)
    return folder, lines


class TestTagger:
    def test_it_is_a_run_of_a_tagger(self, tagger, quantized_tagger):
        folder, lines = quantized_tagger
        metrics, trained = metrics_of(folder), metrics_of(tagger)
        assert names_in(folder) == names_in(tagger)
        assert metrics.keys() == {*trained.keys(), "quantization"}
        for key in ("task", "tags", "scheme", "data", "parameters"):
            assert metrics[key] == trained[key]
        quantization = metrics["quantization"]
        assert quantization["recipe"] == "dynamic_wi8_afp32_emb2"
        assert quantization["float"] == {name: trained[name] for name in ("valid", "test")}
        assert Lineage.of_run(folder).quantized.embedding_bits == 2
        run = NerRun.load(folder)
        assert not any("crf" in weight["layer"] for weight in quantization["weights"])
        check_rounded(run.model, 4, 2)
        f1 = quantization["post_training"]["test"]["entity_f1"]
        assert any(line.startswith("post-training: valid entity F1") and line.endswith(f"{f1:.4f}") for line in lines)

    def test_its_scores_are_those_of_the_rounded_weights(self, quantized_tagger, tag_files):
        folder, _ = quantized_tagger
        metrics = metrics_of(folder)
        scores = [epoch["val_entity_f1"] for epoch in metrics["history"]]
        alone = metrics["quantization"]["post_training"]["valid"]["entity_f1"]
        assert len(scores) == CONFIG.epochs
        assert metrics["valid"]["entity_f1"] == max([*scores, alone])
        assert (metrics["quantization"]["kept"] == "quantization_aware") == (max(scores) >= alone)
        assert NerRun.load(folder).score(tag_files["test"]) == metrics["test"]

    def test_it_exports(self, quantized_tagger, tmp_path):
        folder, _ = quantized_tagger
        for recipe in ("dynamic_wi8_afp32", "dynamic_wi8_afp32_emb2"):
            bundle = tmp_path / recipe
            checks = export_tagger_run(folder, bundle, recipe=recipe, lengths=[16])["checks"]
            assert checks["agreement with Keras"]["label_agreement"] == 1.0
        assert json.loads((bundle / "crf.json").read_text()) == crf_scores(NerRun.load(folder).model.get_layer("crf"))
        assert len(load(bundle).predict(["then Mr Ançolu sang in Dabe ."])[0].tokens) == 7

    def test_transitions_are_trained_and_stay_float(self, tagger):
        task = opened(tagger)
        aware = QuantizationAware(task.model, 4, 2)
        task.compile(aware, CONFIG)
        crf = task.model.get_layer("crf")
        assert isinstance(aware.loss, CRFLoss)
        assert aware.loss.layer is crf
        before = crf.transitions.numpy()
        aware.snap()
        np.testing.assert_array_equal(crf.transitions.numpy(), before)
        inputs, tag_ids, *_ = next(iter(task.data.batches.dataset))
        with tf.GradientTape() as tape:
            loss = aware.compute_loss(inputs, tag_ids, aware(inputs, training=True))
        table = task.model.get_layer("embedding").embeddings
        of_transitions, of_table = tape.gradient(loss, [crf.transitions.value, table.value])
        assert np.abs(of_transitions).max() > 0
        assert np.abs(tf.convert_to_tensor(of_table)).max() > 0

    def test_an_epoch_is_scored_with_rounded_weights(self, tagger, randomized):
        task = opened(tagger)
        randomized(task.model)
        aware = QuantizationAware(task.model, 2, 2)
        (callback,) = task.callbacks
        assert isinstance(callback, RoundedValidationTags)
        callback.set_model(aware)
        floats, logs = task.model.get_weights(), {}
        callback.on_epoch_end(0, logs)
        for one, other in zip(task.model.get_weights(), floats, strict=True):
            np.testing.assert_array_equal(one, other)
        of_floats = task.scores()["valid"]
        aware.snap()
        of_rounded = task.scores()["valid"]
        assert logs["val_token_accuracy"] == of_rounded["token_accuracy"] != of_floats["token_accuracy"]

    def test_killed_it_ends_like_one_that_was_not(self, tagger, quantized_tagger, tmp_path, monkeypatch):
        class Killed(BaseException):
            """Stands for `kill -9`."""

        class Kill(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                if epoch == 1:
                    raise Killed

        def killed(*arguments, callbacks, **options):
            return fit(*arguments, callbacks=[*callbacks, Kill()], **options)

        folder = tmp_path / "убитый 死"
        with monkeypatch.context() as patches:
            patches.setattr(quantize, "fit", killed)
            with pytest.raises(Killed):
                quantize_run(CONFIG, tagger, folder, report=quiet)
        assert (folder / CHECKPOINT).exists()
        resumed = quantize_run(CONFIG, tagger, folder, report=quiet)
        expected, _ = quantized_tagger
        assert {**resumed, "seconds": 0} == {**metrics_of(expected), "seconds": 0}
        weights = (NerRun.load(path).model.get_weights() for path in (folder, expected))
        for one, other in zip(*weights, strict=True):
            np.testing.assert_array_equal(one, other)

    def test_tags_that_stand_for_themselves_are_scored_by_accuracy(self, tag_files, tmp_path):
        source, folder = tmp_path / "части речи", tmp_path / "сжатые"
        config = ner_preset("tags").override([*SMALL, "units=8", "crf=false", "characters=false"])
        untrained(config, source, tag_files)
        metrics = quantize_run(QuantizeConfig(epochs=1), source, folder, report=quiet)
        assert metrics["scheme"] is None
        alone = metrics["quantization"]["post_training"]["valid"]["accuracy"]
        assert metrics["valid"]["accuracy"] == max(alone, metrics["history"][0]["val_accuracy"])
        assert names_in(folder) == names_in(source) | {"logs"}

    def test_files_that_changed_since_are_refused(self, tagger, tag_files, tmp_path):
        source = tmp_path / "метки"
        shutil.copytree(tagger, source)
        config = json.loads((source / "config.json").read_text(encoding="utf-8"))
        config["train"] = str(tag_files["test"])
        (source / "config.json").write_text(json.dumps(config), encoding="utf-8")
        with pytest.raises(InputError, match=r"test\.txt: gives another vocabulary or other tags than the run has"):
            quantize_run(CONFIG, source, tmp_path / "п", report=quiet)
        assert not (tmp_path / "п").exists()


@pytest.fixture(scope="module", name="tagger_student")
def _tagger_student(tagger, tag_files):
    """A student of the tagger, which is moved away then; its weights are those that it began with."""
    folder, teacher = tagger.with_name("学生"), tagger.with_name("учитель")
    texts = folder.with_name("ещё.txt")
    texts.write_text("Yesterday Ms Zorba slept well in Ōsaka.\nthen Mr Anbeço sang near Luda .\n", encoding="utf-8")
    shutil.copytree(tagger, teacher)
    config = TaggerTeacher(teacher).instruct(distill_tagger_preset(None), words=True, files=True)
    config = config.override([*SMALL, "alpha=0.25"])
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(ner, "fit", lambda *_, **__: [{"loss": 1.0}])
        distill_tagger(config, folder, teachers=[TaggerTeacher(teacher)], unlabelled=[texts], report=quiet, **tag_files)
    shutil.rmtree(teacher)
    return folder


class TestTaggerStudent:
    def test_it_goes_on_without_its_teachers(self, tagger_student, tmp_path):
        folder = tmp_path / "сжатый 小"
        metrics = quantize_run(QuantizeConfig(4, 2, epochs=1), tagger_student, folder, report=quiet)
        trained = metrics_of(tagger_student)
        assert names_in(folder) == names_in(tagger_student) | {"logs"}
        assert metrics["data"] == trained["data"]
        assert metrics["data"]["train"]["unlabelled"] == 2
        before = trained["distillation"]
        score = metrics["valid"]["entity_f1"]
        assert metrics["distillation"] == {**before, "kept": score / before["valid_entity_f1"]}
        alone = metrics["quantization"]["post_training"]["valid"]["entity_f1"]
        assert score == max(alone, metrics["history"][0]["val_entity_f1"])
        assert Lineage.of_run(folder).teachers == Lineage.of_run(tagger_student).teachers
        check_rounded(NerRun.load(folder).model, 4, 2)
        assert (folder / "soft_tags.npz").read_bytes() == (tagger_student / "soft_tags.npz").read_bytes()

    def test_its_loss_is_that_of_the_distillation(self, tagger_student):
        task = opened(tagger_student)
        aware = QuantizationAware(task.model)
        task.compile(aware, CONFIG)
        assert isinstance(aware.loss, TagDistillationLoss)
        assert aware.loss.alpha == 0.25
        assert aware.loss.own.layer is task.model.get_layer("crf")
        _, targets, *_ = next(iter(task.data.batches.dataset))
        assert targets.shape[2] == 1 + len(task.data.tag_set)


@pytest.fixture(scope="module", name="student")
def _student(tmp_path_factory):
    """A student of a file of soft labels, which is deleted then."""
    folder = tmp_path_factory.mktemp("Ученики 生")
    files = write_samples(folder, {"train": 80, "valid": 30}, seed=3)
    texts = [*read_examples(files["valid"]).texts, *read_examples(files["train"]).texts, "Ein 新 text"]
    lines = ({"text": text, "probs": {"negative": 0.25, "positive": 0.75}} for text in texts)
    teacher = folder / "мягкие.jsonl"
    teacher.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    settings = ["max_tokens=16", "embedding_dim=16", "units=4", "attention_units=4", "cell=rnn", "min_count=1"]
    config = distill_preset(None).override([*settings, "epochs=2", "temperature=3", "alpha=0.25"])
    distill(config, folder / "学生", teachers=[SoftLabels.read(teacher)], report=quiet, **files)
    teacher.unlink()
    return folder / "学生"


@pytest.fixture(scope="module", name="quantized_student")
def _quantized_student(student):
    quantize_run(CONFIG, student, student.with_name("сжатый 小"), report=quiet)
    return student.with_name("сжатый 小")


class TestStudent:
    def test_it_goes_on_without_its_teachers(self, student, quantized_student, tmp_path):
        metrics, trained = metrics_of(quantized_student), metrics_of(student)
        assert names_in(quantized_student) == names_in(student) | {"logs"}
        assert metrics.keys() == {*trained.keys(), "quantization"}
        assert metrics["data"] == trained["data"]
        quantization = metrics["quantization"]
        assert quantization["float"]["valid"] == trained["valid"]
        scores = [epoch["val_accuracy"] for epoch in metrics["history"]]
        best = max([*scores, quantization["post_training"]["valid"]["accuracy"]])
        assert metrics["valid"]["accuracy"] == pytest.approx(best)
        check_rounded(Run.load(quantized_student).model, 4, 2)
        export_run(quantized_student, tmp_path / "пакет", recipe=quantization["recipe"], lengths=[16])
        assert load(tmp_path / "пакет").predict(["好 film"])[0].label in trained["labels"]

    def test_its_teachers_are_still_named(self, student, quantized_student):
        said, before = metrics_of(quantized_student), metrics_of(student)["distillation"]
        share = said["valid"]["accuracy"] / before["valid_accuracy"]
        assert said["distillation"] == {**before, "kept": share}
        assert Lineage.of_run(quantized_student).teachers == Lineage.of_run(student).teachers
        soft, expected = (SoftLabels.read(path / "soft_labels.jsonl.gz") for path in (quantized_student, student))
        assert soft.sha256 == expected.sha256

    def test_its_loss_is_that_of_the_distillation(self, student):
        task = opened(student)
        assert isinstance(task, Student)
        aware = QuantizationAware(task.model)
        task.compile(aware, CONFIG)
        assert isinstance(aware.loss, DistillationLoss)
        assert (aware.loss.temperature, aware.loss.alpha) == (3, 0.25)
        ((inputs, targets),) = task.data.batches.dataset.take(1)
        assert targets.shape == (len(inputs), 1 + 2)
        floats = aware.evaluate(task.validation, verbose=0, return_dict=True)["accuracy"]
        with snapped(aware):
            assert floats == pytest.approx(task.scores()["valid"]["accuracy"])
        assert any(isinstance(metric, LabelAccuracy) for metric in aware.metrics[1].metrics)

    def test_what_comes_out_goes_on_in_turn(self, quantized_student, tmp_path):
        metrics = quantize_run(QuantizeConfig(epochs=0), quantized_student, tmp_path / "ещё", report=quiet)
        assert metrics["quantization"]["kept"] == "post_training"
        assert metrics["quantization"]["float"]["valid"] == metrics_of(quantized_student)["valid"]

    def test_its_soft_labels_are_needed(self, student, tmp_path):
        source = tmp_path / "ученик"
        shutil.copytree(student, source)
        (source / "soft_labels.jsonl.gz").unlink()
        with pytest.raises(InputError, match=r"ученик/soft_labels\.jsonl\.gz: No such file"):
            quantize_run(CONFIG, source, tmp_path / "п", report=quiet)
        assert not (tmp_path / "п").exists()


def test_the_task_is_told_by_the_run(tagger, tagger_student, student):
    runs = (tagger, tagger_student, student)
    assert [task_of(path, *read_finished(path)) for path in runs] == [Tagger, TaggerStudent, Student]
