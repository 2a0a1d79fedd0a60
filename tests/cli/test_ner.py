"""`textapp train ner`, and what other commands do with its run."""

import json
import math
from shlex import quote

import pytest

from textapp.training import ner

GOOD = "".join(f"Wien{i} B-地\nist O\nschön O\n\nAnna B-PER\nLin{i} I-PER\n\n" for i in range(10))
BAD_FILES = {
    "missing": (None, "No such file or directory"),
    "empty": (b"", "there is no sentence to read"),
    "broken UTF-8": (GOOD.encode() + b"\xe5\xa5 O\n", ":71: byte 1 of the line is not UTF-8"),
    "columns": ((GOOD + "無\n").encode(), ":71: each line must have 2 columns, as the first token's line has"),
    "a broken sequence": ((GOOD + "無 B-地\n无 I-PER\n").encode(), ":72: I-PER cannot follow B-地 in IOB2"),
    "no span": ("無 O\n\n无 O\n\n好 O\n".encode(), "there must be two different tags"),
}


@pytest.fixture
def fit_at_once(monkeypatch):
    """Training as a matter of no time: what comes before and after it is under test."""
    history = [{"loss": math.nan, "val_loss": 0.5, "val_entity_f1": 0.25}]
    monkeypatch.setattr(ner, "fit", lambda *_, **__: history)


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "данные 好.txt"
    path.write_text(GOOD, encoding="utf-8")
    return path


@pytest.fixture
def command(good, tmp_path):
    settings = [part for setting in ("units=3", "cell=rnn", "min_count=1") for part in ("--set", setting)]
    return [
        "train",
        "ner",
        "--train",
        good,
        "--test",
        good,
        "--out",
        tmp_path / "прогон",
        "--preset",
        "tiny",
        *settings,
    ]


@pytest.fixture
def run_of_tags(textapp, command, fit_at_once):
    outcome = textapp(*command, "--json")
    assert outcome.code == 0, outcome.err
    return command[7], outcome


@pytest.mark.parametrize("case", BAD_FILES)
@pytest.mark.parametrize("option", ["--train", "--valid"])
def test_a_bad_file_is_refused_and_no_run_is_made(textapp, tmp_path, good, case, option):
    if (option, case) == ("--valid", "no span"):
        pytest.skip("held-out sentences may be without entities")
    content, rule = BAD_FILES[case]
    bad = tmp_path / "плохо é.txt"
    if content is not None:
        bad.write_bytes(content)
    files = ["--train", bad] if option == "--train" else ["--train", good, "--valid", bad]
    refusal = textapp("train", "ner", *files, "--out", tmp_path / "прогон", "--set", "scheme=IOB2").refusal
    assert refusal.startswith(str(bad))
    assert rule in refusal
    assert not (tmp_path / "прогон").exists()


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["--set", "unitz=3"], "unknown setting unitz; did you mean units?"),
        (["--preset", "中文"], "--preset 中文: unknown; presets: english, chinese, chinese_large, tags, tiny"),
        (["--set", "tag_column=7"], "`tag_column` must be from -2 to 1 here"),
        (["--set", "extra_words=3"], "setting extra_words: they come from a file of vectors"),
        (["--set", "scheme=BILOU"], ":2: O cannot follow B-地 in BILOU"),
    ],
)
def test_a_wrong_setting_is_refused(textapp, command, arguments, rule):
    refusal = textapp(*command, *arguments).refusal
    assert rule in refusal
    assert not command[7].exists()


def test_a_run_is_made_and_scored(textapp, run_of_tags, good):
    folder, outcome = run_of_tags
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert outcome.json == metrics
    assert metrics["task"] == "ner"
    assert metrics["history"] == [{"loss": None, "val_loss": 0.5, "val_entity_f1": 0.25}]  # JSON knows no NaN
    assert (folder / "tags.txt").read_text(encoding="utf-8").splitlines() == ["O", "B-PER", "E-PER", "S-地"]
    assert f"next:  textapp export {quote(str(folder))} --out " in outcome.err
    scored = textapp("evaluate", folder, "--data", good, "--json")
    assert scored.json == metrics["test"]
    assert {"entity_f1", "precision", "recall", "count", "token_accuracy", "types"} == scored.json.keys()
    assert scored.json["count"] == 20
    assert "type  precision  recall  entity F1  count" in scored.err
    assert textapp("evaluate", folder, "--data", good).out == ""


def test_columns_can_be_named_for_a_file_of_another_shape(textapp, run_of_tags, tmp_path):
    other = tmp_path / "другие.txt"
    other.write_text("B-地 x Wien1\nO x ist\n", encoding="utf-8")
    columns = ["--token-column", "2", "--tag-column", "0"]
    assert textapp("evaluate", run_of_tags[0], "--data", other, *columns, "--json").json["count"] == 1
    assert "hold" in textapp("evaluate", run_of_tags[0], "--data", other).refusal


def test_scoring_says_what_the_model_cannot_know(textapp, run_of_tags, tmp_path):
    other = tmp_path / "外.conll"
    other.write_text("Xyzzy B-动物\nplugh O\n", encoding="utf-8")
    said = textapp("evaluate", run_of_tags[0], "--data", other).err
    assert f"{other}: 1 sentences, 100.0% of tokens unknown" in said
    assert "what will be missed: 动物" in said


def test_a_finished_run_is_kept_unless_forced(textapp, run_of_tags, command, corpus, snapshot):
    folder, outcome = run_of_tags
    before = snapshot(folder)
    finished = f"{folder}: holds a finished run; use --force to train it anew, or another --out"
    assert textapp(*command).refusal == finished
    assert textapp("train", "sentiment", "--train", corpus["train"], "--out", folder).refusal == finished
    assert snapshot(folder) == before
    forced = textapp(*command, "--force", "--json")
    assert {**forced.json, "seconds": 0} == {**outcome.json, "seconds": 0}
    (folder / "metrics.json").unlink()
    assert "holds an unfinished run with other" in textapp("train", "sentiment", *command[2:]).refusal


def test_broken_sequences_are_mended_where_asked(textapp, command, fit_at_once, good):
    good.write_text(GOOD + "无 O\n無 I-地\n", encoding="utf-8")
    arguments = [*command, "--set", "scheme=IOB2"]
    assert textapp(*arguments).refusal.startswith(f"{good}:72: I-地 cannot follow O in IOB2")
    outcome = textapp(*arguments, "--set", "repair=true", "--json")
    assert outcome.json["test"]["count"] == 21
    assert f"1 broken tag repaired, the first at {good}:72" in outcome.err
