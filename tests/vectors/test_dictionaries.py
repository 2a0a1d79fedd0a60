"""Bilingual dictionaries and what vocabularies have of them."""

import re
from pathlib import Path

import numpy as np
import pytest

from textapp.errors import InputError
from textapp.vectors.dictionaries import index_pairs, read_dictionary
from textapp.vectors.word_vectors import WordVectors

DATA = Path(__file__).parents[2] / "../shared/data/muse_dictionaries"


def test_pairs_are_read_in_their_order(tmp_path):
    (tmp_path / "словарь.txt").write_bytes("the\tder\r\nthe die\n好  gut\n# #\n#a #b\n".encode())
    pairs = [("the", "der"), ("the", "die"), ("好", "gut"), ("#", "#"), ("#a", "#b")]
    assert read_dictionary(tmp_path / "словарь.txt") == pairs


@pytest.mark.parametrize(
    ("content", "message"),
    [("a b\nc\n", ":2: must read SOURCE TARGET, two words; received 1 words"), ("\n", ": there is no pair in it")],
)
def test_broken_files_are_refused(tmp_path, content, message):
    (tmp_path / "词.txt").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(f"{tmp_path / '词.txt'}{message}")):
        read_dictionary(tmp_path / "词.txt")


def test_words_are_counted_on_both_sides():
    source, target = WordVectors(["the", "good"], np.eye(2)), WordVectors(["好", "善", "这"], np.eye(3))
    pairs = [("The", "这"), ("good", "好"), ("good", "善"), ("good", "好"), ("good", "棒"), ("bad", "好")]
    found = index_pairs(pairs, source, target)
    assert found.pairs.tolist() == [[0, 2], [1, 0], [1, 1]]
    assert (found.total, found.source_words, found.known_words) == (5, 3, 2)
    assert index_pairs([("x", "y")], source, target).pairs.shape == (0, 2)


@pytest.mark.skipif(not DATA.exists(), reason="../shared/data/muse_dictionaries is not there")
def test_public_dictionaries_are_read():
    pairs = read_dictionary(DATA / "en-zh.5000-6500.txt")
    assert (len(pairs), len({word for word, _ in pairs})) == (2230, 1500)
