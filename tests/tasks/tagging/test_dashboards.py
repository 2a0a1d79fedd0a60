"""What taggers show in TensorBoard, by hand-worked examples."""

from types import SimpleNamespace

import pytest

from textapp.data.tagged import PLAIN, TaggedExamples
from textapp.tasks.tagging.dashboards import EntityPages, TypeConfusion, mark_entities
from textapp.tasks.tagging.scores import tag_scores
from textapp.text.tag_set import TagSet

SENTENCES = [["李", "白", "在", "长", "安"], ["Hé", "*sleeps*"], ["<b>", "Wien"]]
TRUE = [["B-人", "I-人", "O", "B-地", "I-地"], ["O", "O"], ["O", "B-地"]]
PREDICTED = [["B-人", "I-人", "O", "B-人", "O"], ["O", "O"], ["O", "B-地"]]


def validation(true=TRUE, predicted=PREDICTED, scheme="IOBES") -> SimpleNamespace:
    tags = TagSet.build(true, scheme)
    examples = TaggedExamples(SENTENCES, true, "样本", PLAIN if scheme is None else "IOB2")
    scores = tag_scores(true, predicted, tags)
    return SimpleNamespace(examples=examples, targets=tags, predicted=predicted, scores=scores)


def test_types_are_confused_token_by_token():
    names, counts = TypeConfusion("logs", validation()).counts()
    assert names == ["O", "人", "地"]
    assert counts.tolist() == [[4, 0, 0], [0, 2, 0], [1, 1, 1]]


def test_plain_tags_are_confused_as_they_are():
    true = [["N", "N", "V", "N", "N"], ["B-x", "V"], ["N", "N"]]
    names, counts = TypeConfusion("logs", validation(true, [["V"] * 5, ["V"] * 2, ["N"] * 2], None)).counts()
    assert names == ["B-x", "N", "V"]
    assert counts.tolist() == [[0, 0, 1], [0, 2, 4], [0, 0, 2]]


@pytest.mark.parametrize(
    ("index", "line"),
    [(0, "**李白** (人)在**长安** (地)"), (1, "Hé &#42;sleeps&#42;"), (2, "&#60;b&#62; **Wien** (地)")],
)
def test_entities_are_marked(index, line):
    assert mark_entities(SENTENCES[index], TRUE[index]) == line


def test_the_page_shows_where_a_prediction_differs():
    page = EntityPages("logs", validation()).markdown()
    assert page.split("\n\n") == [
        "**李白** (人)在**长安** (地)",
        "✗ **李白** (人)在**长** (人)安",
        "&#60;b&#62; **Wien** (地)",
        "✓",
    ]


def test_sentences_without_entities_are_shown_where_there_are_no_others():
    true = [["O"] * len(tokens) for tokens in SENTENCES]
    scores = validation(true, true)
    assert len(EntityPages("logs", scores).chosen) == 3
