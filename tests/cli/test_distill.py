"""`textapp distill`: its teachers of all kinds, its defaults, and what it refuses."""

import contextlib
import shutil
import sys
from shlex import quote

import numpy as np
import pytest

from tests.cli.commands import as_options, change_json, read_json, run_and_kill
from textapp.cli.main import main
from textapp.training.run import Run
from textapp.training.run_folder import SOFT_TARGETS, SOFT_TARGETS_PART

pytestmark = pytest.mark.usefixtures("undrawn")
SMALL = {
    "multilabel": as_options(("epochs=1", "max_tokens=16", "encoder=convolution", "units=4")),
    "classification": as_options(
        ("epochs=1", "encoder=convolution", "units=2", "embedding_dim=4", "attention_units=2")
    ),
    "tagging": as_options(("epochs=1", "units=2", "embedding_dim=3", "min_count=1", "encoder=convolution")),
}
OWN_SETTINGS = ["seed=5", "valid_fraction=0.3", "lowercase=false", "repair=true", "max_tokens=16", "min_count=1"]


@pytest.fixture(scope="module", name="command")
def _command(models):
    """The command that makes a student of the classifier, of no file but the run's and one without labels."""
    model = models("classification")

    def command(out):
        unlabelled = ["--unlabelled", model.files["valid"]]
        return ["distill", str(model.run), "--out", str(out), *unlabelled, *SMALL["classification"]]

    return command


@pytest.fixture(scope="module", name="student")
def _student(command, tmp_path_factory):
    folder = tmp_path_factory.mktemp("Ученики") / "学生"
    with pytest.MonkeyPatch.context() as patches, contextlib.suppress(SystemExit):
        patches.setattr(sys, "argv", ["textapp", *command(folder)])
        main()
    assert (folder / "metrics.json").exists()  # it ended well
    return folder


@pytest.fixture(scope="module", name="own_ways")
def _own_ways(models, tmp_path_factory):
    """A tagger that divided its training file by a seed of its own, and reads words in a way of its own."""
    from textapp.training import train

    model, folder = models("tagging"), tmp_path_factory.mktemp("Учителя 老师") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "fit", lambda *_, **__: [{"loss": 1.0}])
        config = model.task.preset("tiny").override(OWN_SETTINGS)
        files = {name: model.files[name] for name in ("train", "test")}
        train.train("tagging", config, folder, **files, report=lambda line: None)
    return folder


def check_inherits(student, teacher):
    """Files and their division are the run's; its scores are in the student's metrics."""
    config, trained = (read_json(path / "config.json") for path in (student, teacher))
    assert [config[key] for key in ("train", "valid", "test")] == [trained[key] for key in ("train", "valid", "test")]
    assert config["teachers"][0]["path"] == str(teacher)
    assert config["settings"]["valid_fraction"] == trained["settings"]["valid_fraction"]
    assert config["distillation"]["split_seed"] == trained["settings"]["seed"]
    metrics, teacher_metrics = (read_json(path / "metrics.json") for path in (student, teacher))
    score = {"classification": "accuracy", "tagging": "entity_f1", "multilabel": "micro_f1"}[metrics["task"]]
    assert metrics["distillation"][f"valid_{score}"] == pytest.approx(teacher_metrics["valid"][score])
    assert metrics["distillation"]["parameters"] == teacher_metrics["parameters"] > metrics["parameters"]
    assert metrics["test"]["count"] == teacher_metrics["test"]["count"]
    return config["settings"], trained["settings"]


def test_a_student_of_a_classifier_inherits_files_and_their_division(student, classifier):
    check_inherits(student, classifier.run)
    assert (student / "sample.jsonl").read_bytes() == (classifier.run / "sample.jsonl").read_bytes()


def test_a_student_of_a_classifier_is_evaluated_and_predicts(textapp, student, classifier):
    scores = textapp("evaluate", student, "--data", classifier.files["test"], "--json").json
    assert scores["accuracy"] == Run.load(student).metrics["test"]["accuracy"]
    assert textapp("predict", student, "好 film").code == 0


def test_a_student_of_a_tagger_is_a_run_of_a_tagger(textapp, own_ways, tagger, tmp_path, fit_at_once):
    more, folder = tmp_path / "ещё.txt", tmp_path / "学生"
    more.write_text("Yesterday Ms Zorba sang near Ōsaka.\nЖ\n", encoding="utf-8")
    outcome = textapp("distill", own_ways, "--out", folder, "--unlabelled", more, *SMALL["tagging"], "--json")
    assert outcome.code == 0, outcome.err
    assert f"next:  textapp export {quote(str(folder))}" in outcome.err
    settings, trained = check_inherits(folder, own_ways)
    for key in ("lowercase", "repair", "tokenizer"):
        assert settings[key] == trained[key]
    assert settings["units"] == 2
    assert (folder / "sample.tsv").read_bytes() == (own_ways / "sample.tsv").read_bytes()
    assert outcome.json["tags"] == read_json(own_ways / "metrics.json")["tags"]
    assert outcome.json["data"]["train"]["unlabelled"] == 2

    scores = textapp("evaluate", folder, "--data", tagger.files["test"], "--json").json
    assert scores["entity_f1"] == outcome.json["test"]["entity_f1"]
    bundle = tmp_path / "пакет"
    assert textapp("export", folder, "--out", bundle, "--lengths", "8", "--recipe", "float32").code == 0
    of_run, of_bundle = (
        textapp("predict", path, "Ms Zorba sang", "--json").json["predictions"] for path in (folder, bundle)
    )
    assert of_run == of_bundle
    assert read_json(bundle / "bundle.json")["lineage"]["teachers"] == [f"{own_ways.parent.name}/{own_ways.name}"]


