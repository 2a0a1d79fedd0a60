"""Encoded sentences equal a token-by-token encoding, in whatever batches they come."""

import itertools

import numpy as np
import pytest
from textapp.data.pipeline import TrainingBatches, evaluation_batches, sorted_batches
from textapp.data.tagged_batches import count_characters, count_words, encode_sentences

from textapp.text.token_encoder import TokenEncoder
from textapp.text.vocabulary import Vocabulary
from textapp.text.word_form import WordForm
from textapp.text.word_shape import word_shape

TOKENS = ["Wien", "wien", "WIEN", "北京", "Überraschung", "1996", "のを", "\N{SOFT HYPHEN}", "x"]
FORM = WordForm(zero_digits=True)
RNG = np.random.default_rng(0)
SENTENCES = [list(RNG.choice(TOKENS, RNG.integers(1, 20))) for _ in range(61)]
TAG_IDS = [list(map(int, RNG.integers(0, 5, len(sentence)))) for sentence in SENTENCES]


def encoder(characters=True, shapes=False) -> TokenEncoder:
    letters = Vocabulary.build(count_characters(SENTENCES, FORM), min_count=1) if characters else None
    return TokenEncoder(FORM, Vocabulary.build(count_words(SENTENCES, FORM), min_count=2), letters, 6, shapes)


def expected(tokens) -> tuple[list[int], list[list[int]]]:
    """Ids of words and characters, one by one."""
    made = encoder()
    words = [made.vocabulary.encode([FORM.word(token)])[0] for token in tokens]
    return words, [made.characters.encode(FORM.spelling(token)[:6]) for token in tokens]


def unpadded(row) -> list[int]:
    return [int(value) for value in row if value > 0]


def test_counts_by_hand():
    sentences = [["Wien", "WIEN", "b\r"], ["1996", "2026", "\N{SOFT HYPHEN}"]]
    assert count_words([sentence[:2] for sentence in sentences], FORM) == {"wien": 2, "0000": 2}
    assert "" not in count_words(sentences, FORM)
    letters = count_characters(sentences, FORM)
    assert (letters["W"], letters["i"], letters["I"], letters["9"]) == (2, 1, 1, 2)
    assert "\r" not in letters


@pytest.mark.parametrize("static", [False, True])
def test_batches_hold_each_token_once(static):
    encoded = encode_sentences(SENTENCES, TAG_IDS, encoder())
    widths = [8, 20] if static else None
    order = np.concatenate(sorted_batches(encoded.lengths, 8))
    number = 0
    for inputs, tag_ids, *weights in evaluation_batches(encoded, 8, widths, static):
        token_ids, char_ids, tag_ids = (array.numpy() for array in (inputs["token_ids"], inputs["char_ids"], tag_ids))
        assert char_ids.shape[:2] == token_ids.shape == tag_ids.shape
        if static:
            assert token_ids.shape[0] == 8
            assert token_ids.shape[1] in widths
            assert char_ids.shape[2] == 6
        else:
            assert char_ids.any(axis=(0, 1)).all()  # no wider than its longest word
        real = int(weights[0].numpy().sum()) if static else len(token_ids)
        for row in range(real):
            sentence, tags = SENTENCES[order[number]], TAG_IDS[order[number]]
            words, letters = expected(sentence)
            length = len(sentence)
            assert token_ids[row].tolist() == words + [0] * (token_ids.shape[1] - length)
            assert tag_ids[row].tolist() == tags + [-1] * (token_ids.shape[1] - length)
            assert list(map(unpadded, char_ids[row, :length])) == letters
            assert not char_ids[row, length:].any()
            number += 1
    assert number == len(SENTENCES)


def test_without_characters_the_input_is_the_words_alone():
    encoded = encode_sentences(SENTENCES, TAG_IDS, encoder(characters=False))
    assert encoded.inputs.keys() == {"token_ids"}
    inputs, _ = next(iter(evaluation_batches(encoded, 8)))
    assert inputs.shape.rank == 2
    assert encoded.word_ids().tolist() == [index for sentence in SENTENCES for index in expected(sentence)[0]]


@pytest.mark.parametrize("characters", [True, False])
def test_shapes_stand_beside_the_words(characters):
    encoded = encode_sentences(SENTENCES, TAG_IDS, encoder(characters, shapes=True))
    order = np.concatenate(sorted_batches(encoded.lengths, 8))
    shapes = [row for inputs, _ in evaluation_batches(encoded, 8) for row in inputs["shape_ids"].numpy()]
    for number, row in zip(order, shapes, strict=True):
        assert unpadded(row) == [word_shape(FORM.spelling(token)) for token in SENTENCES[number]]
    assert (len(encoded.inputs), len(encoded.arrays())) == (2 + characters, 5 + characters)


def test_a_word_of_nothing_still_has_a_place_for_a_character():
    encoded = encode_sentences([["\N{SOFT HYPHEN}"]], [[0]], encoder())
    inputs, _ = next(iter(evaluation_batches(encoded, 8)))
    assert inputs["token_ids"].numpy().tolist() == [[1]]  # real, though unknown
    assert inputs["char_ids"].shape == (1, 1, 1)


def test_training_goes_on_from_any_position():
    encoded = encode_sentences(SENTENCES, TAG_IDS, encoder())
    whole, resumed = (TrainingBatches(encoded, 8, seed=1) for _ in range(2))
    resumed.position = (1, 3)
    skipped = itertools.islice(whole.dataset, whole.steps_per_epoch + 3, None)
    for (inputs, tags), (others, other_tags) in itertools.islice(zip(skipped, resumed.dataset, strict=False), 12):
        np.testing.assert_array_equal(tags, other_tags)
        for name in inputs:
            np.testing.assert_array_equal(inputs[name], others[name])


def test_all_that_matters_is_among_the_arrays():
    encoded = encode_sentences(SENTENCES, TAG_IDS, encoder())
    assert [array.size for array in encoded.arrays()].count(0) == 0
    other = encode_sentences(SENTENCES, [[0] * len(tags) for tags in TAG_IDS], encoder())
    same = [np.array_equal(one, two) for one, two in zip(encoded.arrays(), other.arrays(), strict=True)]
    assert same == [True, True, False, True, True]
    assert len(encode_sentences(SENTENCES, TAG_IDS, encoder(characters=False)).arrays()) == 4
