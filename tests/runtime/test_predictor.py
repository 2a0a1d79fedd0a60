import json
import math
import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.runtime.conftest import LABELS, TOKENS, lines_of, load_error
from textapp.runtime import Prediction, TokenWeight, load
from textapp.text.tokenizer import Tokenizer

# Text -> its tokens with offsets, by hand.
TEXTS = {
    "good film !": [("good", 0, 4), ("film", 5, 9), ("!", 10, 11)],
    "  GOOD\tFilm": [("good", 2, 6), ("film", 7, 11)],
    "这film很好": [("这", 0, 1), ("film", 1, 5), ("很", 5, 6), ("好", 6, 7)],
    "😀 плохо": [("😀", 0, 1), ("плохо", 2, 7)],
    "Cafe\u0301 naïve": [("café", 0, 5), ("naïve", 6, 11)],
    "": [],
    " \t\n\u3000": [],
    "\0": [],
}


@pytest.mark.parametrize("text", TEXTS)
def test_equals_numpy_over_tokens_counted_by_hand(predictor, tiny_model, text):
    (prediction,) = predictor.predict([text])
    probs, weights = tiny_model.reference([token for token, _, _ in TEXTS[text]])
    assert prediction.label == LABELS[probs.argmax()]
    assert list(prediction.probs) == list(LABELS)
    assert list(prediction.probs.values()) == pytest.approx(probs.tolist(), rel=1e-5)
    assert [token[:3] for token in prediction.tokens] == TEXTS[text]
    assert [token.weight for token in prediction.tokens] == pytest.approx(weights.tolist(), rel=1e-5)
    assert prediction.truncated is False


def test_predictions_come_in_the_order_of_the_texts(predictor):
    together = predictor.predict(list(TEXTS))
    one_by_one = [predictor.predict([text])[0] for text in reversed(TEXTS)]
    assert together == one_by_one[::-1]
    assert predictor.predict(iter(TEXTS)) == together
    assert predictor.predict([]) == []


def test_labels_and_probabilities_are_those_of_the_predictions(predictor):
    predictions = predictor.predict(TEXTS)
    expected = [prediction.label for prediction in predictions]
    assert len(set(expected)) > 1
    assert [LABELS[predictor.quick(text)] for text in TEXTS] == expected
    decisions = list(predictor.decide(TEXTS))
    assert [decision.label for decision in decisions] == expected
    assert [decision.confidence for decision in decisions] == [max(one.probs.values()) for one in predictions]
    probs = [list(prediction.probs.values()) for prediction in predictions]
    np.testing.assert_array_equal(predictor.probabilities(list(TEXTS)), probs)
    assert predictor.probabilities([]).shape == (0, len(LABELS))


def test_a_temperature_changes_probabilities_and_no_label(predictor, bundle_folder):
    """Probabilities of temperature 1, to the power 1 / temperature, are in the same proportions as the new ones."""
    path = bundle_folder / "bundle.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), "temperature": 2.5}), encoding="utf-8")
    warm = load(bundle_folder)
    before, after = predictor.predict(TEXTS), warm.predict(TEXTS)
    assert [one.label for one in after] == [one.label for one in before]
    powers = np.array([list(one.probs.values()) for one in before]) ** (1 / 2.5)
    found = np.array([list(one.probs.values()) for one in after])
    np.testing.assert_allclose(found, powers / powers.sum(axis=1, keepdims=True), rtol=1e-5)
    np.testing.assert_array_equal(warm.probabilities(list(TEXTS)), predictor.probabilities(list(TEXTS)))


@pytest.mark.parametrize("temperature", [0, -1, 0.01, 1e9, 10**400, True, None, "1", [1.0], math.nan, math.inf])
def test_a_temperature_out_of_range_is_refused(write_bundle, temperature):
    assert '"temperature" must be a number from 0.05 to 20. Received: ' in load_error(
        write_bundle(temperature=temperature)
    )


