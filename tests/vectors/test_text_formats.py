"""Text files of word vectors as programs and people write them, and what is wrong with the others."""

import gzip

import numpy as np
import pytest

from textapp.errors import InputError
from textapp.vectors.formats import read_vectors, write_vectors
from textapp.vectors.word_vectors import WordVectors

WORDS = ("der", "好", "naïve", "😀", "St.-Petersburg")
ROWS = [[0.5, -1.25, 3.0], [0.1, 0.2, 0.3], [1e-5, -2.0, 7.0], [-0.0625, 12.5, 0.0], [1.0, 2.0, 3.0]]
GLOVE = "".join(f"{word} {' '.join(map(str, row))}\n" for word, row in zip(WORDS, ROWS, strict=True))
WORD2VEC = f"5 3\n{GLOVE}"


@pytest.fixture(name="read")
def _read(tmp_path):
    """Writes a file and reads it; the path in messages becomes FILE."""

    def read(content, name="vektoren.txt", **options):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        try:
            return read_vectors(path, **options)
        except InputError as error:
            raise InputError(str(error).replace(str(path), "FILE")) from error

    return read


def assert_is_the_sample(vectors, words=WORDS):
    assert vectors.words == words
    assert vectors.vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors.vectors, np.float32(ROWS[: len(words)]))


@pytest.mark.parametrize("text", [GLOVE, WORD2VEC], ids=["glove", "word2vec"])
@pytest.mark.parametrize(
    "change",
    [
        lambda text: text,
        lambda text: text.removesuffix("\n"),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", " \n"),  # fastText and word2vec.c
        lambda text: text.replace(" ", "\t"),
        lambda text: text.replace(" 0.2 ", "   0.2\t"),
        lambda text: text.replace("-1.25", "-1.25e0").replace("3.0", "3"),
        lambda text: "\ufeff" + text,
        lambda text: text + "\n\n",
        lambda text: text.replace("\n", "\n\r\n"),
    ],
    ids=[
        "plain",
        "no last newline",
        "windows",
        "space at end",
        "tabs",
        "mixed",
        "exponents",
        "bom",
        "blank end",
        "gaps",
    ],
)
@pytest.mark.parametrize("compress", [False, True])
def test_every_way_of_writing_is_read(read, text, change, compress):
    content = change(text).encode()
    assert_is_the_sample(read(gzip.compress(content) if compress else content))


@pytest.mark.parametrize("name", ["a.vec", "a.bin", "a.npz", "a.txt.gz", "ohne"])
def test_the_content_counts_and_not_the_name(read, name):
    assert_is_the_sample(read(GLOVE, name))
    assert_is_the_sample(read(WORD2VEC, name))


@pytest.mark.parametrize("text", [GLOVE, WORD2VEC], ids=["glove", "word2vec"])
def test_a_limit_takes_the_first_words_and_does_not_look_further(read, text):
    broken = text.replace("😀 -0.0625", "😀 wrong").encode() + b"\xff\n"
    assert_is_the_sample(read(broken, limit=3), WORDS[:3])
    assert_is_the_sample(read(text, limit=99))
    with pytest.raises(InputError, match="`limit` must be positive"):
        read(text, limit=0)


@pytest.mark.parametrize("limit", [None, 1, 700, 701])
def test_rows_are_the_same_across_blocks_of_the_file(read, monkeypatch, limit):
    monkeypatch.setattr("textapp.vectors.text_formats._READ_BYTES", 1000)
    rows = np.random.default_rng(0).normal(size=(1500, 7)).astype(np.float32)
    text = "".join(f"好{i} {' '.join(map(repr, row))}\n" for i, row in enumerate(rows.tolist()))
    vectors = read(text, limit=limit)
    assert vectors.words == tuple(f"好{i}" for i in range(limit or 1500))
    np.testing.assert_array_equal(vectors.vectors, rows[:limit])


