import contextlib
import errno
import os
import resource
from pathlib import Path

import pytest

from textapp.errors import InputError
from textapp.files import (
    leftovers,
    named_errors,
    read_bytes,
    read_json,
    read_text,
    replacing,
    write_json,
    write_text,
)


@contextlib.contextmanager
def files_of_at_most(size: int):
    """A disk as good as full: the kernel refuses to make any file larger."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def message(raised: pytest.ExceptionInfo[InputError]) -> str:
    assert "\n" not in str(raised.value)
    return str(raised.value)


def write_and_fail(path: Path) -> None:
    path.write_text("三")
    raise ZeroDivisionError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_text_comes_back_as_it_was(tmp_path):
    text = "naïve 文本 🎉\r\n\u2028\0\n"
    write_text(tmp_path / "új" / "fájl.txt", text)
    assert read_bytes(tmp_path / "új" / "fájl.txt") == text.encode()
    assert read_text(tmp_path / "új" / "fájl.txt") == text
    assert names(tmp_path / "új") == ["fájl.txt"]


def test_json_comes_back_and_reads_well(tmp_path):
    value = {"ключ": ["值", 1.5, None, True]}
    write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json") == value
    assert "ключ" in read_text(tmp_path / "a.json")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", float("nan"))
    assert read_json(tmp_path / "a.json") == value


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", r":1: not JSON"),
        ("{\n'é': 1}".encode(), r":2: not JSON"),
        (b'{"a": "\xff"}', r":1: byte 8 of the line is not UTF-8"),
        (b"ok\n\xe5\xa5", r":2: byte 1 of the line is not UTF-8"),
        (b"[" * 200_000, r": not JSON that can be read"),
        (b"1" * 5_000, r": not JSON that can be read"),
    ],
)
def test_broken_json_is_named_with_its_line(tmp_path, content, rule):
    path = tmp_path / "値.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"値.json{rule}") as raised:
        read_json(path)
    message(raised)


def test_what_cannot_be_read_is_named(tmp_path):
    with pytest.raises(InputError) as raised:
        read_text(tmp_path / "无.txt")
    assert message(raised) == f"{tmp_path / '无.txt'}: No such file or directory"
    with pytest.raises(InputError) as raised:
        read_text(tmp_path)
    assert message(raised) == f"{tmp_path}: Is a directory"
    with pytest.raises(InputError, match="File name too long"):
        read_text(tmp_path / ("名" * 300))


def test_the_errors_own_file_is_named_before_the_block_s(tmp_path):
    with pytest.raises(InputError, match=r"^other é: No space left on device$"), named_errors(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device", "other é")
    with pytest.raises(InputError, match=r": first second$"), named_errors(tmp_path):  # as h5py words its errors
        raise OSError("first\n   second")


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path):
    (tmp_path / "datei").write_text("ü")
    for path in (tmp_path / "datei" / "x", tmp_path / "datei" / "y" / "z"):
        with pytest.raises(InputError) as raised:
            write_text(path, "")
        assert message(raised).startswith(f"{tmp_path / 'datei'}")
        assert "is no folder" in message(raised) or "directory" in message(raised)
    assert (tmp_path / "datei").read_text() == "ü"


def test_a_full_disk_keeps_the_old_file(tmp_path):
    path = tmp_path / "модель.json"
    write_json(path, "старое")
    with files_of_at_most(1000), pytest.raises(InputError) as raised:
        write_json(path, "новое" * 1000)
    assert message(raised) == f"{path}: File too large"
    assert read_json(path) == "старое"
    assert names(tmp_path) == ["модель.json"]


def test_a_folder_without_permission_is_named_as_the_user_gave_it(tmp_path, monkeypatch):
    def refuse(path, *_):
        raise PermissionError(errno.EACCES, "Permission denied", os.fspath(path))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(InputError) as raised:
        write_text(tmp_path / "büro.json", "")
    assert message(raised) == f"{tmp_path / 'büro.json'}: Permission denied"


def test_an_error_in_the_block_keeps_the_old_file(tmp_path):
    path = tmp_path / "é.txt"
    path.write_text("alt")
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:
        write_and_fail(temporary)
    assert path.read_text() == "alt"
    assert names(tmp_path) == ["é.txt"]


def test_new_files_have_the_mode_that_the_umask_says_and_no_thread_s_umask_changes(tmp_path, monkeypatch):
    before = os.umask(0o027)
    try:
        monkeypatch.setattr(os, "umask", None)
        write_text(tmp_path / "a", "")
    finally:
        monkeypatch.undo()
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_names_that_are_no_utf_8_are_written_and_read(tmp_path):
    name = os.fsdecode(b"\xff\xe5\xa5\xbd.tsv")
    write_json(tmp_path / "a.json", {"train": name, "好": "\\udcff"})
    assert read_json(tmp_path / "a.json") == {"train": name, "好": "\\udcff"}
    assert "好.tsv" in (tmp_path / "a.json").read_text(encoding="utf-8")


def test_leftovers_are_those_of_the_file_alone(tmp_path):
    """A user's own hidden copy is none."""
    kept = ["модель.keras", ".модель.keras.swp", ".модель.keras.original.keras", ".модель.keras.textapp-lock"]
    for name in (*kept, "x.модель.keras.textapp-a1b2c3d4.keras", ".модель.keras.textapp-a1b2c3d4.keras"):
        (tmp_path / name).touch()
    found = leftovers(tmp_path / "модель.keras")
    assert [path.name for path in found] == [".модель.keras.textapp-a1b2c3d4.keras"]
    with replacing(tmp_path / "модель.keras") as temporary:
        assert temporary in leftovers(tmp_path / "модель.keras")
