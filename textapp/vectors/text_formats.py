"""Word vectors as text: a line for each word, with the word and its numbers.

word2vec and fastText (`.vec`) write a header line `V E` first, GloVe does not. The readers accept what programs and
editors add: spaces at a line's end, tabs, Windows line ends, a byte order mark, blank lines, and words with spaces in
them, as in GloVe's 840B file.
"""

import os
import re
from collections.abc import Callable, Iterator
from typing import IO

import numpy as np

from textapp.errors import InputError, quoted
from textapp.vectors.decimals import parse_rows
from textapp.vectors.row_collector import RowCollector
from textapp.vectors.word_vectors import WordVectors

MAX_DIM = 100_000  # a header with a larger one is damaged
MAX_LINE = 1 << 22  # bytes

_HEADER = re.compile(rb"(?:\xef\xbb\xbf)?[ \t]*([0-9]{1,18})[ \t]+([0-9]{1,18})[ \t]*\r?\n?")
_ASCII_SPACE = frozenset(" \t\n\r\v\f")
_BOM = b"\xef\xbb\xbf"
_READ_BYTES = 1 << 18  # so that the arrays of a block fit into the processor's cache
_ROWS_AT_ONCE = 256


def parse_header(line: bytes) -> tuple[int, int] | None:
    """Returns the number of words and the dimension of a header line, or None if the line is no header."""
    match = _HEADER.fullmatch(line)
    return None if match is None else (int(match[1]), int(match[2]))


def read_header(line: bytes, path: str | os.PathLike[str]) -> tuple[int, int]:
    """Returns the number of words and the dimension from a file's first line.

    Raises:
        InputError: It is no header, or its numbers are impossible.
    """
    header = parse_header(line)
    if header is None:
        raise InputError(
            f"{path}:1: the first line must be the number of words and the dimension, as in `400000 300`; a file "
            f"without it needs the format `glove`. Received: {quoted(line.strip())}"
        )
    num_words, dim = header
    if not num_words or not 1 <= dim <= MAX_DIM:
        raise InputError(
            f"{path}:1: the header must give one word or more and a dimension from 1 to {MAX_DIM:,}. "
            f"Received: {num_words} words, dimension {dim}"
        )
    return header


def read_word2vec(
    stream: IO[bytes], path: str | os.PathLike[str], limit: int | None, report: Callable[[str], object] | None
) -> WordVectors:
    """Reads the text format with a header."""
    num_words, dim = read_header(stream.readline(MAX_LINE), path)
    rows = RowCollector(dim, limit)
    whole = True
    for number, lines, whole in _blocks(stream, path, 2):  # noqa: B007 # that of the last block is needed
        _add(rows, lines, number, path)
        if rows.is_full:
            return rows.finish(path, report)
    if rows.num_read != num_words:
        found = f"{path}:1: the header announces {num_words:,} words, but {rows.num_read:,} follow"
        if rows.num_read < num_words and not whole:
            raise InputError(f"{found}; the file is cut off: fetch it again, or correct its first line")
        if report is not None:
            report(f"warning: {found}; those were read: the header is wrong, or the file is cut off")
    return rows.finish(path, report)


def read_glove(
    stream: IO[bytes], path: str | os.PathLike[str], limit: int | None, report: Callable[[str], object] | None
) -> WordVectors:
    """Reads the text format without a header; the first line has as many numbers as all others."""
    rows: RowCollector | None = None
    for number, lines, _ in _blocks(stream, path, 1):
        if rows is None:
            if number == 1 and parse_header(lines[0]):
                raise InputError(f"{path}:1: the first line is a header; use the format `word2vec`")
            filled = next((i for i, line in enumerate(lines) if line.strip()), None)
            if filled is None:
                continue
            rows = RowCollector(_dim_of(lines[filled], f"{path}:{number + filled}"), limit)
        _add(rows, lines, number, path)
        if rows.is_full:
            break
    if rows is None:
        raise InputError(f"{path}: there is no vector to read; the file is empty")
    return rows.finish(path, report)


def write_text_vectors(vectors: WordVectors, stream: IO[bytes], *, header: bool) -> None:
    """Writes a line for each word, with enough digits for the same float32 to be read again.

    Raises:
        InputError: A word has ASCII white space.
    """
    if header:
        stream.write(f"{len(vectors)} {vectors.dim}\n".encode())
    numbers = " ".join(["%.9g"] * vectors.dim)
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        stop = start + _ROWS_AT_ONCE
        rows = zip(vectors.words[start:stop], vectors.vectors[start:stop].tolist(), strict=True)
        stream.write("".join(f"{check_text_word(word)} {numbers % tuple(row)}\n" for word, row in rows).encode())


