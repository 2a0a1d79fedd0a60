"""Reads files with errors that name the file, and writes files completely or not at all."""

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from textapp.errors import InputError

OLD = ".old"  # suffix of a folder while a new one replaces it
_unfinished: set[Path] = set()  # temporary files and folders that are being written, and locks


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
        raise InputError(f"{path}: not JSON that can be read: {json_fault(error)}") from error


def json_bytes(value: dict[str, Any]) -> bytes:
    """A value as JSON, in UTF-8 in any locale; lone surrogates become JSON escapes."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace")


def json_fault(error: Exception) -> str:
    """What is wrong with JSON, from the error of `json.loads`."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at column {error.colno}"
    return "a number in it is too long" if isinstance(error, ValueError) else "it is nested too deeply"


@contextlib.contextmanager
def replacing(
    path: str | os.PathLike[str], move: Callable[[Path, Path], object] = lambda source, target: source.replace(target)
) -> Iterator[Path]:
    """Yields a temporary path beside `path`. When the block ends without an error, it is renamed to `path`.

    The content is flushed to the disk before the rename, so that a crash leaves either the old file or the new one.
    This is for files inside a command's own folder. For a file that a user names, see `textapp.output_files`.

    Args:
        path: The file to write.
        move: Moves the finished file to `path`; by default it replaces a file that is there.
    """
    path = Path(path)
    with named_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = temporary_beside(path, path.suffix)
        # The kernel applies the process's file mode mask to this mode. `tempfile` would not.
        os.close(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666))
        with unfinished(temporary):
            try:
                yield temporary
                with temporary.open("rb") as file:
                    os.fsync(file.fileno())
                move(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yields a new folder in the system's folder for temporary files, and deletes it when the block ends."""
    with tempfile.TemporaryDirectory() as name, unfinished(Path(name)):
        yield Path(name)


@contextlib.contextmanager
def unfinished(path: Path) -> Iterator[None]:
    """Names a path that must not stay if the process ends inside the block, see `delete_unfinished`."""
    _unfinished.add(path)
    try:
        yield
    finally:
        _unfinished.discard(path)


def delete_unfinished() -> None:
    """Deletes the paths of `unfinished`, for a process that ends before it can leave these blocks."""
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


def temporary_beside(path: Path, suffix: str = "") -> Path:
    """A new name beside `path`, which `leftovers` recognizes."""
    return path.with_name(f".{path.name}.textapp-{secrets.token_hex(4)}{suffix}")


def delete_leftovers(path: str | os.PathLike[str]) -> None:
    """Deletes the temporary files beside a file. Raises `InputError` if something else has the name of one."""
    with named_errors(path):
        for found in leftovers(path):
            if found.is_symlink() or not found.is_file():
                raise foreign(found)
            found.unlink()


def foreign(path: Path) -> InputError:
    """The error for something that has a name of textapp's temporary files or folders, but is none of them."""
    return InputError(f"{path}: textapp did not make it, but the name is for a temporary file; move it away")


def leftovers(path: str | os.PathLike[str]) -> list[Path]:
    """What has a name of the temporary files and folders beside `path`. After a killed process they stay."""
    path = Path(path)
    with named_errors(path):
        if not path.parent.is_dir():
            return []
        return [found for found in path.parent.iterdir() if re.fullmatch(_stand_in(path), os.fspath(found))]


def _stand_in(path: Path) -> str:
    """A regular expression for the temporary names beside `path`."""
    beside = path.parent / f".{path.name}."
    return rf"{re.escape(os.fspath(beside))}textapp-[0-9a-f]{{8}}({re.escape(OLD)}|{re.escape(path.suffix)})?"
