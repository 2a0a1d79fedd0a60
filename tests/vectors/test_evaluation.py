"""Which files a path means, their lines, and the form in which vectors have a word."""

import gzip
import re

import numpy as np
import pytest

from textapp.errors import InputError
from textapp.vectors.evaluation import expand_folders, known_form, numbered_lines, set_name, vocabulary_row
from textapp.vectors.subwords import Subwords, SubwordVectors
from textapp.vectors.word_vectors import WordVectors


def test_a_folder_means_its_text_files(tmp_path):
    for name in ("б.txt", "a.tsv", "词.txt.gz", "LICENSE", "notes.md"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "folder.txt").mkdir()
    names = [path.name for path in expand_folders([tmp_path, tmp_path / "LICENSE"])]
    assert names == ["a.tsv", "б.txt", "词.txt.gz", "LICENSE"]
    with pytest.raises(InputError, match=re.escape(f"{tmp_path / 'folder.txt'}: no file in this folder ends in .txt")):
        expand_folders([tmp_path / "folder.txt"])


@pytest.mark.parametrize(
    ("path", "name"), [("x/EN-WS-353.txt", "EN-WS-353"), ("词.v2.tsv.gz", "词.v2"), ("LICENSE", "LICENSE")]
)
def test_a_set_is_called_by_its_file(path, name):
    assert set_name(path) == name


def test_lines_keep_their_numbers(tmp_path):
    (tmp_path / "词.txt.gz").write_bytes(gzip.compress("\ufeff# comment\n\n 好 坏 \r\n#\n#ä ö\n".encode()))
    assert list(numbered_lines(tmp_path / "词.txt.gz")) == [(3, "好 坏"), (5, "#ä ö")]
    assert [number for number, _ in numbered_lines(tmp_path / "词.txt.gz", comments=False)] == [1, 3, 4, 5]


def test_line_ends_of_an_old_macintosh_are_refused(tmp_path):
    (tmp_path / "词.txt").write_bytes(b"a b 3\rb c 1\r")
    with pytest.raises(InputError, match=r"词\.txt:1: lines end in a carriage return alone"):
        list(numbered_lines(tmp_path / "词.txt"))


def test_a_word_as_written_and_then_lower_cased():
    vectors = WordVectors(["Москва", "москва", "paris", "北京"], np.eye(4))
    words = ("Москва", "МОСКВА", "Paris", "北京", "Rom")
    assert [known_form(vectors, word) for word in words] == ["Москва", "москва", "paris", "北京", None]
    assert [vocabulary_row(vectors, word) for word in words] == [0, 1, 2, 3, -1]


@pytest.mark.parametrize(
    ("tokenizer", "form"), [({"lowercase": True}, "rom"), ({"lowercase": False}, "Rom"), (None, "Rom")]
)
def test_an_unseen_word_is_spelled_as_the_tokenizer_would(tokenizer, form):
    subwords = SubwordVectors(Subwords(buckets=10), np.ones((10, 2), np.float32))
    vectors = WordVectors(["paris"], np.ones((1, 2)), subwords=subwords, tokenizer=tokenizer)
    assert known_form(vectors, "Rom") == form
    assert known_form(vectors, "Paris") == "paris"
    assert vocabulary_row(vectors, "Rom") == -1
