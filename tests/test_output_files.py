import errno
import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.test_files import files_of_at_most, message, names
from textapp import output_files
from textapp.errors import InputError
from textapp.files import OLD, write_text
from textapp.output_files import (
    check_output,
    clear_abandoned,
    locked,
    move_new,
    outputs_in,
    replacing_folder,
    replacing_output,
    write_output,
)

OURS = ("строка", "знак")  # the files of the test's command; the last marks a folder as its own


@pytest.fixture(params=["renameat2", "portable"])
def _both_renames(request, monkeypatch):
    """As on a system without `renameat2` too."""
    if request.param == "portable":
        monkeypatch.setattr(output_files, "_renameat2", lambda: None)


def ours(folder: Path) -> tuple[str, ...]:
    return OURS if (folder / "знак").exists() else ()


def write(temporary: Path, text: str) -> None:
    for name in OURS:
        write_text(temporary / name, text)


def made(path: Path, text: str = "旧", overwrite: bool = False, meanwhile: Callable[[], object] = int) -> Path:
    with replacing_folder(path, ours, overwrite) as temporary:
        write(temporary, text)
        meanwhile()
    return path


def kill_at(monkeypatch, module, name: str, call: int) -> None:
    """As `kill -9` at a call of a function: what it would clear away stays."""
    function, calls = getattr(module, name), []

    def killed(*arguments, **options):
        calls.append(arguments)
        if len(calls) >= call:
            raise KeyboardInterrupt
        return function(*arguments, **options)

    monkeypatch.setattr(module, name, killed)


# Locks


def test_a_place_has_one_writer(tmp_path):
    (tmp_path / "ссылка").symlink_to(tmp_path / "Lauf")
    with locked(tmp_path / "Lauf"):
        for name in ("Lauf", "ссылка"):
            with pytest.raises(InputError, match=f"{name}: another textapp command is writing to it") as raised:
                locked(tmp_path / name).__enter__()
            assert str(tmp_path / ".Lauf.textapp-lock") in message(raised)
        with locked(tmp_path / "anderer"):
            pass
        assert names(tmp_path) == [".Lauf.textapp-lock", "ссылка"]
    assert names(tmp_path) == ["ссылка"]


def test_a_lock_that_its_holder_has_just_deleted_locks_nothing(tmp_path, monkeypatch):
    lock, flock = tmp_path / ".Lauf.textapp-lock", fcntl.flock

    def delayed(*arguments):
        lock.unlink()  # by the holder, who ends between our opening the file and our locking it
        flock(*arguments)

    monkeypatch.setattr(fcntl, "flock", delayed)
    with pytest.raises(InputError, match="Lauf: another textapp command is writing to it"), locked(tmp_path / "Lauf"):
        pass


def test_a_lock_changes_no_file_of_anybody(tmp_path):
    """Neither the target of a link, nor a file that has content, nor what has the name of other programs' locks."""
    victim, lock = tmp_path / "жертва", tmp_path / ".Lauf.textapp-lock"
    victim.write_text("важно")
    (tmp_path / ".Lauf.lock").write_text("чужой")
    lock.symlink_to(victim)
    with pytest.raises(InputError, match="textapp-lock: is a symbolic link"), locked(tmp_path / "Lauf"):
        pass
    assert victim.read_text() == "важно"
    lock.unlink()
    lock.write_text("важно")
    with pytest.raises(InputError, match="textapp-lock: is not empty"), locked(tmp_path / "Lauf"):
        pass
    assert lock.read_text() == "важно"
    lock.unlink()
    with locked(tmp_path / "Lauf"):
        pass
    assert (tmp_path / ".Lauf.lock").read_text() == "чужой"


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
def test_a_lock_that_is_no_file_is_refused_at_once(tmp_path, make):
    make(tmp_path / ".Lauf.textapp-lock")
    with pytest.raises(InputError, match="textapp-lock: is no file, but the name is for the lock"):
        check_output(tmp_path / "Lauf")
    assert names(tmp_path) == [".Lauf.textapp-lock"]


# Renames


