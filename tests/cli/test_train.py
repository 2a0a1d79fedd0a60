"""`textapp train sentiment`: what it refuses, and that it then loses nothing."""

import errno
import json
import math
from shlex import quote

import keras
import pytest

from textapp.training import sentiment
from textapp.training.run import CHECKPOINT

HEADER, NAMES = "text\tlabel\n", ("да", "нет")
GOOD = HEADER + "".join(f"хороший 好 {i}\tда\nплохой 坏 {i}\tнет\n" for i in range(30))
BAD_FILES = {
    "missing": (None, "No such file or directory"),
    "empty": (b"", "there is no example to read"),
    "header only": (HEADER.encode(), "there is no example to read"),
    "wrong column": ("a\tb\nх\t1\n".encode(), ":1: no column has a known name for the text"),
    "too few columns": ((GOOD + "無\n").encode(), ":62: each row must have 2 columns, as the first row has"),
    "no label": ((GOOD + "無\t\n").encode(), ":62: the label is missing"),
    "one class": ((HEADER + "да 好\tда\n" + "нет 坏\tда\n" * 9).encode(), "two classes or more"),
    "broken UTF-8": (GOOD.encode() + b"\xe5\xa5\tda\n", ":62: byte 1 of the line is not UTF-8"),
    "broken gzip": (b"\x1f\x8b" + GOOD.encode(), "gzip data are cut off or damaged"),
    "no words": ("".join([HEADER, *(f"{chr(7) * i}\t{NAMES[i % 2]}\n" for i in range(1, 40))]).encode(), "has a token"),
}


@pytest.mark.parametrize("case", BAD_FILES)
@pytest.mark.parametrize("option", ["--train", "--valid"])
def test_a_bad_file_is_refused_and_no_run_is_made(textapp, tmp_path, case, option):
    if (option, case) == ("--valid", "one class"):
        pytest.skip("held-out texts may be of one class")
    content, rule = BAD_FILES[case]
    good, bad, out = tmp_path / "хорошо.tsv", tmp_path / "плохо é.tsv", tmp_path / "прогон"
    good.write_text(GOOD, encoding="utf-8")
    if content is not None:
        bad.write_bytes(content)
    files = ["--train", bad] if option == "--train" else ["--train", good, "--valid", bad]
    refusal = textapp("train", "sentiment", *files, "--out", out, "--set", "epochs=1").refusal
    assert refusal.startswith(str(bad))
    assert rule in refusal
    assert not out.exists()


def test_a_label_unseen_in_training_is_named_with_its_line(textapp, tmp_path):
    for name, content in (("обучение.tsv", GOOD), ("проверка.tsv", HEADER + "好\tда\n很\tможет быть\n")):
        (tmp_path / name).write_text(content, encoding="utf-8")
    for option in ("--valid", "--test"):
        arguments = ["--train", tmp_path / "обучение.tsv", option, tmp_path / "проверка.tsv", "--out", tmp_path / "п"]
        refusal = textapp("train", "sentiment", *arguments).refusal
        assert refusal.startswith(f"{tmp_path / 'проверка.tsv'}:3: the label 'может быть' does not occur")
        assert not (tmp_path / "п").exists()


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["--set", "unitz=3"], "unknown setting unitz; did you mean units?"),
        (["--set", "units"], "must read KEY=VALUE"),
        (["--set", "dropout=много"], "must be a number"),
        (["--preset", "крошка"], "--preset крошка: unknown; presets: "),
        (["--set", "text_column=評論"], ":1: no column '評論' for the text; columns found: 'text', 'label'"),
    ],
)
def test_a_wrong_setting_is_refused(textapp, tmp_path, corpus, arguments, rule):
    command = ["train", "sentiment", "--train", corpus["train"], "--out", tmp_path / "прогон", *arguments]
    assert rule in textapp(*command).refusal
    assert not (tmp_path / "прогон").exists()


