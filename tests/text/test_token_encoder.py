"""Tokens as a model reads them."""

import pytest

from textapp.text.token_encoder import TokenEncoder
from textapp.text.vocabulary import Vocabulary
from textapp.text.word_form import WordForm
from textapp.text.word_shape import word_shape

WORDS = Vocabulary(["[PAD]", "[UNK]", "0000年", "łódź"])
LETTERS = Vocabulary(["[PAD]", "[UNK]", "Ł", "ó", "2"])
TOKENS = ["Łódź", "２０２６年", "x", "\N{SOFT HYPHEN}"]
IDS = {
    "token_ids": [3, 2, 1, 1],
    "char_ids": [[2, 3, 1], [4, 1, 4], [1, 0, 0], [0, 0, 0]],
    "shape_ids": [word_shape("Łódź"), word_shape("2026年"), word_shape("x"), word_shape("")],
}


@pytest.mark.parametrize("characters", [True, False])
@pytest.mark.parametrize("shapes", [True, False])
def test_each_model_is_given_what_it_reads(characters, shapes):
    encoder = TokenEncoder(WordForm(zero_digits=True), WORDS, LETTERS if characters else None, 3, shapes)
    names = ["token_ids", *["char_ids"] * characters, *["shape_ids"] * shapes]
    assert encoder.encode(TOKENS) == {name: IDS[name] for name in names}
    assert encoder.encode([]) == {name: [] for name in names}
    widths = {"token_ids": (), "char_ids": (3,), "shape_ids": ()}
    assert encoder.inputs == {name: widths[name] for name in names}