def test_words_may_hold_spaces_and_numbers(read):
    vectors = read("1 0.5 0.25\n. . 1.0 2.0\nname @ domain 3.0 4.0\n2.5 5.0 6.0\n全 角　空 7.0 8.0\n")
    assert vectors.words == ("1", ". .", "name @ domain", "2.5", "全 角　空")
    assert vectors.vectors.tolist() == [[0.5, 0.25], [1, 2], [3, 4], [5, 6], [7, 8]]


def test_white_space_of_unicode_belongs_to_the_word(read):
    assert read("a\u00a0b 1.0\n\u3000 2.0\n\u2028 3.0\n\u0085 4.0\n").words == (
        "a\u00a0b",
        "\u3000",
        "\u2028",
        "\u0085",
    )


@pytest.mark.parametrize("limit", [None, 3])
def test_the_first_of_repeated_words_is_kept_and_the_rest_reported(read, limit):
    lines, text = [], "5 1\nder 1.0\nder 2.0\n好 3.0\nder 4.0\ndie 5.0\n"
    vectors = read(text, report=lines.append, limit=limit)
    assert vectors.words == ("der", "好", "die")
    assert vectors.vectors.ravel().tolist() == [1, 3, 5]
    assert len(lines) == 1
    assert "2 repeated words left out" in lines[0]
    assert lines[0].endswith(":3: 'der'")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "FILE: there is no vector to read; the file is empty"),
        (b"\n \n", "FILE: there is no vector to read; the file is empty"),
        ("die 1.0 2.0\n好 1.0\n", "FILE:2: the line must hold a word and 2 numbers. Received: 1 numbers"),
        ("die 1.0 2.0\n好 1.0 2.0 3.0\n", "FILE:2: the line must hold 2 numbers. Received: 3"),
        ("die 1.0 2.0\n\n好 1.0 x2\n", "FILE:3: part 2 of the 2 after the word must be a number. Received: 'x2'"),
        ("die 1.0 2.0\n好 1,0 2.0\n", "FILE:2: part 1 of the 2 after the word must be a number. Received: '1,0'"),
        ("die 1.0 2.0\n好 nan 2.0\n", "FILE:2: the vector of '好' holds NaN"),
        ("die 1.0 2.0\n好 1.0 -inf\n", "FILE:2: the vector of '好' holds NaN, infinity"),
        ("die 1.0 2.0\n好 1.0 1e39\n", "FILE:2: the vector of '好' holds NaN, infinity or a number too large"),
        ("Ein Satz auf Deutsch.\n", "FILE:1: each line must be a word and its numbers.*Received: 'Ein Satz"),
        ("text,label\nschön,1\n", "FILE:1: each line must be a word and its numbers"),
        ("4 2\ndie 1.0 2.0\n好 1.0 2.0", "FILE:1: the header announces 4 words, but 2 follow; the file is cut"),
        ("2 3\ndie 1.0 2.0\n好 1.0 2.0\n", "FILE:2: the line must hold a word and 3 numbers. Received: 2 numbers"),
        ("2 1\ndie 1.0 2.0\n好 1.0 2.0\n", "FILE:2: the line must hold 1 numbers. Received: 2"),
        ("0 300\n", "FILE:1: the header must give one word or more and a dimension from 1 to"),
        ("2 0\ndie\n好\n", "FILE:1: the header must give .* Received: 2 words, dimension 0"),
        ("2 999999999999\ndie 1.0\n", "FILE:1: the header must give .* dimension 999999999999"),
        (gzip.compress(WORD2VEC.encode() * 50, mtime=0)[:-30], "FILE: the gzip data are cut off"),
        (b"\x80\x04\x95\x10", "FILE: this is a Python pickle, as gensim's `save` writes it"),
        (b"\xba\x16\x4f\x2f\x0c\x00\x00\x00", "FILE: this is a fastText model"),
        (b"BZh91AY", "FILE: this is compressed by bzip2; unpack it first"),
        ("die 1.0\n".encode("utf-16"), "FILE: this is text in UTF-16"),
    ],
)  # fmt: skip
def test_a_broken_file_is_one_line_that_says_where_and_why(read, content, message):
    with pytest.raises(InputError, match=f"^{message}") as caught:
        read(content)
    assert "\n" not in str(caught.value)


