"""The rule for every output that a user names: a command replaces and deletes only what it wrote itself and can name.

- A place is locked while a command writes to it. A second command is refused.
- What is at the place is checked before the work and again when the output is moved there.
- An output that is a symbolic link is written to the place that the link points to. The link stays.
- The next command at a place, also a refused one, deletes what a killed command left there.
"""

import contextlib
import ctypes
import errno
import functools
import os
import re
import secrets
import shutil
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from textapp.errors import InputError
from textapp.files import (
    OLD,
    delete_leftovers,
    digest,
    foreign,
    leftovers,
    named_errors,
    replacing,
    temporary_beside,
    unfinished,
)

_OF_OUTPUT = re.compile(r"^\.(.+)\.textapp-(?:lock|[0-9a-f]{8}.*)$", re.DOTALL)  # of a lock or a temporary file
_MARK = ".textapp-unfinished"  # a file in a temporary folder, which shows that textapp made the folder
_AT_FDCWD, _RENAME_NOREPLACE = -100, 1  # from Linux' fcntl.h and fs.h

Names = Callable[[Path], Iterable[str]]
"""folder -> the names of the files in it that the command wrote, those in folders below it as `sub/name`; the one that
marks the folder as its own comes last"""

Overwrite = bool | Callable[[Path], bool]
"""Whether a file that is already there may be replaced: always, never, or decided from the file."""


class Occupied(InputError):
    """Another command holds the lock of an output."""


def real_path(path: str | os.PathLike[str]) -> Path:
    """The place that an output goes to: the absolute path, with symbolic links resolved."""
    return Path(os.path.realpath(path))


def link_target(path: Path) -> Path:
    """The same path, or the place that it points to if it is a symbolic link. Messages then have the user's path."""
    return real_path(path) if path.is_symlink() else path


@contextlib.contextmanager
def locked(path: str | os.PathLike[str]) -> Iterator[None]:
    """Locks an output, a file or a folder, against other commands. The lock ends with the process, even a killed one.

    Raises:
        Occupied: Another command holds the lock.
        InputError: Something else has the name of the lock's file.
    """
    import fcntl  # imported here: prediction also runs on systems without it

    real = real_path(path)
    lock = _lock_of(real)
    with named_errors(lock):
        lock.parent.mkdir(parents=True, exist_ok=True)
        if lock.is_symlink():
            raise InputError(f"{lock}: is a symbolic link, but the name is for the lock of {path}; delete the link")
        if os.path.lexists(lock) and not lock.is_file():  # before it is opened: a pipe may wait for its other end
            raise InputError(f"{lock}: is no file, but the name is for the lock of {path}; move it away")
        # Without truncation and without following links: a file of this name may be somebody else's.
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_size:
            raise InputError(f"{lock}: is not empty, but the name is for the lock of {path}; move it away")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The lock's holder may end and delete the file after it was opened here. Then another process can lock a
            # new file of this name.
            is_free = _is_at(handle, lock)
        except BlockingIOError:
            is_free = False
        if not is_free:
            raise Occupied(
                f"{path}: another textapp command is writing to it (it holds {lock}); wait for its end, or choose "
                "another --out"
            )
        with unfinished(lock):
            try:
                yield
            finally:
                if _is_at(handle, lock):
                    lock.unlink()
    finally:
        os.close(handle)


def move_new(source: Path, target: Path) -> None:
    """Renames a file or a folder to a name that must be free.

    Nothing is replaced, even if another process takes the name at this moment.

    Raises:
        FileExistsError: There is something of that name.
    """
    if _rename_noreplace(source, target):
        return
    if not source.is_dir():
        os.link(source, target)  # raises where the name is taken
        source.unlink()
        return
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fspath(target))
    source.rename(target)  # if the name is taken at this moment, it replaces an empty folder at most


def check_output(path: str | os.PathLike[str], overwrite: Overwrite = False) -> None:
    """Checks a place for an output file before long work, and deletes what a killed command left there.

    Raises:
        InputError: There is a file that may not be replaced, or another command is writing it.
    """
    real = real_path(path)
    with named_errors(path):
        if leftovers(real) or os.path.lexists(_lock_of(real)):
            with _locked_file(real):
                pass
        if real.is_dir():
            raise InputError(f"{path}: is a folder; choose another --out")
        if real.exists() and not _may_replace(real, overwrite):
            raise InputError(_refusal(path, overwrite))


