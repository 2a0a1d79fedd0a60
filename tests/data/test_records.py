"""Rows of tables with all their columns."""

import gzip
import json

import pyarrow
import pyarrow.parquet
import pytest

from textapp.data.readers import read_examples
from textapp.data.records import read_records
from textapp.errors import InputError

TEXTS = ["très\nbien", 'с "кавычками", и', "很差 <br/>好"]


def write(path, texts=TEXTS):
    labels = ["a", "b", "a"]
    match path.suffixes[0]:
        case ".csv":
            cells = [[text.replace('"', '""') for text in texts], labels]
            content = "id,review,label\r\n" + "".join(
                f'{n},"{t}",{y}\r\n' for n, (t, y) in enumerate(zip(*cells, strict=True))
            )
        case ".jsonl":
            rows = [{"review": text, "label": label} for text, label in zip(texts, labels, strict=True)]
            content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        case ".json":
            content = json.dumps([{"review": text, "label": label} for text, label in zip(texts, labels, strict=True)])
        case ".parquet":
            pyarrow.parquet.write_table(pyarrow.table({"n": [1, 2, 3], "review": texts}), path, row_group_size=2)
            return path
    data = content.encode()
    packers = {".gz": gzip.compress, ".zst": lambda data: pyarrow.compress(data, "zstd", asbytes=True)}
    path.write_bytes(packers.get(path.suffix, bytes)(data))
    return path


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl", "a.jsonl.zst", "a.json", "a.parquet"])
def test_texts_are_those_of_training_in_their_places(tmp_path, name):
    path = write(tmp_path / name)
    [*blocks] = read_records(path)
    texts = [text for block in blocks for text in block.texts]
    assert texts == ["très\nbien", 'с "кавычками", и', "很差      好"]
    assert [text.index("好") for text in texts[2:]] == [TEXTS[2].index("好")]
    kept = [text for block in blocks for text in list(block.columns["review"])]
    assert [str(text) for text in kept] == TEXTS
    if "parquet" not in name:
        assert [" ".join(text.split()) for text in texts] == [
            " ".join(text.split()) for text in read_examples(path).texts
        ]


def test_lines_are_numbered_by_their_place_in_the_file(tmp_path):
    [block] = read_records(write(tmp_path / "a.csv"))
    assert list(block.numbers) == [2, 4, 5]


def test_a_table_without_a_header_keeps_its_first_row(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("gut é\tpos\n很差\tneg\n", encoding="utf-8")
    [block] = read_records(path)
    assert block.columns == {"0": ["gut é", "很差"], "1": ["pos", "neg"]}
    path.write_text("7\tgut é\tx\n8\t很差\ty\n", encoding="utf-8")
    [block] = read_records(path, "1")
    assert block.texts == ["gut é", "很差"]


def test_blocks_are_small_and_in_order(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("".join(f"тест {number}\n" for number in range(2500)), encoding="utf-8")
    blocks = list(read_records(path))
    assert [len(block.texts) for block in blocks] == [1024, 1024, 452]
    assert [text for block in blocks for text in block.texts] == [f"тест {number}" for number in range(2500)]


def test_missing_values_and_names(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": null, "x": 1}\n{"text": "\\ud800", "y": 2}\n', encoding="utf-8")
    [block] = read_records(path)
    assert block.texts == ["", "\ufffd"]
    assert block.columns == {"text": [None, "\ud800"], "x": [1, None], "y": [None, 2]}
    path = tmp_path / "b.csv"
    path.write_text("text,,x,x\na,b,c,d\n", encoding="utf-8")
    [block] = read_records(path)
    assert list(block.columns) == ["text", "column_1", "x_2", "x_3"]


def test_refusals_name_the_file(tmp_path):
    path = tmp_path / "a.parquet"
    for content, rule in ((b"PAR1 cut", "is cut off, or no parquet file"), (b"", "is cut off, or no parquet file")):
        path.write_bytes(content)
        with pytest.raises(InputError, match=rule):
            list(read_records(path))
    pyarrow.parquet.write_table(pyarrow.table({"text": [1]}), path)
    with pytest.raises(InputError, match="'text' must hold strings"):
        list(read_records(path))
    with pytest.raises(InputError, match="no column 'x' for the text; columns found: 'text'"):
        list(read_records(path, "x"))
    pyarrow.parquet.write_table(pyarrow.table({"text": pyarrow.array([], pyarrow.string())}), path)
    with pytest.raises(InputError, match="no text to read"):
        list(read_records(path))
