"""What all evaluations of word vectors need: the files of a test set, their lines, and its words in the vectors."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from textapp.data.lines import read_lines
from textapp.errors import InputError
from textapp.files import named_errors
from textapp.vectors.word_vectors import WordVectors

SUFFIXES = (".txt", ".tsv", ".txt.gz", ".tsv.gz")


def expand_folders(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """Replaces each folder by its text files, sorted by name.

    Text files are those that end in one of `SUFFIXES`: a licence in the same folder is no test set.

    Raises:
        InputError: A folder cannot be read or holds no text file.
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
    """Returns the name of a test set in tables: its file's name without the suffix."""
    return Path(Path(path).name.removesuffix(".gz")).stem


def numbered_lines(path: str | os.PathLike[str], comments: bool = True) -> Iterator[tuple[int, str]]:
    """Yields the lines of a UTF-8 file, plain or gzip, with their numbers from 1. Blank lines are left out.

    Args:
        path: The file.
        comments: Whether lines that begin with `#` and white space are comments and left out. `#word` is a word.

    Raises:
        InputError: The file cannot be read, is not UTF-8, or has the line ends of an old Macintosh.
    """
    for number, line in enumerate(read_lines(path), start=1):
        text = line.strip()
        if "\r" in text:
            raise InputError(f"{path}:{number}: a carriage return stands within the line; lines must end in LF or CRLF")
        if text and not (comments and text.split(None, 1)[0] == "#"):
            yield number, text


def known_form(vectors: WordVectors, word: str) -> str | None:
    """Returns the form of a test set's word that has a vector: as written, or else lower-cased.

    Returns:
        The first of the two forms that is in the vocabulary. If neither is, but subwords can make a vector: the form
        that the vectors' own tokenizer gives. Otherwise None.
    """
    lowered = word.lower()
    for form in (word, lowered):
        if form in vectors:
            return form
    if vectors.subwords is None:
        return None
    return lowered if (vectors.tokenizer or {}).get("lowercase", False) else word


def vocabulary_row(vectors: WordVectors, word: str) -> int:
    """Returns the row of a test set's word, as written or else lower-cased; -1 if the vocabulary has neither."""
    form = known_form(vectors, word)
    row = None if form is None else vectors.index(form)
    return -1 if row is None else row
