"""`textapp distill`: its teachers of all kinds, its defaults, and what it refuses."""

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from textapp.cli.main import main
from textapp.training.run import SOFT_LABELS, SOFT_LABELS_PART, Run

pytestmark = pytest.mark.usefixtures("undrawn")
COMMAND = [sys.executable, "-c", "from textapp.cli.main import main; main()"]
SMALL = [
    part for setting in ("epochs=1", "units=2", "embedding_dim=4", "attention_units=2") for part in ("--set", setting)
]


@pytest.fixture(scope="module", name="command")
def _command(run_folder, corpus):
    """The command that makes a student of the run, of no file but the run's."""

    def command(out):
        return ["distill", str(run_folder), "--out", str(out), "--unlabelled", corpus["valid"], *SMALL]

    return command


@pytest.fixture(scope="module", name="student")
def _student(command, tmp_path_factory):
    folder = tmp_path_factory.mktemp("Ученики") / "学生"
    with pytest.MonkeyPatch.context() as patches, contextlib.suppress(SystemExit):
        patches.setattr(sys, "argv", ["textapp", *command(folder)])
        main()
    assert (folder / "metrics.json").exists()  # it ended well
    return folder


def test_files_and_their_division_are_those_of_the_run(student, run_folder):
    config, trained = (json.loads((path / "config.json").read_text(encoding="utf-8")) for path in (student, run_folder))
    assert [config[key] for key in ("train", "valid", "test")] == [trained[key] for key in ("train", "valid", "test")]
    assert config["teachers"][0]["path"] == str(run_folder)
    assert config["distillation"]["split_seed"] == trained["settings"]["seed"]
    assert (student / "sample.jsonl").read_bytes() == (run_folder / "sample.jsonl").read_bytes()
    metrics, taught = (
        json.loads((path / "metrics.json").read_text(encoding="utf-8")) for path in (student, run_folder)
    )
    assert metrics["distillation"]["valid_accuracy"] == taught["valid"]["accuracy"]
    assert metrics["distillation"]["parameters"] == taught["parameters"] > metrics["parameters"]
    assert metrics["test"]["count"] == taught["test"]["count"]


def test_a_student_is_evaluated_and_predicts(textapp, student, corpus):
    scores = textapp("evaluate", student, "--data", corpus["test"], "--json").json
    assert scores["accuracy"] == Run.load(student).metrics["test"]["accuracy"]
    assert textapp("predict", student, "好 film").code == 0


def test_bundles_and_files_teach_too(textapp, student, bundle_folder, corpus, tmp_path):
    teachers = [bundle_folder, student / SOFT_LABELS]
    files = ["--train", corpus["train"], "--valid", corpus["valid"]]
    outcome = textapp("distill", *teachers, *files, "--out", tmp_path / "у", *SMALL, "--json")
    assert outcome.code == 0
    bundle, soft = outcome.json["distillation"]["teachers"]
    assert bundle["path"] == str(bundle_folder)
    assert bundle["parameters"] is None
    scores = textapp("evaluate", bundle_folder, "--data", corpus["valid"], "--json").json
    assert bundle["valid_accuracy"] == scores["accuracy"]
    assert soft["valid_accuracy"] is not None  # the validation texts were among the student's unlabelled ones
    assert "next:  textapp export" in outcome.err


def test_killed_and_run_again_it_ends_the_same(textapp, student, command, tmp_path):
    folder = tmp_path / "убитый 死"
    process = subprocess.Popen([*COMMAND, *command(folder)], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 240
    while not any((folder / name).exists() for name in (SOFT_LABELS_PART, SOFT_LABELS)):
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stderr.close()
    assert not (folder / "metrics.json").exists()
    assert textapp(*command(folder)).code == 0
    assert {path.name for path in folder.iterdir()} == {path.name for path in student.iterdir()}
    assert (folder / SOFT_LABELS).read_bytes() == (student / SOFT_LABELS).read_bytes()
    for one, other in zip(Run.load(folder).model.get_weights(), Run.load(student).model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("key", ["attention_weight", "hidden_weight"])
def test_teachers_that_show_no_insides_are_refused(textapp, student, bundle_folder, corpus, tmp_path, key):
    for teacher in (student / SOFT_LABELS, bundle_folder):
        files = ["--train", corpus["train"], "--valid", corpus["valid"], "--out", tmp_path / "у"]
        refusal = textapp("distill", teacher, *files, "--set", f"{key}=1").refusal
        assert refusal.startswith(f"setting {key}: {teacher} is no run, and only runs show their attention")
        more = ["--budget", "150KB", "--set", f"{key}=1"]
        assert textapp("compress", teacher, *files, *more).refusal == refusal
    assert not (tmp_path / "у").exists()


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["--set", "temprature=3"], "unknown setting temprature; did you mean temperature?"),
        (["--set", "alpha=2"], "setting alpha: must be from 0 to 1; received 2.0"),
        (["--set", "temperature=0"], "setting temperature: must be above 0"),
        (["--set", "augment=-1"], "setting augment: must be from 0 to 1000"),
        (["--set", "attention_weight=-0.1"], "setting attention_weight: must be 0 or more; received -0.1"),
        (["--set", "hidden_weight=inf"], "setting hidden_weight: must be 0 or more; received inf"),
        (
            ["--preset", "sentences", "--set", "attention_weight=1"],
            "setting adversarial: not together with attention_weight; set one of them to 0",
        ),
        (["--set", "stream=true"], "setting stream: a student is trained from memory"),
        (["--set", "embedding_dim=none"], "setting embedding_dim: none means that of the vectors"),
        (["--set", "embedding_rank=32"], "setting embedding_rank: must be below embedding_dim"),
        (["--preset", "крошка"], "--preset крошка: unknown; presets: "),
        (["--unlabelled", "нет.txt"], "нет.txt: No such file"),
    ],
)
def test_a_wrong_setting_is_refused(textapp, run_folder, tmp_path, arguments, rule):
    assert rule in textapp("distill", run_folder, "--out", tmp_path / "у", *arguments).refusal
    assert not (tmp_path / "у").exists()


def test_teachers_that_are_none_are_refused(textapp, bundle_folder, copy, run_folder, corpus, tmp_path):
    def refusal(*teachers):
        return textapp("distill", *teachers, "--out", tmp_path / "у").refusal

    assert refusal(bundle_folder).startswith(f"--train is missing: {bundle_folder} does not tell")
    assert refusal(tmp_path / "нет").startswith(f"{tmp_path / 'нет'}: No such file")
    assert refusal(tmp_path).startswith(f"{tmp_path}: not a run folder")
    assert refusal(corpus["train"]).startswith(f"{corpus['train']}:1: each line must be a JSON object")
    broken = copy(run_folder)
    (broken / "metrics.json").write_text('{"task": "vectors"}', encoding="utf-8")
    assert refusal(broken) == f"{broken}: not a run of a classifier; its task is vectors"
    cut = shutil.copytree(run_folder, tmp_path / "обрезан")
    (cut / "model.keras").write_bytes((cut / "model.keras").read_bytes()[:3000])
    assert refusal(cut, *SMALL).startswith(f"{cut / 'model.keras'}: not a Keras model")
    assert not (tmp_path / "у").exists()
