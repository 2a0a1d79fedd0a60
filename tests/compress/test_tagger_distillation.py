"""`distill_tagger`: a student learns from its teachers, is a run, survives being killed, and refuses what cannot be."""

import dataclasses
import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from textapp.compress import soft_tags, tagger_distillation
from textapp.compress.config import distill_tagger_preset
from textapp.compress.soft_tags import read_soft_tags
from textapp.compress.tagger_distillation import distill_tagger
from textapp.compress.tagger_loss import UNLABELLED
from textapp.compress.tagger_teachers import TaggerTeacher, mean_marginals
from textapp.config import ner_preset
from textapp.data.tagged import read_tagged
from textapp.data.tagged_batches import NO_TAG
from textapp.errors import InputError
from textapp.layers.token_loss import TokenLoss
from textapp.text.tokenizer import Tokenizer
from textapp.training import ner
from textapp.training.adversarial import AdversarialTraining
from textapp.training.ner import train_ner
from textapp.training.ner_run import NerRun
from textapp.training.run import CHECKPOINT, SOFT_TAGS, SOFT_TAGS_PART

pytestmark = pytest.mark.usefixtures("undrawn")
TAGS = ["O", "B-LOC", "E-LOC", "S-LOC", "B-PER", "E-PER", "S-PER"]
QUIET = {"report": lambda line: None}
SIZES = ["cell=rnn", "batch_size=8", "learning_rate=0.02", "character_dim=8", "character_filters=8", "min_count=2"]
STUDENT = [*SIZES, "characters=false", "epochs=4", "units=6", "vocabulary_size=20", "max_tokens=12", "alpha=0"]
LONG = "Yesterday Ms Zorba slept well in Ōsaka and then she sang in Wien again."


@pytest.fixture(scope="module", name="corpus")
def _corpus(tmp_path_factory, tagged_corpus):
    folder = tmp_path_factory.mktemp("Körper 语料")
    files = {
        name: tagged_corpus(folder / f"{name}.txt", "english", count, seed)
        for seed, (name, count) in enumerate({"train": 80, "valid": 20, "more": 60}.items())
    }
    # Texts without tags: new ones, and the validation sentences in other letters.
    texts = {name: [" ".join(tokens) for tokens in read_tagged(path).sentences] for name, path in files.items()}
    files["unlabelled"] = folder / "ещё.txt"
    lines = [*texts["more"], texts["more"][0], *map(str.upper, texts["valid"])]
    files["unlabelled"].write_text("".join(f"{line}\n" for line in [*lines, LONG]), encoding="utf-8")
    return {name: str(path) for name, path in files.items()}


@pytest.fixture(scope="module", name="teachers")
def _teachers(tmp_path_factory, corpus):
    """A teacher with a CRF, and one without, which looks up words otherwise and knows nothing."""
    folder = tmp_path_factory.mktemp("Учителя")
    with pytest.MonkeyPatch.context() as patches:
        config = ner_preset("tiny").override([*SIZES, "units=12", "embedding_dim=8", "epochs=6"])
        train_ner(config, folder / "crf", train=corpus["train"], valid=corpus["valid"], **QUIET)
        patches.setattr(ner, "fit", lambda *_, **__: [{"loss": 1.0}])  # this one has the weights that it began with
        config = config.override(["crf=false", "lowercase=false"])
        train_ner(config, folder / "软", train=corpus["train"], valid=corpus["valid"], **QUIET)
    return [folder / "crf", folder / "软"]


@pytest.fixture(scope="module", name="teach")
def _teach(corpus, teachers):
    opened = {path: TaggerTeacher(path) for path in teachers}  # traced once for all tests

    def teach(out, settings=(), given=None, **arguments):
        given = [opened.get(path) or TaggerTeacher(path) for path in given or teachers]
        config = given[0].instruct(distill_tagger_preset(None), words=True, files=False).override([*STUDENT, *settings])
        files = {"train": corpus["train"], "valid": corpus["valid"], "unlabelled": [corpus["unlabelled"]]}
        return distill_tagger(config, out, teachers=given, **{**files, **QUIET, **arguments})

    return teach


