"""How predictions look in a notebook."""

import pytest

from tests.test_samples import SAMPLES
from tests.text.test_marked import HOSTILE, Shown
from textapp.runtime import load
from textapp.runtime.classification import Prediction, TokenWeight
from textapp.runtime.multilabel import MultilabelPrediction
from textapp.runtime.tagging import TaggedSpan, TaggedToken, Tagging

TOKENS = (TokenWeight("好", 0, 1, 0.75), TokenWeight(HOSTILE, 2, 9, 0.25))


@pytest.mark.parametrize("name", ["classifier", "tagger"])
def test_predictions_of_a_bundle(name):
    text = "Yesterday Ms Anbe slept in Çodaék Sobemi . 王芳"
    [prediction] = load(SAMPLES / name / "bundle", engine="litert").predict([text])
    shown = Shown(prediction._repr_html_())
    if name == "classifier":
        assert prediction.label in shown.text
        assert f"{prediction.confidence:.3f}" in shown.text
    else:
        assert prediction.types == ("LOC", "PER", "人名", "地名")
        assert prediction.spans
        for span in prediction.spans:
            assert f"{span.text}{span.type}" in shown.text


def test_a_prediction_shows_label_probability_and_attention():
    shown = Shown(Prediction(HOSTILE, {HOSTILE: 0.75, "b": 0.25}, TOKENS, truncated=True)._repr_html_())
    assert set(shown.tags) <= {"div", "b", "bdi", "span"}
    assert "0.750" in shown.text
    assert shown.text.endswith("…")
    assert [title for title in shown.titles if title] == ["tint: attention", "0.750", "0.250"]
    unsure = Shown(Prediction(None, {"a": 0.75, "b": 0.25}, (), truncated=False)._repr_html_())
    assert unsure.text == "no label, perhaps a0.750"


def test_contributions_stand_in_place_of_attention():
    tokens = (TOKENS[0]._replace(contributions={"a": 0.5}), TOKENS[1]._replace(contributions={"a": -0.25}))
    shown = Shown(Prediction("a", {"a": 0.9, "b": 0.1}, tokens, truncated=False)._repr_html_())
    assert [title for title in shown.titles if title] == [
        "tint: for a (green) or against it (orange)",
        "+0.500",
        "-0.250",
    ]


def test_several_labels_or_none():
    shown = Shown(MultilabelPrediction(("a", "б"), {"a": 0.9, "б": 0.6, "c": 0.1}, TOKENS, False)._repr_html_())
    assert shown.text.startswith("a0.900б0.600好 ")
    assert Shown(MultilabelPrediction((), {"a": 0.1}, (), False)._repr_html_()).text == "no label"


def test_a_model_without_attention_shows_its_text():
    tokens = (TokenWeight("好", 0, 1, None), TokenWeight("吃", 1, 2, None))
    assert Shown(Prediction("a", {"a": 1.0}, tokens, False)._repr_html_()).text == "a1.000好吃"


def test_spans_that_normalization_makes_of_one_character_stand_apart():
    tokens = (TaggedToken("株式", 0, 1, "B-X"), TaggedToken("会社", 0, 1, "B-X"), TaggedToken("a", 1, 2, "O"))
    tagging = Tagging(tokens, (TaggedSpan("X", "㍿", 0, 1, 0.5),))
    shown = Shown(tagging._repr_html_())
    assert shown.text == "株式会社Xa"
    assert "0.500" in shown.titles


def test_plain_tags_follow_their_tokens():
    tokens = (TaggedToken("film", 0, 4, "NOUN", 0.9), TaggedToken("<b>", 5, 8, HOSTILE))
    shown = Shown(Tagging(tokens, ())._repr_html_())
    assert shown.text.startswith("filmNOUN <b><script>")
    assert shown.tags.count("script") == 0


def test_types_do_not_tell_taggings_apart():
    assert Tagging((), (), ("LOC",)) == Tagging((), ())
    assert "types" not in Tagging((), (), ("LOC",)).to_dict()
