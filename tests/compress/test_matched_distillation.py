"""Distillation with matching: runs like others, killed and resumed, and without it what they were before."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from textapp.compress.distillation import distill
from textapp.compress.matching import MatchingStudent
from textapp.compress.soft_labels import SoftLabels
from textapp.compress.teacher_states import Question

from textapp.compress import distillation, teacher_states
from textapp.compress.config import QuantizeConfig, distill_preset
from textapp.compress.quantize import quantize_run
from textapp.compress.teachers import RunTeacher
from textapp.data.readers import read_examples
from textapp.data.samples import write_samples
from textapp.errors import InputError
from textapp.training.checkpoint import Checkpoint
from textapp.training.fit import fit
from textapp.training.run import CHECKPOINT, SOFT_LABELS, TEACHER_STATES, TEACHER_STATES_PART, Run

QUIET = {"report": lambda line: None}
STUDENT = (
    *("epochs=2", "max_tokens=16", "vocabulary_size=60", "embedding_dim=6", "units=4", "attention_units=4"),
    *("batch_size=16", "attention_weight=0.5", "hidden_weight=0.5"),
)


@pytest.fixture(scope="module", name="corpus")
def _corpus(tmp_path_factory):
    return write_samples(tmp_path_factory.mktemp("Отзывы 评论"), {"train": 60, "valid": 20}, seed=3)


@pytest.fixture(scope="module", name="teachers")
def _teachers(tmp_path_factory, corpus, untrained_run):
    texts = read_examples(corpus["train"]).texts
    words = untrained_run(tmp_path_factory.mktemp("Слова"), texts, units=3, max_tokens=9)
    letters = untrained_run(tmp_path_factory.mktemp("文字"), texts, units=2, max_tokens=50, tokenizer="char")
    return [RunTeacher(folder) for folder in (words, letters)]


@pytest.fixture(scope="module", name="teach")
def _teach(corpus, teachers):
    def teach(out, *settings, given=None, **arguments):
        config = distill_preset(None).override([*STUDENT, *settings])
        with pytest.MonkeyPatch.context() as patches:
            patches.setattr(teacher_states, "CHUNK", 16)
            return distill(config, out, teachers=given or teachers, **corpus, **QUIET, **arguments)

    return teach


@pytest.fixture(scope="module", name="student")
def _student(teach, tmp_path_factory):
    """A student that nobody killed."""
    folder = tmp_path_factory.mktemp("Ученики") / "学生"
    teach(folder)
    return folder


class Killed(BaseException):
    """Stands for `kill -9`."""


class BeforeTraining:
    """Takes the place of `fit`: keeps what it was given, and ends the process."""

    def __call__(self, model, batches, validation, **options):
        self.model, self.options = model, options
        raise Killed


def metrics_of(folder):
    return {**json.loads((folder / "metrics.json").read_text(encoding="utf-8")), "seconds": 0}


def tags_of(folder):
    """The names of all that TensorBoard was given."""
    return {
        value.tag
        for path in folder.glob("events*")
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
    }


def test_weights_of_0_leave_all_as_it_was(teach, tmp_path, monkeypatch):
    def refused(*_):
        raise AssertionError

    for name in ("MatchingStudent", "ask_for_states", "Question"):
        monkeypatch.setattr(distillation, name, refused)
    started = BeforeTraining()
    monkeypatch.setattr("textapp.training.sentiment.fit", started)
    with pytest.raises(Killed):
        teach(tmp_path / "ноль", "attention_weight=0", "hidden_weight=0")
    config = json.loads((tmp_path / "ноль" / "config.json").read_text(encoding="utf-8"))
    before = ["distillation_loss", "temperature", "alpha", "augment", "mask_rate", "ngram_rate", "split_seed"]
    assert list(config["distillation"]) == before
    assert not {"attention_weight", "hidden_weight"} & set(config["settings"])
    assert "weight'" not in started.options["fingerprint"]
    assert not isinstance(started.model, MatchingStudent)
    assert not (tmp_path / "ноль" / TEACHER_STATES).exists()


def test_a_student_is_a_run_like_others(student):
    metrics, model = metrics_of(student), Run.load(student).model
    assert metrics["parameters"] == model.count_params()
    assert not any("projection" in variable.path for variable in model.variables)
    assert set(metrics["history"][0]) == {
        *("accuracy", "loss", "attention_loss", "hidden_loss"),
        *("val_accuracy", "val_loss"),
    }
    assert metrics["history"][1]["hidden_loss"] < metrics["history"][0]["hidden_loss"]
    first = metrics["history"][0]
    assert first["loss"] > 0.5 * (first["attention_loss"] + first["hidden_loss"])
    assert {"fit/attention_loss", "fit/hidden_loss", "fit/loss"} <= tags_of(student / "logs" / "train")
    validation = tags_of(student / "logs" / "validation")
    assert "fit/loss" in validation
    assert not {"fit/attention_loss", "fit/hidden_loss"} & validation


def test_what_its_teachers_said_is_kept(student, corpus, teachers):
    with np.load(student / TEACHER_STATES, allow_pickle=False) as content:
        attention, contexts = content["attention"], content["contexts"]
    texts = read_examples(corpus["train"]).texts
    assert contexts.shape == (len(texts), 2 * (3 + 2))
    assert len(attention) == metrics_of(student)["data"]["train"]["tokens"]
    assert attention.sum() == pytest.approx(len(texts), rel=1e-3)
    expected = [teacher.states(texts[7:8])[1][0] for teacher in teachers]
    np.testing.assert_allclose(contexts[7], np.concatenate(expected), atol=2**-11)


def kill_between_chunks(patches):
    answer, left = Question.answer, iter(range(2))

    def asked(*arguments):
        if next(left, None) is None:
            raise Killed
        return answer(*arguments)

    patches.setattr(Question, "answer", asked)


def kill_within_an_epoch(patches):
    class Saving(Checkpoint):
        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            if self.step < self.batches.steps_per_epoch:
                self._save()

    class Kill(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

        def on_train_batch_end(self, batch, logs=None):
            if (self.epoch, batch) == (1, 1):
                raise Killed

    patches.setattr("textapp.training.fit.Checkpoint", Saving)
    patches.setattr(
        "textapp.training.sentiment.fit",
        lambda *arguments, callbacks, **options: fit(*arguments, callbacks=[*callbacks, Kill()], **options),
    )


def test_killed_twice_it_ends_like_one_that_was_not(student, teach, tmp_path, undrawn):
    folder = tmp_path / "убитый 死"
    for kill, left in ((kill_between_chunks, TEACHER_STATES_PART), (kill_within_an_epoch, CHECKPOINT)):
        with pytest.MonkeyPatch.context() as patches:
            kill(patches)
            with pytest.raises(Killed):
                teach(folder)
        assert (folder / left).exists()
    with pytest.raises(InputError, match="holds an unfinished run with other distillation; use --force"):
        teach(folder, "hidden_weight=0")
    teach(folder)
    assert metrics_of(folder) == metrics_of(student)
    assert {path.name for path in folder.iterdir()} == {path.name for path in student.iterdir()} - {"logs"}
    for one, other in zip(Run.load(folder).model.get_weights(), Run.load(student).model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_students_share_what_their_teachers_said(student, teach, tmp_path, monkeypatch):
    monkeypatch.setattr("textapp.training.sentiment.fit", BeforeTraining())
    answer, asked = Question.answer, []
    monkeypatch.setattr(Question, "answer", lambda question, texts: asked.append(texts) or answer(question, texts))
    with pytest.raises(Killed):
        teach(tmp_path / "шире", "units=6", "vocabulary_size=40", answers=student / SOFT_LABELS)
    assert not asked
    assert (tmp_path / "шире" / TEACHER_STATES).read_bytes() == (student / TEACHER_STATES).read_bytes()
    with pytest.raises(Killed):
        teach(tmp_path / "короче", "max_tokens=9", answers=student / SOFT_LABELS)
    assert asked


def test_its_file_of_another_student_is_refused(student, teach, tmp_path, monkeypatch):
    monkeypatch.setattr("textapp.training.sentiment.fit", BeforeTraining())
    with pytest.raises(Killed):
        teach(tmp_path / "a", "max_tokens=9")
    (tmp_path / "a" / TEACHER_STATES).write_bytes((student / TEACHER_STATES).read_bytes())
    with pytest.raises(InputError, match=rf"{TEACHER_STATES}: is of other texts; .*--force"):
        teach(tmp_path / "a", "max_tokens=9")
    with pytest.raises(Killed):
        teach(tmp_path / "a", "max_tokens=9", force=True)


def test_it_is_quantized_with_its_soft_labels_alone(student, tmp_path):
    metrics = quantize_run(QuantizeConfig(epochs=1), student, tmp_path / "круглый", **QUIET)
    assert not (tmp_path / "круглый" / TEACHER_STATES).exists()
    assert set(metrics["history"][0]) == {"accuracy", "loss", "val_accuracy", "val_loss"}


def test_half_precision_and_fixed_shapes(teach, tmp_path, undrawn):
    metrics = teach(tmp_path / "половина", "mixed_precision=true", "static_shapes=true", "epochs=1")
    assert np.isfinite(list(metrics["history"][0].values())).all()
    model = Run.load(tmp_path / "половина").model
    assert {layer.dtype_policy.name for layer in model.layers} == {"float32"}
    assert model.count_params() == metrics["parameters"]


@pytest.mark.parametrize("key", ["attention_weight", "hidden_weight"])
def test_only_runs_show_their_insides(teach, teachers, tmp_path, key):
    other = "hidden_weight" if key == "attention_weight" else "attention_weight"
    soft = tmp_path / "м.jsonl"
    soft.write_text('{"text": "好", "probs": {"negative": 1, "positive": 0}}\n', encoding="utf-8")
    given = [teachers[0], SoftLabels.read(soft)]
    with pytest.raises(InputError, match=rf"setting {key}: .*м\.jsonl is no run, .*; set {key}=0"):
        teach(tmp_path / "ученик", f"{other}=0", given=given)
    assert not (tmp_path / "ученик").exists()