def test_vectors_are_checked_before_a_run_is_made(textapp, tmp_path, corpus):
    path = tmp_path / "векторы 好.txt"
    command = ["train", "sentiment", "--train", corpus["train"], "--out", tmp_path / "прогон", "--preset", "tiny"]
    outcome = textapp(*command, "--vectors", path)
    assert outcome.err == f"textapp: {path}: No such file or directory\n"  # before any text is read
    path.write_text("2 3\ngood 1 2 3\n好 1 2\n", encoding="utf-8")
    assert textapp(*command, "--vectors", path).refusal.startswith(f"{path}:3: ")
    path.write_text("2 3\ngood 1 2 3\n好 1 2 4\n", encoding="utf-8")
    refusal = textapp(*command, "--vectors", path, "--set", "embedding_dim=32").refusal
    assert refusal.startswith(f"setting embedding_dim: is 32, but the vectors of {path} have 3 dimensions")
    assert textapp(*command, "--set", "extra_words=9").refusal.startswith("setting extra_words: ")
    assert not (tmp_path / "прогон").exists()


def test_a_presets_dimension_gives_way_to_the_vectors(textapp, tmp_path, corpus, fit_at_once):
    path = tmp_path / "векторы 好.txt"
    path.write_text("3 3\ngood 1 2 3\n好 1 2 4\nfilm 1 0 0\n", encoding="utf-8")
    command = ["train", "sentiment", "--train", corpus["train"], "--out", tmp_path / "прогон", "--preset", "tiny"]
    outcome = textapp(*command, "--vectors", path, "--set", "units=4", "--json")
    assert outcome.code == 0
    assert outcome.json["vectors"]["dim"] == 3
    assert "vectors: " in outcome.err
    assert json.loads((tmp_path / "прогон/config.json").read_text(encoding="utf-8"))["vectors"] == str(path)


def test_a_finished_run_is_not_overwritten(textapp, run_folder, train_command, snapshot):
    before = snapshot(run_folder)
    refusal = textapp(*train_command(run_folder)).refusal
    assert refusal == f"{run_folder}: holds a finished run; use --force to train it anew, or another --out"
    assert snapshot(run_folder) == before


@pytest.mark.parametrize("case", BAD_FILES)
def test_force_keeps_the_old_run_when_the_new_one_cannot_start(textapp, run_folder, tmp_path, snapshot, case):
    content, _ = BAD_FILES[case]
    if content is not None:
        (tmp_path / "плохо.tsv").write_bytes(content)
    before = snapshot(run_folder)
    arguments = ["--train", tmp_path / "плохо.tsv", "--out", run_folder, "--force", "--set", "epochs=1"]
    assert textapp("train", "sentiment", *arguments).code == 2
    assert snapshot(run_folder) == before


def test_force_keeps_the_old_run_when_no_model_can_be_built(textapp, run_folder, train_command, snapshot, monkeypatch):
    def too_large(*_):
        raise MemoryError

    monkeypatch.setattr(sentiment, "build_model", too_large)
    before = snapshot(run_folder)
    assert "more memory than there is" in textapp(*train_command(run_folder), "--force").refusal
    assert snapshot(run_folder) == before


@pytest.mark.parametrize("force", [[], ["--force"]])
@pytest.mark.parametrize("name", ["тезис.doc", "config.json"])
def test_a_folder_that_is_no_run_is_never_touched(textapp, tmp_path, train_command, snapshot, force, name):
    folder = tmp_path / "Важно"
    (folder / "подпапка").mkdir(parents=True)
    (folder / name).write_text('{"чужой": 1}', encoding="utf-8")
    before = snapshot(folder)
    refusal = textapp(*train_command(folder), *force).refusal
    assert refusal.startswith(str(folder))
    assert snapshot(folder) == before


@pytest.mark.parametrize("out", ["файл", "файл/прогон", "名" * 300])
def test_a_place_where_no_folder_can_be_is_refused_at_once(textapp, tmp_path, train_command, out):
    (tmp_path / "файл").write_text("данные", encoding="utf-8")
    outcome = textapp(*train_command(tmp_path / out), "--force")
    assert outcome.refusal.startswith(str(tmp_path))
    assert len(outcome.err.splitlines()) == 1  # before anything is read
    assert (tmp_path / "файл").read_text(encoding="utf-8") == "данные"


