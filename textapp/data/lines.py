"""Reads files, compressed by gzip or zstd or not: as a stream of bytes, as UTF-8 lines, or as one text."""

import contextlib
import functools
import gzip
import io
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from textapp.data.limits import Expansion, max_text, text_too_long
from textapp.errors import InputError, excerpt
from textapp.files import decode_utf8, named_errors

TO_UTF_8 = "convert it: iconv -f latin1 -t utf-8 FILE > NEW"
"""The way on where a file is not UTF-8."""

_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZIP = b"PK\x03\x04"
_FROM_UTF_16 = "convert it: iconv -f utf-16 -t utf-8 FILE > NEW, or save it as UTF-8"
_FOREIGN = {
    _ZIP: ("a zip archive", "unpack it"),
    b"PAR1": ("a parquet file", "let its name end in .parquet where tables are read, or write it as CSV or JSON lines"),
    b"\xff\xfe": ("text in UTF-16", _FROM_UTF_16),
    b"\xfe\xff": ("text in UTF-16", _FROM_UTF_16),
    b"BZh": ("bzip2 data", "unpack it with bunzip2"),
    b"\xfd7zXZ": ("xz data", "unpack it with unxz"),
    b"7z\xbc\xaf": ("a 7z archive", "unpack it"),
    b"Rar!": ("a rar archive", "unpack it"),
    b"\xd0\xcf\x11\xe0": ("an old Office file", "save it as CSV in UTF-8"),
    b"%PDF": ("a PDF file", "write its texts to a file of text"),
    b"SQLite format 3": ("an SQLite database", "write its table as CSV"),
    b"ARROW1": ("an Arrow file", "write it as CSV or JSON lines"),
    b"\x93NUMPY": ("a NumPy file", "write its texts as CSV or JSON lines"),
    b"\x89HDF": ("an HDF5 file", "write its texts as CSV or JSON lines"),
}
"""The first bytes of files that people give in place of text, what they are, and the way on."""
_SNIFFED = 1 << 12  # bytes
_BUFFER = 1 << 17  # bytes that are unpacked at a time


def open_bytes(path: str | os.PathLike[str]) -> IO[bytes]:
    """Opens a file for reading in one pass, and decompresses it if its first bytes are those of gzip or zstd.

    The name of the file does not matter. zstd needs pyarrow: `pip install "textapp-keras[parquet]"`.
    Only the stream of an uncompressed file can seek.

    Raises:
        InputError: The file cannot be opened, or pyarrow is not installed; or its compressed data are cut off,
            damaged, or expand more than `textapp.data.limits` allows, which shows only while they are read.
    """
    with named_errors(path), contextlib.ExitStack() as stack:
        file = stack.enter_context(Path(path).open("rb"))
        start = file.peek(len(_ZSTD_MAGIC))
        unpacked: io.RawIOBase | None = None
        if start.startswith(_GZIP_MAGIC):
            unpacked = _Gunzipped(file, path)
        elif start.startswith(_ZSTD_MAGIC):
            unpacked = _ZstdUnpacked(file, path)
        stack.pop_all()
    return file if unpacked is None else cast(IO[bytes], io.BufferedReader(unpacked, _BUFFER))


def plain_name(path: str) -> str:
    """The name of a file in lower case, without the suffix of what compressed it.

    Example:
        >>> plain_name("Part-1.csv.zst"), plain_name("a.tsv")
        ('part-1.csv', 'a.tsv')
    """
    return path.lower().removesuffix(".gz").removesuffix(".zst")


