"""Formats by name and content, files that replace others whole, and gensim's files."""

import gzip
import os
import re

import numpy as np
import pytest

from textapp.errors import InputError
from textapp.vectors.formats import check_words, read_vectors, write_vectors
from textapp.vectors.word_vectors import WordVectors

NAMES = ["a.vec", "a.txt", "my_glove.6B.txt", "a.bin", "a.npz", "A.VEC", "ä.好.vec"]


@pytest.fixture(name="vectors")
def _vectors():
    rows = np.random.default_rng(0).normal(size=(6, 4))
    return WordVectors(["der", "好", "naïve", "😀", "</s>", "2.5"], rows)


@pytest.mark.parametrize("name", [*NAMES, *(f"{name}.gz" for name in NAMES)])
def test_every_format_comes_back(vectors, tmp_path, name):
    path = tmp_path / "neu" / name
    write_vectors(vectors, path)
    found = read_vectors(path)
    assert found.words == vectors.words
    assert found.vectors.tobytes() == vectors.vectors.tobytes()
    assert (path.read_bytes()[:2] == b"\x1f\x8b") == name.endswith(".gz")
    assert [file.name for file in path.parent.iterdir()] == [name]


@pytest.mark.parametrize(
    ("name", "format", "start"),
    [
        ("a.vec", None, b"6 4\nder "),
        ("a.txt", None, b"6 4\nder "),
        ("glove.txt", None, b"der "),
        ("a.txt", "glove", b"der "),
        ("glove.vec", None, b"6 4\nder "),
        ("a.dat", "binary", b"6 4\nder "),
        ("a.vec", "npz", b"PK"),
    ],
)
def test_the_name_or_else_the_option_gives_the_format(vectors, tmp_path, name, format, start):
    write_vectors(vectors, tmp_path / name, format)
    assert (tmp_path / name).read_bytes().startswith(start)


def test_gzip_files_are_the_same_each_time(vectors, tmp_path):
    for name in ("a.vec.gz", "b.vec.gz"):
        write_vectors(vectors, tmp_path / name)
    assert (tmp_path / "a.vec.gz").read_bytes() == (tmp_path / "b.vec.gz").read_bytes()


@pytest.mark.parametrize("dim", [1, 2, 3, 50])
@pytest.mark.parametrize("scale", [1e-30, 0.0, 1.0, 1e5])
def test_text_and_binary_are_told_apart(tmp_path, dim, scale):
    rows = np.random.default_rng(dim).normal(size=(3, dim)) * scale
    for name in ("a.bin", "a.vec"):
        write_vectors(WordVectors(["好", "a", "b"], rows), tmp_path / name)
        np.testing.assert_array_equal(read_vectors(tmp_path / name).vectors, rows.astype(np.float32))


@pytest.mark.parametrize("dim", [1, 2, 100])
@pytest.mark.parametrize("number", ["nan", "-inf", "null"])
def test_a_first_vector_of_no_numbers_is_told_with_its_line(tmp_path, dim, number):
    (tmp_path / "ä.vec").write_text(f"2 {dim}\nfoo{f' {number}' * dim}\nbär{' 0.1' * dim}\n", encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(f"{tmp_path / 'ä.vec'}:2: ")):
        read_vectors(tmp_path / "ä.vec")


def test_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "ä")
    with pytest.raises(InputError, match="is a pipe, but vectors are read twice"):
        read_vectors(tmp_path / "ä")


def test_words_are_checked_before_there_are_vectors():
    check_words(["New York", "x" * 5000], "a.npz")
    check_words(["x" * 5000], "a.vec")
    for path, word in [("a.vec", "New York"), ("glove.txt", "a\tb"), ("a.bin.gz", "a b"), ("a.bin", "好" * 1366)]:
        with pytest.raises(InputError, match="write the format `npz`"):
            check_words(["good", word], path)


def test_a_name_without_a_format_is_refused(vectors, tmp_path):
    with pytest.raises(InputError, match=r"vektoren: the name must end in \.vec, \.txt, \.bin, \.npz"):
        write_vectors(vectors, tmp_path / "vektoren")
    with pytest.raises(InputError, match=r"`format` must be one of word2vec, .* Received: format='csv'"):
        write_vectors(vectors, tmp_path / "a.vec", "csv")
    with pytest.raises(InputError, match="`format` must be one of"):
        read_vectors(tmp_path / "a.vec", "csv")


def test_a_failed_write_leaves_the_old_file(vectors, tmp_path):
    write_vectors(vectors, tmp_path / "a.vec")
    with pytest.raises(InputError, match="white space"):
        write_vectors(WordVectors(["好", "zwei Wörter"], [[1.0], [2.0]]), tmp_path / "a.vec")
    assert read_vectors(tmp_path / "a.vec").words == vectors.words
    assert len(list(tmp_path.iterdir())) == 1


def test_a_path_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(InputError, match=r"fehlt\.vec: No such file"):
        read_vectors(tmp_path / "fehlt.vec")
    with pytest.raises(InputError, match="Is a directory"):
        read_vectors(tmp_path)


@pytest.mark.parametrize("format", ["word2vec", "glove", "binary", "npz"])
def test_no_format_reads_garbage(tmp_path, format):
    (tmp_path / "a").write_bytes(np.random.default_rng(0).bytes(5000))
    with pytest.raises(InputError, match="a"):
        read_vectors(tmp_path / "a", format)


def test_gensims_files_are_read(vectors, tmp_path):
    gensim = pytest.importorskip("gensim.models")
    theirs = gensim.KeyedVectors(4)
    theirs.add_vectors(list(vectors.words), vectors.vectors)
    for name, options in (
        ("a.vec", {}),
        ("a.bin", {"binary": True}),
        ("glove.txt", {"write_header": False}),
        ("a.vec.gz", {}),
        ("a.bin.gz", {"binary": True}),
    ):
        theirs.save_word2vec_format(str(tmp_path / name), **options)
        found = read_vectors(tmp_path / name)
        assert found.words == vectors.words
        assert found.vectors.tobytes() == vectors.vectors.tobytes()


def test_gensim_reads_ours(vectors, tmp_path):
    gensim = pytest.importorskip("gensim.models")
    for name, options in (
        ("a.vec", {}),
        ("a.bin", {"binary": True}),
        ("glove.txt", {"no_header": True}),
        ("a.vec.gz", {}),
        ("a.bin.gz", {"binary": True}),
    ):
        write_vectors(vectors, tmp_path / name)
        theirs = gensim.KeyedVectors.load_word2vec_format(str(tmp_path / name), **options)
        assert tuple(theirs.index_to_key) == vectors.words
        assert theirs.vectors.tobytes() == vectors.vectors.tobytes()


def test_gensims_own_save_is_refused_with_a_way_out(vectors, tmp_path):
    gensim = pytest.importorskip("gensim.models")
    theirs = gensim.KeyedVectors(4)
    theirs.add_vectors(list(vectors.words), vectors.vectors)
    theirs.save(str(tmp_path / "a.kv"))
    with pytest.raises(InputError, match=r"a\.kv: this is a Python pickle.*save_word2vec_format"):
        read_vectors(tmp_path / "a.kv")


def test_a_gzip_file_within_a_gzip_file_is_no_vectors(vectors, tmp_path):
    write_vectors(vectors, tmp_path / "a.vec.gz")
    (tmp_path / "b.vec.gz").write_bytes(gzip.compress((tmp_path / "a.vec.gz").read_bytes()))
    with pytest.raises(InputError, match=r"b\.vec\.gz.*"):
        read_vectors(tmp_path / "b.vec.gz")
