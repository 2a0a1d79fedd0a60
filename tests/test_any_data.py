"""The benchmark of any data: its samples, folds, thresholds and leads."""

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from benchmarks.any_data.contestants import best_threshold, scored
from benchmarks.any_data.device import leave_out_ngrams
from benchmarks.any_data.parts import Parts, fold_parts, sample_parts, stratified, write_parts
from benchmarks.any_data.rivals import Answers, fit_majority, fit_svm
from benchmarks.any_data.table import lead_of, table
from benchmarks.datasets import tenths
from clients.conformance.bundles import ngram_files
from tests.native.core_bundle import with_files
from textapp.data.readers import Examples, read_examples
from textapp.runtime import load

CLASSIFIER = Path(__file__).parent / "samples/classifier/bundle"


def examples(count, seed=0, classes="正负"):
    rng = random.Random(seed)
    return Examples([f"文 {seed} {number}" for number in range(count)], rng.choices(classes, k=count), "")


@pytest.fixture
def whole(tmp_path):
    train, valid, test = examples(100), examples(40, 1), examples(30, 2)
    train.labels[7] = "稀"  # a class with one text
    leak = Examples([*train.texts, test.texts[0] + "!", train.texts[0]], [*train.labels, "正", "负"], "")
    write_parts(leak, valid, test, tmp_path)
    return Parts(*(str(tmp_path / f"{name}.jsonl") for name in ("train", "valid", "test")))


def test_parts_have_no_leaks_and_no_duplicates(whole):
    assert [len(read_examples(path)) for path in (whole.train, whole.valid, whole.test)] == [100, 40, 30]


def test_a_sample_has_the_shares_of_the_classes_and_each_class():
    labels = ["a"] * 60 + ["b"] * 39 + ["c"]
    counts = Counter(labels[number] for number in stratified(labels, 20, seed=3, each=True))
    assert counts == {"a": 12, "b": 7, "c": 1}
    small, large = (set(stratified(labels, size, seed=3, each=True)) for size in (20, 50))
    assert small < large
    assert small != set(stratified(labels, 20, seed=4, each=True))
    assert stratified(labels, 1000, seed=3) == list(range(100))


def test_a_sample_has_a_quarter_as_many_validation_texts(whole, tmp_path):
    parts = sample_parts(whole, 24, 0, tmp_path / "sample")
    train, valid = read_examples(parts.train), read_examples(parts.valid)
    assert (len(train), len(valid)) == (24, 6)
    assert set(train.labels) == {"正", "负", "稀"}
    assert parts.test == whole.test


def test_folds_divide_the_training_part(whole, tmp_path):
    texts = []
    for fold in range(1, 6):
        parts = fold_parts(whole, fold, 0, tmp_path / str(fold))
        train, test = read_examples(parts.train), read_examples(parts.test)
        assert not set(train.texts) & set(test.texts)
        assert len(train) == 80
        texts += test.texts
    assert sorted(texts) == sorted(read_examples(whole.train).texts)


def test_a_tenth_is_the_hash_of_the_text():
    given = Examples(["a", "b", "很好", "c"], ["0", "1", "2", "3"], "")  # tenths 2, 0, 1, 6, by sha1sum
    parts = tenths(given, {0: "test", 1: "valid"})
    assert parts == {"train": [("a", "0"), ("c", "3")], "test": [("b", "1")], "valid": [("很好", "2")]}


def test_the_threshold_has_the_most_right_decisions():
    rng = np.random.default_rng(0)
    for _ in range(20):
        right, confidence, outside = rng.random(30) < 0.8, rng.random(30).round(1), (0.7 * rng.random(20)).round(1)

        def decisions(least, right=right, confidence=confidence, outside=outside):
            return (right & (confidence >= least)).sum() + (outside < least).sum()

        best = max(decisions(least) for least in [*confidence, *outside, np.inf])
        assert decisions(best_threshold(right, confidence, outside)) == best


