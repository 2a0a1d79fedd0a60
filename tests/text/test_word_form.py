"""Words are united, spellings are kept, and a text gives the words that a model looks up."""

import pytest

from textapp.text.tokenizer import Tokenizer
from textapp.text.word_form import WordForm, lookup_words


@pytest.mark.parametrize(
    ("form", "token", "word", "spelling"),
    [
        (WordForm(), "ÉCLAIR-3", "éclair-3", "ÉCLAIR-3"),
        (WordForm(lowercase=False), "ÉCLAIR", "ÉCLAIR", "ÉCLAIR"),
        (WordForm(zero_digits=True), "1996-08-22", "0000-00-00", "1996-08-22"),
        (WordForm(zero_digits=True), "２０２６年", "0000年", "2026年"),
        (WordForm(zero_digits=True), "٣", "٣", "٣"),  # digits of other scripts are characters like any other
        (WordForm(normalization="none"), "Ａ", "ａ", "Ａ"),
        (WordForm(normalization="nfc"), "Cafe\N{COMBINING ACUTE ACCENT}", "café", "Café"),
        (WordForm(), "\N{SOFT HYPHEN}", "", ""),
    ],
)
def test_a_token_becomes_its_word_and_its_spelling(form, token, word, spelling):
    assert (form.word(token), form.spelling(token)) == (word, spelling)


@pytest.mark.parametrize("text", ["Ｄon’t MISS İstanbul", "ΑΣ ﬁn Straße", "北京 ＡＢＣ"])
def test_words_of_a_cased_tokenizer_are_those_of_one_in_lower_case(text):
    words = [WordForm().word(token) for token in Tokenizer(lowercase=False).words(text)]
    assert words == Tokenizer().words(text)


CASED = Tokenizer(lowercase=False)


@pytest.mark.parametrize(
    ("text", "tokenizer", "form", "words"),
    [
        ("İ U.S. 3x", None, None, ["İ U.S. 3x"]),
        ("Ça va", Tokenizer(), None, ["ça", "va"]),
        ("Ça 1996", CASED, WordForm(zero_digits=True), ["ça", "0000"]),
        ("U.S.", CASED, WordForm(), ["u", ".", "s", "."]),
        ("U.S.", None, WordForm(), ["u.s."]),
        ("北京", Tokenizer("char"), WordForm(lowercase=False), ["北", "京"]),
    ],
)
def test_a_text_gives_the_words_that_a_model_looks_up(text, tokenizer, form, words):
    assert lookup_words(text, tokenizer, form) == words
