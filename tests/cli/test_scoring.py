"""Scores of whatever predicts, beside scikit-learn's, and data of another kind than the model's."""

from types import SimpleNamespace

import pytest
from sklearn.metrics import accuracy_score, f1_score

from textapp.cli.scoring import label_scores, read_for, tagger_scores
from textapp.data.readers import Examples
from textapp.errors import InputError
from textapp.text.tag_set import TagSet
from textapp.text.tokenizer import Tokenizer

LABELS = ("плохо", "好", "neutral")


class Guesser:
    """A classifier that says the class whose number a text is."""

    labels, max_tokens = LABELS, 8

    def label_indices(self, texts):
        return map(int, texts)


def tagger(scheme):
    """One that gives every token its own text as tag."""
    tags = TagSet(("O", "S-地"), scheme) if scheme else TagSet(("名", "动"), None)
    return SimpleNamespace(tag_set=tags, tokenizer=Tokenizer(lowercase=False), tag=iter)


def test_labels_are_scored_as_by_scikit_learn():
    said = [0, 1, 2, 2, 1, 0, 0]
    true = ["плохо", "好", "好", "neutral", "плохо", "плохо", "neutral"]
    scores = label_scores(Guesser(), Examples([str(number) for number in said], true, "x"))
    names = [LABELS[number] for number in said]
    assert scores["accuracy"] == pytest.approx(accuracy_score(true, names))
    assert scores["macro_f1"] == pytest.approx(f1_score(true, names, average="macro"))
    assert scores["count"] == 7
    with pytest.raises(InputError, match="'другое' does not occur"):
        label_scores(Guesser(), Examples(["0"], ["другое"], "x"))


def test_tags_are_scored_and_must_be_of_the_models_kind(tmp_path):
    data = tmp_path / "теги.txt"
    data.write_text("名 名\n动 名\n\n名 名\n", encoding="utf-8")
    examples = read_for(tagger(None), str(data), None, None, False)
    assert tagger_scores(tagger(None), examples) == {"accuracy": pytest.approx(2 / 3), "count": 3}
    data.write_text("名 PRON\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"теги\.txt: the model knows none of the tags PRON"):
        read_for(tagger(None), str(data), None, None, False)
    with pytest.raises(InputError, match=r"теги\.txt: holds plain tags"):
        read_for(tagger("IOBES"), str(data), None, None, False)
