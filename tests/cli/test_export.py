"""`textapp export`: a run in, a checked bundle out, nothing else."""

import resource
import tempfile

import pytest

from textapp.export import ExportError


def test_a_bundle_is_made_and_described(textapp, run_folder, corpus, tmp_path):
    out = tmp_path / "пакет 包"
    outcome = textapp("export", run_folder, "--out", out, "--lengths", "4,16", "--data", corpus["test"], "--json")
    assert outcome.code == 0
    assert "note: texts of more than" not in outcome.err  # the run reads 16 tokens
    assert outcome.json["lengths"] == [4, 16]
    assert outcome.json["recipe"] == "dynamic_wi8_afp32"
    assert outcome.json["metrics"]["count"] == 40
    assert f"bundle: {out}" in outcome.err
    scores = textapp("evaluate", out, "--data", corpus["test"], "--json").json
    assert scores["accuracy"] == outcome.json["metrics"]["after"]["accuracy"]


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
def test_wrong_lengths_are_refused(textapp, run_folder, tmp_path, lengths, rule):
    assert rule in textapp("export", run_folder, "--out", tmp_path / "包", "--lengths", lengths).refusal
    assert not any(tmp_path.iterdir())


def test_what_is_there_already_stays(textapp, run_folder, bundle_folder, copy, tmp_path, snapshot):
    (tmp_path / "документ").write_text("важно", encoding="utf-8")
    (tmp_path / "папка").mkdir()
    (tmp_path / "папка" / "документ").write_text("важно", encoding="utf-8")
    copy(bundle_folder), copy(run_folder)
    before = snapshot(tmp_path)
    for out, force in (
        ("копия 本/bündel", []),
        ("копия 本/run 好", ["--force"]),
        ("документ", ["--force"]),
        ("документ/пакет", ["--force"]),
        ("документ/папка/пакет", []),
        ("папка", ["--force"]),
    ):
        refusal = textapp("export", run_folder, "--out", tmp_path / out, "--lengths", "4", *force).refusal
        assert refusal.startswith(str(tmp_path / out.partition("/пакет")[0].partition("/папка")[0]))
    assert snapshot(tmp_path) == before


def test_bad_data_are_refused_before_the_conversion(textapp, run_folder, tmp_path):
    (tmp_path / "метки.tsv").write_text("text\tlabel\nхорошо 好\tотлично\n", encoding="utf-8")
    refusal = textapp("export", run_folder, "--out", tmp_path / "包", "--data", tmp_path / "метки.tsv").refusal
    assert refusal.startswith(f"{tmp_path / 'метки.tsv'}:2: the label 'отлично' does not occur in the training data")
    assert not (tmp_path / "包").exists()


def test_a_full_temporary_disk_is_one_line(textapp, run_folder, tmp_path, monkeypatch):
    (tmp_path / "временно").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "временно"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))  # the kernel refuses any larger file
    try:
        outcome = textapp("export", run_folder, "--out", tmp_path / "包", "--lengths", "8")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert outcome.refusal.startswith(f"{tmp_path / 'временно'}")
    assert outcome.refusal.endswith(": File too large")
    assert [path.name for path in tmp_path.iterdir()] == ["временно"]
    assert not any((tmp_path / "временно").iterdir())


def test_a_failed_check_keeps_the_old_bundle(textapp, run_folder, bundle_folder, copy, snapshot, monkeypatch):
    def fail(*_):
        raise ExportError("model.tflite: differs from Keras")

    monkeypatch.setattr("textapp.export.bundle.check_file", fail)
    folder = copy(bundle_folder)
    before = snapshot(folder.parent)
    arguments = ["export", run_folder, "--out", folder, "--force", "--lengths", "8"]
    assert textapp(*arguments).refusal == "model.tflite: differs from Keras"
    assert snapshot(folder.parent) == before
