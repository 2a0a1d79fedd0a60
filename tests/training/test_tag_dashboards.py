"""What taggers show in TensorBoard, by hand-worked examples."""

import keras
import numpy as np
import pytest

from textapp.data.tagged import PLAIN, TaggedExamples
from textapp.data.tagged_batches import EncodedSentences
from textapp.tasks.tagging.scores import tag_scores
from textapp.text.tag_set import TagSet
from textapp.training.tensorboard.entity_confusion import EntityConfusion
from textapp.training.tensorboard.entity_pages import EntityPages, marked
from textapp.training.validation_tags import ValidationTags

SENTENCES = [["李", "白", "在", "长", "安"], ["Hé", "*sleeps*"], ["<b>", "Wien"]]
TRUE = [["B-人", "I-人", "O", "B-地", "I-地"], ["O", "O"], ["O", "B-地"]]
PREDICTED = [["B-人", "I-人", "O", "B-人", "O"], ["O", "O"], ["O", "B-地"]]


def validation(true=TRUE, predicted=PREDICTED, scheme="IOBES") -> ValidationTags:
    tags = TagSet.build(true, scheme)
    examples = TaggedExamples(SENTENCES, true, "样本", PLAIN if scheme is None else "IOB2")
    scores = ValidationTags(examples, None, None, 2, tags)
    scores.predicted, scores.scores = predicted, tag_scores(true, predicted, tags)
    return scores


def test_types_are_confused_token_by_token():
    names, counts = EntityConfusion("logs", validation()).counts()
    assert names == ["O", "人", "地"]
    assert counts.tolist() == [[4, 0, 0], [0, 2, 0], [1, 1, 1]]


def test_tags_that_stand_for_themselves_are_confused_as_they_are():
    true = [["N", "N", "V", "N", "N"], ["B-x", "V"], ["N", "N"]]
    names, counts = EntityConfusion("logs", validation(true, [["V"] * 5, ["V"] * 2, ["N"] * 2], None)).counts()
    assert names == ["B-x", "N", "V"]
    assert counts.tolist() == [[0, 0, 1], [0, 2, 4], [0, 0, 2]]


@pytest.mark.parametrize(
    ("index", "line"),
    [(0, "**李白** (人)在**长安** (地)"), (1, "Hé &#42;sleeps&#42;"), (2, "&#60;b&#62; **Wien** (地)")],
)
def test_entities_are_marked(index, line):
    assert marked(SENTENCES[index], TRUE[index]) == line


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


def test_the_scores_are_put_into_the_logs():
    token_ids = keras.Input((None,), dtype="int32")
    model = keras.Model(token_ids, keras.layers.Embedding(3, 2)(token_ids))
    model.set_weights([np.array([[0, 0], [1, 0], [0, 1]], "float32")])  # word 1 is tag 0, word 2 is tag 1
    rows, offsets = np.array([1, 2, 2], "int32"), np.array([0, 2, 3])
    encoded = EncodedSentences(rows, offsets, np.zeros(3, "int32"), {"token_ids": np.arange(3, dtype="int32")})
    examples = TaggedExamples([["a", "b"], ["b"]], [["N", "V"], ["N"]], "样本", PLAIN)
    scores = ValidationTags(examples, encoded, None, 2, TagSet(("N", "V"), None))
    scores.set_model(model)
    logs = {"loss": 1.0}
    scores.on_epoch_end(0, logs)
    assert logs == {"loss": 1.0, "val_accuracy": pytest.approx(2 / 3)}
    assert scores.monitor == "val_accuracy"
    assert scores.predicted == [["N", "V"], ["V"]]
    assert validation().monitor == "val_entity_f1"
