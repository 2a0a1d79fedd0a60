"""Counts and hints on a file of a few Chinese and English words."""

import numpy as np
import pytest

from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary
from textapp.text.word_form import WordForm
from textapp.vectors.coverage import Coverage, mismatch_hints
from textapp.vectors.word_vectors import WordVectors


def vectors(words, **arguments) -> WordVectors:
    return WordVectors(words, np.ones((len(words), 2), np.float32), **arguments)


def test_coverage_by_hand():
    vocabulary = Vocabulary(["[PAD]", "[UNK]", "好", "film", "très", "extra"])
    found = np.array([False, False, True, False, True, True])
    coverage = Coverage.count(vocabulary, found, {"好": 10, "film": 6, "très": 3, "weg": 1})
    assert coverage == Coverage(words=3, words_found=2, tokens=20, tokens_found=13)
    assert coverage.share_of_tokens == 13 / 20
    assert str(coverage) == "2 of 3 words (66.7 %), 65.0 % of 20 tokens"


def test_a_text_without_tokens_has_no_coverage():
    coverage = Coverage.count(Vocabulary(["[PAD]", "[UNK]"]), np.zeros(2, bool), {})
    assert (coverage, coverage.share_of_tokens) == (Coverage(0, 0, 0, 0), 0.0)


@pytest.mark.parametrize(
    ("words", "tokenizer", "hint"),
    [
        (["电影", "好看", "的"], Tokenizer("char"), "cuts 67% of their first 3 words, such as '电影', '好看'"),
        (["电影", "好看", "的"], Tokenizer(), "segmented in another way"),
        (
            ["The", "Straße", "Élan", "x"],
            Tokenizer(),
            "75% of their first 4 words have capitals, such as 'The', 'Straße'",
        ),
        (["the", "élan", "straße"], Tokenizer(lowercase=False), "67% of the words without a vector have one in lower"),
    ],
)
def test_a_mismatch_is_told_with_examples(words, tokenizer, hint):
    hints = mismatch_hints(vectors(words), tokenizer, ["Élan", "The", "外"])
    assert len(hints) == 1
    assert hint in hints[0]


def test_what_fits_gives_no_hint():
    assert mismatch_hints(vectors(["好", "film", "don't", "3.5", "!"]), Tokenizer(), ["外", "Film"]) == []
    assert mismatch_hints(vectors(["The", "film"]), Tokenizer(lowercase=False), []) == []


def test_a_tokenizer_that_cannot_keep_capitals_gets_no_hint_to_do_so():
    bert = Tokenizer("bert", True, "none")
    assert mismatch_hints(vectors(["The", "Film", "好"]), bert, ["外"]) == []
    assert "cuts 67% of their first 3 words" in mismatch_hints(vectors(["电影", "好看", "的"]), bert, [])[0]


def test_a_file_that_names_its_tokenizer_is_believed():
    other = vectors(["好", "film"], tokenizer=Tokenizer("char", lowercase=False).to_dict())
    assert mismatch_hints(other, Tokenizer(), []) == [
        "their text was tokenized with tokenizer=char lowercase=false normalization=nfkc, "
        "this one with tokenizer=word lowercase=true normalization=nfkc"
    ]
    same = vectors(["好", "film"], tokenizer=Tokenizer().to_dict())
    assert mismatch_hints(same, Tokenizer(), ["外"]) == []


CASED = Tokenizer(lowercase=False)


@pytest.mark.parametrize("tokenizer", [CASED, None], ids=["texts", "tokens"])
def test_a_tagger_gets_the_same_hints_about_capitals(tokenizer):
    (hint,) = mismatch_hints(vectors(["The", "Straße", "Élan", "x"]), tokenizer, ["the"], WordForm())
    assert hint.endswith("capitals, such as 'The', 'Straße', 'Élan': set lowercase=false")
    (hint,) = mismatch_hints(vectors(["the", "x"]), tokenizer, ["The"], WordForm(lowercase=False))
    assert hint.endswith("have one in lower case, such as 'The': set lowercase=true")
    assert mismatch_hints(vectors(["The", "x"]), tokenizer, ["y"], WordForm(lowercase=False)) == []


def test_the_tokens_of_files_are_cut_by_no_tokenizer():
    words = ["u.s.", "new_york", "x"]
    assert mismatch_hints(vectors(words), None, [], WordForm()) == []
    (hint,) = mismatch_hints(vectors(words), CASED, [], WordForm())
    assert "cuts 67%" in hint


def test_a_tagger_lower_cases_as_a_tokenizer_does():
    same = vectors(["好", "film"], tokenizer=Tokenizer().to_dict())
    assert mismatch_hints(same, CASED, ["外"], WordForm()) == []
    assert len(mismatch_hints(same, CASED, ["外"], WordForm(lowercase=False))) == 1