@pytest.mark.usefixtures("_both_renames")
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_rename_to_a_new_name_never_replaces(tmp_path, kind):
    def make(path):
        path.mkdir() if kind == "folder" else path.write_text("новый")

    make(tmp_path / "a")
    move_new(tmp_path / "a", tmp_path / "b")
    assert names(tmp_path) == ["b"]
    make(tmp_path / "a")
    (tmp_path / "file").write_text("важно")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "нет")
    for target in ("file", "folder", "link"):
        with pytest.raises(FileExistsError):
            move_new(tmp_path / "a", tmp_path / target)
    assert names(tmp_path) == ["a", "b", "file", "folder", "link"]
    assert (tmp_path / "file").read_text() == "важно"


def test_a_file_system_without_such_renames_has_the_portable_way(tmp_path, monkeypatch):
    monkeypatch.setattr(output_files, "_renameat2", lambda: lambda *_: -1)
    monkeypatch.setattr(output_files.ctypes, "get_errno", lambda: errno.EINVAL)
    (tmp_path / "a").mkdir()
    move_new(tmp_path / "a", tmp_path / "b")
    assert names(tmp_path) == ["b"]


# Files


@pytest.mark.usefixtures("_both_renames")
def test_a_file_is_replaced_only_where_that_is_allowed(tmp_path):
    path = tmp_path / "файл.txt"
    write_output(path, "一")
    write_output(path, "一")  # with the very content there is nothing to replace
    with pytest.raises(InputError, match="exists; use --force"):
        write_output(path, "二")
    with pytest.raises(InputError, match="exists; use --force"):
        check_output(path)
    with pytest.raises(InputError, match="exists, and this command did not write it"):
        write_output(path, "二", lambda found: found.read_text() == "三")
    assert path.read_text() == "一"
    write_output(path, "二", lambda found: found.read_text() == "一")
    write_output(path, "三", overwrite=True)
    assert path.read_text() == "三"
    assert names(tmp_path) == ["файл.txt"]


@pytest.mark.usefixtures("_both_renames")
def test_a_file_that_appears_meanwhile_is_kept(tmp_path):
    path = tmp_path / "файл.txt"

    def write_late():
        with replacing_output(path) as temporary:
            temporary.write_text("новый")
            path.write_text("чужой")

    with pytest.raises(InputError, match="exists; use --force"):
        write_late()
    assert path.read_text() == "чужой"
    assert names(tmp_path) == ["файл.txt"]


def test_a_link_to_a_file_stays_and_its_target_is_written(tmp_path):
    target, link = tmp_path / "a" / "цель.txt", tmp_path / "ссылка.txt"
    link.symlink_to(target)  # to nothing yet
    write_output(link, "一")
    with pytest.raises(InputError, match=r"ссылка\.txt: exists"):
        write_output(link, "二")
    write_output(link, "二", overwrite=True)
    assert link.is_symlink()
    assert target.read_text() == "二"
    assert names(tmp_path / "a") == ["цель.txt"]


def test_what_a_killed_writer_of_a_file_left_is_cleared_away(tmp_path):
    """Also by a command that is refused."""
    for text in ("一", "二"):
        (tmp_path / ".файл.txt.textapp-a1b2c3d4.txt").touch()
        (tmp_path / ".файл.txt.textapp-lock").touch()
        if text == "一":
            write_output(tmp_path / "файл.txt", text)
        else:
            with pytest.raises(InputError, match="exists; use --force"):
                check_output(tmp_path / "файл.txt")
        assert names(tmp_path) == ["файл.txt"]


def test_what_somebody_else_called_like_a_temporary_file_or_folder_is_kept(tmp_path):
    """One line names it; neither is it deleted nor taken for the old output."""
    theirs = [tmp_path / f".包.textapp-deadbeef{suffix}" for suffix in ("", OLD)]
    for path in theirs:
        path.mkdir()
        (path / "文").write_text("важно")
        for write_output_there in (made, lambda place: write_output(place, "一")):
            with pytest.raises(
                InputError, match="textapp did not make it, but the name is for a temporary file"
            ) as raised:
                write_output_there(tmp_path / "包")
            assert message(raised).startswith(f"{path}: ")
        assert (path / "文").read_text() == "важно"
        assert names(tmp_path) == [path.name]
        shutil.rmtree(path)
    theirs[0].symlink_to(tmp_path)
    for write_output_there in (made, check_output):
        with pytest.raises(InputError, match="textapp did not make it"):
            write_output_there(tmp_path / "包")


