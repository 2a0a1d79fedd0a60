"""`textapp export`: a run in, a checked bundle out, nothing else."""

import json
import resource
import tempfile
from pathlib import Path

import pytest

from textapp.export import ExportError
from textapp.export.clients import CLIENTS
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary


def test_a_bundle_is_made_and_described(textapp, model, tmp_path):
    out = tmp_path / "пакет 包"
    outcome = textapp("export", model.run, "--out", out, "--lengths", "4,16", "--data", model.files["test"], "--json")
    assert outcome.code == 0
    assert "note: texts of more than" not in outcome.err  # the run reads 16 tokens
    description = outcome.json
    assert description["task"] == model.task.name
    assert description["lengths"] == [4, 16]
    assert description["recipe"] == "dynamic_wi8_afp32"
    assert f"label agreement {description['metrics']['label_agreement']:.4f} on " in outcome.err
    assert f"bundle: {out}" in outcome.err
    scores = textapp("evaluate", out, "--data", model.files["test"], "--json").json
    assert scores[model.main_score] == description["metrics"]["after"][model.main_score]


@pytest.mark.parametrize(
    ("name", "note"),
    [("classification", "lose their end"), ("tagging", "are read in windows, so tags may differ")],
)
def test_what_becomes_of_longer_texts_is_said(textapp, models, tmp_path, name, note):
    outcome = textapp("export", models(name).run, "--out", tmp_path / "包", "--lengths", "8", "--recipe", "float32")
    assert f"note: texts of more than 8 tokens {note}; the run reads 16" in outcome.err


def test_the_scores_of_a_bundle_count_types_that_the_model_lacks(textapp, tagger, tmp_path):
    data = tmp_path / "река 河.txt"
    known = Path(tagger.files["test"]).read_text(encoding="utf-8")
    data.write_text(f"{known}\nDonau B-RIVER\nsang O\n\nRhein B-RIVER\n", encoding="utf-8")
    bundle = tmp_path / "bündel"
    recorded = textapp("export", tagger.run, "--out", bundle, "--data", data, "--json").json["metrics"]["after"]
    assert recorded == textapp("evaluate", bundle, "--data", data, "--json").json
    assert recorded["types"]["RIVER"]["count"] == 2


@pytest.mark.parametrize(
    ("lengths", "rule"),
    [
        ("abc", "must be whole numbers with commas between"),
        ("", "must be whole numbers with commas between"),
        ("8,,16", "must be whole numbers with commas between"),
        ("八百", "must be whole numbers with commas between"),
        ("0", "must be 1 or more and increase"),
        ("-4", "must be 1 or more and increase"),
        ("16,8", "must be 1 or more and increase"),
        ("8,8", "must be 1 or more and increase"),
        ("8,17", "the run was trained on texts of at most 16 tokens"),
        ("1000000000000", "the run was trained on texts of at most 16 tokens"),
    ],
)
def test_wrong_lengths_are_refused(textapp, classifier, tmp_path, lengths, rule):
    assert rule in textapp("export", classifier.run, "--out", tmp_path / "包", "--lengths", lengths).refusal
    assert not any(tmp_path.iterdir())


def test_what_is_there_already_stays(textapp, classifier, copy, tmp_path, snapshot):
    (tmp_path / "документ").write_text("важно", encoding="utf-8")
    (tmp_path / "папка").mkdir()
    (tmp_path / "папка" / "документ").write_text("важно", encoding="utf-8")
    copy(classifier.bundle), copy(classifier.run)
    before = snapshot(tmp_path)
    for out, force in (
        ("копия 本/bündel", []),
        ("копия 本/run 好", ["--force"]),
        ("документ", ["--force"]),
        ("документ/пакет", ["--force"]),
        ("документ/папка/пакет", []),
        ("папка", ["--force"]),
    ):
        refusal = textapp("export", classifier.run, "--out", tmp_path / out, "--lengths", "4", *force).refusal
        assert refusal.startswith(str(tmp_path / out.partition("/пакет")[0].partition("/папка")[0]))
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        (
            "classification",
            "text\tlabel\nхорошо 好\tотлично\n",
            ":2: the label 'отлично' does not occur in the training",
        ),
        ("tagging", "Wien NOUN\nist VERB\n", ": holds plain tags, but the model gives spans"),
    ],
)
def test_bad_data_are_refused_before_the_conversion(textapp, models, tmp_path, name, content, rule):
    data = tmp_path / "метки.tsv"
    data.write_text(content, encoding="utf-8")
    refusal = textapp("export", models(name).run, "--out", tmp_path / "包", "--data", data).refusal
    assert refusal.startswith(f"{data}{rule}")
    assert not (tmp_path / "包").exists()


