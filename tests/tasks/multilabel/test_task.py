"""What the task adds to classification: texts without tokens, and labels in lines for people."""

import numpy as np

from textapp.data.rows import TargetRows, TokenRows, encode_rows
from textapp.runtime.multilabel import MultilabelClassifier, MultilabelPrediction
from textapp.runtime.predictor import Outputs
from textapp.task import task
from textapp.text.labels import IndependentLabels
from textapp.text.terminal import PLAIN
from textapp.text.token_encoder import TokenEncoder
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary

TARGETS = IndependentLabels(("goût", "价格"), (0.5, 0.2))
LOGITS = np.array([3.0, -1.0], np.float32)
ENCODER = TokenEncoder(None, Vocabulary(["[PAD]", "[UNK]", "好"]))


def test_a_text_without_tokens_has_no_labels():
    """As a bundle decides, text by text, and as a run does, in batches."""
    predictor = MultilabelClassifier(Tokenizer(), ENCODER, TARGETS, 8, lambda _: Outputs(LOGITS))
    texts = ["好", "", " \u200b\n"]
    expected = [("goût", "价格"), (), ()]
    assert [prediction.labels for prediction in predictor.predict(texts)] == expected
    assert list(predictor.decide(texts)) == expected
    assert predictor.predict([""])[0].probs == {"goût": 0, "价格": 0}
    rows = TokenRows.read([["好"], [], []])
    encoded = encode_rows(TargetRows(rows, np.zeros((3, 2), np.int32), per_token=False, sources=np.arange(3)), ENCODER)
    assert task("multilabel").decisions(encoded, np.tile(LOGITS, (3, 1)), TARGETS) == expected


def test_labels_with_a_comma_are_shown_in_quotation_marks():
    names = ("goût, odeur", "价格")
    predictions = [MultilabelPrediction(chosen, dict.fromkeys(names, 0.75), (), False) for chosen in (names, ())]
    lines = task("multilabel").prediction_lines(["好", ""], predictions, IndependentLabels(names), PLAIN)
    assert list(lines) == ['"goût, odeur" 0.750, 价格 0.750\t好', "-\t"]
