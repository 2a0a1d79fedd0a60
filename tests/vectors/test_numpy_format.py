"""The NumPy archive keeps everything, reads others' archives, and trusts none."""

import io
import json
import re
import zipfile

import numpy as np
import pytest

from textapp.errors import InputError
from textapp.text.tokenizer import Tokenizer
from textapp.vectors.formats import read_vectors, write_vectors
from textapp.vectors.subwords import Subwords, SubwordVectors
from textapp.vectors.word_vectors import WordVectors


@pytest.fixture(name="vectors")
def _vectors():
    rng = np.random.default_rng(0)
    return WordVectors(
        ["der", "好", "New York", "a\u2028b", "😀"],
        rng.normal(size=(5, 3)),
        counts=[2**40, 5, 4, 4, 1],
        outputs=rng.normal(size=(5, 3)),
        subwords=SubwordVectors(Subwords(1, 4, 17), rng.normal(size=(17, 3))),
        tokenizer=Tokenizer().to_dict(),
    )


@pytest.fixture(name="read")
def _read(tmp_path):
    """Writes an archive of arrays (or bytes) and reads it; the path in messages becomes FILE."""

    def read(content, **options):
        path = tmp_path / "vektoren.npz"
        if isinstance(content, dict):
            np.savez(path, **content)
        else:
            path.write_bytes(content)
        try:
            return read_vectors(path, **options)
        except InputError as error:
            raise InputError(str(error).replace(str(path), "FILE")) from error

    return read


def settings(**changes):
    content = {"format": "textapp word vectors", "version": 1, "tokenizer": None, "subwords": None, **changes}
    return np.frombuffer(json.dumps(content).encode(), np.uint8)


@pytest.mark.parametrize("name", ["vektoren.npz", "vektoren.npz.gz"])
@pytest.mark.parametrize("limit", [None, 2, 99])
def test_everything_comes_back(vectors, tmp_path, name, limit):
    write_vectors(vectors, tmp_path / name)
    found = read_vectors(tmp_path / name, limit=limit)
    assert found.words == vectors.words[:limit]
    for part in ("vectors", "counts", "outputs"):
        expected = getattr(vectors, part)[:limit]
        np.testing.assert_array_equal(getattr(found, part), expected)
        assert getattr(found, part).dtype == expected.dtype
    assert found.subwords.subwords == vectors.subwords.subwords
    np.testing.assert_array_equal(found.subwords.vectors, vectors.subwords.vectors)
    assert found.tokenizer == vectors.tokenizer
    np.testing.assert_array_equal(found["unbekannt"], vectors["unbekannt"])


def test_what_is_not_there_stays_none(tmp_path):
    write_vectors(WordVectors(["好"], [[1.0]]), tmp_path / "a.npz")
    found = read_vectors(tmp_path / "a.npz")
    assert (found.counts, found.outputs, found.subwords, found.tokenizer) == (None, None, None, None)