def test_what_is_less_sure_than_asked_for_has_no_label(predictor):
    always = predictor.predict(TEXTS)
    least = sorted(one.confidence for one in always)[len(always) // 2]
    for one, before in zip(predictor.predict(TEXTS, min_confidence=least), always, strict=True):
        assert (one.label is None) == (before.confidence < least)
        assert (one.guess, one.probs, one.tokens) == (before.label, before.probs, before.tokens)
        assert one.to_dict().get("guess") == (before.label if one.label is None else None)
    assert predictor.predict(TEXTS, min_confidence=0) == always
    for wrong in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="`min_confidence` must be from 0 to 1"):
            predictor.predict([], min_confidence=wrong)


def test_a_token_contributes_what_the_probability_is_more_than_without_it(predictor, tiny_model):
    text = "good 好 film 好"
    tokens = text.split()
    (plain,), (explained,) = predictor.predict([text]), predictor.predict([text], explain=True)
    label = LABELS.index(plain.label)
    whole = tiny_model.reference(tokens)[0][label]
    expected = [whole - tiny_model.reference(tokens[:at] + tokens[at + 1 :])[0][label] for at in range(4)]
    assert [list(token.contributions) for token in explained.tokens] == [[plain.label]] * 4
    assert [token.contributions[plain.label] for token in explained.tokens] == pytest.approx(expected, abs=1e-6)
    assert max(map(abs, expected)) > 0.01
    assert [token._replace(contributions=None) for token in explained.tokens] == list(plain.tokens)
    assert explained.to_dict()["tokens"][1]["contributions"] == explained.tokens[1].contributions
    assert "contributions" not in plain.to_dict()["tokens"][1]
    (unsure,) = predictor.predict([text], min_confidence=1, explain=True)
    assert (unsure.label, unsure.tokens) == (None, explained.tokens)
    assert predictor.predict([""], explain=True)[0].tokens == ()


def test_uncertainty_is_the_margin_of_the_best_label(predictor):
    for text, prediction in zip(TEXTS, predictor.predict(TEXTS), strict=True):
        *_, second, first = sorted(prediction.probs.values())
        assert predictor.uncertainty(text) == (pytest.approx(1 - first + second) if prediction.tokens else None)


def test_a_stream_is_read_one_text_at_a_time(predictor):
    read = []

    def stream():
        for text in TEXTS:
            read.append(text)
            yield text

    labels = predictor.decide(stream())
    next(labels)
    next(labels)
    assert len(read) == 2


def test_a_text_longer_than_the_model_is_cut_at_its_head_and_says_so(predictor, tiny_model):
    words = ["good", "好", "bad", "film", "!", "坏", "café", "плохо"]
    fits, cut = predictor.predict([" ".join(words), " ".join([*words, "good"])])
    assert (fits.truncated, cut.truncated) == (False, True)
    assert [token.text for token in cut.tokens] == words
    assert cut.tokens == fits.tokens
    assert list(cut.probs.values()) == pytest.approx(tiny_model.reference(words)[0].tolist(), rel=1e-5)


class CountingTokenizer(Tokenizer):
    """Counts the characters that it is given."""

    characters = 0

    def tokenize(self, text):
        type(self).characters += len(text)
        return super().tokenize(text)

    def words(self, text):
        type(self).characters += len(text)
        return super().words(text)