@pytest.fixture(scope="module", name="student")
def _student(teach, tmp_path_factory):
    """A student of two teachers that nobody killed, asked about 64 sentences at once."""
    folder = tmp_path_factory.mktemp("Ученики") / "学生"
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(soft_tags, "CHUNK", 64)
        teach(folder)
    return folder


def metrics_of(folder):
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


def asked_of(folder):
    """The sentences that teachers were asked about, as their file has them."""
    with np.load(folder / SOFT_TAGS, allow_pickle=False) as content:
        blocks = content["tokens"].tobytes().decode().removesuffix("\n\n").split("\n\n")
    return [block.split("\n") for block in blocks]


def test_a_student_learns_from_marginals_alone_and_is_a_run(student, corpus, teachers):
    metrics, run = metrics_of(student), NerRun.load(student)
    said, trained = metrics["distillation"], [NerRun.load(teacher).metrics for teacher in teachers]
    assert trained[0]["valid"]["entity_f1"] > 0.8
    assert metrics["valid"]["entity_f1"] > 0.7  # with alpha=0 no true tag was looked at
    assert run.metrics == metrics
    assert run.score(corpus["valid"]) == metrics["valid"]
    assert len(run.encoder.vocabulary) == 20
    assert run.model.count_params() == metrics["parameters"]
    assert [one["valid_entity_f1"] for one in said["teachers"]] == [one["valid"]["entity_f1"] for one in trained]
    assert said["parameters"] == sum(one["parameters"] for one in trained)
    assert said["kept"] == metrics["valid"]["entity_f1"] / said["valid_entity_f1"]
    counts = metrics["data"]["train"]
    assert [counts[key] for key in ("labelled", "unlabelled", "count", "pieces")] == [80, 62, 142, 142]
    command = json.loads((student / "config.json").read_text(encoding="utf-8"))
    assert [teacher["path"] for teacher in command["teachers"]] == list(map(str, teachers))
    assert command["distillation"] == {"alpha": 0.0, "split_seed": None}


def test_what_is_held_out_is_asked_but_never_learned(student, corpus):
    valid = read_tagged(corpus["valid"]).sentences
    asked = asked_of(student)
    assert asked[: len(valid)] == valid
    learned = [" ".join(tokens).casefold() for tokens in asked[len(valid) :]]
    assert not set(learned) & {" ".join(tokens).casefold() for tokens in valid}
    words = Tokenizer(lowercase=False).words(LONG)
    assert asked[-2:] == [words[:12], words[12:]]  # what is too long is cut
    assert len(set(learned)) == len(learned)


def test_the_ensemble_is_what_is_on_disk(student, teachers):
    asked, tags = asked_of(student), metrics_of(student)["tags"]
    said = read_soft_tags(student / SOFT_TAGS, asked, tags)
    opened = [TaggerTeacher(path) for path in teachers]
    np.testing.assert_allclose(said, mean_marginals(opened, asked, tags), atol=2e-3)
    first = opened[0].marginals([asked[0]])  # a sentence by itself: the model's own answer
    run = NerRun.load(teachers[0])
    inputs = {name: np.array([ids]) for name, ids in run.encoder.encode(asked[0]).items()}
    potentials = run.model(inputs, training=False)
    np.testing.assert_allclose(first, run.model.get_layer("crf").marginals(potentials)[0], atol=1e-5)


class Killed(BaseException):
    """Stands for `kill -9`."""


def kill_while_asking(patches):
    ask = tagger_distillation.mean_marginals
    left = iter(range(2))

    def asked(*arguments):
        if next(left, None) is None:
            raise Killed
        return ask(*arguments)

    patches.setattr(tagger_distillation, "mean_marginals", asked)


