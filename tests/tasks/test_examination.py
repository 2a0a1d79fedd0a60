"""What is found of a model example by example, with predictors that do what a test says."""

import types

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from textapp.data.readers import Examples
from textapp.data.tagged import TaggedExamples
from textapp.runtime.classification import Prediction, TokenWeight
from textapp.task import task
from textapp.tasks.examination import MOST_CHARACTERS, place_of
from textapp.tasks.tagging.examination import span_errors, type_confusion
from textapp.text.labels import Decision, ExclusiveLabels, IndependentLabels
from textapp.text.tag_set import TagSet

LABELS = ExclusiveLabels(("差", "好", "so"))
TEXTS = Examples(
    ["真 差", "很 好", "meh", "bad bad", "x" * 5000],
    ["差", "好", "so", "差", "neu"],
    "/home/anna/отзывы.tsv",
    locations=[2, 3, 4, 5, 6],
)
DECISIONS = [Decision(*pair) for pair in (("差", 0.9), ("差", 0.8), ("so", 0.4), ("好", 0.95), ("好", 0.5))]


def classifier():
    """A predictor whose attention is on the first token of each text."""

    def predict(texts):
        return [
            Prediction("好", {"好": 1.0}, tuple(
                TokenWeight(word, text.index(word), text.index(word) + len(word), 1.0 if not number else 0.25)
                for number, word in enumerate(dict.fromkeys(text.split()))
            ), truncated=False)
            for text in texts
        ]  # fmt: skip

    return types.SimpleNamespace(targets=LABELS, predict=predict)


def test_the_mistakes_of_a_classifier():
    found = task("classification").examine(TEXTS, DECISIONS, classifier(), 2, {"差": 7})
    assert found.wrong == 3
    assert [(one.true, one.predicted, one.confidence, one.right) for one in found.mistakes] == [
        ("差", "好", 0.95, False),
        ("好", "差", 0.8, False),
    ]
    assert [one.place for one in found.mistakes] == ["отзывы.tsv:5", "отзывы.tsv:3"]
    assert [one.confidence for one in found.unsure] == [0.4, 0.5]
    assert found.mistakes[1].heaviest == "很 1.00, 好 0.25"
    ((_, marked),) = found.mistakes[1].lines
    assert [(mark.start, mark.end, mark.strength) for mark in marked.marks] == [(0, 1, 1.0), (2, 3, 0.25)]
    assert len(found.unsure[1].lines[0][1].text) == MOST_CHARACTERS


def test_the_figures_of_a_classifier_are_scikit_learns():
    found = task("classification").examine(TEXTS, DECISIONS, classifier(), 0, {"差": 7})
    predicted = [decision.label for decision in DECISIONS]
    names = [*LABELS.names, "neu"]
    expected = precision_recall_fscore_support(TEXTS.labels, predicted, labels=names, zero_division=0)
    assert [row[0] for row in found.targets] == names
    for column, values in enumerate(expected[:3], start=1):
        assert [float(row[column]) for row in found.targets] == pytest.approx((100 * values).tolist(), abs=0.05)
    assert [row[4] for row in found.targets] == [str(count) for count in expected[3]]
    assert [row[5] for row in found.targets] == ["7", "0", "0", "0"]
    assert found.confusion.counts == ((1, 1, 0, 0), (1, 0, 0, 0), (0, 0, 1, 0), (0, 1, 0, 0))
    assert [(one.key, one.value) for one in found.scores] == [("accuracy", 0.4), ("macro_f1", pytest.approx(0.375))]
    assert found.mistakes == found.unsure == ()


def test_several_labels():
    labels = IndependentLabels(("a", "б"), (0.5, 0.5))
    examples = Examples(["x", "y", "z"], [("a",), ("a", "б"), ()], "f")
    predictor = types.SimpleNamespace(
        targets=labels,
        labels=labels.names,
        predict=classifier().predict,
        probabilities=lambda texts: np.array([[0.5 + 0.1 * len(texts), 0.0]] * 3),
        doubt=lambda probs: 0.5,
    )
    found = task("multilabel").examine(examples, [("a",), (), ("б",)], predictor, 5, {})
    assert [(one.true, one.predicted) for one in found.mistakes] == [("a, б", "–"), ("–", "б")]
    assert found.confusion is None
    assert found.header == ("label", "precision, %", "recall, %", "F1, %", "texts")
    assert found.targets == [("a", "100.0", "50.0", "66.7", "2"), ("б", "0.0", "0.0", "0.0", "1")]