def test_a_file_without_line_ends_is_not_read_to_its_end(read, monkeypatch):
    monkeypatch.setattr("textapp.vectors.text_formats.MAX_LINE", 1 << 20)
    with pytest.raises(InputError, match="FILE:2: the line has more than 1,048,576 bytes"):
        read(b"a 1.0\n" + b"x" * (1 << 22))


def test_a_format_that_is_named_is_insisted_on(read):
    assert_is_the_sample(read(GLOVE, format="glove"))
    assert_is_the_sample(read(WORD2VEC, format="word2vec"))
    with pytest.raises(InputError, match="FILE:1: the first line is a header; use the format `word2vec`"):
        read(WORD2VEC, format="glove")
    with pytest.raises(InputError, match=r"FILE:1: .* a file without it needs the format `glove`. Received: 'der 0.5"):
        read(GLOVE, format="word2vec")


@pytest.mark.parametrize("format", ["word2vec", "glove"])
def test_what_is_written_comes_back_to_the_last_bit(tmp_path, format):
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(600, 9)) * 10.0 ** rng.integers(-30, 30, size=(600, 9))).astype(np.float32)
    rows[0] = [0.0, -0.0, 1e-45, np.finfo(np.float32).max, -1 / 3, 0.1, 16777216, 1, np.finfo(np.float32).tiny]
    vectors = WordVectors([f"wörd{i}" for i in range(600)], rows)
    write_vectors(vectors, tmp_path / "a.txt", format)
    found = read_vectors(tmp_path / "a.txt")
    assert found.words == vectors.words
    assert found.vectors.tobytes() == vectors.vectors.tobytes()


def test_the_lines_are_word2vecs_and_gloves(tmp_path):
    vectors = WordVectors(["好", "naïve"], [[0.5, -2.0], [0.1, 1e-5]])
    write_vectors(vectors, tmp_path / "a.vec")
    write_vectors(vectors, tmp_path / "glove.txt")
    lines = "好 0.5 -2\nnaïve 0.100000001 9.99999975e-06\n"
    assert (tmp_path / "a.vec").read_text("utf-8") == "2 2\n" + lines
    assert (tmp_path / "glove.txt").read_text("utf-8") == lines


@pytest.mark.parametrize("name", ["a.vec", "glove.txt", "a.bin"])
@pytest.mark.parametrize("word", ["New York", "a\tb", " a"])
def test_a_word_with_white_space_is_not_written(tmp_path, name, word):
    with pytest.raises(InputError, match=r"has white space.*write the format `npz`"):
        write_vectors(WordVectors([word], [[1.0]]), tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("line", [b"\xe5\xa5 1.0 2.0\n", b"a\rb 1.0 2.0\n", b" 1.0 2.0\n", b"\t1.0 2.0\n"])
@pytest.mark.parametrize("header", [b"", b"3 2\n"])
def test_a_word_that_is_none_is_left_out_and_reported(read, line, header):
    lines = []
    vectors = read(header + b"die 1.0 2.0\n" + line + "好 3.0 4.0\n".encode(), report=lines.append)
    assert (vectors.words, vectors.vectors.tolist()) == (("die", "好"), [[1, 2], [3, 4]])
    assert "1 word left out: empty, not UTF-8 or with a line break; the first is" in lines[0]


@pytest.mark.parametrize("count", ["1", "4", "999999999999999999"])
def test_a_wrong_count_of_words_is_a_warning_where_the_last_line_is_whole(read, count):
    lines = []
    assert read(f"{count} 2\ndie 1.0 2.0\n好 1.0 2.0\n", report=lines.append).words == ("die", "好")
    assert f"the header announces {int(count):,} words, but 2 follow; those were read" in lines[0]
