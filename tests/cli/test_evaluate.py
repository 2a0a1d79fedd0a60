"""`textapp evaluate`."""

import gzip
import json
from pathlib import Path

import pytest


@pytest.mark.parametrize("folder", ["run_folder", "bundle_folder"])
def test_scores_are_those_of_the_predictions(textapp, request, corpus, folder):
    folder = request.getfixturevalue(folder)
    rows = [line.split("\t") for line in Path(corpus["test"]).read_text(encoding="utf-8").splitlines()[1:]]
    predictions = textapp("predict", folder, "--json", *(text for text, _ in rows)).json["predictions"]
    pairs = [(label, prediction["label"]) for (_, label), prediction in zip(rows, predictions, strict=True)]
    f1 = [
        2 * pairs.count((name, name)) / max(1, sum((one == name) + (other == name) for one, other in pairs))
        for name in ("negative", "positive")
    ]
    outcome = textapp("evaluate", folder, "--data", corpus["test"], "--json")
    assert outcome.json == {
        "accuracy": sum(one == other for one, other in pairs) / 40,
        "macro_f1": pytest.approx(sum(f1) / 2),
        "count": 40,
    }
    assert "on 40 texts" in outcome.err
    assert textapp("evaluate", folder, "--data", corpus["test"]).out == ""


def test_the_run_knows_its_own_score(textapp, run_folder, corpus):
    scores = textapp("evaluate", run_folder, "--data", corpus["test"], "--json").json
    metrics = json.loads((run_folder / "metrics.json").read_text(encoding="utf-8"))["test"]
    assert scores == {key: metrics[key] for key in ("accuracy", "macro_f1", "count")}


@pytest.mark.parametrize("folder", ["run_folder", "bundle_folder"])
def test_texts_without_a_token_and_a_megabyte_long_are_scored(textapp, request, tmp_path, folder):
    rows = ["\u200b\tnegative", "\x01\tpositive", "好 film " * 130_000 + "\tnegative"]
    content = "\ufeff" + "text\tlabel\r\n" + "".join(f"{row}\r\n" for row in rows)
    (tmp_path / "отзывы.tsv.gz").write_bytes(gzip.compress(content.encode()))
    outcome = textapp("evaluate", request.getfixturevalue(folder), "--data", tmp_path / "отзывы.tsv.gz", "--json")
    assert outcome.json["count"] == 3


@pytest.mark.parametrize(
    ("content", "arguments", "rule"),
    [
        (None, [], ": No such file or directory"),
        (b"", [], ": there is no example to read; the file is empty"),
        ("text\tlabel\n好\tпозитив\n".encode(), [], ":2: the label 'позитив' does not occur in the training data"),
        (
            "текст\tlabel\n好\tnegative\n".encode(),
            [],
            ":1: no column has a known name for the text; give its name",
        ),
        (
            b"text\tlabel\nx\ty\n",
            ["--text-column", "列"],
            ":1: no column '列' for the text; columns found:",
        ),
        (b"text\tlabel\ngut\xff\tnegative\n", [], ":2: byte 4 of the line is not UTF-8"),
    ],
)
@pytest.mark.parametrize("command", ["evaluate", "bench"])
def test_bad_data_are_refused(textapp, bundle_folder, tmp_path, command, content, arguments, rule):
    if (command, "позитив" in rule) == ("bench", True):
        pytest.skip("bench times texts of any label")
    path = tmp_path / "данные.tsv"
    if content is not None:
        path.write_bytes(content)
    refusal = textapp(command, bundle_folder, "--data", path, "--json", *arguments).refusal
    assert refusal.startswith(f"{path}{rule}")


def test_an_empty_path_and_a_subset_of_nothing_are_refused(textapp, bundle_folder, tmp_path):
    assert "is empty" in textapp("evaluate", bundle_folder, "--data", "").refusal
    refusal = textapp("evaluate", bundle_folder, "--data", f"{tmp_path / '無'}#train").refusal
    assert refusal == f"{tmp_path / '無'}: No such file or directory"


def test_the_columns_can_be_named(textapp, bundle_folder, tmp_path):
    (tmp_path / "d.tsv").write_text("отзыв\tоценка\nхорошо 好\tpositive\n", encoding="utf-8")
    arguments = ["--data", tmp_path / "d.tsv", "--text-column", "отзыв", "--label-column", "оценка", "--json"]
    assert textapp("evaluate", bundle_folder, *arguments).json["count"] == 1
