"""`textapp data check`."""

import json
import random
import re

import pytest

from textapp.cli.data import _FIELDS

WORDS = {"за": ["gut", "好吃", "super"], "против": ["fade", "难吃", "cher"]}


@pytest.fixture(scope="module", name="labelled")
def _labelled(tmp_path_factory):
    """Texts of two labels: line 12 has the wrong one, line 102 is line 2 with the other label, 103 nearly line 3."""
    rng, path = random.Random(2), tmp_path_factory.mktemp("Daten 数据") / "отзывы.tsv"
    rows = []
    for number in range(100):
        label = list(WORDS)[number % 2]
        rows.append((" ".join([*rng.choices("abcdefghijklmnop", k=18), *rng.choices(WORDS[label], k=2)]), label))
    rows[10] = (rows[10][0], "против")
    rows += [(rows[0][0].upper() + " !", "против"), (rows[1][0] + "x", "за")]
    path.write_text("text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in rows), encoding="utf-8")
    return path


def test_wrong_labels_are_listed_by_their_lines(textapp, labelled, tmp_path):
    out = tmp_path / "found.tsv"
    outcome = textapp("data", "check", labelled, "--labels", "--out", out, "--json", "--top", 3)
    assert outcome.code == 0
    lines = outcome.err.splitlines()
    first = lines.index(next(line for line in lines if line.startswith("another label is more probable: "))) + 1
    assert set(lines[first : first + 6 : 2]) == {f"{labelled}:{number}" for number in (12, 102, 103)}
    shown = lines[lines.index(f"{labelled}:12") + 1]
    assert re.match(r"  против 0\.\d\d, rather за 0\.\d\d: [a-p] ", shown)
    for title, numbers in (("the same text with", (2, 102)), ("nearly the same text with", (3, 103))):
        start = lines.index(f"{title} different labels: 1")
        assert [line for line in lines[start:] if line.startswith(str(labelled))][:2] == [
            f"{labelled}:{number}" for number in numbers
        ]
    assert all(len(line) <= 80 for line in lines if line.startswith("  "))
    found = outcome.json["found"]
    assert outcome.json["count"] == 102
    assert sum(pair["count"] for pair in outcome.json["confusions"]) == len(
        [row for row in found if row["kind"] == "doubtful"]
    )
    header, *rows = [line.split("\t") for line in out.read_text(encoding="utf-8").splitlines()]
    assert header == list(_FIELDS)
    assert [row[:3] + row[-1:] for row in rows] == [
        [row["kind"], row["place"], row["given"], row["text"]] for row in found
    ]
    assert [row["kind"] for row in found[-4:]] == ["equal", "equal", "similar", "similar"]


def test_results_are_replaced_only_by_force_and_nothing_else_is(textapp, labelled, tmp_path):
    out = tmp_path / "found.jsonl"
    command = ["data", "check", labelled, "--labels", "--out", out]
    assert textapp(*command).code == 0
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert {"kind": "doubtful", "place": f"{labelled}:12", "given": "против", "suggested": "за"}.items() <= next(
        row for row in rows if row["place"] == f"{labelled}:12"
    ).items()
    assert textapp(*command).refusal == f"{out}: exists; use --force to replace it, or another --out"
    assert textapp(*command, "--force").code == 0
    out.write_text('{"text": "mine"}\n', encoding="utf-8")
    assert "this command did not write it" in textapp(*command, "--force").refusal
    assert "is read by this command" in textapp(*command[:-1], labelled, "--force").refusal
    assert textapp(*command[:-1], tmp_path / "a.csv").refusal.endswith("must end in .tsv or .jsonl")


@pytest.mark.parametrize("kind", ["run", "bundle"])
def test_a_models_probabilities_count_too(textapp, model, kind):
    outcome = textapp("data", "check", model.files["test"], "--labels", "--model", getattr(model, kind), "--json")
    assert outcome.code == 0
    assert ("model: probabilities of 40 texts" in outcome.err) == (model.task.unit == "text")
    assert all(row["place"].startswith(model.files["test"]) for row in outcome.json["found"])


def test_the_same_sentence_with_other_tags_is_found(textapp, tmp_path):
    path = tmp_path / "теги.txt"
    blocks = ["Paris B-LOC\nsang O\n", "好 O\n", "Paris B-PER\nsang O\n"]
    path.write_text("\n".join(blocks), encoding="utf-8")
    outcome = textapp("data", "check", path, "--labels", "--task", "tagging")
    assert outcome.err.splitlines()[-5:] == [
        "",
        f"{path}:1",
        "  Paris B-LOC: Paris sang",
        f"{path}:6",
        "  Paris B-PER: Paris sang",
    ]
    path.write_text("\n".join(blocks[:2]), encoding="utf-8")
    outcome = textapp("data", "check", path, "--labels", "--task", "tagging", "--json")
    assert outcome.err.splitlines()[-1] == "no tag was found that may be wrong"
    assert (outcome.json["count"], outcome.json["found"], outcome.json["confusions"]) == (2, [], [])


def test_without_labels_it_says_what_a_training_says(textapp, labelled):
    outcome = textapp("data", "check", labelled, "--json")
    assert outcome.err.splitlines()[0] == f"read {labelled}: 102 examples"
    assert (outcome.json["train"] + outcome.json["valid"], outcome.json["labels"]) == (102, ["за", "против"])
    assert outcome.json["tokens"] == {"median": 21, "quantile_98": 22, "longest": 22, "texts_without": 0}
    assert "training data: " in outcome.err
    assert "warning" not in outcome.err


def test_without_labels_it_warns_of_labels_as_a_training_does(textapp, labelled, tmp_path):
    path = tmp_path / "отзывы.tsv"
    path.write_text(labelled.read_text(encoding="utf-8") + "q r s\tза \nt u v\tЗА\nw x y\tseul\n", encoding="utf-8")
    warnings = [line for line in textapp("data", "check", path).err.splitlines() if line.startswith("warning: ")]
    assert ["differ in case" in line or "only one training text" in line or "skewed" in line for line in warnings] == [
        True
    ] * 3


def test_the_files_of_each_task_are_summed_up(textapp, model):
    outcome = textapp("data", "check", model.files["train"], "--task", model.task.name)
    assert outcome.code == 0
    assert "tokens of a training text: median " in outcome.err


def test_what_cannot_be_checked_is_refused(textapp, labelled, classifier, tmp_path):
    def refusal(*arguments):
        return textapp("data", "check", *arguments).refusal

    assert refusal(tmp_path / "無") == f"{tmp_path / '無'}: No such file or directory"
    assert refusal(labelled, "--out", "a.tsv") == "--out: needs --labels"
    assert refusal(labelled, "--task", "poetry").startswith("task 'poetry': must be one of classification, ")
    assert refusal(labelled, "--labels", "--task", "tagging", "--model", classifier.bundle).startswith(
        "--task tagging: "
    )
    assert "none of its labels occurs in the training data" in refusal(
        labelled, "--labels", "--model", classifier.bundle
    )
    assert refusal(labelled, "--tag-column", "1").startswith("--tag-column: is no option of a classifier")
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "好", "labels": ["a", "b"]}\n', encoding="utf-8")
    assert "--task tagging and --task multilabel are for others" in refusal(path)
