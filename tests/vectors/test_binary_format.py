"""word2vec's binary format against bytes put together by hand."""

import gzip
import struct

import numpy as np
import pytest

from textapp.errors import InputError
from textapp.vectors.formats import read_vectors, write_vectors
from textapp.vectors.word_vectors import WordVectors

WORDS = ("der", "好", "naïve", "😀")
# 0x0a0a0a0a and 0x20202020 are floats whose bytes are newlines and spaces
ROWS = [(0.5, -1.25), struct.unpack("<2f", b"\n\n\n\n    "), (1e-5, 7.0), (0.0, -3.5)]


def binary(words=WORDS, rows=ROWS, end=b"\n", header=None):
    body = b"".join(
        word.encode() + b" " + struct.pack(f"<{len(row)}f", *row) + end for word, row in zip(words, rows, strict=True)
    )
    return (header or f"{len(words)} {len(rows[0])}\n".encode()) + body


@pytest.fixture(name="read")
def _read(tmp_path):
    """Writes a file and reads it; the path in messages becomes FILE."""

    def read(content, name="vektoren.bin", **options):
        (tmp_path / name).write_bytes(content)
        try:
            return read_vectors(tmp_path / name, **options)
        except InputError as error:
            raise InputError(str(error).replace(str(tmp_path / name), "FILE")) from error

    return read


@pytest.mark.parametrize("end", [b"\n", b""], ids=["word2vec.c", "gensim"])
@pytest.mark.parametrize("name", ["a.bin", "a.txt", "ohne"])
@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("read_bytes", [1, 7, 1 << 20])
def test_both_ways_of_writing_are_read(read, end, name, compress, read_bytes, monkeypatch):
    monkeypatch.setattr("textapp.vectors.binary_format._READ_BYTES", read_bytes)
    content = binary(end=end)
    vectors = read(gzip.compress(content) if compress else content, name)
    assert vectors.words == WORDS
    np.testing.assert_array_equal(vectors.vectors, np.float32(ROWS))


def test_a_limit_takes_the_first_words_and_does_not_look_further(read):
    assert read(binary()[:60] + b"\xff" * 99, limit=2).words == WORDS[:2]
    assert read(binary(), limit=9).words == WORDS


def test_the_first_of_repeated_words_is_kept_and_the_rest_reported(read):
    lines, content = [], binary(["好", "好", "a", "好", "b"], [(i, -i) for i in range(5)])
    assert read(content, report=lines.append).vectors[:, 0].tolist() == [0, 2, 4]
    assert "2 repeated words left out" in lines[0]
    assert lines[0].endswith("byte 17: '好'")  # 4 of the header, 13 of the first word
    assert read(content, limit=3).words == ("好", "a", "b")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (binary()[:-9], "FILE: byte 45: the header announces 4 words, but the file ends in word 4; it is cut off"),
        (binary(header=b"3 2\n"), "FILE: byte 45: the header announces 3 words, but more follow; correct"),
        (binary(header=b"4 100001\n"), "FILE:1: the header must give .* dimension 100001"),
        (binary(["好", "a"], [(1.0, 2.0), (3.0, np.nan)]), "FILE: byte 17: the vector of 'a' holds NaN"),
        (binary(["a" * 5000], [(0.1, 0.2)]), "FILE: byte 4: a word in UTF-8 and a space are expected here"),
        (gzip.compress(binary(), mtime=0)[:-12], "FILE: the gzip data are cut off"),
    ],
)  # fmt: skip
def test_a_broken_file_is_one_line_that_says_where_and_why(read, content, message):
    with pytest.raises(InputError, match=f"^{message}") as caught:
        read(content, format="binary")
    assert "\n" not in str(caught.value)


def test_a_wrong_dimension_is_found_by_the_words_it_makes(read):
    rows = np.random.default_rng(0).normal(size=(50, 20))
    content = binary([f"w{i}" for i in range(50)], rows.tolist(), header=b"50 19\n")
    with pytest.raises(InputError, match=r"FILE: byte \d+: .*the header's dimension is wrong or the file is damaged"):
        read(content)


def test_what_is_written_are_word2vecs_bytes(tmp_path):
    write_vectors(WordVectors(WORDS, ROWS), tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == binary()


def test_rows_are_the_same_across_blocks(tmp_path):
    rows = np.random.default_rng(0).normal(size=(700, 11)).astype(np.float32)
    vectors = WordVectors([f"好{i}" for i in range(700)], rows)
    write_vectors(vectors, tmp_path / "a.bin")
    found = read_vectors(tmp_path / "a.bin")
    assert found.words == vectors.words
    np.testing.assert_array_equal(found.vectors, rows)


def test_a_word_that_is_none_is_left_out_and_reported(read):
    lines, rows = [], [(1.0,), (2.0,), (3.0,), (4.0,)]
    content = binary([b"\xff\xfe".decode("latin-1"), "a", "", "b"], rows).replace("ÿþ".encode(), b"\xff\xfe")
    with pytest.raises(
        InputError, match=r"FILE: byte 4: .*many words after it are none; the header's dimension is wro"
    ):
        read(content)
    content = binary([b"\xff\xfe".decode("latin-1"), *"abc"], rows).replace("ÿþ".encode(), b"\xff\xfe")
    assert read(content, report=lines.append).vectors.ravel().tolist() == [2, 3, 4]
    assert "1 word left out: empty, not UTF-8" in lines[0]


@pytest.mark.parametrize("count", [9, 999999999999999999])
def test_a_count_that_is_too_large_is_a_warning_where_the_last_vector_is_whole(read, count):
    lines = []
    assert read(binary(header=f"{count} 2\n".encode()), report=lines.append).words == WORDS
    assert f"the header announces {count:,} words, but 4 follow; those were read" in lines[0]