@contextlib.contextmanager
def open_stream(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Opens a file as `open_bytes`. Each `OSError` in the block becomes an `InputError` that names the file."""
    with named_errors(path), open_bytes(path) as stream:
        yield stream


def bytes_read(stream: IO[bytes]) -> int:
    """How many bytes of the file on disk a stream of `open_bytes` has read, of a gzip file packed ones."""
    raw = getattr(stream, "raw", None)
    return raw.num_packed if isinstance(raw, _Unpacked) else stream.tell()


def read_lines(path: str | os.PathLike[str]) -> Iterator[str]:
    r"""Yields the lines of a UTF-8 file one by one, each with its line end.

    Only `\n` ends a line, so that line numbers are those of an editor. A byte order mark at the start of the file is
    left out.

    Raises:
        InputError: As `open_stream`; or a line is not UTF-8 or longer than `textapp.data.limits` allows; the message
            names it.
    """
    limit = max_text()
    with open_stream(path) as stream:
        for number, line in enumerate(iter(functools.partial(stream.readline, limit + 1), b""), start=1):
            if number == 1:
                check_is_text(line, path)
            if len(line) > limit:
                raise text_too_long(f"{path}:{number}")
            text = _decoded(line, path, number)
            yield text.removeprefix("\ufeff") if number == 1 else text


def check_is_text(first: bytes, path: str | os.PathLike[str]) -> None:
    """Raises `InputError` if a file's first line shows that it is another kind of file than UTF-8 text with LF.

    The message names the kind, and how to make text of it.

    Args:
        first: The first line; in a file without line feeds the whole file, or its start.
        path: The file, for messages.
    """
    for magic, (kind, remedy) in _FOREIGN.items():
        if first.startswith(magic):
            if magic == _ZIP and os.fspath(path).lower().endswith((".xlsx", ".xlsm", ".ods")):
                kind, remedy = "a spreadsheet", "save it as CSV in UTF-8"
            raise InputError(f"{path}: this is {kind}, not text in UTF-8; {remedy}")
    if 3 * first[:_SNIFFED].count(0) > len(first[:_SNIFFED]):  # half of its bytes, where texts are Latin
        raise InputError(f"{path}: this is text in UTF-16, not text in UTF-8; {_FROM_UTF_16}")
    if not first.endswith(b"\n") and first.rstrip(b"\r").count(b"\r"):
        raise InputError(
            f"{path}:1: lines end in a carriage return alone, as on old Macs; they must end in LF or CRLF: "
            "tr '\\r' '\\n' < FILE > NEW"
        )


def read_whole(stream: IO[bytes], place: str) -> str:
    """Reads a UTF-8 file that is one text, from a stream.

    Args:
        stream: The bytes.
        place: The file, or the archive and its member, for messages.

    Raises:
        InputError: The text is not UTF-8, or longer than `textapp.data.limits` allows.
    """
    limit = max_text()
    content = bytearray()
    while block := stream.read(min(_BUFFER, limit + 1 - len(content))):
        content += block
        if len(content) > limit:
            raise text_too_long(place, "the text")
    return _decoded(bytes(content), place)


def _decoded(content: bytes, path: str | os.PathLike[str], first_line: int = 1) -> str:
    """Decodes UTF-8. The error also says how to convert the file."""
    try:
        return decode_utf8(content, path, first_line)
    except InputError as error:
        raise InputError(f"{error}; {TO_UTF_8}") from error


class _Counted:
    """A file, and the number of bytes read from it, which a pipe does not tell."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.count = 0

    def close(self) -> None:
        """Does nothing: who opened the file closes it. Arrow needs the method."""

    @property
    def closed(self) -> bool:
        """Whether the file is closed."""
        return self._file.closed

    def read(self, size: int = -1) -> bytes:
        """Reads at most `size` bytes."""
        content = self._file.read(size)
        self.count += len(content)
        return content


class _Unpacked(io.RawIOBase):
    """The content of a compressed file, which must not expand too much."""

    kind: str
    """What compressed it, for messages."""

    def __init__(self, file: IO[bytes], path: str | os.PathLike[str]) -> None:
        self._file, self._path = file, path
        self._packed, self._expansion = _Counted(file), Expansion(path)
        self._count = 0

    def readable(self) -> bool:
        """It can only be read."""
        return True

    def unpack(self, size: int) -> bytes:
        """Unpacks at most `size` bytes. Raises `_Damaged` if the data are."""
        raise NotImplementedError

    @property
    def num_packed(self) -> int:
        """The packed bytes that were read."""
        return self._packed.count

    def readinto(self, target: Any) -> int:
        """Reads at most `len(target)` bytes. Raises `InputError` if the data are damaged or expand too much."""
        try:
            content = self.unpack(len(target))
        except _Damaged as error:
            raise InputError(
                f"{self._path}: the {self.kind} data are cut off or damaged; fetch the file again ({error})"
            ) from error
        count = len(content)
        target[:count] = content
        self._count += count
        self._expansion.check(self._packed.count, self._count)
        return count

    def close(self) -> None:
        """Closes the file too."""
        self._file.close()
        super().close()


class _Damaged(Exception):
    """Compressed data are cut off or damaged."""


class _Gunzipped(_Unpacked):
    """The content of a gzip file."""

    kind = "gzip"

    def __init__(self, file: IO[bytes], path: str | os.PathLike[str]) -> None:
        super().__init__(file, path)
        self._gzip = gzip.GzipFile(fileobj=cast(IO[bytes], self._packed), mode="rb")

    def unpack(self, size: int) -> bytes:
        """See `_Unpacked`."""
        try:
            # One step of unpacking, so that an error does not take with it what was unpacked before.
            return self._gzip.read1(size)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise _Damaged(str(error)) from error

    def close(self) -> None:
        """See `_Unpacked`."""
        self._gzip.close()
        super().close()


class _ZstdUnpacked(_Unpacked):
    """The content of a zstd file."""

    kind = "zstd"

    def __init__(self, file: IO[bytes], path: str | os.PathLike[str]) -> None:
        super().__init__(file, path)
        try:
            import pyarrow
        except ImportError as error:
            raise InputError(
                f'{path}: zstd data need the library pyarrow; pip install "textapp-keras[parquet]", or unpack the file '
                "with unzstd"
            ) from error
        self._zstd = pyarrow.CompressedInputStream(pyarrow.PythonFile(self._packed, mode="r"), "zstd")
        self._errors = (pyarrow.ArrowException, OSError)

    def unpack(self, size: int) -> bytes:
        """See `_Unpacked`."""
        try:
            return self._zstd.read(size)
        except self._errors as error:
            raise _Damaged(excerpt(" ".join(str(error).split()))) from error

    def close(self) -> None:
        """See `_Unpacked`."""
        self._zstd.close()
        super().close()
