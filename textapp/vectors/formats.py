"""Files of word vectors: formats, reading and writing.

| format     | content                                                     | name of a file to write          |
|------------|-------------------------------------------------------------|----------------------------------|
| `word2vec` | text, a first line `V E`; fastText's .vec                   | .vec, .txt                       |
| `glove`    | the same without the first line                             | .txt with `glove` in its name    |
| `binary`   | word2vec's .bin                                             | .bin                             |
| `npz`      | NumPy archive; the only one with counts, context vectors, n-grams and tokenizer | .npz         |

Each may be gzip-compressed; its name then ends in `.gz`.
"""

import contextlib
import gzip
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Literal, cast, get_args

from textapp.data.lines import open_stream
from textapp.errors import InputError, quoted
from textapp.files import named_errors
from textapp.output_files import Overwrite, replacing_output
from textapp.vectors.binary_format import check_binary_word, read_binary, write_binary
from textapp.vectors.numpy_format import read_npz, write_npz
from textapp.vectors.text_formats import check_text_word, parse_header, read_glove, read_word2vec, write_text_vectors
from textapp.vectors.word_vectors import WordVectors

Format = Literal["word2vec", "binary", "glove", "npz"]
FORMATS: tuple[Format, ...] = get_args(Format)

_FORMAT_OF_SUFFIX: dict[str, Format] = {".vec": "word2vec", ".txt": "word2vec", ".bin": "binary", ".npz": "npz"}
_ZIP = b"PK\x03\x04"
_FOREIGN = {
    b"\xba\x16\x4f\x2f": "a fastText model; read the `.vec` file beside it, or let fastText write one",
    b"\x80": "a Python pickle, as gensim's `save` writes it; in gensim, call `save_word2vec_format` instead",
    b"\x93NUMPY": "a single NumPy array without words; save words and vectors with `numpy.savez`",
    b"\x89HDF": "an HDF5 file; save the vectors as text",
    b"BZh": "compressed by bzip2; unpack it first",
    b"\xfd7zXZ": "compressed by xz; unpack it first",
    b"\xff\xfe": "text in UTF-16; save it as UTF-8",
    b"\xfe\xff": "text in UTF-16; save it as UTF-8",
}
_HEAD_BYTES = 1 << 16
_NUMBER_OR_NONE = re.compile(rb"[+-]?(?:[0-9.eE+-]+|nan|inf|infinity|null|none)", re.IGNORECASE)  # in text files
_COMPRESSION = 6  # of gzip: 9 takes several times as long and saves one per cent


def read_vectors(
    path: str | os.PathLike[str],
    format: str | None = None,
    limit: int | None = None,
    report: Callable[[str], object] | None = None,
) -> WordVectors:
    """Reads word vectors.

    Args:
        path: The file, gzip-compressed or not. Its name does not matter.
        format: One of `FORMATS`. By default the format of the content; names are too often wrong.
        limit: Number of words to read, from the start, where nearly every file has the most frequent ones; the rest of
            the file is not read. By default all.
        report: Receives a line about repeated words, if there are any; the first vector of each is kept.

    Returns:
        The vectors. Only an `npz` file has counts, context vectors, subwords and a tokenizer.

    Raises:
        InputError: The file cannot be read or breaks a rule. The message names the file, the line (or byte) and the
            rule. The header's numbers are checked against the file's content; they never reserve memory.
    """
    path = os.fspath(path)
    _check_format(format)
    if limit is not None and limit < 1:
        raise InputError(f"`limit` must be positive. Received: limit={limit}")
    with named_errors(path):
        if Path(path).is_fifo():
            raise InputError(f"{path}: is a pipe, but vectors are read twice; write them to a file first")
    if format is None:
        with open_stream(path) as stream:
            format = _guess_format(stream.read(_HEAD_BYTES), path)
    with open_stream(path) as stream:
        match format:
            case "word2vec":
                return read_word2vec(stream, path, limit, report)
            case "glove":
                return read_glove(stream, path, limit, report)
            case "binary":
                return read_binary(stream, path, limit, report)
            case _:
                with _unzipped(stream) as file:
                    return read_npz(file, path, limit)