def check_text_word(word: str) -> str:
    """Returns a word that a file with spaces between word and numbers can hold.

    Raises:
        InputError: The word has ASCII white space, at which readers split a line.
    """
    if not _ASCII_SPACE.isdisjoint(word):
        raise InputError(
            f"the word {quoted(word)} has white space, at which readers split a line; write the format `npz`"
        )
    return word


def _blocks(stream: IO[bytes], path: str | os.PathLike[str], number: int) -> Iterator[tuple[int, list[bytes], bool]]:
    r"""Yields lists of lines without their `\n`, the number of the first one, and whether the last one had its `\n`."""
    rest = b""
    while block := stream.read(_READ_BYTES):
        lines = (rest + block).split(b"\n")
        rest = lines.pop()
        if len(rest) > MAX_LINE:
            raise InputError(
                f"{path}:{number + len(lines)}: the line has more than {MAX_LINE:,} bytes, so it is no vector"
            )
        if lines:
            yield number, lines, True
            number += len(lines)
    if rest:
        yield number, [rest], False


def _add(rows: RowCollector, lines: list[bytes], number: int, path: str | os.PathLike[str]) -> None:
    """Adds the words of some lines until `rows` is full. `number` is that of the first line."""
    numbered = [(i, line) for i, line in enumerate(lines, start=number) if line and not line.isspace()]
    if number == 1 and numbered and numbered[0][0] == 1:
        numbered[0] = 1, numbered[0][1].removeprefix(_BOM)
    while numbered and not rows.is_full:
        numbers, wanted = zip(*numbered[: rows.room], strict=True)
        numbered = numbered[len(wanted) :]  # needed if there were repeated words
        parts = [line.rstrip().partition(b" ") for line in wanted]
        matrix = parse_rows(b"\n".join([part[2] for part in parts]) + b"\n", rows.dim)
        if matrix is None:  # a word with a space, tabs, double spaces, or a mistake
            fields = [_fields(line, rows.dim, f"{path}:{i}") for i, line in zip(numbers, wanted, strict=True)]
            matrix = np.array([numbers for _, numbers in fields])
            words = [word for word, _ in fields]
        else:
            words = [part[0] for part in parts]
        rows.add(_decoded(words), matrix, [f"{path}:{number}" for number in numbers].__getitem__)


def _fields(line: bytes, dim: int, location: str) -> tuple[bytes, list[float]]:
    """Returns the word and the numbers of a line with any white space. The last `dim` parts are the numbers."""
    word, *numbers = line.rsplit(None, dim)
    if len(numbers) == dim - 1 and line[:1] in (b" ", b"\t"):
        word, numbers = b"", [word, *numbers]  # an empty word
    # The word of `New York 0.1 0.2` has a space. `York 0.3 0.1 0.2` has one number too many.
    surplus = len(word.split()) - 1
    if surplus > 0 and _is_number(word.split()[-1]):
        last_word = next((i for i, part in enumerate(reversed(word.split())) if not _is_number(part)), surplus)
        raise InputError(f"{location}: the line must hold {dim} numbers. Received: {dim + last_word}")
    if len(numbers) < dim:
        raise InputError(f"{location}: the line must hold a word and {dim} numbers. Received: {len(numbers)} numbers")
    try:
        return word.strip(), [float(part) for part in numbers]
    except ValueError as error:
        wrong = next(i for i, part in enumerate(numbers) if not _is_number(part))
        raise InputError(
            f"{location}: part {wrong + 1} of the {dim} after the word must be a number. "
            f"Received: {quoted(numbers[wrong])}"
        ) from error


def _dim_of(line: bytes, location: str) -> int:
    """Returns how many numbers there are at the end of a line. Its first part is always the word."""
    parts = line.removeprefix(_BOM).split()
    dim = 0
    while dim < len(parts) - 1 and _is_number(parts[-1 - dim]):
        dim += 1
    if not 1 <= dim <= MAX_DIM:
        raise InputError(
            f"{location}: each line must be a word and its numbers, separated by spaces. "
            f"Received: {quoted(line.strip())}"
        )
    return dim


def _decoded(words: list[bytes]) -> list[str | None]:
    """Decodes words; None for one that is not UTF-8."""
    try:
        return list(b"\n".join(words).decode().split("\n"))
    except UnicodeDecodeError:
        return [decoded(word) for word in words]


def decoded(word: bytes) -> str | None:
    """A word of UTF-8; None if it is not UTF-8, such as one that word2vec.c has cut at 100 bytes."""
    try:
        return word.decode()
    except UnicodeDecodeError:
        return None


def _is_number(part: bytes) -> bool:
    """Whether `float` accepts it."""
    try:
        float(part)
    except ValueError:
        return False
    return True
