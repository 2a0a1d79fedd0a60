"""The table of the data that a training prints."""

import numpy as np
import pytest

from textapp.task import task
from textapp.text.characters import terminal_width
from textapp.text.labels import ExclusiveLabels
from textapp.text.tag_set import TagSet
from textapp.training.counts import data_table

COUNTS = {
    "train": {"count": 1498, "cut": 3, "oov_rate": 0.116},
    "valid": {"count": 400, "cut": 0, "oov_rate": 0.175},
}


def test_labels_stand_beside_each_other_where_they_fit():
    shown = {"train": {"да": 717, "很坏\x1b": 781}, "valid": {"да": 193, "很坏\x1b": 207}}
    assert data_table("texts", COUNTS, shown) == [
        "data   texts   да  很坏\\x1b  cut  unknown",
        "-----  -----  ---  --------  ---  -------",
        "train  1,498  717       781    3    11.6%",
        "valid    400  193       207    0    17.5%",
    ]


def test_rates_without_extra_words_have_a_column():
    counts = {"train": {**COUNTS["train"], "oov_rate_without_extra": 0.25}, "valid": COUNTS["valid"]}
    assert data_table("texts", counts, {name: {"a": 1} for name in counts})[2:] == [
        "train  1,498  1    3    11.6%          25.0%",
        "valid    400  1    0    17.5%          17.5%",
    ]


@pytest.mark.parametrize("columns", [30, 80])
def test_many_labels_stand_below_each_other_the_most_frequent_first(columns):
    train = {f"label {number}": number for number in range(150)}
    valid = dict.fromkeys(train, 1)
    lines = data_table("texts", COUNTS, {"train": train, "valid": valid}, columns)
    assert max(map(terminal_width, lines)) <= columns
    assert lines[2:] == [
        "train  1,498    3    11.6%",
        "valid    400    0    17.5%",
        "",
        "            train  valid",
        "----------  -----  -----",
        *(f"label {number}     {number}      1" for number in range(149, 139, -1)),
        "140 others  9,730    140",
    ]


def test_eleven_labels_have_no_line_for_one_other():
    shown = {"train": {f"a long name of label {number}": 1 for number in range(11)}}
    assert "other" not in "\n".join(data_table("texts", {"train": COUNTS["train"]}, shown))


def test_spans_are_counted_by_their_type():
    tags = TagSet(("O", "S-人", "B-地", "I-地", "E-地", "S-地", "S-"), "IOBES")
    assert task("tagging").shown_counts(tags, np.array([9, 1, 2, 5, 2, 4, 3])) == {"no type": 3, "人": 1, "地": 6}
    assert task("tagging").shown_counts(TagSet(("B-x", "N"), None), np.array([1, 2])) == {"B-x": 1, "N": 2}


def test_labels_are_counted_also_where_a_text_has_several():
    labels = ExclusiveLabels(("да", "нет"))
    assert task("classification").shown_counts(labels, np.array([1, 2, 3])) == {"да": 1, "нет": 2}  # 3: of no known one
    assert task("multilabel").shown_counts(labels, np.array([[9, 1], [8, 2]])) == {"да": 1, "нет": 2}
