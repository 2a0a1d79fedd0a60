"""word2vec's binary file: a line `V E`, then each word, a space and E little-endian float32 numbers.

word2vec.c writes a newline after each vector, gensim does not. Both are read; newlines are written.
"""

import os
from collections.abc import Callable
from typing import IO

import numpy as np

from textapp.errors import InputError, quoted
from textapp.vectors.row_collector import RowCollector
from textapp.vectors.text_formats import MAX_LINE, check_text_word, decoded, read_header
from textapp.vectors.word_vectors import WordVectors

MAX_WORD = 1 << 12  # bytes; a longer one is not a word, but numbers of a damaged file

_READ_BYTES = 1 << 20
_ROWS_AT_ONCE = 256


def read_binary(
    stream: IO[bytes], path: str | os.PathLike[str], limit: int | None, report: Callable[[str], object] | None
) -> WordVectors:
    """Reads the binary format."""
    header = stream.readline(MAX_LINE)
    num_words, dim = read_header(header, path)
    rows = RowCollector(dim, limit)
    content, offset = b"", len(header)  # bytes that are read and not yet used, and their offset in the file
    while not rows.is_full and rows.num_read < num_words:
        block = stream.read(_READ_BYTES)
        content += block
        used = -1
        while used and not rows.is_full:  # a second time only if there were repeated words
            left = num_words - rows.num_read
            used = _add(rows, content, left if rows.room is None else min(left, rows.room), offset, path)
            content, offset = content[used:], offset + used
        if not block and not content.strip(b"\n"):
            if report is not None:
                report(
                    f"warning: {path}: the header announces {num_words:,} words, but {rows.num_read:,} follow; those "
                    "were read: the header is wrong, or the file is cut off"
                )
            return rows.finish(path, report)
        if not block:
            rows.check_words()
            raise InputError(
                f"{path}: byte {offset}: the header announces {num_words:,} words, but the file ends in word "
                f"{rows.num_read + 1:,}; it is cut off"
            )
    if rows.num_read == num_words and (content + stream.read(MAX_WORD)).strip():
        rows.check_words()
        raise InputError(
            f"{path}: byte {offset}: the header announces {num_words:,} words, but more follow; correct its first line"
        )
    return rows.finish(path, report)


def write_binary(vectors: WordVectors, stream: IO[bytes]) -> None:
    """Writes the binary format.

    Raises:
        InputError: A word has ASCII white space or more than `MAX_WORD` bytes.
    """
    stream.write(f"{len(vectors)} {vectors.dim}\n".encode())
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        stop = start + _ROWS_AT_ONCE
        rows = zip(vectors.words[start:stop], vectors.vectors[start:stop].astype("<f4"), strict=True)
        stream.write(b"".join(b"%b %b\n" % (check_binary_word(word).encode(), row.tobytes()) for word, row in rows))


def check_binary_word(word: str) -> str:
    """Returns a word that the format can hold. Raises `InputError` if it has white space or is too long."""
    if len(word.encode()) > MAX_WORD:
        raise InputError(f"the word {quoted(word)} has more than {MAX_WORD:,} bytes; write the format `npz`, or text")
    return check_text_word(word)


def _add(rows: RowCollector, content: bytes, most: int, offset: int, path: str | os.PathLike[str]) -> int:
    """Adds the complete words and vectors at the start of some bytes, and returns the number of bytes used.

    Args:
        rows: Where they are added.
        content: The bytes.
        most: The largest number of words to add.
        offset: Offset of the bytes in the file.
        path: The file, for messages.
    """
    size = 4 * rows.dim
    words: list[str | None] = []
    starts: list[int] = []
    numbers: list[bytes] = []
    used = 0
    while len(words) < most:
        start = used
        while content.startswith(b"\n", start):
            start += 1
        space = content.find(b" ", start, start + MAX_WORD + 1)
        if space < 0 and len(content) - start > MAX_WORD:
            raise _not_a_word(content[start:], offset + start, path)
        if space < 0 or space + 1 + size > len(content):
            break
        words.append(decoded(content[start:space]))
        starts.append(offset + start)
        used = space + 1 + size
        numbers.append(content[space + 1 : used])
    if words:
        matrix = np.frombuffer(b"".join(numbers), "<f4").reshape(len(words), rows.dim)
        rows.add(words, matrix, lambda i: f"{path}: byte {starts[i]}")
    return used


def _not_a_word(content: bytes, offset: int, path: str | os.PathLike[str]) -> InputError:
    """The error for bytes that are no word."""
    return InputError(
        f"{path}: byte {offset}: a word in UTF-8 and a space are expected here; the header's dimension is wrong or the "
        f"file is damaged. Received: {content[:20]!r}"
    )
