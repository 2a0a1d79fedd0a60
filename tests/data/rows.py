"""Rows of tokens for the tests of batches and of encoding."""

import numpy as np

from textapp.data.rows import EncodedRows, TargetRows, TokenRows, encode_rows
from textapp.text.token_encoder import TokenEncoder
from textapp.text.vocabulary import Vocabulary
from textapp.text.word_form import WordForm
from textapp.training.vocabularies import count_characters, count_words

LONGEST = 20  # tokens
FORM = WordForm(zero_digits=True)
TOKENS = ["Wien", "wien", "WIEN", "北京", "Überraschung", "1996", "のを", "\N{SOFT HYPHEN}", "x"]

_RNG = np.random.default_rng(0)
SENTENCES = [list(_RNG.choice(TOKENS, _RNG.integers(1, LONGEST))) for _ in range(202)] + [["x"] * LONGEST]


def make_encoder(characters: bool = False, shapes: bool = False) -> TokenEncoder:
    """An encoder of the tokens; it reads 6 characters of a word, or none."""
    counts = TokenRows.read(SENTENCES).counts()
    letters = Vocabulary.build(count_characters(counts, FORM), min_count=1) if characters else None
    return TokenEncoder(FORM, Vocabulary.build(count_words(counts, FORM), min_count=2), letters, 6, shapes)


def encoded_rows(per_token: bool, characters: bool = False, shapes: bool = False, seed: int = 1) -> EncodedRows:
    """The sentences with random targets."""
    tokens = TokenRows.read(SENTENCES)
    count = len(tokens.index) if per_token else len(tokens)
    targets = np.random.default_rng(seed).integers(0, 5, count).astype("int32")
    rows = TargetRows(tokens, targets, per_token, sources=np.arange(len(tokens)))
    return encode_rows(rows, make_encoder(characters, shapes))