def test_a_folder_without_write_permission_is_refused_at_once(textapp, tmp_path, train_command, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    refusal = textapp(*train_command(tmp_path / "прогон")).refusal
    assert refusal == f"{tmp_path}: may not be written to; choose another place"


def test_an_unfinished_run_of_another_command_is_refused(textapp, copy, run_folder, corpus, snapshot, train_command):
    folder = copy(run_folder)
    (folder / "metrics.json").unlink()
    before = snapshot(folder)
    arguments = [*train_command(folder), "--set", "units=5", "--set", "dropout=0.1", "--valid", corpus["valid"]]
    refusal = textapp(*arguments).refusal
    assert refusal.startswith(f"{folder}: holds an unfinished run with other valid, units, dropout; use --force")
    assert snapshot(folder) == before


@pytest.mark.parametrize("damage", [b"", "чепуха".encode(), b"PK\3\4" + bytes(100)])
def test_a_broken_checkpoint_is_named(textapp, copy, run_folder, train_command, damage):
    folder = copy(run_folder)
    (folder / "metrics.json").unlink()
    (folder / CHECKPOINT).write_bytes(damage)
    refusal = textapp(*train_command(folder)).refusal
    assert refusal.startswith(f"{folder / CHECKPOINT}: not a checkpoint of textapp")
    assert "--force" in refusal


@pytest.fixture
def fit_at_once(monkeypatch):
    """Training as a matter of no time: what comes before and after it is under test."""
    history = [{"loss": 0.5, "val_loss": math.nan, "val_accuracy": 0.5}]
    monkeypatch.setattr(sentiment, "fit", lambda *_, **__: history)


def test_force_deletes_the_run_and_leftovers_alone(textapp, copy, run_folder, train_command, fit_at_once):
    folder = copy(run_folder)
    others = ["заметки.txt", "logs.txt", ".hidden"]
    stale = ["checkpoint.npz", ".checkpoint.npz.a1b2c3d4.npz", ".config.json._1b2c3d4.json", "logs/старый"]
    for name in (*others, *stale):
        (folder / name).write_text("старое", encoding="utf-8")
    outcome = textapp(*train_command(folder), "--force", "--json")
    assert outcome.code == 0
    names = {path.name for path in folder.iterdir()}
    assert names == {*others, *(path.name for path in run_folder.iterdir())} - {"logs"}
    assert outcome.json == json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert outcome.json["history"] == [{"loss": 0.5, "val_loss": None, "val_accuracy": 0.5}]  # JSON knows no NaN


def test_a_start_that_was_killed_at_its_first_file_goes_on(textapp, tmp_path, train_command, fit_at_once):
    folder = tmp_path / "прогон"
    folder.mkdir()
    (folder / ".config.json.a1b2c3d4.json").write_text("{")
    outcome = textapp(*train_command(folder))
    assert (outcome.code, outcome.out) == (0, "")
    assert f"next:  textapp export {quote(str(folder))}" in outcome.err
    assert not list(folder.glob(".*"))


def test_after_a_full_disk_the_run_is_unfinished(textapp, tmp_path, train_command, fit_at_once, monkeypatch):
    def save(model, path):
        path.write_bytes(b"half a model")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(keras.Model, "save", save)
    folder = tmp_path / "прогон"
    assert textapp(*train_command(folder)).refusal == f"{folder / 'model.keras'}: No space left on device"
    names = {path.name for path in folder.iterdir()}
    assert names == {"config.json", "tokenizer.json", "vocabulary.txt", "labels.txt", "sample.jsonl"}
    assert "not finished" in textapp("predict", folder, "текст").refusal
    monkeypatch.undo()


def test_ctrl_c_says_that_the_command_goes_on(textapp, train_command, tmp_path, monkeypatch):
    def stopped(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("textapp.training.sentiment.train_sentiment", stopped)
    outcome = textapp(*train_command(tmp_path / "run"))
    assert (outcome.code, outcome.out) == (130, "")
    assert "the same command goes on" in outcome.err.splitlines()[-1]
