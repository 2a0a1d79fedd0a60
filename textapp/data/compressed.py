"""Files opened for reading, gzip-compressed or not."""

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
    """Opens a file for reading in one pass, decompressed where its first bytes are gzip's, whatever its name.

    Raises:
        InputError: The file cannot be opened, or, while the block reads it, turns out cut off or damaged.
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

    Lines end at `\n` alone, so that counting them gives the numbers that an editor shows. A byte order mark at the
    start of the file is left out.
    """
    with open_stream(path) as stream:
        for number, line in enumerate(stream, start=1):
            text = decode_utf8(line, path, number)
            yield text.removeprefix("\ufeff") if number == 1 else text