@pytest.mark.parametrize(("name", "option"), [("classification", "--text-column"), ("tagging", "--scheme")])
def test_options_of_data_need_data(textapp, models, tmp_path, name, option):
    refusal = textapp("export", models(name).run, "--out", tmp_path / "包", option, "IOB2").refusal
    assert refusal == f"{option}: says how --data is read, which is missing"


def test_a_full_temporary_disk_is_one_line(textapp, classifier, tmp_path, monkeypatch):
    (tmp_path / "временно").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "временно"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))  # the kernel refuses any larger file
    try:
        outcome = textapp("export", classifier.run, "--out", tmp_path / "包", "--lengths", "8")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert outcome.refusal.startswith(f"{tmp_path / 'временно'}")
    assert outcome.refusal.endswith(": File too large")
    assert [path.name for path in tmp_path.iterdir()] == ["временно"]
    assert not any((tmp_path / "временно").iterdir())


def test_a_failed_check_keeps_the_old_bundle(textapp, classifier, copy, snapshot, monkeypatch):
    def fail(*_):
        raise ExportError("model.tflite: differs from Keras")

    monkeypatch.setattr("textapp.export.bundle.check_file", fail)
    folder = copy(classifier.bundle)
    before = snapshot(folder.parent)
    arguments = ["export", classifier.run, "--out", folder, "--force", "--lengths", "8"]
    assert textapp(*arguments).refusal == "model.tflite: differs from Keras"
    assert snapshot(folder.parent) == before


def test_a_run_becomes_clients(textapp, model, tmp_path):
    out = tmp_path / "приложение"
    outcome = textapp("export", model.run, "--client", "c", "--out", out, "--lengths", "16", "--json")
    assert outcome.code == 0
    assert f"c: {out} (" in outcome.err
    assert "label agreement" in outcome.err
    assert outcome.json["lengths"] == [16]
    assert {path.name for path in out.iterdir()} >= {"main.c", "textapp.c", "textapp.h", "bundle", "README.md"}
    scores = textapp("evaluate", out / "bundle", "--data", model.files["test"], "--json").json
    assert model.main_score in scores
    assert "exists; choose another folder" in textapp("export", model.run, "--client", "c", "--out", out).refusal


def test_how_far_mediapipe_differs_is_measured_on_the_sample(textapp, classifier, tmp_path):
    out = tmp_path / "приложение"
    outcome = textapp("export", classifier.run, "--client", "mediapipe", "--out", out, "--lengths", "16")
    assert outcome.code == 0
    sample = [json.loads(line) for line in (classifier.run / "sample.jsonl").read_text(encoding="utf-8").splitlines()]
    vocabulary = Vocabulary.load(classifier.run / "vocabulary.txt")
    ids = {
        kind: [vocabulary.encode(tokenizer.words(row["text"])[:16]) for row in sample]
        for kind, tokenizer in (("word", Tokenizer()), ("bert", Tokenizer("bert", True, "none")))
    }
    same = sum(one == other for one, other in zip(ids["word"], ids["bert"], strict=True))
    assert 0 < same < len(sample)
    share = f"(word): of {len(sample)} validation texts {same / len(sample):.1%} have the same ids and "
    assert share in outcome.err
    assert share in (out / "README.md").read_text(encoding="utf-8")


def test_a_bundle_becomes_a_client_as_it_is(textapp, classifier, tmp_path):
    out = tmp_path / "приложение"
    outcome = textapp("export", classifier.bundle, "--client", "c", "--out", out, "--json")
    assert (outcome.code, outcome.err.count("\n")) == (0, 1)
    made = {path.name: path.read_bytes() for path in (out / "bundle").iterdir()}
    # An app needs no model card.
    assert made == {path.name: path.read_bytes() for path in classifier.bundle.iterdir() if path.name != "README.md"}


@pytest.mark.parametrize(
    "option", [("--recipe", "float32"), ("--lengths", "8"), ("--text-column", "text"), ("--lowering", "unrolled")]
)
def test_a_bundle_takes_no_option_of_a_run(textapp, classifier, tmp_path, option):
    refusal = textapp("export", classifier.bundle, "--client", "c", "--out", tmp_path / "out", *option).refusal
    assert refusal == f"{option[0]}: is for a run; {classifier.bundle} is a bundle, which is used as it is"


def test_unknown_clients_are_refused_before_the_work(textapp, classifier, tmp_path):
    for source in classifier.folders:
        refusal = textapp("export", source, "--client", "pda", "--out", tmp_path / "out").refusal
        assert refusal == f"--client 'pda': is no client; choose from {', '.join(CLIENTS)}"
    assert "is a bundle already" in textapp("export", classifier.bundle, "--out", tmp_path / "out").refusal
