"""The files that vectors are judged on: which ones a path means, and their lines."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from textapp.data.lines import read_lines
from textapp.errors import InputError
from textapp.files import named_errors

SUFFIXES = (".txt", ".tsv", ".txt.gz", ".tsv.gz")


def expanded(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """Each path, and for a folder its text files by name (`SUFFIXES`: a licence beside the data is no data).

    Raises:
        InputError: A path does not exist, or a folder holds no such file.
    """
    files: list[Path] = []
    for path in map(Path, paths):
        if not path.is_dir():
            files.append(path)
            continue
        with named_errors(path):
            found = sorted(file for file in path.iterdir() if file.name.endswith(SUFFIXES) and file.is_file())
        if not found:
            raise InputError(f"{path}: no file in this folder ends in {', '.join(SUFFIXES)}")
        files += found
    return files


def set_name(path: str | os.PathLike[str]) -> str:
    """What a set is called in tables: its file's name without the ending."""
    return Path(Path(path).name.removesuffix(".gz")).stem


def numbered_lines(path: str | os.PathLike[str], comments: bool = True) -> Iterator[tuple[int, str]]:
    """Yields the lines of a UTF-8 file, plain or gzip, with their numbers, but not blank ones.

    Args:
        path: The file.
        comments: Whether lines that begin with `#` and white space are comments, and left out. `#word` is a word.

    Raises:
        InputError: The file cannot be read, is not UTF-8, or has the line ends of an old Macintosh.
    """
    for number, line in enumerate(read_lines(path), start=1):
        text = line.strip()
        if "\r" in text:
            raise InputError(f"{path}:{number}: a carriage return stands within the line; lines must end in LF or CRLF")
        if text and not (comments and text.split(None, 1)[0] == "#"):
            yield number, text
