"""A folder of tables and a pattern are read as one file with all rows is; what is unclear is named."""

import gzip
import re

import pytest

from textapp.cli.arguments import check_readable
from textapp.data.readers import iterate_examples, read_examples
from textapp.data.unlabelled import unlabelled_texts
from textapp.errors import InputError

ROWS = {"part-0.csv.gz": "Très bien,pos\n", "part-1.csv": "很差,neg\n", "part-2.csv": "good,pos\nbad,neg\n"}


@pytest.fixture(name="folder")
def _folder(tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    for name, rows in reversed(ROWS.items()):
        content = ("text,label\n" + rows).encode()
        (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    (folder / "_SUCCESS").touch()
    (folder / ".part-0.csv.crc").touch()
    (folder / "README").write_text("notes")
    return folder


@pytest.mark.parametrize("pattern", ["", "part-*", "*.csv*", "part-[0-9].*"])
def test_shards_are_one_set_in_the_order_of_names(folder, pattern):
    path = folder / pattern
    found = read_examples(path)
    assert found.texts == ["Très bien", "很差", "good", "bad"]
    assert found.labels == ["pos", "neg", "pos", "neg"]
    assert [found.location(number) for number in (0, 3)] == [f"{folder}/part-0.csv.gz:2", f"{folder}/part-2.csv:3"]
    assert list(iterate_examples(path)) == list(zip(found.texts, found.labels, strict=True))
    check_readable(str(path))


def test_errors_name_the_shard(folder):
    (folder / "part-1.csv").write_text("text,label\nx,neg\ny,\n")
    with pytest.raises(InputError, match=re.escape(f"{folder}/part-1.csv:3: the label is missing")):
        read_examples(folder)
    (folder / "part-1.csv").write_text("text,label\nx\n")
    with pytest.raises(InputError, match=re.escape(f"{folder}/part-1.csv:2: each row must have 2 columns")):
        read_examples(folder)


def test_what_is_unclear(folder):
    for read in (read_examples, check_readable):
        with pytest.raises(InputError, match="no file fits this pattern"):
            read(f"{folder}/none-*.csv")
    (folder / "more.jsonl").write_text('{"text": "a", "label": "b"}')
    with pytest.raises(InputError, match=r"its tables have several formats \(csv, jsonl\)"):
        read_examples(folder)
    (folder / "more.jsonl").rename(folder / "train.csv")
    with pytest.raises(InputError, match=r"holds files of several splits \(part, train\)"):
        read_examples(folder)
    (folder / "pos").mkdir()
    (folder / "pos" / "1.txt").write_text("a")
    with pytest.raises(InputError, match=r"holds tables \('part-0.csv.gz'\) and folders of texts \('pos'\)"):
        read_examples(folder)


def test_a_file_with_the_name_of_a_pattern(folder):
    (folder / "part-*.csv").write_text("text,label\nonly,pos\n")
    assert read_examples(folder / "part-*.csv").texts == ["only"]


def test_texts_without_labels(folder):
    assert list(unlabelled_texts(folder / "part-*.csv")) == ["很差", "good", "bad"]
