"""The built-in reviews: different, balanced, and beyond a bag of words."""

import hashlib
import re

import numpy as np
import pytest

from textapp.data.readers import Examples
from textapp.data.samples import read_grammar, sample_reviews, write_samples
from textapp.data.splits import split_examples
from textapp.errors import InputError

ENGLISH, CHINESE = read_grammar("english"), read_grammar("chinese")
TOKEN = re.compile(r"[\u4e00-\u9fff]|[^\W\d_\u4e00-\u9fff]+|\d+|[^\w\s]")


def tokens(text: str) -> list[str]:
    return TOKEN.findall(text.lower())


def is_chinese(text: str) -> bool:
    return re.search(r"[\u4e00-\u9fff]", text) is not None


def bag_of_words_accuracy(train: Examples, test: Examples) -> float:
    """Test accuracy of a logistic regression on the presence of words, fitted by gradient descent with Adam."""
    words = {word: i for i, word in enumerate(sorted({word for text in train.texts for word in tokens(text)}))}

    def bags(examples: Examples) -> tuple[np.ndarray, np.ndarray]:
        present = np.zeros((len(examples), len(words) + 1), np.float32)
        present[:, -1] = 1  # the bias
        for row, text in zip(present, examples.texts, strict=True):
            row[[words[word] for word in tokens(text) if word in words]] = 1
        return present, np.array([label == "positive" for label in examples.labels], np.float32)

    inputs, targets = bags(train)
    weights, mean, square = np.zeros((3, inputs.shape[1]), np.float32)
    for step in range(1, 301):
        probs = 1 / (1 + np.exp(-inputs @ weights))
        gradient = inputs.T @ (probs - targets) / len(targets) + 1e-4 * weights
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        weights -= 0.05 * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
    inputs, targets = bags(test)
    return float(np.mean((inputs @ weights > 0) == (targets > 0.5)))


@pytest.mark.parametrize("language", ["both", "en", "zh"])
def test_a_bag_of_words_gets_far_but_not_to_the_end(language):
    train, test, _ = split_examples(sample_reviews(4000, seed=5, language=language), fraction=0.25, seed=0)
    assert 0.80 < bag_of_words_accuracy(train, test) < 0.93


@pytest.mark.parametrize("grammar", [ENGLISH, CHINESE])
def test_templates_that_need_order_hold_words_of_the_other_label_or_an_agreement(grammar):
    # Each template has the other label's words, or is the counterpart of one that has: who was right, who was wrong.
    without = [template for template in grammar.by_order if not re.search(r"\{[Nn]\}|\{dreaded\}", template)]
    assert len(without) == 1
    assert not [template for template in grammar.by_words if re.search(r"\{[Nn]\}|\{dreaded\}", template)]


@pytest.mark.parametrize("grammar", [ENGLISH, CHINESE])
def test_the_same_words_in_another_order_have_another_label(grammar):
    denial, surprise = (template for template in grammar.by_order if "{wished}" in template or "{dreaded}" in template)
    word, hope = grammar.good[0], grammar.wished[0]
    one = denial.format(the_thing="", N=word, wished=hope)  # negative: not good at all, as I had ...
    other = surprise.format(the_thing="", P=word, dreaded=hope)  # positive: good, not at all as I had ...
    assert one != other
    assert sorted(tokens(one)) == sorted(tokens(other))


def test_words_and_clauses_belong_to_one_label():
    for grammar in (ENGLISH, CHINESE):
        aspects = [aspect for thing in grammar.things.values() for aspect in thing]
        good = [*grammar.good, *(clause for aspect in aspects for clause in aspect["good"])]
        bad = [*grammar.bad, *(clause for aspect in aspects for clause in aspect["bad"])]
        assert len(set(good + bad)) == len(good + bad)
        assert all(len(thing) >= 3 for thing in grammar.things.values())


def test_reviews_differ_are_balanced_and_have_a_moderate_length():
    reviews = sample_reviews(6000, seed=1)
    lengths = [len(tokens(text)) for text in reviews.texts]
    assert len(set(reviews.texts)) == len(reviews) == 6000
    assert min(lengths) >= 5
    assert max(lengths) <= 40
    for language in (True, False):
        labels = [
            label for text, label in zip(reviews.texts, reviews.labels, strict=True) if is_chinese(text) == language
        ]
        assert labels.count("positive") == labels.count("negative") == 1500
    train, test, report = split_examples(reviews, 0.2, seed=0)
    assert (len(train), len(test), report.dropped) == (4800, 1200, 0)


def test_the_seed_alone_decides():
    assert sample_reviews(200, seed=4) == sample_reviews(200, seed=4)
    assert sample_reviews(200, seed=4) != sample_reviews(200, seed=5)
    # The figures of the demo are of these texts.
    digest = hashlib.sha256("\n".join(sample_reviews(500, seed=0).texts).encode()).hexdigest()
    assert digest == "b89827c315a58e76079bc907f72b5ae95837540323dd6e532c9f9b253e5b0503"
    assert sample_reviews(2, seed=0).texts == [
        "I can only call this novel horrible.",
        "It has never been so impressive, the photos look like paintings.",
    ]


def test_a_language_can_be_chosen():
    assert not any(is_chinese(text) for text in sample_reviews(100, language="en").texts)
    assert all(is_chinese(text) for text in sample_reviews(100, language="zh").texts)
    assert any("crème brûlée" in text for text in sample_reviews(2000, language="en").texts)


@pytest.mark.parametrize(
    ("options", "name"), [({"count": 1}, "count"), ({"count": 10**6}, "count"), ({"language": "français"}, "language")]
)
def test_options_out_of_range_are_errors(options, name):
    with pytest.raises(InputError, match=f"`{name}` must be"):
        sample_reviews(**options)


def test_files_with_other_content_are_kept(tmp_path):
    write_samples(tmp_path, {"train": 20, "valid": 10})
    write_samples(tmp_path, {"train": 20, "valid": 10})  # the same content
    (tmp_path / "train.tsv").unlink()
    (tmp_path / "valid.tsv").write_text("своё", encoding="utf-8")
    with pytest.raises(InputError, match=r"valid\.tsv: exists, and this command did not write it"):
        write_samples(tmp_path, {"train": 20, "valid": 10})
    assert [path.name for path in tmp_path.iterdir()] == ["valid.tsv"]
    assert (tmp_path / "valid.tsv").read_text(encoding="utf-8") == "своё"
