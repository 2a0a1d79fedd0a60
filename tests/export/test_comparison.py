"""Scores before and after: the signature for each text, and both models on the same ids."""

import keras
import pytest
from keras import ops

from textapp.data.readers import Examples
from textapp.export import convert
from textapp.export.comparison import both_logits, compare
from textapp.export.model_inputs import token_inputs
from textapp.runtime import Classifier
from textapp.task import Compared, task
from textapp.text.labels import ExclusiveLabels
from textapp.text.token_encoder import TokenEncoder
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary


def counting_model(offset: float) -> keras.Model:
    """Class 0 for short signatures, 1 from 4 tokens on: tells which signature a text went through."""
    ids = keras.Input((None,), dtype="int32")
    width = ops.sum(ops.ones_like(ops.cast(ids, "float32")), axis=1, keepdims=True)
    return keras.Model(ids, {"logits": ops.concatenate([width * 0 + 3.5 + offset, width], axis=1)})


def reference(offset: float = 0.0) -> keras.Model:
    ids = keras.Input((None,), dtype="int32")
    return keras.Model(ids, counting_model(offset)(ids)["logits"])


def test_each_text_goes_through_the_shortest_signature_that_fits():
    content = convert(counting_model(0.0), [2, 4])
    texts = [token_inputs(ids) for ids in ([], [5], [5, 6], [5, 6, 7], [5] * 4, [5] * 9)]
    for rows in both_logits(content, reference(), [2, 4], texts):
        assert [row.tolist() for row in rows] == [[3.5, 2.0]] * 3 + [[3.5, 4.0]] * 3


TEXTS = ["", "好", "a b", "a b c", "a b c d", "a b c d e f g h i"]  # the model says: three times 0, three times 1


def compared(offset: float, labels: list[str] | None) -> dict:
    """The scores of a file whose first logit is `offset` higher than in Keras."""
    predictor = Classifier(
        Tokenizer(), TokenEncoder(None, Vocabulary(["[PAD]", "[UNK]"])), ExclusiveLabels(("плохо", "好")), 4, None
    )
    examples = None if labels is None else Examples(TEXTS, labels, "texts")
    content = convert(counting_model(offset), [2, 4])
    return compare(task("classification"), predictor, content, reference(), [2, 4], Compared([], TEXTS, examples))


def test_scores_are_those_of_what_the_predictor_decides():
    scores = compared(0.0, ["плохо"] * 3 + ["好"] * 2 + ["плохо"])
    assert (scores["count"], scores["label_agreement"]) == (6, 1.0)
    assert scores["before"] == scores["after"]
    assert scores["after"]["accuracy"] == pytest.approx(5 / 6)
    assert scores["after"]["macro_f1"] == pytest.approx((6 / 7 + 4 / 5) / 2)
    assert set(compared(0.0, None)) == {"count", "label_agreement"}


def test_disagreement_is_counted():
    scores = compared(5.0, ["плохо"] * 3 + ["好"] * 3)  # the file gives 0 always
    assert scores["label_agreement"] == 0.5
    assert (scores["before"]["accuracy"], scores["after"]["accuracy"]) == (1.0, 0.5)


def test_of_tokens_the_real_ones_are_compared():
    ids = keras.Input((None,), dtype="int32")
    scores = ops.stack([ops.cast(ids, "float32"), ops.cast(-ids, "float32")], axis=2)
    model = keras.Model(ids, {"logits": scores})
    texts = [token_inputs(ids) for ids in ([7, 8, 9], [], [1])]
    logits = both_logits(convert(model, [2, 4]), keras.Model(ids, scores), [2, 4], texts)
    for rows in logits:
        assert [row[:, 0].tolist() for row in rows] == [[7.0, 8.0, 9.0], [], [1.0]]