def test_bundles_and_files_teach_too(textapp, model, tmp_path, fit_at_once):
    files = ["--train", model.files["train"], "--valid", model.files["valid"], *SMALL[model.task.name]]
    first = textapp("distill", model.bundle, *files, "--out", tmp_path / "у", "--json")
    teachers = [model.bundle, tmp_path / "у" / SOFT_TARGETS]
    outcome = textapp("distill", *teachers, *files, "--out", tmp_path / "другой", "--json")
    assert (first.code, outcome.code) == (0, 0), first.err + outcome.err
    bundle, soft = outcome.json["distillation"]["teachers"]
    assert bundle["path"] == str(model.bundle)
    assert bundle["parameters"] is None
    scores = textapp("evaluate", model.bundle, "--data", model.files["valid"], "--json").json
    assert bundle[f"valid_{model.main_score}"] is not None
    if model.task.name == "classification":  # a tagger is scored by the best sequence, a teacher by each token
        assert bundle["valid_accuracy"] == scores["accuracy"]
    assert soft[f"valid_{model.main_score}"] == pytest.approx(bundle[f"valid_{model.main_score}"])
    assert "next:  textapp export" in outcome.err


def test_killed_and_run_again_it_ends_the_same(textapp, student, command, tmp_path):
    folder = tmp_path / "убитый 死"
    run_and_kill(command(folder), lambda: any((folder / name).exists() for name in (SOFT_TARGETS_PART, SOFT_TARGETS)))
    assert not (folder / "metrics.json").exists()
    assert textapp(*command(folder)).code == 0
    assert {path.name for path in folder.iterdir()} == {path.name for path in student.iterdir()}
    assert (folder / SOFT_TARGETS).read_bytes() == (student / SOFT_TARGETS).read_bytes()
    for one, other in zip(Run.load(folder).model.get_weights(), Run.load(student).model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


BOTH = ("classification", "tagging")


@pytest.mark.parametrize(
    ("tasks", "arguments", "rule"),
    [
        (BOTH[:1], ["--set", "temprature=3"], "--set: unknown setting temprature; did you mean"),
        (BOTH, ["--set", "alpha=2"], "setting alpha: must be from 0 to 1; received 2.0"),
        (BOTH, ["--set", "split_seed=-1"], "setting split_seed: must be from 0 to"),
        (BOTH, ["--set", "embedding_dim=none"], "setting embedding_dim: none means the dimension of the vectors"),
        (BOTH, ["--set", "embedding_rank=64"], "setting embedding_rank: must be below embedding_dim"),
        (BOTH, ["--unlabelled", "нет.txt"], "нет.txt: No such file"),
        (BOTH[:1], ["--set", "stream=true"], "setting stream: a student is trained from memory"),
        (BOTH[1:], ["--set", "stream=true"], "setting stream: a tagger is trained from memory"),
        (BOTH[:1], ["--set", "temperature=0"], "setting temperature: must be above 0"),
        (BOTH[:1], ["--set", "augment=-1"], "setting augment: must be from 0 to 1000"),
        (BOTH[:1], ["--preset", "крошка"], "--preset крошка: unknown; presets: "),
        (BOTH[1:], ["--set", "tokenizer=char"], "setting tokenizer: word for "),
        (
            BOTH[1:],
            ["--preset", "sentences"],
            "--preset sentences: unknown; presets: english, chinese, chinese_large, tags, tiny",
        ),
    ],
)
def test_a_wrong_setting_is_refused(textapp, models, tmp_path, tasks, arguments, rule):
    for task in tasks:
        assert rule in textapp("distill", models(task).run, "--out", tmp_path / "у", *arguments).refusal
        assert not (tmp_path / "у").exists()


def test_teachers_that_are_none_are_refused(textapp, copy, model, tmp_path):
    def refusal(*teachers):
        return textapp("distill", *teachers, "--out", tmp_path / "у").refusal

    assert refusal(model.bundle).startswith(f"--train is missing: {model.bundle} does not tell")
    assert refusal(tmp_path / "нет").startswith(f"{tmp_path / 'нет'}: No such file")
    assert refusal(tmp_path).startswith(f"{tmp_path}: not a run folder")
    assert refusal(model.run, tmp_path).startswith(f"{tmp_path}: not a run folder")
    (tmp_path / "данные.txt").write_text("pos très bon\n", encoding="utf-8")
    assert refusal(tmp_path / "данные.txt").startswith(f"{tmp_path / 'данные.txt'}:1: each line must be a JSON object")
    cut = shutil.copytree(model.run, tmp_path / "обрезан")
    (cut / "model.keras").write_bytes((cut / "model.keras").read_bytes()[:3000])
    assert refusal(cut, *SMALL[model.task.name]).startswith(f"{cut / 'model.keras'}: not a Keras model")
    broken = copy(model.run)
    change_json(broken / "metrics.json", task="помидор")
    assert refusal(broken).startswith(f"{broken / 'metrics.json'}: task 'помидор' must be one of ")
    change_json(broken / "metrics.json", task="vectors")
    assert refusal(broken).startswith(f"{broken}: a training of word vectors, not a run")
    assert not (tmp_path / "у").exists()


@pytest.mark.parametrize("kind", ["run", "bundle"])
def test_teachers_are_of_one_task(textapp, classifier, tagger, tmp_path, kind):
    one, other = getattr(classifier, kind), getattr(tagger, kind)
    for command in (["distill"], ["compress", "--budget", "1MB"]):
        for teachers, rule in (
            ((one, other), f"{other}: a tagger, but {one} is a classifier; all teachers must be of one task"),
            ((other, one), f"{one}: a classifier, but {other} is a tagger; all teachers must be of one task"),
        ):
            assert textapp(*command, *teachers, "--out", tmp_path / "у").refusal == rule
    assert not (tmp_path / "у").exists()