SENTENCES = TaggedExamples(
    [["张", "伟", "在", "北", "京"], ["Ms", "Li", "left"]],
    [["B-人", "I-人", "O", "B-地", "I-地"], ["O", "B-人", "O"]],
    "geheim/корпус.txt",
    locations=["geheim/корпус.txt:1", "geheim/корпус.txt:7"],
)
TAGGED = [["B-人", "I-人", "O", "B-人", "I-人"], ["O", "B-人", "O"]]


def tagger(tags, kind="word"):
    sure = {5: 0.3, 3: 0.9}
    return types.SimpleNamespace(
        targets=tags,
        tokenizer=types.SimpleNamespace(kind=kind),
        tokens=lambda sentence: sentence,
        probabilities=lambda items: np.array([[0.99, 0.01]] * (len(items[0]) - 1) + [[sure[len(items[0])], 0.0]]),
    )


def test_the_mistakes_of_a_tagger():
    tags = TagSet(("O", "B-人", "I-人", "B-地", "I-地"), "IOB2")
    found = task("tagging").examine(
        SENTENCES, TAGGED, tagger(tags, "char"), 3, {"O": 90, "B-人": 4, "S-人": 2, "I-人": 1}
    )
    assert found.wrong == 1
    [mistake] = found.mistakes
    assert (mistake.place, mistake.confidence) == ("корпус.txt:1", 0.3)
    (true, above), (predicted, below) = mistake.lines
    assert (true, predicted, above.text) == ("true", "predicted", "张伟在北京")
    assert [(mark.start, mark.end, mark.label) for mark in above.marks] == [(0, 2, "人"), (3, 5, "地")]
    assert [mark.label for mark in below.marks] == ["人", "人"]
    assert above.marks[0].colour == below.marks[1].colour != above.marks[1].colour
    assert [one.right for one in found.unsure] == [False, True]
    assert [name for name, _ in found.unsure[1].lines] == ["predicted"]
    assert found.targets == [("人", "66.7", "100.0", "80.0", "2", "6"), ("地", "0.0", "0.0", "0.0", "1", "0")]
    assert found.errors["wrong type"] == 1
    assert [one.key for one in found.scores] == ["entity_f1", "precision", "recall", "token_accuracy"]


def test_plain_tags_are_marked_only_where_they_differ():
    tags = TagSet(("N", "V"), None)
    examples = TaggedExamples([["we", "run", "far"]], [["N", "V", "N"]], "f", scheme="none")
    found = task("tagging").examine(examples, [["N", "N", "N"]], tagger(tags), 1, {"N": 5, "V": 3})
    [mistake] = found.mistakes
    assert [[(mark.label, mark.start, mark.end) for mark in marked.marks] for _, marked in mistake.lines] == [
        [("V", 3, 6)],
        [("N", 3, 6)],
    ]
    assert found.targets == [("N", "66.7", "100.0", "80.0", "2", "5"), ("V", "0.0", "0.0", "0.0", "1", "3")]


def test_each_span_has_one_kind_of_error():
    true = [["B-A", "I-A", "O", "B-B", "O", "B-A", "O", "B-C", "I-C"]]
    predicted = [["B-A", "O", "O", "B-A", "O", "O", "B-B", "B-B", "O"]]
    assert span_errors(true, predicted) == {
        "right": 0,
        "wrong type": 1,
        "wrong border": 1,
        "wrong type and border": 1,
        "missed": 1,
        "spurious": 1,
    }
    assert span_errors(true, true)["right"] == 4


def test_tokens_are_counted_by_type():
    names, counts = type_confusion([["B", "I", "O"]], [["B", "O", "O"]], of_spans=True)
    assert (names, counts.tolist()) == (["O", "_"], [[1, 0], [1, 1]])


def test_a_place_has_no_folder():
    assert place_of("a/b.tar.gz#train", "a/b.tar.gz#train: pos/1.txt") == "b.tar.gz#train: pos/1.txt"
    assert place_of("texts", "texts: example 3") == "texts: example 3"
