"""Which files a path means, and their lines."""

import gzip
import re

import pytest

from textapp.errors import InputError
from textapp.vectors.evaluation_files import expanded, numbered_lines, set_name


def test_a_folder_means_its_text_files(tmp_path):
    for name in ("б.txt", "a.tsv", "词.txt.gz", "LICENSE", "notes.md"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "folder.txt").mkdir()
    names = [path.name for path in expanded([tmp_path, tmp_path / "LICENSE"])]
    assert names == ["a.tsv", "б.txt", "词.txt.gz", "LICENSE"]
    with pytest.raises(InputError, match=re.escape(f"{tmp_path / 'folder.txt'}: no file in this folder ends in .txt")):
        expanded([tmp_path / "folder.txt"])


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
    with pytest.raises(InputError, match=r"词\.txt:1: a carriage return stands within the line"):
        list(numbered_lines(tmp_path / "词.txt"))
