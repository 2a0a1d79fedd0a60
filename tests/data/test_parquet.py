"""Parquet: what pyarrow writes is read as the same rows of JSON lines are, and what is wrong is named."""

import json
import sys

import pytest

from textapp.data.parquet import column_names, iterate_rows
from textapp.data.readers import iterate_examples, read_examples
from textapp.data.tagged import read_tagged
from textapp.data.unlabelled import unlabelled_texts
from textapp.errors import InputError

pa = pytest.importorskip("pyarrow", reason="parquet needs pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

TEXTS = ["Très bien", "很差", None, "schön"]
LABELS = ["pos", "neg", "pos", "pos"]
NAMES = ["O", "B-PER", "I-PER"]


def write(path, metadata=None, row_group_size=2, **columns):
    table = pa.table(columns)
    if metadata is not None:
        table = table.replace_schema_metadata({b"huggingface": json.dumps(metadata).encode()})
    pq.write_table(table, path, row_group_size=row_group_size)
    return path


def of_classes(names, is_list=False):
    label = {"names": names, "_type": "ClassLabel"}
    return {"feature": label, "_type": "List"} if is_list else label


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_strings_of_all_kinds(tmp_path, kind):
    path = write(tmp_path / "a.parquet", id=range(4), text=pa.array(TEXTS, kind), label=pa.array(LABELS, kind))
    found = read_examples(path)
    assert (found.texts, found.labels, found.empty) == (["Très bien", "很差", "schön"], ["pos", "neg", "pos"], 1)
    assert found.location(2) == f"{path}: row 4"
    assert list(iterate_examples(path)) == list(zip(found.texts, found.labels, strict=True))


def test_rows_are_those_of_the_file_in_blocks_and_row_groups(tmp_path):
    count = 10_000
    path = write(tmp_path / "a.parquet", row_group_size=6_000, n=range(count), more=[[n, None] for n in range(count)])
    assert column_names(path) == ["n", "more"]
    rows = list(iterate_rows(path, ["more", "n", "n"]))
    assert rows == [(f"row {n + 1}", {"more": [n, None], "n": n}) for n in range(count)]
    assert list(rows[0][1]) == ["more", "n"]


def test_numbers_are_labels_and_several_are_lists(tmp_path):
    path = write(tmp_path / "a.parquet", text=["a", "b"], label=pa.array([0, 1], pa.int8()))
    assert read_examples(path).labels == ["0", "1"]
    path = write(tmp_path / "b.pq", sentence=["a", "b"], labels=[["x", "y"], []])
    assert read_examples(path, several=True).labels == [("x", "y"), ()]


def test_names_of_hugging_face(tmp_path):
    metadata = {"info": {"features": {"label": of_classes(["bad", "good"])}}}
    path = write(tmp_path / "a.parquet", metadata, text=["a", "b"], label=[1, 0])
    assert read_examples(path).labels == ["good", "bad"]
    path = write(tmp_path / "b.parquet", metadata, text=["a", "b", "c"], label=[1, 0, 2])
    with pytest.raises(InputError, match=r"row 3: 'label' must be from 0 to 1.*Received: 2"):
        read_examples(path)
    path = write(tmp_path / "c.parquet", metadata, text=["a", "b"], label=[1, -1])
    with pytest.raises(InputError, match=r"row 2: the label is missing"):
        read_examples(path)
    write(path, ["not theirs"], text=["a", "b"], label=[1, 0])
    assert read_examples(path).labels == ["1", "0"]


def test_tokens_and_tags(tmp_path):
    tokens, tags = [["Zoë", "Li", "lit"], ["好"]], [["B-PER", "I-PER", "O"], ["O"]]
    named = write(tmp_path / "a.parquet", id=[1, 2], tokens=tokens, ner_tags=tags)
    numbers = [[NAMES.index(tag) for tag in row] for row in tags]
    metadata = {"info": {"features": {"ner_tags": of_classes(NAMES, is_list=True)}}}
    numbered = write(tmp_path / "b.parquet", metadata, tokens=tokens, ner_tags=numbers)
    for path in (named, numbered):
        found = read_tagged(path)
        assert (found.sentences, found.tags) == (tokens, tags)
        assert found.location(1) == f"{path}:2"
    with pytest.raises(InputError, match=r"`ner_tags` are numbers"):
        read_tagged(write(tmp_path / "c.parquet", tokens=tokens, ner_tags=numbers))
    with pytest.raises(InputError, match=r"must have the columns `tokens` and `ner_tags`.*found: 'text'"):
        read_tagged(write(tmp_path / "d.parquet", text=["a"]))


def test_texts_without_labels(tmp_path):
    path = write(tmp_path / "a.parquet", text=TEXTS, other=[1.5] * 4)
    assert list(unlabelled_texts(path)) == ["Très bien", "很差", "schön"]


def test_wrong_columns(tmp_path):
    path = write(tmp_path / "a.parquet", text=["a"], label=[1.5], body=["b"])
    with pytest.raises(InputError, match=r"a.parquet: the column 'label' must hold strings.*Received: double"):
        read_examples(path)
    with pytest.raises(InputError, match=r"no column 'topic' for the label; columns found: 'text', 'label', 'body'"):
        read_examples(path, label_column="topic")
    path = write(tmp_path / "b.parquet", text=["a", "b", "c"], label=["x", "y", None])
    with pytest.raises(InputError, match=r"b.parquet: row 3: the label is missing"):
        read_examples(path)


def test_damaged_files(tmp_path):
    path = write(tmp_path / "a.parquet", text=[f"text {n}" for n in range(4000)], label=["x", "y"] * 2000)
    content = bytearray(path.read_bytes())
    (tmp_path / "cut.parquet").write_bytes(content[:-100])
    with pytest.raises(InputError, match=r"cut.parquet: not a parquet file, or a damaged one"):
        read_examples(tmp_path / "cut.parquet")
    half = pq.ParquetFile(path).metadata.row_group(1000).column(0).dictionary_page_offset
    content[half : half + 40] = b"\xff" * 40
    path.write_bytes(content)
    rows = iterate_rows(path, ["text"])
    with pytest.raises(InputError, match=r"a.parquet: row group 1001 of 2000: the data are cut off or damaged"):
        list(rows)
    with pytest.raises(InputError, match=r"No such file"):
        read_examples(tmp_path / "none.parquet")


def test_long_texts_and_a_missing_library(tmp_path, monkeypatch):
    path = write(tmp_path / "a.parquet", text=["a", "b" * 101], label=["x", "y"])
    monkeypatch.setenv("TEXTAPP_MAX_TEXT", "100")
    with pytest.raises(InputError, match=r"row 2: a string has more than 100 bytes"):
        read_examples(path)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(InputError, match=r'needs the library pyarrow; pip install "textapp-keras\[parquet\]"'):
        read_examples(path)
