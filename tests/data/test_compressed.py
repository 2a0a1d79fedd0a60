"""Files compressed by zstd are read as those of gzip are."""

import json
import random
import sys

import pytest

from textapp.data.lines import open_bytes, read_lines
from textapp.data.readers import read_examples
from textapp.data.tagged import read_tagged
from textapp.data.unlabelled import unlabelled_texts
from textapp.errors import InputError

pa = pytest.importorskip("pyarrow", reason="zstd needs pyarrow")


def packed(path, content):
    with pa.CompressedOutputStream(str(path), "zstd") as stream:
        stream.write(content)
    return path


def noise(count):
    """Lines that hardly compress."""
    rng = random.Random(0)
    return "".join(f"{rng.getrandbits(256):x} é{number}\n" for number in range(count))


def test_lines_of_several_frames(tmp_path):
    one, two = noise(5_000), "很差\nlast"
    path = packed(tmp_path / "a", one.encode())
    path.write_bytes(path.read_bytes() + packed(tmp_path / "b", two.encode()).read_bytes())
    assert "".join(read_lines(path)) == one + two


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv.zst", "text\tlabel\nTrès bien\tpos\n很差\tneg\n"),
        ("A.CSV.ZST", "text,label\nTrès bien,pos\n很差,neg\n"),
        ("a.jsonl.zst", '{"text": "Très bien", "label": "pos"}\n{"text": "很差", "label": "neg"}\n'),
        ("a.zst", "text\tlabel\nTrès bien\tpos\n很差\tneg\n"),
    ],
)
def test_examples(tmp_path, name, content):
    path = packed(tmp_path / name, content.encode())
    found = read_examples(path)
    assert (found.texts, found.labels) == (["Très bien", "很差"], ["pos", "neg"])
    if name != "a.zst":
        assert list(unlabelled_texts(path)) == ["Très bien", "很差"]


def test_tagged_sentences(tmp_path):
    rows = [{"tokens": ["Zoë", "lit"], "ner_tags": ["B-PER", "O"]}]
    jsonl = packed(tmp_path / "a.jsonl.zst", json.dumps(rows[0]).encode())
    columns = packed(tmp_path / "a.txt.zst", "Zoë B-PER\nlit O\n".encode())
    for path in (jsonl, columns):
        assert read_tagged(path).tags == [["B-PER", "O"]]


@pytest.mark.parametrize("kept", [0.5, -1, 6])
def test_cut_data(tmp_path, kept):
    path = packed(tmp_path / "a.zst", noise(5_000).encode())
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))] if kept == 0.5 else content[:kept])
    with pytest.raises(InputError, match=r"a.zst: the zstd data are cut off or damaged; fetch the file again \("):
        list(read_lines(path))


def test_damaged_data(tmp_path):
    path = packed(tmp_path / "a.zst", noise(5_000).encode())
    content = bytearray(path.read_bytes())
    content[8:40] = b"\xff" * 32
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a.zst: the zstd data are cut off or damaged"):
        list(read_lines(path))


def test_expansion(tmp_path):
    path = packed(tmp_path / "a.zst", b"\n" * (32 << 20))
    with open_bytes(path) as stream, pytest.raises(InputError, match="expand more than 100 times"):
        stream.read()


def test_missing_library(tmp_path, monkeypatch):
    path = packed(tmp_path / "a.zst", b"a\n")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r'need the library pyarrow; pip install "textapp-keras\[parquet\]"'):
        list(read_lines(path))
