"""Words are united, spellings are kept."""

import pytest

from textapp.text.tokenizer import Tokenizer
from textapp.text.word_form import WordForm


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
