"""Reads files with errors that name the file, and writes files completely or not at all."""

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from textapp.errors import InputError

_OLD = ".old"  # suffix of a folder while a new one replaces it
_unfinished: set[Path] = set()  # temporary files and folders that are being written


@contextlib.contextmanager
def named_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turns an `OSError` (missing, not permitted, disk full) into an `InputError` that names `path`.

    If the error itself names a file, the message has that name. A temporary name is shown as `path`.
    """
    try:
        yield
    except OSError as error:
        name = os.fspath(path) if error.filename is None else os.fsdecode(error.filename)
        reason = " ".join((error.strerror or str(error) or type(error).__name__).split())
        if isinstance(error, FileExistsError):  # from mkdir
            reason = "is no folder, but must be one"
        name = re.sub(_stand_in(Path(path)) + "(?=/|$)", lambda _: os.fspath(path), name)
        raise InputError(f"{name}: {reason}") from error


def check_writable(folder: str | os.PathLike[str]) -> None:
    """Raises `InputError` if nothing can be created in a folder, which need not exist yet. Call it before long work.

    A network file system may still refuse a write.
    """
    folder = Path(folder)
    with named_errors(folder):
        existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        if not existing.is_dir():
            raise InputError(f"{existing}: is no folder; choose another place")
        if not os.access(existing, os.W_OK | os.X_OK):
            raise InputError(f"{existing}: is not writable; choose another place")


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Reads a file. Raises `InputError` if it cannot be read."""
    with named_errors(path):
        return Path(path).read_bytes()


def digest(path: str | os.PathLike[str]) -> str:
    """Hexadecimal SHA-256 of a file, or of all files below a folder and their names. Raises `InputError` if missing."""
    path = Path(path)
    with named_errors(path):
        if not path.is_dir():
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        below = sorted(found.relative_to(path) for found in path.rglob("*") if found.is_file())
    parts = (f"{name.as_posix()} {digest(path / name)}\n" for name in below)
    return hashlib.sha256("".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def decode_utf8(content: bytes, path: str | os.PathLike[str], first_line: int = 1) -> str:
    """Decodes UTF-8. Raises `InputError` naming the line and byte of the first broken sequence."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = first_line + content.count(b"\n", 0, error.start)
        byte = error.start - content.rfind(b"\n", 0, error.start)
        raise InputError(f"{path}:{line}: byte {byte} of the line is not UTF-8; files must be UTF-8") from error


def read_text(path: str | os.PathLike[str]) -> str:
    """Reads a UTF-8 file. Raises `InputError` if it cannot be read or decoded."""
    return decode_utf8(read_bytes(path), path)


def read_json(path: str | os.PathLike[str]) -> Any:
    """Reads a JSON file. Raises `InputError` naming the first line that is not JSON."""
    return parse_json(read_bytes(path), path)


def parse_json(content: bytes, path: str | os.PathLike[str]) -> Any:
    """Parses the content of a JSON file. Raises `InputError` as `read_json` does."""
    try:
        return json.loads(decode_utf8(content, path))
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: not JSON: {error.msg}") from error
    except (RecursionError, ValueError) as error:  # nested too deeply, or a number of thousands of digits
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: not JSON that can be read: {error}") from error


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a temporary path beside `path`. When the block ends without an error, it is renamed to `path`.

    The content is flushed to the disk before the rename, so that a crash leaves either the old file or the new one.
    """
    path = Path(path)
    with named_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        _unfinished.add(temporary)
        try:
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
            _unfinished.discard(temporary)


@contextlib.contextmanager
def replacing_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a temporary folder beside `path`. When the block ends without an error, it is renamed to `path`.

    An old folder at `path` is replaced completely. It is deleted only after the rename. Temporary folders of killed
    processes are deleted first.
    """
    path = Path(path)
    with named_errors(path), contextlib.ExitStack() as lock:
        path.parent.mkdir(parents=True, exist_ok=True)
        _clear_abandoned(path)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        lock.enter_context(_locked(temporary))
        temporary.chmod(0o777 & ~_umask())
        old = temporary.with_name(temporary.name + _OLD)
        _unfinished.add(temporary)
        try:
            yield temporary
            if path.exists():
                path.replace(old)
            temporary.replace(path)
        except InputError as error:  # of a writer in the block, which knows only the temporary folder
            raise type(error)(str(error).replace(os.fspath(temporary), os.fspath(path))) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
            _unfinished.discard(temporary)
            if old.exists() and not path.exists():
                old.replace(path)
            shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yields a new folder in the system's folder for temporary files, and deletes it when the block ends."""
    with tempfile.TemporaryDirectory() as name:
        _unfinished.add(Path(name))
        try:
            yield Path(name)
        finally:
            _unfinished.discard(Path(name))


def delete_unfinished() -> None:
    """Deletes the temporary files and folders that are being written, of a process that ends before it can do so."""
    for path in list(_unfinished):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes a UTF-8 file, completely or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Writes a JSON file that people can read and diff, completely or not at all."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    # A file name that is not UTF-8 has lone surrogates. UTF-8 cannot hold them, JSON's escapes can.
    text = re.sub("[\ud800-\udfff]", lambda surrogate: f"\\u{ord(surrogate[0]):04x}", text)
    write_text(path, text + "\n")


def line_file(names: Iterable[str]) -> Callable[[Path], None]:
    """Returns a function that writes names (labels or tags) to a file, one per line."""
    text = "".join(f"{name}\n" for name in names)
    return lambda path: write_text(path, text)


def read_line_file(path: Path, expected: object) -> tuple[str, ...]:
    """Reads names, one per line. Raises `InputError` unless `metrics.json` in the same folder has the same names."""
    names = read_text(path).removesuffix("\n").split("\n")
    if not isinstance(expected, list):
        raise InputError(f"{path.with_name('metrics.json')}: names no {path.stem}; the file was cut or changed")
    if names != expected:
        raise InputError(f"{path}: not the {path.stem} that metrics.json names; the file was cut or changed")
    return tuple(names)


def read_object(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads a JSON file that must hold an object. Raises `InputError` if it does not."""
    value = read_json(path)
    if not isinstance(value, dict):
        raise InputError(f"{path}: must hold a JSON object")
    return value


def leftovers(path: str | os.PathLike[str]) -> list[Path]:
    """The temporary files beside `path`, left by processes that were killed while they wrote it."""
    path = Path(path)
    with named_errors(path):
        return [found for found in path.parent.iterdir() if re.fullmatch(_stand_in(path), os.fspath(found))]


def _clear_abandoned(path: Path) -> None:
    """Deletes temporary folders beside `path` whose process has ended, and moves an old folder back to `path`."""
    for found in leftovers(path):
        owner = found.with_name(found.name.removesuffix(_OLD))
        with contextlib.suppress(BlockingIOError), _locked(owner) if owner.exists() else contextlib.nullcontext():
            if found != owner and not path.exists():
                found.replace(path)
            shutil.rmtree(found, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Holds a folder's lock, which ends with the process. Raises `BlockingIOError` if another process holds it."""
    import fcntl  # imported here: prediction also runs on systems without it

    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def _stand_in(path: Path) -> str:
    """A regular expression for the temporary names beside `path`."""
    beside = path.parent / f".{path.name}."
    return rf"{re.escape(os.fspath(beside))}[a-z0-9_]{{8}}(\.old|{re.escape(path.suffix)})?"


def _umask() -> int:
    """The process's file mode mask, which `tempfile` ignores."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
