"""Splits keep their proportions and share no text."""

from collections import Counter
from pathlib import Path

import pytest

from textapp.data.readers import Examples, read_examples
from textapp.data.splits import drop_duplicates, drop_overlap, split_examples
from textapp.errors import InputError

DATA = Path(__file__).parents[2] / "../shared/data"


def numbered(sizes: dict[str, int]) -> Examples:
    labels = [label for label, size in sizes.items() for _ in range(size)]
    return Examples([f"text № {i} 好" for i in range(len(labels))], labels, "ü.tsv", range(2, len(labels) + 2))


def test_a_split_is_stratified_and_complete():
    examples = numbered({"négatif": 700, "positif": 250, "neutre": 49, "ironique": 2, "unique": 1})
    train, held_out, report = split_examples(examples, fraction=0.1, seed=3)
    assert Counter(held_out.labels) == {"négatif": 70, "positif": 25, "neutre": 5, "ironique": 1}
    assert sorted(train.texts + held_out.texts) == sorted(examples.texts)
    assert not set(train.texts) & set(held_out.texts)
    assert list(train.locations) == sorted(train.locations)
    original = dict(zip(examples.locations, examples.texts, strict=True))
    assert [original[place] for place in held_out.locations] == held_out.texts
    assert str(report) == "ü.tsv: 901 examples for training, 101 held out, 0 dropped that equal a held-out text"


def test_the_seed_alone_decides():
    examples = numbered({"非": 60, "是": 60})
    assert split_examples(examples, 0.25, seed=1)[1] == split_examples(examples, 0.25, seed=1)[1]
    assert split_examples(examples, 0.25, seed=1)[1] != split_examples(examples, 0.25, seed=2)[1]


def test_the_total_is_the_fraction_rounded():
    for fraction in (0.05, 0.3, 0.5, 0.77):
        held_out = split_examples(numbered({"à": 33, "è": 33, "ì": 34}), fraction, seed=0)[1]
        assert len(held_out) == round(100 * fraction)


def test_equal_texts_are_not_left_on_both_sides():
    examples = Examples(["déjà vu"] * 10 + [f"ça {i}" for i in range(10)], ["0", "1"] * 10, "é.tsv")
    train, held_out, report = split_examples(examples, 0.5, seed=0)
    assert "déjà vu" in held_out.texts
    assert "déjà vu" not in train.texts
    assert report.dropped == 10 - held_out.texts.count("déjà vu") > 0
    assert report.train + report.held_out + report.dropped == 20


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 1.5, float("nan")])
def test_a_fraction_out_of_range_is_an_error(fraction):
    with pytest.raises(InputError, match=r"`fraction` must be between 0 and 1\. Received: fraction="):
        split_examples(numbered({"à": 5, "è": 5}), fraction, seed=0)


def test_too_few_examples_to_split_are_an_error():
    with pytest.raises(InputError, match=r"ü\.tsv: too few examples \(2\) to hold some out; no class has more than 1"):
        split_examples(numbered({"à": 1, "è": 1}), 0.5, seed=0)


def test_the_first_of_duplicates_is_kept():
    texts = ["très  bien", "不错", "très bien", "Très bien", "不错", "\ttrès bien\n"]
    examples, report = drop_duplicates(Examples(texts, ["1", "1", "0", "1", "1", "1"], "é.tsv"))
    assert examples.texts == ["très  bien", "不错", "Très bien"]
    assert examples.labels == ["1", "1", "1"]
    assert str(report) == "é.tsv: 3 examples kept, 3 duplicates dropped, 1 of them with another label"


def test_training_texts_that_are_held_out_are_dropped_and_counted_by_set():
    train = Examples(["Très bien !", "好。", "bof", "नमस्ते", "नमस्त", "?!", "!"], list("1101011"), "train.tsv")
    valid = Examples(["très bien", "नमस्ते"], ["0", "1"], "valid.tsv")
    test = Examples(["好", "TRÈS BIEN...", "!"], ["1", "1", "1"], "test.tsv")
    kept, report = drop_overlap(train, valid, test)
    assert kept.texts == ["bof", "नमस्त", "?!"]
    assert str(report) == "train.tsv: 3 examples kept, 4 dropped that are held out (valid.tsv 2, test.tsv 2)"


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the research data beside the project")
def test_the_known_overlaps_of_real_data_are_found():
    phrases = read_examples(DATA / "sst2/glue_phrases_train.tsv")
    held_out = [read_examples(DATA / f"sst2/stsa.binary.{name}") for name in ("dev", "test")]
    assert drop_overlap(phrases, *held_out)[1].dropped == 15


def test_texts_of_several_labels_are_split_by_their_rarest():
    labels = [("common", "rare")] * 4 + [("common",)] * 36 + [()] * 10
    examples = Examples([f"text {number}" for number in range(50)], labels, "a.jsonl")
    train, held_out, _ = split_examples(examples, 0.25, seed=3)
    assert [sum("rare" in names for names in part.labels) for part in (train, held_out)] == [3, 1]
    assert 2 <= sum(not names for names in held_out.labels) <= 3
    assert len(held_out) in (12, 13)