@pytest.mark.parametrize("piece", ["good film ", "好", "плохо, ", "😀", "a1!é"])
def test_of_a_megabyte_only_the_head_is_tokenized(predictor, bundle_folder, monkeypatch, piece):
    text = piece * (1_000_000 // len(piece.encode()))
    predictor.tokenizer = CountingTokenizer()
    monkeypatch.setattr(CountingTokenizer, "characters", 0)
    (prediction,) = predictor.predict([text])
    assert prediction.truncated is True
    assert prediction.tokens == load(bundle_folder).predict([text[:1000]])[0].tokens
    assert CountingTokenizer.characters < 5000
    predictor.quick(text)
    assert CountingTokenizer.characters < 10_000


@pytest.mark.parametrize(
    ("text", "count"),
    [("a" * 1_000_000, 1), (" " * 1_000_000 + "好", 1), ("\0" * 1_000_000, 0), ("e" + "\u0301" * 500_000, 1)],
)
def test_a_megabyte_without_enough_tokens_is_read_to_its_end(predictor, text, count):
    (prediction,) = predictor.predict([text])
    assert len(prediction.tokens) == count
    assert prediction.truncated is False
    assert predictor.quick(text) == LABELS.index(prediction.label)


# Text with rules of its own in the tokenizers: long words and numbers, marks, ligatures, joiners, Hangul, ignorables.
PIECES = (
    *("3", ".", "14", ",", "'", "don't", "-", "_", "。", "…", "½", " ", "\n", "\0", "\ud800", "\ufeff"),
    *("Café", "e", "\u0301", "\u0301\u0323" * 3, "ﬁ", "Å", "İ", "ß", "好", "한", "ㅏ", "م", "ﷺ", "क", "ा"),
    *("😀", "👨\u200d👩\u200d👧", "🇫🇷"),
)


@pytest.mark.parametrize("kind", ["word", "char"])
@pytest.mark.parametrize("normalization", ["none", "nfc", "nfkc"])
def test_the_head_of_a_long_text_has_the_tokens_of_the_whole(write_bundle, kind, normalization):
    predictor = load(write_bundle(tokenizer={"kind": kind, "lowercase": True, "normalization": normalization}))
    tokenizer, size = predictor.tokenizer, predictor.max_tokens
    source = random.Random(5)
    for _ in range(50):
        pieces = source.sample(PIECES, k=source.randint(1, 6))
        text = "".join(source.choices(pieces, k=source.choice((5, 50, 500, 5000))))
        whole = tokenizer.tokenize(text)
        (prediction,) = predictor.predict([text])
        assert [token[:3] for token in prediction.tokens] == [tuple(token) for token in whole[:size]]
        assert prediction.truncated == (len(whole) > size)
        words = [token.text for token in whole[:size]]
        assert predictor.tokens(text) == words
        (piece,) = predictor.pieces(text)
        assert piece["token_ids"].tolist() == predictor.encoder.vocabulary.encode(words)


def test_marks_across_the_end_of_the_head(write_bundle):
    """A mark after the head may change the first of 32 tokens: e, acute, ..., acute | dot below is ẹ, acute, ..."""
    predictor = load(write_bundle(tokenizer={"kind": "char", "lowercase": True, "normalization": "nfc"}))
    for head in range(1200):
        text = " " * head + "abce" + "\u0301" * 30 + "\u0323" + "z" * 2000
        (prediction,) = predictor.predict([text])
        assert [token.text for token in prediction.tokens] == ["a", "b", "c", "\u1eb9", *["\u0301"] * 4]


any_character = st.characters(codec=None, exclude_categories=())  # lone surrogates too


# The fixture gives one predictor to all examples, which is right: a predictor keeps nothing of a text.
@settings(
    deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
@given(st.lists(st.text(any_character, max_size=40), min_size=1, max_size=3))
def test_any_text_is_predicted(predictor, texts):
    predictions = predictor.predict(texts)
    assert len(predictions) == len(texts)
    for text, prediction in zip(texts, predictions, strict=True):
        assert prediction.label in LABELS
        assert all(0 <= probability <= 1 for probability in prediction.probs.values())
        assert math.fsum(prediction.probs.values()) == pytest.approx(1)
        assert prediction.probs[prediction.label] == max(prediction.probs.values())
        for token in prediction.tokens:
            assert 0 <= token.start < token.end <= len(text)
        assert [token.start for token in prediction.tokens] == sorted(token.start for token in prediction.tokens)
        if prediction.tokens:
            assert math.fsum(token.weight for token in prediction.tokens) == pytest.approx(1, rel=1e-5)


def test_a_model_without_attention_gives_tokens_without_weights(write_bundle, tiny_model):
    (prediction,) = load(write_bundle({"model.tflite": tiny_model.convert(attention_lengths=())})).predict(["好 film"])
    assert prediction.tokens == (TokenWeight("好", 0, 1, None), TokenWeight("film", 2, 6, None))


def test_to_dict_survives_json(predictor):
    (prediction,) = predictor.predict(["très bon café ☕"])
    values = json.loads(json.dumps(prediction.to_dict()))
    tokens = tuple(TokenWeight(**token) for token in values.pop("tokens"))
    assert Prediction(tokens=tokens, **values) == prediction
    assert list(values["probs"]) == list(LABELS)


def test_one_string_in_the_place_of_a_list_is_refused(predictor):
    with pytest.raises(TypeError, match=r"`texts` must be a list of strings\. Received: one string"):
        predictor.predict("bon café")
    with pytest.raises(TypeError, match=r"`texts` must be a list of strings\. Received: one string"):
        list(predictor.decide("bon café"))


def test_what_is_no_string_is_refused(predictor):
    with pytest.raises(TypeError, match=r"`texts` must hold strings\. Received: bytes at index 1"):
        predictor.predict(["café", "café".encode()])


class TestLoadingAForeignModel:
    """Its hash is right, as in a bundle put together by hand."""

    def test_no_model(self, write_bundle):
        folder = write_bundle({"model.tflite": "<p>nicht gefunden: 模型</p>".encode()})
        assert load_error(folder).startswith(f"{folder / 'model.tflite'}: bytes 4 to 8 must be TFL3")

    def test_other_labels(self, write_bundle):
        folder = write_bundle({"labels.txt": "好\n坏\n".encode()})
        assert load_error(folder).startswith(f'{folder / "model.tflite"}: "logits" of signature ')

    def test_a_larger_vocabulary(self, write_bundle):
        folder = write_bundle({"vocabulary.txt": lines_of((*TOKENS, "mehr"))})
        message = load_error(folder)
        assert message.startswith(f"{folder / 'vocabulary.txt'}: has 14 entries for token_ids, but ")

    def test_a_smaller_vocabulary(self, write_bundle):
        folder = write_bundle({"vocabulary.txt": lines_of(TOKENS[:-1])})
        message = load_error(folder)
        assert message.startswith(f"{folder / 'vocabulary.txt'}: has 12 entries for token_ids, but model.tflite has a ")

    def test_a_larger_vocabulary_whose_ids_the_model_changes_first(self, write_bundle, monkeypatch):
        """Then nothing is known of its table but that the last id has no row."""
        monkeypatch.setattr("textapp.runtime.signatures.Signatures.table_rows", lambda *_: set())
        folder = write_bundle({"vocabulary.txt": lines_of((*TOKENS, "mehr"))})
        message = load_error(folder)
        assert message.startswith(f"{folder / 'vocabulary.txt'}: the model fails on the last of 14 entries: ")

    def test_one_that_litert_cannot_prepare(self, write_bundle, monkeypatch):
        """Its errors span lines, and come from the signature runner as well."""

        def fail(*_, **__):
            raise TypeError("no such\nsignature")

        monkeypatch.setattr("textapp.runtime.signatures.Interpreter.get_signature_runner", fail)
        folder = write_bundle()
        assert load_error(folder) == f"{folder / 'model.tflite'}: LiteRT cannot run this file: no such signature"

    def test_an_empty_text_that_gives_nan(self, write_bundle, tiny_model):
        folder = write_bundle({"model.tflite": tiny_model.convert(finite=False)})
        assert load_error(folder).startswith(f"{folder / 'model.tflite'}: the model's scores are not finite: ")
