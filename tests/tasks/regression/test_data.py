"""Files of texts with numbers: what is read, and what is refused in one line with its place."""

import json

import numpy as np
import pytest

from textapp.errors import InputError
from textapp.task import Files, task
from textapp.tasks.regression.data import scaled_numbers

REGRESSION = task("regression")


def written(path, content):
    path.write_text(content, encoding="utf-8")
    return path


def lines(*labels):
    return "".join(json.dumps({"text": f"text {number}", "label": one}) + "\n" for number, one in enumerate(labels))


@pytest.mark.parametrize(
    ("name", "content", "options", "numbers"),
    [
        ("a.tsv", "text\tlabel\nbon\t 3.5\n差\t-1e3\n", {}, [(3.5,), (-1000.0,)]),
        ("a.csv", "text,food,service\nbon,3,4.5\n差,1,-2\n", {"label_column": "food, service"}, [(3, 4.5), (1, -2)]),
        ("a.csv", 'text,label\nbon,"[3, 4.5]"\n差,"[1,-2]"\n', {}, [(3, 4.5), (1, -2)]),
        ("a.jsonl", lines(2, 0.5), {}, [(2.0,), (0.5,)]),
        ("a.jsonl", lines([2, 1], ["0.5", 3]), {}, [(2.0, 1.0), (0.5, 3.0)]),
        ("a.jsonl", '{"text": "bon", "a": 1, "b": 2}\n', {"label_column": "b,a"}, [(2.0, 1.0)]),
        ("a.txt", "7 bon\n3 差\n", {}, [(7.0,), (3.0,)]),
    ],
)
def test_numbers_are_read(tmp_path, name, content, options, numbers):
    assert REGRESSION.read(written(tmp_path / name, content), **options).labels == numbers


@pytest.mark.parametrize(
    ("label", "rule"),
    [
        ("abc", "the label must be a number .* Received: 'abc'"),
        ("3,5", "the label must be a number .* with a point, such as 3.5.* Received: '3,5'"),
        ("1_000", "the label must be a number"),
        ("٣", "the label must be a number"),
        (float("nan"), "the label must be a number .* Received: nan"),
        ("inf", "the label must be a number .* Received: 'inf'"),
        (10**400, "the label must be a number"),
        (True, "the label must be a number .* Received: True"),
        ({"a": 1}, "the label must be a number"),
        ("[1, 2", r"the label must be a number .* Received: '\[1, 2'"),
        ("  ", "the number is missing; leave the text out, or give its number"),
        (None, "the number is missing"),
        ([], "the list of numbers is empty"),
        ([1, 2], "has 2 numbers, but the first text has 1; all texts must have the same numbers"),
    ],
)
def test_a_wrong_number_is_refused_with_its_place(tmp_path, label, rule):
    path = written(tmp_path / "цены.jsonl", lines(1, label))
    with pytest.raises(InputError, match=rf"цены.jsonl:2: {rule}") as raised:
        REGRESSION.read(path)
    assert "\n" not in str(raised.value)


def test_numbers_that_are_all_the_same_are_refused(tmp_path):
    path = written(tmp_path / "цены.jsonl", lines([1, 7], [2, 7], [3, 7]))
    config = REGRESSION.config().override(["label_column=none"])
    with pytest.raises(InputError, match=r"цены.jsonl: the number 'value 2' is 7 in all 3 texts; a regressor learns"):
        scaled_numbers(config, REGRESSION.read(path), lambda line: None)


def test_the_scaling_is_that_of_the_training_texts(tmp_path):
    rows = np.random.default_rng(1).normal(50, 9, 30).tolist()
    examples = REGRESSION.read(written(tmp_path / "a.jsonl", lines(*rows)))
    config = REGRESSION.config().override(["loss=quantile", "high_quantile=0.9"])
    targets = REGRESSION.targets(config, examples, lambda line: None)
    assert targets.names == ("value", "value, quantile 0.05", "value, quantile 0.9")
    assert targets.offsets == pytest.approx([np.mean(rows)] * 3)
    assert targets.scales == pytest.approx([np.std(rows)] * 3)
    encoded = np.array(targets.encode(examples.labels))
    assert encoded.mean(axis=0) == pytest.approx([0] * 3, abs=1e-9)
    assert encoded.std(axis=0) == pytest.approx([1] * 3)


def test_a_validation_split_has_small_and_large_numbers(tmp_path):
    """Most numbers occur once, so that they are no classes to take a share of."""
    path = written(tmp_path / "a.jsonl", lines(*np.linspace(0, 1, 100).tolist()))
    train, held_out = REGRESSION.read_splits(REGRESSION.config(), Files(path), 3, lambda line: None)
    numbers = sorted(row[0] for row in held_out["valid"].labels)
    assert (len(train), len(numbers)) == (90, 10)
    assert [int(10 * number) for number in numbers[:-1]] == list(range(9))
    other = written(tmp_path / "b.jsonl", lines([1, 2]))
    with pytest.raises(InputError, match=r"b.jsonl:1: has 2 numbers, but the first text of .*a.jsonl has 1"):
        REGRESSION.read_splits(REGRESSION.config(), Files(path, other), 3, lambda line: None)


def test_settings_of_another_loss_and_of_classifiers_are_refused():
    config = REGRESSION.config()
    with pytest.raises(InputError, match=r"setting low_quantile: not used by loss=mse, only by quantile"):
        config.override(["low_quantile=0.1"])
    with pytest.raises(InputError, match=r"unknown setting class_weights; it is one of `textapp train classifier`"):
        config.override(["class_weights=balanced"])
    with pytest.raises(InputError, match=r"setting high_quantile: must be above 0.5 and below 1"):
        config.override(["loss=quantile", "high_quantile=0.4"])