def test_the_threshold_is_chosen_before_the_validation_texts_are_learned(tmp_path):
    """After that the model is too sure about them: with their confidences it would refuse each text in scope."""
    names = ("valid", "outside_valid", "test", "outside_test")
    held_out = {}
    for name in names:
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(f'{{"text": "{name} {i}", "label": "是"}}\n' for i in range(4)), encoding="utf-8")
        held_out[name] = str(path)

    def model(**confidences):
        return lambda texts: Answers(["是"] * len(texts), [confidences[text.partition(" ")[0]] for text in texts])

    before, after = (
        model(valid=valid, outside_valid=outside, test=0.7, outside_test=0.5)
        for valid, outside in ((0.6, 0.2), (0.99, 0.2))
    )
    expected = {"valid": 1.0, "test": 1.0, "in_scope_accuracy": 1.0, "out_of_scope_recall": 1.0}
    assert scored(after, held_out, before) == expected
    assert scored(after, held_out)["in_scope_accuracy"] == 0.0


def test_a_bundle_without_its_n_grams_is_the_encoder_alone(tmp_path):
    with_files(CLASSIFIER, tmp_path / "beide", ngram_files(2, False), fields={"ngrams": True})
    leave_out_ngrams(tmp_path / "beide", tmp_path / "ohne")
    texts = ["good 好", "bad"]
    both, without, alone = (
        [one.probs for one in load(path, engine="litert").predict(texts)]
        for path in (tmp_path / "beide", tmp_path / "ohne", CLASSIFIER)
    )
    assert without == alone != both
    assert load(tmp_path / "ohne").bundle.model_bytes < load(tmp_path / "beide").bundle.model_bytes


@pytest.mark.parametrize("classes", ["正负", "正负中"])
def test_rivals_label_texts(classes):
    words = {"正": "好 棒", "负": "差 坏", "中": "一般 还行"}
    labels = [classes[number % len(classes)] for number in range(30)] + ["负"]  # the most frequent
    texts = [f"{words[label]} {number}" for number, label in enumerate(labels)]
    train = Examples(texts, labels, "")
    found = fit_svm(train, seed=0).answer([words[label] for label in classes])
    assert found.labels == list(classes)
    assert min(found.confidences) > 0
    assert fit_majority(train).answer(["x", "y"]).labels == ["负", "负"]


def test_the_table_shows_what_n_grams_cost_on_a_device():
    environment = {"processor": "a chip", "cores": 2, "python": "3"}
    sizes = {"model_bytes": 100_000, "ngram_bytes": 262_144, "ms": 0.125, "ms_without": 0.0625, "engine": "native"}
    of_all = {"size": "all", "fold": 0, "seed": 0, "test": 0.9, "parameters": 9, "environment": environment}
    rows = [{"set": "trec", "model": "textapp", **of_all, **sizes}, {"set": "trec", "model": "svm_all", **of_all}]
    lines = table(rows).splitlines()
    assert "| TREC, 6 kinds of questions | textapp | 100,000 | 262,144 | 125 | 62 | the core in C |" in lines
    assert "## N-grams on a device" not in table(rows[1:])


def test_the_lead_is_over_the_best_rival_on_the_same_texts():
    scores = (("svm", 0.9), ("fasttext", 0.88), ("textapp", 0.91))
    rows = {model: [{"test": score, "seed": 0}] for model, score in scores}
    others = {"svm_all": [{"test": 0.99, "seed": 0}], "majority": [{"test": 0.95, "seed": 0}]}
    assert lead_of({**rows, **others}) == pytest.approx(1.0)
    assert lead_of({**rows, **others}, ("svm", "svm_all")) == pytest.approx(-8.0)
    rows["svm"].append({"test": 0.5, "seed": 1})  # of a sample that textapp has not seen
    assert lead_of(rows) == pytest.approx(1.0)
    assert lead_of({"textapp": rows["textapp"]}) is None
    assert lead_of({"textapp": rows["textapp"], "svm": rows["svm"][1:]}) is None
