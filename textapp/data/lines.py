"""Reads files, gzip-compressed or not: as a stream of bytes, or as UTF-8 lines."""

import contextlib
import gzip
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from textapp.errors import InputError
from textapp.files import decode_utf8, named_errors

_GZIP_MAGIC = b"\x1f\x8b"


@contextlib.contextmanager
def open_stream(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Opens a file for reading in one pass, and decompresses it if its first bytes are those of gzip.

    The name of the file does not matter.

    Raises:
        InputError: The file cannot be opened; or its compressed data are cut off or damaged, which shows only while
            they are read.
    """
    with named_errors(path), Path(path).open("rb") as file:
        if file.peek(2)[:2] != _GZIP_MAGIC:
            yield file
            return
        try:
            with gzip.GzipFile(fileobj=file) as stream:
                yield cast(IO[bytes], stream)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise InputError(f"{path}: the gzip data are cut off or damaged; fetch the file again ({error})") from error


def read_lines(path: str | os.PathLike[str]) -> Iterator[str]:
    r"""Yields the lines of a UTF-8 file one by one, each with its line end.

    Only `\n` ends a line, so that line numbers are those of an editor. A byte order mark at the start of the file is
    left out.

    Raises:
        InputError: As `open_stream`, or a line is not UTF-8; the message names it.
    """
    with open_stream(path) as stream:
        for number, line in enumerate(stream, start=1):
            text = decode_utf8(line, path, number)
            yield text.removeprefix("\ufeff") if number == 1 else text