def write_vectors(
    vectors: WordVectors, path: str | os.PathLike[str], format: str | None = None, overwrite: Overwrite = True
) -> None:
    """Writes word vectors, completely or not at all.

    Args:
        vectors: The vectors. Only `npz` keeps counts, context vectors, subwords and tokenizer.
        path: The file; gzip-compressed if its name ends in `.gz`.
        format: One of `FORMATS`. By default the format of the name.
        overwrite: Whether a file with other content is replaced.

    Raises:
        InputError: The name has no known suffix, the file exists or cannot be written, or only `npz` can hold one of
            the words, because it has white space or is too long.
    """
    path = Path(path)
    _check_format(format)
    format = format or format_of_name(path)
    compressed = path.suffix.lower() == ".gz"
    with replacing_output(path, overwrite) as temporary, _open_to_write(temporary, compressed) as stream:
        match format:
            case "word2vec" | "glove":
                write_text_vectors(vectors, stream, header=format == "word2vec")
            case "binary":
                write_binary(vectors, stream)
            case _ if not compressed:
                write_npz(vectors, stream)
            case _:
                with tempfile.TemporaryFile(dir=path.parent) as file:  # a zip archive needs a file that can seek
                    write_npz(vectors, cast(IO[bytes], file))
                    file.seek(0)
                    shutil.copyfileobj(file, stream)


def holds_vectors(path: Path) -> bool:
    """Whether a file is one of word vectors, by its start: what may be replaced when vectors are written."""
    try:
        with open_stream(path) as stream:
            head = stream.read(_HEAD_BYTES)
        format = _guess_format(head, os.fspath(path))
    except (InputError, OSError, EOFError):
        return False
    if format == "npz":
        return zipfile.is_zipfile(path) and "words.npy" in zipfile.ZipFile(path).namelist()
    numbers = head.partition(b"\n")[0].split()[1:]
    return format != "glove" or (len(numbers) > 1 and all(map(_NUMBER_OR_NONE.fullmatch, numbers)))


def check_words(words: Iterable[str], path: str | os.PathLike[str]) -> None:
    """Raises `InputError` if a file of that name cannot hold one of the words, so that it is known before the work."""
    check = {"word2vec": check_text_word, "glove": check_text_word, "binary": check_binary_word}.get(
        format_of_name(Path(path))
    )
    if check is not None:
        for word in words:
            check(word)


def _check_format(format: str | None) -> None:
    """Raises `InputError` if a format is unknown."""
    if format is not None and format not in FORMATS:
        raise InputError(f"`format` must be one of {', '.join(FORMATS)}. Received: format={quoted(format)}")


def format_of_name(path: Path) -> Format:
    """Returns the format in which a file of that name is written. Raises `InputError` if its suffix is unknown."""
    name = path.name.lower().removesuffix(".gz")
    format = _FORMAT_OF_SUFFIX.get(Path(name).suffix)
    if format is None:
        raise InputError(f"--out {path}: the name must end in {', '.join(_FORMAT_OF_SUFFIX)}, with or without .gz")
    return "glove" if name.endswith(".txt") and "glove" in name else format


def _guess_format(head: bytes, path: str) -> Format:
    """Returns the format of a file from its start.

    Raises:
        InputError: The file is empty or of another known kind.
    """
    if not head:
        raise InputError(f"{path}: there is no vector to read; the file is empty")
    if head.startswith(_ZIP):
        return "npz"
    for magic, kind in _FOREIGN.items():
        if head.startswith(magic):
            raise InputError(f"{path}: this is {kind}")
    first, _, rest = head.partition(b"\n")
    header = parse_header(first)
    if header is None:
        return "glove"
    # After the first word there are characters of numbers, or bytes of float32 numbers, few of which look like those.
    numbers = rest.partition(b" ")[2]
    parts = numbers.partition(b"\n")[0].split()
    if len(parts) == header[1] and all(map(_NUMBER_OR_NONE.fullmatch, parts)):
        return "word2vec"  # its reader names the line of what is no number
    numbers = numbers[: 4 * header[1]]
    characters = sum(byte in b"0123456789.-+eE \t\r\n" for byte in numbers)
    return "binary" if 2 * characters < len(numbers) else "word2vec"


@contextlib.contextmanager
def _open_to_write(path: Path, compressed: bool) -> Iterator[IO[bytes]]:
    """Opens a file to write. Gzip data get no name and no time, so that equal vectors give equal files."""
    with path.open("wb") as file:
        if not compressed:
            yield file
            return
        with gzip.GzipFile("", "wb", _COMPRESSION, file, mtime=0) as stream:
            yield cast(IO[bytes], stream)


@contextlib.contextmanager
def _unzipped(stream: IO[bytes]) -> Iterator[IO[bytes]]:
    """Yields a stream that can seek fast: the file itself, or its content unpacked into a temporary file."""
    if stream.seekable():
        yield stream
        return
    with tempfile.TemporaryFile() as file:
        shutil.copyfileobj(stream, file)
        file.seek(0)
        yield cast(IO[bytes], file)
