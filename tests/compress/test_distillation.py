"""Distillation: runs that end the same whatever kills them."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from textapp.compress.distillation import distill, with_kept
from textapp.compress.distillation_data import TransferRows
from textapp.compress.soft_labels import SoftLabels
from textapp.training.sentiment import train_sentiment

from textapp.compress import distillation, soft_labels
from textapp.compress.config import distill_preset
from textapp.compress.teachers import RunTeacher
from textapp.compress.transfer import MASK, Augmentation, TransferSet
from textapp.config import SentimentConfig
from textapp.data.readers import Examples, read_examples
from textapp.data.samples import sample_reviews, write_samples
from textapp.data.splits import overlap_key
from textapp.errors import InputError
from textapp.export.run import export_run
from textapp.runtime import load
from textapp.text.tokenizer import Tokenizer
from textapp.training.adversarial import AdversarialTraining
from textapp.training.fit import fit
from textapp.training.run import CHECKPOINT, SOFT_LABELS_PART, Run

pytestmark = pytest.mark.usefixtures("undrawn")
QUIET = {"report": lambda line: None}
STUDENT = (
    "epochs=2",
    "max_tokens=16",
    "vocabulary_size=120",
    "embedding_dim=6",
    "units=4",
    "attention_units=4",
    "cell=rnn",
)


def test_the_vocabulary_is_that_of_texts_as_they_were_written():
    train = Examples(["好 bon", "bon café", "?"], ["1", "0", "1"], "t")
    transfer = TransferSet(train, (), [lambda: [f"café {MASK}"]], Augmentation(Tokenizer(), copies=9, mask_rate=0.5))
    rows = TransferRows.read(transfer, ["0", "1"], [], Tokenizer(), 16)
    assert rows.counts() == {"好": 1, "bon": 2, "café": 2, "?": 1}
    kinds = rows.kinds()
    assert (kinds["labelled"], kinds["unlabelled"]) == (3, 1)
    assert kinds["augmented"] > 3


@pytest.fixture(scope="module", name="corpus")
def _corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("Отзывы 评论")
    files = write_samples(folder, {"train": 120, "valid": 40}, seed=3)
    # Among the unlabelled texts stand the validation texts, shouted.
    more = [*sample_reviews(80, seed=4).texts, *(text.upper() for text in read_examples(files["valid"]).texts)]
    files["unlabelled"] = str(folder / "ещё.txt")
    Path(files["unlabelled"]).write_text("".join(f"{text}\n" for text in more), encoding="utf-8")
    return files


@pytest.fixture(scope="module", name="teachers")
def _teachers(tmp_path_factory, corpus):
    folder = tmp_path_factory.mktemp("Учителя")
    for seed in (0, 1):
        config = SentimentConfig(
            epochs=3, max_tokens=16, units=8, cell="rnn", embedding_dim=16, attention_units=8, learning_rate=1e-2,
            seed=seed,
        )  # fmt: skip
        train_sentiment(config, folder / str(seed), train=corpus["train"], valid=corpus["valid"], **QUIET)
    return [folder / "0", folder / "1"]


@pytest.fixture(scope="module", name="teach")
def _teach(corpus, teachers):
    def teach(out, given=None, settings=("augment=2",), **arguments):
        config = distill_preset(None).override([*STUDENT, *settings])
        given = [RunTeacher(path) for path in teachers] if given is None else given
        files = {key: corpus[key] for key in ("train", "valid")} | {"unlabelled": [corpus["unlabelled"]]}
        return distill(config, out, teachers=given, **{**files, **QUIET, **arguments})

    return teach


@pytest.fixture(scope="module", name="student")
def _student(teach, tmp_path_factory):
    """A student of two teachers that nobody killed, asked for 64 texts at once."""
    folder = tmp_path_factory.mktemp("Ученики") / "学生"
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(soft_labels, "CHUNK", 64)
        teach(folder)
    return folder


def metrics_of(folder):
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


def test_a_student_is_a_run(student, corpus, teachers, tmp_path):
    metrics, run = metrics_of(student), Run.load(student)
    assert run.metrics == metrics
    assert run.config.vocabulary_size == len(run.vocabulary) == 120
    assert run.model.count_params() == metrics["parameters"]
    said, trained = metrics["distillation"], [Run.load(teacher).metrics for teacher in teachers]
    assert [one["valid_accuracy"] for one in said["teachers"]] == [one["valid"]["accuracy"] for one in trained]
    assert said["parameters"] == sum(one["parameters"] for one in trained)
    assert said["kept"] == metrics["valid"]["accuracy"] / said["valid_accuracy"]
    counts = metrics["data"]["train"]
    assert (counts["labelled"], counts["unlabelled"], counts["without_soft_labels"]) == (120, 80, 0)
    assert counts["count"] == 120 + 80 + counts["augmented"]
    export_run(student, tmp_path / "пакет", lengths=[8, 16])
    text = read_examples(corpus["valid"]).texts[0]
    assert set(load(tmp_path / "пакет").predict([text])[0].probs) == {"negative", "positive"}


def test_of_teachers_that_are_never_right_no_share_can_be_kept():
    assert with_kept({"valid_accuracy": 0.0}, 0.5) == {"valid_accuracy": 0.0, "kept": None}


def test_what_is_held_out_is_asked_but_never_learned(student, corpus):
    valid = read_examples(corpus["valid"]).texts
    asked = list(SoftLabels.read(student / "soft_labels.jsonl.gz").texts())
    assert asked[: len(valid)] == valid
    learned = {overlap_key(text) for text in asked[len(valid) :]}
    assert len(learned) == metrics_of(student)["data"]["train"]["count"]
    assert not learned & {overlap_key(text) for text in valid}


def test_the_ensemble_is_what_is_on_disk(student, corpus, teachers):
    texts = read_examples(corpus["valid"]).texts
    soft = SoftLabels.read(student / "soft_labels.jsonl.gz", ["negative", "positive"])
    each = [RunTeacher(path).probabilities(texts) for path in teachers]
    np.testing.assert_allclose(soft.probabilities(texts), (each[0] + each[1]) / 2, rtol=1e-3, atol=1e-6)


def test_soft_labels_teach_another_student_of_another_shape(student, teach, corpus, tmp_path):
    soft = SoftLabels.read(student / "soft_labels.jsonl.gz")
    metrics = teach(
        tmp_path / "второй",
        given=[soft],
        unlabelled=[],
        test=corpus["valid"],
        settings=["augment=0", "embedding_rank=3", "tokenizer=char", "distillation_loss=mse"],
    )
    first = metrics_of(student)
    assert metrics["distillation"]["valid_accuracy"] == first["distillation"]["valid_accuracy"]
    assert metrics["distillation"]["parameters"] is None
    assert metrics["data"]["train"]["count"] == first["data"]["train"]["count"]
    assert metrics["test"] == metrics["valid"]
    assert Run.load(tmp_path / "второй").model.get_layer("embedding").embeddings.shape[1] == 3


def test_a_file_that_knows_few_texts_teaches_those(teach, corpus, tmp_path):
    texts = read_examples(corpus["train"]).texts
    lines = [{"text": text, "probs": {"positive": 0.25, "negative": 0.75}} for text in [*texts[:30], "новый 好 текст"]]
    path = tmp_path / "мягкие.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    metrics = teach(tmp_path / "ученик", given=[SoftLabels.read(path)], settings=["augment=0"])
    counts = metrics["data"]["train"]
    assert (counts["labelled"], counts["unlabelled"], counts["without_soft_labels"]) == (120, 1, 90)
    assert metrics["distillation"]["valid_accuracy"] is None
    assert metrics["distillation"]["kept"] is None


class Killed(BaseException):
    """Stands for `kill -9`."""


def kill_while_asking(patches):
    ask = distillation.mean_probabilities
    left = iter(range(2))

    def asked(*arguments):
        if next(left, None) is None:
            raise Killed
        return ask(*arguments)

    patches.setattr(distillation, "mean_probabilities", asked)


def kill_while_training(patches):
    class Kill(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise Killed

    def killed(*arguments, callbacks, **options):
        return fit(*arguments, callbacks=[*callbacks, Kill()], **options)

    patches.setattr("textapp.training.sentiment.fit", killed)


def test_a_run_killed_twice_ends_like_one_that_was_not(student, teach, tmp_path, monkeypatch):
    monkeypatch.setattr(soft_labels, "CHUNK", 64)
    folder = tmp_path / "убитый 死"
    for kill, left in ((kill_while_asking, SOFT_LABELS_PART), (kill_while_training, CHECKPOINT)):
        with pytest.MonkeyPatch.context() as patches:
            kill(patches)
            with pytest.raises(Killed):
                teach(folder)
        assert (folder / left).exists()
        assert not (folder / "metrics.json").exists()
    resumed = teach(folder)
    assert {**resumed, "seconds": 0} == {**metrics_of(student), "seconds": 0}
    assert {path.name for path in folder.iterdir()} == {path.name for path in student.iterdir()}
    for one, other in zip(Run.load(folder).model.get_weights(), Run.load(student).model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_students_are_trained_adversarially_where_they_should(teach, tmp_path, monkeypatch):
    def fit(model, *_, **__):
        assert isinstance(model, AdversarialTraining)
        raise Killed

    monkeypatch.setattr("textapp.training.sentiment.fit", fit)
    with pytest.raises(Killed):
        teach(tmp_path / "против", settings=["adversarial=0.05"])


def test_what_changed_since_is_named(teach, tmp_path, monkeypatch, corpus):
    folder, more = tmp_path / "убитый", tmp_path / "ещё.txt"
    more.write_bytes(Path(corpus["unlabelled"]).read_bytes())

    def killed(*_, **__):
        raise Killed

    monkeypatch.setattr("textapp.training.sentiment.fit", killed)
    with pytest.raises(Killed):
        teach(folder, unlabelled=[str(more)])
    with pytest.raises(InputError, match="holds an unfinished run with other unlabelled; use --force"):
        teach(folder)
    with pytest.raises(InputError, match="holds an unfinished run with other distillation; use --force"):
        teach(folder, unlabelled=[str(more)], settings=["augment=2", "alpha=0.5"])
    more.write_text("совсем новый текст\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"soft_labels\.jsonl\.gz: is of other texts; .*--force"):
        teach(folder, unlabelled=[str(more)])
    with pytest.raises(Killed):  # anew, which is as far as this training comes
        teach(folder, unlabelled=[str(more)], force=True)
    assert "совсем новый текст" in SoftLabels.read(folder / "soft_labels.jsonl.gz")


def test_teachers_that_know_the_validation_texts_are_named(teach, teachers, tmp_path, monkeypatch):
    def killed(*_, **__):
        raise Killed

    monkeypatch.setattr("textapp.training.sentiment.fit", killed)
    lines = []
    with pytest.raises(Killed):
        teach(tmp_path / "ученик", valid=None, settings=["split_seed=1"], report=lines.append)
    warned = [line for line in lines if line.startswith("warning: ") and "trained on validation texts" in line]
    assert [str(teachers[0]) in warned[0], str(teachers[1]) in warned[1]] == [True, True]


def test_how_a_run_divided_its_file(teachers, corpus):
    teacher = RunTeacher(teachers[1])
    teacher.command = {**teacher.command, "valid": None}
    assert not teacher.learned(corpus["train"], teacher.config.valid_fraction, 1)
    assert teacher.learned(corpus["train"], teacher.config.valid_fraction, 0)
    assert teacher.learned(corpus["train"], 0.3, 1)
    assert not teacher.learned("другой.tsv", 0.3, 1)
    teacher.command["distillation"] = {"split_seed": 7}
    assert teacher.split_seed == 7


def test_refusals_leave_nothing(teach, teachers, tmp_path, corpus):
    path, out = tmp_path / "чужие.tsv", tmp_path / "ученик"
    rows = (
        f"{text}\t{label}\n"
        for text, label in zip(read_examples(corpus["train"]).texts, ["да", "нет"] * 60, strict=True)
    )
    path.write_text("text\tlabel\n" + "".join(rows), encoding="utf-8")
    with pytest.raises(InputError, match=r"knows the labels negative, positive, but .*чужие\.tsv has да, нет"):
        teach(out, train=str(path), valid=None)
    with pytest.raises(InputError, match="нет: No such file"):
        teach(out, unlabelled=[str(tmp_path / "нет")])
    soft = tmp_path / "м.jsonl"
    soft.write_text('{"text": "好", "probs": {"negative": 1, "positive": 0}}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"setting augment: .*м\.jsonl is a file"):
        teach(out, given=[SoftLabels.read(soft)])
    assert not out.exists()
    before = {path: path.read_bytes() for path in teachers[0].iterdir() if path.is_file()}
    with pytest.raises(InputError, match="holds the teacher"):
        teach(teachers[0], force=True)
    assert before == {path: path.read_bytes() for path in teachers[0].iterdir() if path.is_file()}


def test_soft_labels_of_other_texts_are_refused(tmp_path):
    files = write_samples(tmp_path / "corpus", {"train": 40, "valid": 10}, seed=1)
    foreign = tmp_path / "чужое.jsonl"
    labels = sorted(set(read_examples(files["train"]).labels))
    probs = {label: 1 / len(labels) for label in labels}
    foreign.write_text(json.dumps({"text": "quite another text", "probs": probs}) + "\n", encoding="utf-8")
    config = distill_preset("tiny").override(STUDENT)
    with pytest.raises(InputError, match=r"чужое\.jsonl: knows none of the texts of .*train"):
        distill(config, tmp_path / "out", teachers=[SoftLabels.read(foreign)], **files, **QUIET)
    assert not (tmp_path / "out" / "config.json").exists()