def test_equal_vectors_give_equal_files(vectors, tmp_path):
    for name in ("a.npz", "b.npz"):
        write_vectors(vectors, tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_numpy_opens_it(vectors, tmp_path):
    write_vectors(vectors, tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        assert bytes(arrays["words"]).decode().split("\n") == list(vectors.words)
        np.testing.assert_array_equal(arrays["vectors"], vectors.vectors)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("limit", [None, 2])
def test_an_archive_by_others_needs_words_and_vectors_only(read, order, limit):
    rows = np.asarray(np.random.default_rng(0).normal(size=(3, 4)), np.float64, order=order)
    found = read({"words": np.array(["好", "naïve", "c"]), "vectors": rows}, limit=limit)
    assert found.words == ("好", "naïve", "c")[:limit]
    np.testing.assert_array_equal(found.vectors, rows[:limit].astype(np.float32))


def test_large_arrays_are_read_in_parts(read, monkeypatch):
    monkeypatch.setattr("textapp.data.numpy_archive._READ_BYTES", 1000)
    rows = np.random.default_rng(0).normal(size=(300, 7)).astype(np.float32)
    found = read({"words": np.array([f"w{i}" for i in range(300)]), "vectors": rows})
    np.testing.assert_array_equal(found.vectors, rows)


WORDS, ROWS = np.array(["好", "b"]), np.ones((2, 3), np.float32)
NGRAMS = {"min_n": 3, "max_n": 6, "buckets": 5}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"words": WORDS}, "the archive must hold the arrays `words` and `vectors`"),
        ({"words": WORDS, "vectors": ROWS[:1]}, r"`vectors` must have a row .* shape=\(1, 3\)"),
        ({"words": WORDS[[0, 0]], "vectors": ROWS}, "the words must differ. Received: '好'"),
        ({"words": np.array([1, 2]), "vectors": ROWS}, "`words` must be text in bytes or strings. Received: int64"),
        ({"words": np.uint8([97, 10, 255]), "vectors": ROWS}, "`words` is not UTF-8 at byte 2"),
        ({"words": WORDS, "vectors": ROWS * np.nan}, "`vectors` must be finite"),
        ({"words": np.array(["a", None]), "vectors": ROWS}, "`words` holds Python objects, which are never loaded"),
        ({"words": WORDS, "vectors": np.array([["a"], ["b"]])}, "`vectors` must hold real numbers"),
        ({"words": WORDS, "vectors": ROWS, "counts": np.ones(2)}, "`counts` must be 2 whole numbers"),
        ({"words": WORDS, "vectors": ROWS, "settings": np.uint8([1])}, "`settings` is not JSON"),
        ({"words": WORDS, "vectors": ROWS, "settings": settings(format="x")}, "`settings` must be a JSON object with"),
        ({"words": WORDS, "vectors": ROWS, "settings": settings(version=2)}, "the archive has version 2; this textapp"),
        ({"words": WORDS, "vectors": ROWS, "settings": settings(tokenizer="x")}, "`tokenizer` in `settings` must be"),
        ({"words": WORDS, "vectors": ROWS, "settings": settings(subwords=NGRAMS)}, "`subword_vectors` is missing"),
        ({"words": WORDS, "vectors": ROWS, "settings": settings(subwords={"min_n": 3}), "subword_vectors": ROWS},
         "the subwords' settings must be min_n, max_n, buckets"),
        ({"words": WORDS, "vectors": ROWS, "settings": settings(subwords=NGRAMS), "subword_vectors": ROWS},
         "subwords: `vectors` must have 5 rows"),
        (b"PK\x03\x04 and nothing more", "the archive is cut off, damaged or encrypted"),
    ],
)  # fmt: skip
def test_a_broken_archive_is_one_line_that_says_why(read, content, message):
    with pytest.raises(InputError, match=rf"^FILE: (the array |word vectors: )?{message}") as caught:
        read(content)
    assert "\n" not in str(caught.value)


def test_a_damaged_byte_is_found(read, vectors, tmp_path):
    write_vectors(vectors, tmp_path / "a.npz")
    content = bytearray((tmp_path / "a.npz").read_bytes())
    place = content.index(vectors.vectors.tobytes())
    content[place + 1] ^= 1
    with pytest.raises(InputError, match=r"FILE: the archive is cut off, damaged or encrypted .*CRC"):
        read(bytes(content))
    with pytest.raises(InputError, match="FILE: the archive is cut off"):
        read(bytes(content[:-40]))


@pytest.mark.parametrize("shape", [(2**50, 300), (-2, -2)])
def test_a_header_that_announces_what_is_not_there_allocates_nothing(read, shape):
    header, archive = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("vectors.npy", header.getvalue())
        file.writestr("words.npy", b"no array")
    with pytest.raises(InputError, match=re.escape(f"FILE: `vectors` does not have the shape {shape} of its header")):
        read(archive.getvalue())