@contextlib.contextmanager
def replacing_output(path: str | os.PathLike[str], overwrite: Overwrite = False) -> Iterator[Path]:
    """Yields a temporary path. When the block ends without an error, it is renamed to the output file `path`.

    Args:
        path: The file that the user named.
        overwrite: Whether a file that is already there may be replaced. It is asked at the rename. A file with the very
            content of the new one needs no replacement.

    Raises:
        InputError: There is a file that may not be replaced, or the file cannot be written.
    """
    real = real_path(path)

    def move(temporary: Path, target: Path) -> None:
        if _may_replace(target, overwrite):
            temporary.replace(target)
            return
        try:
            move_new(temporary, target)
        except FileExistsError:
            if not target.is_file() or digest(target) != digest(temporary):
                raise InputError(_refusal(path, overwrite)) from None

    with named_errors(path), _locked_file(real), replacing(real, move) as temporary:
        yield temporary


def write_output(path: str | os.PathLike[str], text: str, overwrite: Overwrite = False) -> None:
    """Writes a UTF-8 file that a user named, completely or not at all. Raises `InputError` as `replacing_output`."""
    with replacing_output(path, overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


@contextlib.contextmanager
def replacing_folder(path: str | os.PathLike[str], names: Names, overwrite: bool = False) -> Iterator[Path]:
    """Yields a temporary folder. When the block ends without an error, it is renamed to the output folder `path`.

    `path` is locked meanwhile. The old folder's files are deleted only after the rename.

    Args:
        path: The folder that the user named. It may be absent or empty.
        names: The names of the command's own files in an older folder.
        overwrite: Whether an older folder may be replaced. A folder with other files in it is never replaced.

    Raises:
        InputError: The folder may not be replaced, another command is writing to it, or a file cannot be written.
    """
    real = real_path(path)
    with named_errors(path), locked(path):
        _clear_abandoned(real, names)
        _check_folder(real, path, names, overwrite)
        temporary = temporary_beside(real)
        temporary.mkdir()
        (temporary / _MARK).touch()
        old = temporary.with_name(temporary.name + OLD)
        try:
            with unfinished(temporary):
                yield temporary
            _check_folder(real, path, names, overwrite)
            (temporary / _MARK).unlink()
            if real.exists():
                move_new(real, old)
                _check_folder(old, path, names, overwrite)  # from now on nobody finds it by its name
            try:
                move_new(temporary, real)
            except FileExistsError:
                raise InputError(f"{path}: was made by another program meanwhile{_kept(old, real)}") from None
            _delete(old, names)
        except InputError as error:  # of a writer in the block, which knows only the temporary folder
            raise type(error)(str(error).replace(os.fspath(temporary), os.fspath(path))) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
            if old.exists() and not os.path.lexists(real):
                move_new(old, real)


def check_folder_output(path: str | os.PathLike[str], names: Names, overwrite: bool = False) -> None:
    """Raises `InputError` as `replacing_folder` does if the folder may not be replaced."""
    if os.path.lexists(real_path(path)):
        with named_errors(path), locked(path):
            _check_folder(real_path(path), path, names, overwrite)


def clear_abandoned(path: str | os.PathLike[str], names: Names) -> None:
    """Deletes what a killed `replacing_folder` left beside `path`. Raises `InputError` if another command holds it."""
    with named_errors(path), locked(path):
        _clear_abandoned(real_path(path), names)


def outputs_in(folder: Path) -> list[Path]:
    """The outputs in a folder, also those of which a killed process left only a lock or a temporary file."""
    names = (_OF_OUTPUT.sub(r"\1", path.name) for path in folder.iterdir()) if folder.is_dir() else ()
    return [folder / name for name in sorted({*names})]


def delete_empty_folders(folder: Path) -> None:
    """Deletes a folder and all folders below it in which there is no file."""
    if not folder.is_dir() or folder.is_symlink():
        return
    for below in folder.iterdir():
        delete_empty_folders(below)
    if not any(folder.iterdir()):
        folder.rmdir()


def _check_folder(folder: Path, path: str | os.PathLike[str], names: Names, overwrite: bool) -> None:
    """Raises `InputError` that names `path` unless `folder` may be replaced."""
    if not os.path.lexists(folder):
        return
    if not folder.is_dir():
        raise InputError(f"{path}: is no folder; choose another --out")
    if any(folder.iterdir()) and not overwrite:
        raise InputError(f"{path}: exists; choose another folder, or overwrite it (--force, overwrite=True)")
    if other := next(_others(folder, set(_own_files(folder, names))), None):
        raise InputError(
            f"{path}: holds {other}, which is not a file as this command wrote it; move it away, or choose another "
            "folder"
        )


def _kept(old: Path, real: Path) -> str:
    """Gives an old folder, whose place is taken, a name that no command clears away. Returns the end of a message."""
    if not old.exists():
        return "; choose another --out"
    kept = real.with_name(f"{real.name}.{secrets.token_hex(4)}{OLD}")
    move_new(old, kept)
    return f"; the folder that was there is now {kept}"


def _own_files(folder: Path, names: Names) -> list[str]:
    """The command's own files in a folder. A folder with the name of such a file is somebody else's."""
    return [name for name in names(folder) if _is_file_in(folder, name)]


def _is_file_in(folder: Path, name: str) -> bool:
    """Whether there is a file or a link of this name, and no link leads from the folder to it."""
    path = folder / name
    between = path.parents[: len(Path(name).parts) - 1]
    return (path.is_file() or path.is_symlink()) and not any(parent.is_symlink() for parent in between)


def _others(folder: Path, own: set[str], below: str = "") -> Iterator[str]:
    """The names in a folder that are not the command's own, in order. A folder is its own if it holds an own file."""
    for entry in sorted(folder.iterdir()):
        name = below + entry.name
        is_own = any(file.startswith(f"{name}/") for file in own)
        if is_own and entry.is_dir() and not entry.is_symlink():
            yield from _others(entry, own, f"{name}/")
        elif name not in own:
            yield name


def _delete(folder: Path, names: Names) -> None:
    """Deletes the command's own files in a folder, and the folder if nothing else is in it."""
    if folder.exists():
        for name in _own_files(folder, names):
            (folder / name).unlink()
        delete_empty_folders(folder)


def _clear_abandoned(real: Path, names: Names) -> None:
    """Deletes the temporary folders beside a locked output, and moves an old folder back if there is no new one.

    Raises:
        InputError: Something that textapp did not make has the name of such a folder.
    """
    for found in leftovers(real):
        if found.is_symlink() or not found.is_dir():
            raise foreign(found)
        if found.name.endswith(OLD):
            if os.path.lexists(real):
                _delete(found, names)
            elif any(names(found)):
                move_new(found, real)
            else:
                raise foreign(found)
        elif (found / _MARK).is_file():
            shutil.rmtree(found)
        else:  # killed just before the rename, after the mark was deleted; or of somebody else
            _delete(found, names)
            if found.exists():
                raise foreign(found)


@contextlib.contextmanager
def _locked_file(real: Path) -> Iterator[None]:
    """Locks an output file and deletes the temporary files beside it."""
    if os.name != "posix":  # Windows has no lock: the temporary files may be those of a process at work
        yield
        return
    with locked(real):
        delete_leftovers(real)
        yield


def _lock_of(real: Path) -> Path:
    """The file that locks an output. Raises `InputError` for the root of the file system, which has no name."""
    if not real.name:
        raise InputError(f"{real}: cannot be an output; choose another --out")
    return real.with_name(f".{real.name}.textapp-lock")


def _may_replace(path: Path, overwrite: Overwrite) -> bool:
    """Whether there is a file that may be replaced; a pipe or a device never is."""
    return path.is_file() and (overwrite(path) if callable(overwrite) else overwrite)


def _refusal(path: str | os.PathLike[str], overwrite: Overwrite) -> str:
    """The message for an output file that may not be replaced."""
    if overwrite is True:
        return f"{path}: is not a file that can be replaced; choose another --out"
    if callable(overwrite):
        return f"{path}: exists, and this command did not write it; move it away, or choose another --out"
    return f"{path}: exists; use --force to replace it, or another --out"


def _is_at(handle: int, path: Path) -> bool:
    """Whether an open file still has the name `path`."""
    return os.path.lexists(path) and os.path.samestat(os.fstat(handle), path.lstat())


@functools.cache
def _renameat2() -> Any:
    """The C library's `renameat2`; None where there is none."""
    return getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if sys.platform == "linux" else None


def _rename_noreplace(source: Path, target: Path) -> bool:
    """Renames in one step that never replaces. Returns False where the system or the file system cannot do that."""
    rename = _renameat2()
    if rename is None:
        return False
    if not rename(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), _RENAME_NOREPLACE):
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
        return False
    raise OSError(code, os.strerror(code), os.fspath(target))
