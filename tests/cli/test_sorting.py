"""`textapp predict --sort uncertainty`: a pool of texts, the most uncertain first."""

import gzip
import os
from pathlib import Path

import pytest

from textapp.cli.line_predictor import Answer
from textapp.cli.sorting import SortedLines
from textapp.errors import InputError

LINES = [
    *(
        "\ufeff好 great\r",
        "",
        "bad плохо",
        " ",
        "très bien",
        "awful 好 film",
        "great great\r",
        "x",
        "很 好 film",
        "bad",
    ),
]


@pytest.fixture(name="pool")
def _pool(tmp_path):
    path = tmp_path / "много 行.txt"
    path.write_text("\n".join(LINES), encoding="utf-8", newline="")
    return path


def uncertainty(prediction, thresholds):
    """By hand: 1 minus the margin, or minus the share of the way from the nearest threshold."""
    if "labels" not in prediction:
        first, second = sorted(prediction["probs"].values(), reverse=True)[:2]
        return 1 - (first - second)
    pairs = zip(prediction["probs"].values(), thresholds, strict=True)
    return 1 - min((prob - least) / ((1 - least) if prob >= least else -least) for prob, least in pairs)


@pytest.mark.parametrize("name", ["classification", "multilabel"])
def test_the_most_uncertain_line_comes_first(textapp, models, pool, name):
    bundle = models(name).bundle
    plain = textapp("predict", bundle, "--file", pool, "--json").json["predictions"]
    numbers = [number for number, prediction in enumerate(plain, 1) if prediction["tokens"]]
    thresholds = models(name).metrics.get("thresholds")
    known = {number: uncertainty(plain[number - 1], thresholds) for number in numbers}
    outcome = textapp("predict", bundle, "--file", pool, "--json", "--sort", "uncertainty")
    assert (outcome.code, outcome.err) == (0, "note: left out 2 lines without a token\n")
    found = outcome.json["predictions"]
    assert [one["line"] for one in found] == sorted(numbers, key=lambda number: -known[number])
    assert [one["uncertainty"] for one in found] == pytest.approx(sorted(known.values(), reverse=True), abs=1e-6)
    for one in found:
        assert {key: one[key] for key in one if key not in ("line", "uncertainty")} == plain[one["line"] - 1]


def test_people_read_the_place_of_each_line(textapp, classifier, pool):
    command = ["predict", classifier.bundle, "--file", pool, "--sort", "uncertainty"]
    one, two = textapp(*command), textapp(*command, "--workers", 2)
    assert two == one
    rows = [line.split("\t") for line in one.out.splitlines()]
    assert len(rows) == 8
    for _, place, _, _, text in rows:
        path, _, number = place.rpartition(":")
        assert (path, text) == (str(pool), LINES[int(number) - 1].strip("\ufeff\r"))
    assert [row[0] for row in rows] == sorted((row[0] for row in rows), reverse=True)
    assert textapp(*command, "--top", 3).out.splitlines() == one.out.splitlines()[:3]


def test_lines_that_cannot_be_predicted_end_it_before_the_first_answer_or_are_skipped(textapp, classifier, pool):
    content = pool.read_bytes()
    whole = textapp("predict", classifier.bundle, "--file", pool, "--sort", "uncertainty")
    pool.write_bytes(content + b"\nx\xff\n\xfe")
    command = ["predict", classifier.bundle, "--file", pool, "--sort", "uncertainty"]
    assert textapp(*command).refusal == f"{pool}:11: byte 2 of the line is not UTF-8; files must be UTF-8"
    skipped = textapp(*command, "--skip-bad")
    assert (skipped.code, skipped.out) == (0, whole.out)
    assert skipped.err.endswith(f"note: skipped 2 lines of bytes that are not UTF-8; the first is {pool}:11\n")


def test_what_cannot_be_sorted_is_refused(textapp, classifier, tagger, pool, tmp_path):
    def refusal(*arguments, model=classifier):
        return textapp("predict", model.bundle, *arguments).refusal

    assert refusal("--sort", "alphabet", "--file", pool) == "--sort alphabet: must be uncertainty"
    assert refusal("--top", 3, "--file", pool) == "--top 3: needs --sort uncertainty"
    assert refusal("--sort", "uncertainty").startswith("--sort uncertainty: needs --file, ")
    assert refusal("--sort", "uncertainty", "--file", pool, model=tagger) == (
        "--sort: is no option of a tagger, only of a model that labels whole texts"
    )
    packed = Path(f"{pool}.gz")
    packed.write_bytes(gzip.compress(pool.read_bytes()))
    assert "is compressed, a pipe or a device" in refusal("--sort", "uncertainty", "--file", packed)
    os.mkfifo(tmp_path / "pipe")
    handle = os.open(tmp_path / "pipe", os.O_RDWR)
    os.write(handle, "好\n".encode())
    assert "is compressed, a pipe or a device" in refusal("--sort", "uncertainty", "--file", tmp_path / "pipe")
    os.close(handle)


def test_a_file_that_changes_meanwhile_ends_it(pool):
    def answers(blocks):
        for block in blocks:
            yield Answer(uncertainties=[0.5] * len(block.lines))

    with pool.open("rb") as stream:
        lines = SortedLines(stream, "pool", answers, None)
        assert [number for block in lines.blocks() for number in block.numbers] == list(range(1, 11))
        with pool.open("ab") as file:
            file.write(b"more")
        with pytest.raises(InputError, match=r"^pool: was changed while it was read; run the command again$"):
            list(lines.blocks())