def test_an_unfinished_folder_of_a_killed_command_is_deleted_whole(tmp_path, monkeypatch):
    with monkeypatch.context() as patches:
        patches.setattr(output_files.shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(ZeroDivisionError):
            made(tmp_path / "包", meanwhile=lambda: 1 / 0)
    [left] = tmp_path.iterdir()
    (left / "знак").unlink()  # not all was written
    made(tmp_path / "包")
    assert names(tmp_path) == ["包"]
    assert names(tmp_path / "包") == sorted(OURS)


# Folders


@pytest.mark.usefixtures("_both_renames")
def test_a_folder_is_replaced_whole_and_only_if_allowed(tmp_path):
    path = made(tmp_path / "包")
    with pytest.raises(InputError, match="包: exists; choose another folder, or overwrite it"):
        made(path)
    with replacing_folder(path, ours, overwrite=True) as temporary:
        (temporary / "знак").write_text("新")
    assert names(path) == ["знак"]
    with pytest.raises(ZeroDivisionError):
        made(path, "三", overwrite=True, meanwhile=lambda: 1 / 0)
    assert (path / "знак").read_text() == "新"
    assert names(tmp_path) == ["包"]


def test_an_empty_folder_is_as_good_as_none(tmp_path):
    (tmp_path / "包").mkdir()
    made(tmp_path / "包")
    assert names(tmp_path / "包") == sorted(OURS)
    assert names(tmp_path) == ["包"]


@pytest.mark.parametrize("other", ["заметки", "строка", ".DS_Store"])
@pytest.mark.parametrize("when", ["before", "meanwhile", "at the rename"])
@pytest.mark.usefixtures("_both_renames")
def test_a_folder_with_other_files_is_refused_and_kept(tmp_path, monkeypatch, when, other):
    """`строка` is a folder here, which the command never makes, of the name of one of its files."""
    path = made(tmp_path / "包")
    mine = path / other

    def appear():
        (path / "строка").unlink(missing_ok=True)
        mine.mkdir()
        (mine / "文").write_text("важно")

    if when == "before":
        appear()
    elif when == "at the rename":
        move = output_files.move_new

        def late(source, target):
            if source == path:
                appear()
            move(source, target)

        monkeypatch.setattr(output_files, "move_new", late)
    with pytest.raises(InputError, match=f"包: holds {other}, which is not a file as this command wrote it"):
        made(path, "新", overwrite=True, meanwhile=appear if when == "meanwhile" else int)
    assert (mine / "文").read_text() == "важно"
    assert (path / "знак").read_text() == "旧"
    assert names(tmp_path) == ["包"]


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.usefixtures("_both_renames")
def test_a_folder_that_appears_meanwhile_is_kept(tmp_path, monkeypatch, late):
    path, move = tmp_path / "包", output_files.move_new

    def appear():
        path.mkdir()
        (path / "文").write_text("важно")

    def at_the_rename(source, target):
        appear()
        move(source, target)

    if late:
        monkeypatch.setattr(output_files, "move_new", at_the_rename)
    with pytest.raises(InputError) as raised:
        made(path, "新", meanwhile=int if late else appear)
    assert message(raised).startswith(f"{path}: ")
    assert (path / "文").read_text() == "важно"
    assert names(tmp_path) == ["包"]


def test_an_old_folder_whose_place_is_taken_is_kept_under_a_new_name(tmp_path, monkeypatch):
    path, move = made(tmp_path / "包"), output_files.move_new

    def taken(source, target):
        if target == path:
            path.mkdir()
            (path / "文").write_text("важно")
        move(source, target)

    with monkeypatch.context() as patches:
        patches.setattr(output_files, "move_new", taken)
        with pytest.raises(InputError) as raised:
            made(path, "新", overwrite=True)
    kept = Path(message(raised).partition("is now ")[2])
    clear_abandoned(path, ours)
    assert (kept / "знак").read_text() == "旧"
    assert (path / "文").read_text() == "важно"
    assert names(tmp_path) == sorted(["包", kept.name])


def test_the_second_writer_of_a_folder_is_refused(tmp_path):
    path = tmp_path / "包"
    with replacing_folder(path, ours) as temporary:
        write(temporary, "一")
        with pytest.raises(InputError, match="包: another textapp command is writing to it"):
            made(path)
    assert (path / "знак").read_text() == "一"
    assert names(tmp_path) == ["包"]


def test_a_link_to_a_folder_stays_and_its_target_is_replaced(tmp_path):
    target, link = made(tmp_path / "a" / "包"), tmp_path / "ссылка"
    link.symlink_to(target)
    with pytest.raises(InputError, match="ссылка: exists"):
        made(link)
    made(link, "新", overwrite=True)
    assert link.is_symlink()
    assert (target / "знак").read_text() == "新"
    assert names(tmp_path) == ["a", "ссылка"]
    assert names(target.parent) == ["包"]


@pytest.mark.parametrize("moves", [1, 2])
def test_a_killed_replacement_loses_nothing_and_a_refused_command_clears_it_away(tmp_path, monkeypatch, moves):
    path = made(tmp_path / "包")
    with monkeypatch.context() as patches:
        kill_at(patches, output_files, "move_new", moves)
        patches.setattr(output_files.shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(KeyboardInterrupt):
            made(path, "新", overwrite=True)
    (tmp_path / ".包.textapp-lock").touch()
    assert path.exists() == (moves == 1)
    with pytest.raises(InputError, match="包: exists"):
        made(path)
    assert (path / "знак").read_text() == "旧"
    assert names(tmp_path) == ["包"]


def test_the_old_folder_of_a_killed_replacement_is_deleted_by_its_names(tmp_path):
    """Killed after the new folder was moved to its place."""
    path, old = made(tmp_path / "包"), made(tmp_path / ".包.textapp-a1b2c3d4.old")
    (old / "строка").unlink()  # deleted before the kill
    clear_abandoned(path, ours)
    assert names(tmp_path) == ["包"]
    made(old)
    (old / "заметки").write_text("важно")
    clear_abandoned(path, ours)
    assert names(old) == ["заметки"]


def test_files_in_folders_below_are_the_commands_own_by_their_whole_name(tmp_path):
    def below(folder):
        return ["под/файл", "знак"] if (folder / "знак").is_file() else []

    def write_below(path, **options):
        with replacing_folder(path, below, **options) as temporary:
            (temporary / "под").mkdir()
            (temporary / "под/файл").write_text("x")
            (temporary / "знак").write_text("x")

    path, other = tmp_path / "包", tmp_path / "чужое"
    write_below(path)
    write_below(path, overwrite=True)
    (path / "под/заметки").write_text("важно")
    with pytest.raises(InputError, match="包: holds под/заметки, which is not a file as this command wrote it"):
        write_below(path, overwrite=True)
    shutil.move(path / "под", other)
    (path / "под").symlink_to(other)
    with pytest.raises(InputError, match="包: holds под, which is not"):
        write_below(path, overwrite=True)
    shutil.copytree(path, tmp_path / ".包.textapp-a1b2c3d4.old", symlinks=True)  # as a killed replacement leaves it
    clear_abandoned(path, below)
    assert names(other) == sorted(["заметки", "файл"])


def test_a_full_disk_keeps_the_old_folder_and_names_the_new_file(tmp_path):
    path = made(tmp_path / "包")
    for write_new in (write_text, lambda file, text: file.write_text(text)):
        with (
            files_of_at_most(1000),
            pytest.raises(InputError) as raised,
            replacing_folder(path, ours, overwrite=True) as temporary,
        ):
            write_new(temporary / "знак", "新" * 1000)
        assert message(raised).startswith(f"{path}")
        assert message(raised).endswith(": File too large")
        assert f".{path.name}." not in message(raised)
    assert (path / "знак").read_text() == "旧"
    assert names(tmp_path) == ["包"]


def test_new_folders_have_the_mode_that_the_umask_says(tmp_path):
    before = os.umask(0o027)
    try:
        made(tmp_path / "b")
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "b", tmp_path / "b" / "знак")] == [0o750, 0o640]


def test_the_outputs_in_a_folder_are_those_that_a_kill_left_too(tmp_path):
    for name in ("a", ".a.textapp-lock", ".b.textapp-lock", ".c.d.textapp-a1b2c3d4.old", ".hidden"):
        (tmp_path / name).touch()
    assert [path.name for path in outputs_in(tmp_path)] == [".hidden", "a", "b", "c.d"]
    assert outputs_in(tmp_path / "нет") == []


def test_the_root_of_the_file_system_is_no_output():
    with pytest.raises(InputError, match=r"^/: cannot be an output; choose another --out"), locked("/"):
        pass