def kill_while_training(patches):
    class Kill(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise Killed

    patches.setattr(ner, "tagging_dashboards", lambda *_: [Kill()])


def test_a_run_killed_twice_ends_like_one_that_was_not(student, teach, tmp_path, monkeypatch):
    monkeypatch.setattr(soft_tags, "CHUNK", 64)
    folder = tmp_path / "убитый 死"
    for kill, left in ((kill_while_asking, SOFT_TAGS_PART), (kill_while_training, CHECKPOINT)):
        with pytest.MonkeyPatch.context() as patches:
            kill(patches)
            with pytest.raises(Killed):
                teach(folder)
        assert (folder / left).exists()
        assert not (folder / "metrics.json").exists()
    (folder / SOFT_TAGS_PART).write_bytes(b"")  # as of one that was killed before it could delete it
    resumed = teach(folder)
    assert {**resumed, "seconds": 0} == {**metrics_of(student), "seconds": 0}
    assert {path.name for path in folder.iterdir()} == {path.name for path in student.iterdir()}
    weights = (NerRun.load(path).model.get_weights() for path in (folder, student))
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_students_are_trained_adversarially_where_they_should(teach, tmp_path, monkeypatch):
    def fit(model, *_, **__):
        assert isinstance(model, AdversarialTraining)
        raise Killed

    monkeypatch.setattr(ner, "fit", fit)
    with pytest.raises(Killed):
        teach(tmp_path / "против", ["adversarial=0.05"])


def test_what_changed_since_is_named(teach, tmp_path, monkeypatch, corpus):
    folder, more = tmp_path / "убитый", tmp_path / "ещё.txt"
    more.write_text(LONG, encoding="utf-8")

    def killed(*_, **__):
        raise Killed

    monkeypatch.setattr(ner, "fit", killed)
    with pytest.raises(Killed):
        teach(folder, unlabelled=[str(more)])
    with pytest.raises(InputError, match="holds an unfinished run with other distillation; use --force"):
        teach(folder, ["alpha=0.5"], unlabelled=[str(more)])
    more.write_text("совсем новый текст\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"soft_tags\.npz: is of other sentences; .*--force"):
        teach(folder, unlabelled=[str(more)])
    with pytest.raises(Killed):  # anew, which is as far as this training comes
        teach(folder, unlabelled=[str(more)], force=True)
    assert asked_of(folder)[-1] == ["совсем", "новый", "текст"]


def test_static_shapes_and_no_crf(teach, teachers, tmp_path, monkeypatch):
    def fit(model, batches, validation, **_):
        assert isinstance(model.loss.own, TokenLoss)
        for token_ids, said, weights in validation.take(1):
            assert (token_ids.shape, said.shape, weights.shape) == ((8, 12), (8, 12, 1 + len(TAGS)), (8,))
            real = np.asarray(token_ids) != 0
            np.testing.assert_allclose(np.asarray(said)[..., 1:].sum(axis=2), real, atol=2e-3)
            np.testing.assert_array_equal(np.asarray(said)[..., 0] >= 0, real)  # validation sentences are tagged
        found = {float(tag) for _, said, _ in batches.dataset.take(9) for tag in np.unique(said[..., 0])}
        assert {UNLABELLED, NO_TAG, 0.0} <= found
        return [{"loss": 1.0}]

    monkeypatch.setattr(ner, "fit", fit)
    settings = ["static_shapes=true", "crf=false", "alpha=0.5"]
    metrics = teach(tmp_path / "静", settings, given=teachers[1:])
    assert metrics["tags"] == TAGS
    said = metrics["distillation"]
    assert said["valid_entity_f1"] == said["teachers"][0]["valid_entity_f1"]


def test_tags_that_stand_for_themselves(tmp_path, monkeypatch):
    monkeypatch.setattr(ner, "fit", lambda *_, **__: [{"loss": 1.0}])
    train, teachers = tmp_path / "词.txt", [tmp_path / "师", tmp_path / "傅"]
    train.write_text("我 PRON\n爱 VERB\n\n好 ADJ\n\n他 PRON\n跑 VERB\n\n走 VERB\n", encoding="utf-8")
    for seed, folder in enumerate(teachers):
        config = ner_preset("chinese").override(["units=2", "embedding_dim=3", "valid_fraction=0.5", f"seed={seed}"])
        train_ner(config, folder, train=train, valid=train, **QUIET)
    opened = [TaggerTeacher(folder) for folder in teachers]
    config = (
        opened[0].instruct(distill_tagger_preset(None), words=True, files=True).override(["units=3", "min_count=1"])
    )
    metrics = distill_tagger(config, tmp_path / "徒", teachers=opened, train=train, valid=train, **QUIET)
    assert NerRun.load(tmp_path / "徒").encoder.characters is None
    said = metrics["distillation"]
    best = mean_marginals(opened, read_tagged(train).sentences, metrics["tags"]).argmax(axis=1)
    true = [tag for tags in read_tagged(train).tags for tag in tags]
    together = np.mean([metrics["tags"][tag] == wanted for tag, wanted in zip(best, true, strict=True)])
    assert said["valid_accuracy"] == pytest.approx(together)
    assert [one["valid_accuracy"] for one in said["teachers"]] == [
        NerRun.load(folder).metrics["valid"]["accuracy"] for folder in teachers
    ]


def test_settings_that_teachers_share(teachers):
    teacher = TaggerTeacher(teachers[1])
    teacher.config = dataclasses.replace(teacher.config, retokenize=False, repair=True, seed=5)
    own = distill_tagger_preset("chinese")
    plain = teacher.instruct(own, words=False, files=False)
    assert (plain.tokenizer, plain.retokenize, plain.lowercase, plain.repair) == ("word", False, False, False)
    assert (plain.characters, plain.split_seed, plain.units) == (False, None, own.units)
    all_alike = teacher.instruct(own, words=True, files=True)
    assert (all_alike.characters, all_alike.repair, all_alike.split_seed) == (True, True, 5)


def test_refusals_leave_nothing(teach, teachers, tmp_path, corpus, tagged_corpus, monkeypatch):
    out = tmp_path / "ученик"
    for setting, said in (("tokenizer=char", "word"), ("retokenize=false", "true"), ("normalization=nfc", "nfkc")):
        key = setting.partition("=")[0]
        with pytest.raises(InputError, match=rf"setting {key}: {said} for .*crf, but .* must cut texts alike"):
            teach(out, [setting])
    with pytest.raises(InputError, match=r"setting tag_scheme: IOBES for .* must learn tags of one scheme"):
        teach(out, ["tag_scheme=IOB2"])
    foreign = tagged_corpus(tmp_path / "别.txt", "chinese", 20, 0)
    with pytest.raises(InputError, match=r"别\.txt: has 人名, 地名, which the teacher .*crf does not know"):
        teach(out, train=str(foreign))
    (tmp_path / "词.txt").write_text("Ms NOUN\nsang VERB\n\nhe PRON\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"词\.txt: holds plain tags, but .*crf gives spans"):
        teach(out, train=str(tmp_path / "词.txt"), valid=None)
    other = shutil.copytree(teachers[1], tmp_path / "чужой")
    for name, old, new in (("metrics.json", "LOC", "ORT"), ("tags.txt", "LOC", "ORT")):
        (other / name).write_text((other / name).read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=r"чужой: knows the tags O, .*ORT.*, but .*crf O, .*LOC"):
        teach(out, given=[teachers[0], other])
    assert not out.exists()
    before = {path: path.read_bytes() for path in teachers[0].iterdir() if path.is_file()}
    with pytest.raises(InputError, match="holds the teacher"):
        teach(teachers[0], force=True)
    assert before == {path: path.read_bytes() for path in teachers[0].iterdir() if path.is_file()}


def test_teachers_that_know_the_validation_sentences_are_named(teach, teachers, tmp_path, monkeypatch):
    def killed(*_, **__):
        raise Killed

    monkeypatch.setattr(ner, "fit", killed)
    lines = []
    with pytest.raises(Killed):
        teach(tmp_path / "ученик", ["split_seed=1"], valid=None, report=lines.append)
    warned = [line for line in lines if line.startswith("warning: ") and "trained on validation sentences" in line]
    assert [str(teachers[0]) in warned[0], str(teachers[1]) in warned[1]] == [True, True]


def test_a_run_of_another_task_is_no_teacher(tmp_path):
    folder = Path(tmp_path / "клас")
    folder.mkdir()
    (folder / "config.json").write_text('{"settings": {}, "textapp_version": "0"}', encoding="utf-8")
    (folder / "metrics.json").write_text('{"task": "sentiment"}', encoding="utf-8")
    (tmp_path / "пакет").mkdir()
    (tmp_path / "пакет/bundle.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="пакет: a bundle; taggers teach as runs"):
        TaggerTeacher(tmp_path / "пакет")
    with pytest.raises(InputError, match="клас: not a run of a tagger; its task is sentiment"):
        TaggerTeacher(folder)
