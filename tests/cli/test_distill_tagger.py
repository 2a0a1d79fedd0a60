"""`textapp distill` of taggers: its defaults, what other commands do with the student, and what it refuses."""

import json
from shlex import quote

import pytest
from textapp.training.ner_run import NerRun

from textapp.config import ner_preset
from textapp.training import ner

SMALL = [part for setting in ("units=2", "embedding_dim=3", "min_count=1", "cell=rnn") for part in ("--set", setting)]


@pytest.fixture(autouse=True)
def fit_at_once(monkeypatch):
    """Training as a matter of no time: what comes before and after it is under test."""
    monkeypatch.setattr(ner, "fit", lambda *_, **__: [{"loss": 1.0}])


@pytest.fixture(scope="module", name="teacher")
def _teacher(tmp_path_factory, tagged_corpus):
    """A run that divided its training file by a seed of its own, and reads words in a way of its own."""
    folder = tmp_path_factory.mktemp("Учителя 老师")
    train, test = (tagged_corpus(folder / f"{name}.txt", "english", 40, seed) for seed, name in enumerate("ab"))
    settings = ["seed=5", "valid_fraction=0.3", "lowercase=false", "repair=true", "max_tokens=16", "min_count=1"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ner, "fit", lambda *_, **__: [{"loss": 1.0}])
        config = ner_preset("tiny").override(settings)
        ner.train_ner(config, folder / "run", train=train, test=test, report=lambda line: None)
    return folder / "run"


def test_a_student_is_a_run_of_a_tagger(textapp, teacher, tmp_path):
    more, folder = tmp_path / "ещё.txt", tmp_path / "学生"
    more.write_text("Yesterday Ms Zorba sang near Ōsaka.\nЖ\n", encoding="utf-8")
    outcome = textapp("distill", teacher, "--out", folder, "--unlabelled", more, *SMALL, "--json")
    assert outcome.code == 0, outcome.err
    assert f"next:  textapp export {quote(str(folder))}" in outcome.err
    metrics = outcome.json
    config, trained = (json.loads((path / "config.json").read_text(encoding="utf-8")) for path in (folder, teacher))
    assert [config[key] for key in ("train", "valid", "test")] == [trained[key] for key in ("train", "valid", "test")]
    for key in ("lowercase", "repair", "valid_fraction", "tokenizer"):
        assert config["settings"][key] == trained["settings"][key]
    assert (config["settings"]["units"], config["distillation"]["split_seed"]) == (2, 5)
    assert (folder / "sample.tsv").read_bytes() == (teacher / "sample.tsv").read_bytes()
    taught = NerRun.load(teacher).metrics
    assert metrics["distillation"]["valid_entity_f1"] == taught["valid"]["entity_f1"]
    assert metrics["distillation"]["parameters"] == taught["parameters"] > metrics["parameters"]
    assert metrics["tags"] == taught["tags"]
    assert metrics["data"]["train"]["unlabelled"] == 2

    scores = textapp("evaluate", folder, "--data", config["test"], "--json").json
    assert scores["entity_f1"] == metrics["test"]["entity_f1"]
    bundle = tmp_path / "пакет"
    exported = textapp("export", folder, "--out", bundle, "--lengths", "8", "--recipe", "float32")
    assert "note: texts of more than 8 tokens are read in windows, so tags may differ; the run reads" in exported.err
    said = [textapp("predict", path, "Ms Zorba sang", "--json").json["predictions"] for path in (folder, bundle)]
    assert said[0] == said[1]
    lineage = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))["lineage"]
    assert lineage["teachers"] == [f"{teacher.parent.name}/{teacher.name}"]


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["--set", "temprature=3"], "--set: unknown setting temprature; did you mean"),
        (["--set", "alpha=2"], "setting alpha: must be from 0 to 1; received 2.0"),
        (["--set", "split_seed=-1"], "setting split_seed: must be from 0 to"),
        (["--set", "embedding_dim=none"], "setting embedding_dim: none means that of the vectors"),
        (["--set", "tokenizer=char"], "setting tokenizer: word for "),
        (
            ["--preset", "sentences"],
            "--preset sentences: unknown; presets: english, chinese, chinese_large, tags, tiny",
        ),
        (["--unlabelled", "нет.txt"], "нет.txt: No such file"),
    ],
)
def test_a_wrong_setting_is_refused(textapp, teacher, tmp_path, arguments, rule):
    assert rule in textapp("distill", teacher, "--out", tmp_path / "у", *arguments).refusal
    assert not (tmp_path / "у").exists()


def test_only_runs_of_taggers_teach_a_tagger(textapp, teacher, run_folder, tmp_path):
    out = tmp_path / "у"
    assert textapp("distill", teacher, run_folder, "--out", out).refusal == (
        f"{run_folder}: not a run of a tagger; its task is sentiment"
    )
    assert textapp("distill", run_folder, teacher, "--out", out).refusal == (
        f"{teacher}: not a run of a classifier; its task is ner"
    )
    assert textapp("distill", teacher, tmp_path, "--out", out).refusal.startswith(f"{tmp_path}: not a run folder")
    assert not out.exists()
