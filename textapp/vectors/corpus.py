"""A corpus of raw text files, streamed as sentences (lists of words).

A corpus is any number of UTF-8 files, plain or gzip-compressed, with a sentence or paragraph a line; a folder means all
files in it, a pattern such as `part-*.gz` all files that match it. Less than 1 MiB of text is in memory at a time,
however long a file or a line is.
"""

import functools
import glob
import importlib
import itertools
import logging
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from textapp.data.lines import TO_UTF_8, bytes_read, open_stream
from textapp.errors import InputError, quoted
from textapp.files import named_errors
from textapp.text.characters import LOWER_OF, SPACES, parse_ranges
from textapp.text.normalization import Form, normalize
from textapp.text.tokenizer import Tokenizer

Kind = Literal["word", "char", "whitespace", "jieba"]
KINDS: tuple[Kind, ...] = get_args(Kind)

BLOCK = 1 << 18  # bytes read at a time, so that the words of a block fit into a core's cache

_EVEN = 1.25  # the largest part of whole files, by the mean

_WHITE_SPACE = re.compile("[" + "".join(rf"\U{first:08X}-\U{last:08X}" for first, last in parse_ranges(SPACES)) + "]+")
# Every Han character is a token, together with the combining marks after it. So a text may be split before each Han
# character, and after one unless the next character may be a mark or may be dropped. ASCII, Han and common punctuation
# are neither.
_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_HAN_PIECES = re.compile(rf"[{_HAN}](?![^!-~{_HAN}\u2010-\u2027\u3001-\u3029\uff01-\uff5e])|[{_HAN}]?[^{_HAN}]+")


@dataclass(frozen=True)
class WordSplitter:
    """Splits a text into the words that get vectors.

    White space always separates words, so that `words(a + " " + b) == words(a) + words(b)`.

    Args:
        kind: "word" or "char": a `textapp.text.tokenizer.Tokenizer`; "whitespace": at white space only, for segmented
            text; "jieba": Chinese words, found by the library jieba (the extra `chinese`).
        lowercase: Whether words are lower-cased.
        normalization: "none", "nfc" or "nfkc"; see `textapp.text.normalization`.

    Raises:
        InputError: An argument has another value, or jieba is not installed.

    Example:
        >>> WordSplitter("whitespace").words("Don’t miss  Ｔ恤 !")
        ["don't", 'miss', 't恤', '!']
    """

    kind: Kind = "word"
    lowercase: bool = True
    normalization: Form = "nfkc"

    def __post_init__(self):
        if self.kind not in KINDS:
            raise InputError(f"tokenizer: must be one of {', '.join(KINDS)}. Received: {quoted(self.kind)}")
        _ = self.tokenizer or Tokenizer("word", self.lowercase, self.normalization)  # checks the other settings
        if self.kind == "jieba":
            _jieba_cut()

    @functools.cached_property
    def tokenizer(self) -> Tokenizer | None:
        """The tokenizer that splits any text into the same words; None for `whitespace` and `jieba`."""
        if self.kind in ("word", "char"):
            return Tokenizer(self.kind, self.lowercase, self.normalization)
        return None

    def words(self, text: str) -> list[str]:
        """Returns the words of a text in order. They are never empty and have no white space."""
        if self.tokenizer:
            return self.tokenizer.words(text)
        if self.kind == "whitespace" and text.isascii() and text.isprintable():  # the usual case, and the fast one
            return (text.lower() if self.lowercase else text).split()
        if not text.isascii():
            text = normalize(text, self.normalization).text
        text = _WHITE_SPACE.sub(" ", text)
        words = [word for word in _jieba_cut()(text) if word != " "] if self.kind == "jieba" else text.split()
        if not self.lowercase:
            return words
        return [word.lower() if word.isascii() else word.translate(LOWER_OF) for word in words]

    def pieces(self, chunk: str) -> Sequence[str]:
        """Splits a text without white space into pieces such that `words(chunk)` are the words of the pieces in turn.

        Pieces of text without spaces occur again and again, so a cache of them saves most of the work.
        """
        return [chunk] if chunk.isascii() or self.tokenizer is None else _HAN_PIECES.findall(chunk)

    def to_dict(self) -> dict[str, Any]:
        """Returns the settings as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Part:
    """One of `count` parts of a corpus, the `index`-th from 0, each with about as much text."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index + 1}/{self.count}"


def text_files(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """Returns the files of a corpus: each file as given, and for a folder all files in it and its subfolders, sorted.

    A path that does not exist and has `*`, `?` or `[` is a pattern, and means all files and folders that match it,
    sorted; `**` matches folders of any depth. Hidden files and folders (`.name`) within a folder are left out.

    Raises:
        InputError: A path does not exist, nothing matches a pattern, a folder has no file, or there is no path.
    """
    files: list[Path] = []
    for path in itertools.chain.from_iterable(map(_matches, map(Path, paths))):
        with named_errors(path):
            path.stat()
            if not path.is_dir():
                files.append(path)
                continue
            below = sorted(found for found in path.rglob("*") if found.is_file())
        below = [file for file in below if not any(part.startswith(".") for part in file.relative_to(path).parts)]
        if not below:
            raise InputError(f"{path}: the folder has no file; give text files or a folder of them")
        files += below
    if not files:
        raise InputError("the corpus has no file; give text files or a folder of them")
    return files


def read_blocks(path: str | os.PathLike[str], progress: Callable[[int], None] = lambda _: None) -> Iterator[str]:
    r"""Yields a file's text in blocks of whole lines, about `BLOCK` bytes and at most three times as many.

    A longer line is split after white space or, if it has none, between two characters. Lines end at `\n`. A byte order
    mark at the start of the file is left out.

    Args:
        path: A text file, also gzipped.
        progress: Receives the number of bytes that were read of the file on disk, after each read.

    Raises:
        InputError: The file cannot be read, or a line is not UTF-8.
    """
    with open_stream(path) as stream:
        line, column, rest = 1, 0, b""  # of the block's first byte
        while read := stream.read(BLOCK):
            progress(bytes_read(stream))
            content = rest + read
            end = _cut(content)
            block, rest = content[:end], content[end:]
            if not block:
                continue
            yield _decode(block, path, line, column)
            newlines = block.count(b"\n")
            line, column = line + newlines, len(block) - (block.rfind(b"\n") + 1) + (0 if newlines else column)
        if rest:
            yield _decode(rest, path, line, column)


def read_part(
    files: Sequence[Path], part: Part | None = None, progress: Callable[[int, int], None] = lambda _, __: None
) -> Iterator[str]:
    """Yields the text of one part of a corpus in blocks, as `read_blocks` does.

    The parts are whole files if that shares the bytes evenly, each part at most a quarter above the mean. Otherwise
    part i of N has the lines i, i + N, ... of each file. So all parts together are the corpus, and a file is enough to
    make any number of parts; then each part reads all files but gives only its own lines to the tokenizer.

    Args:
        files: The files of the whole corpus, in the same order for each part.
        part: The part; by default the whole corpus.
        progress: Receives, again and again, the number of bytes that were read of these files, and of all.

    Raises:
        InputError: A file cannot be read or is not UTF-8.
    """
    shares = None if part is None else _whole_files(files, part.count)
    if part is not None and shares is not None:
        files = shares[part.index]
    sizes = list(map(_size, files))
    before_file, total = 0, sum(sizes)
    for file, size in zip(files, sizes, strict=True):

        def tell(read: int, before: int = before_file) -> None:
            progress(before + read, total)

        number = 0  # of the block's first line
        for block in read_blocks(file, tell):
            if part is None or shares is not None:
                yield block
                continue
            lines = block.split("\n")
            if mine := lines[(part.index - number) % part.count :: part.count]:
                yield "\n".join(mine)
            number += len(lines) - 1
        before_file += size


def _whole_files(files: Sequence[Path], count: int) -> list[list[Path]] | None:
    """Shares files by their size, the largest first, each to the part with the least; None if that is uneven."""
    shares: list[list[Path]] = [[] for _ in range(count)]
    sizes = [0] * count
    for file in sorted(files, key=lambda file: -_size(file)):
        least = sizes.index(min(sizes))
        shares[least].append(file)
        sizes[least] += _size(file)
    return shares if min(sizes) and max(sizes) * count <= _EVEN * sum(sizes) else None


def _size(file: Path) -> int:
    """The size of a file in bytes."""
    with named_errors(file):
        return file.stat().st_size


def _matches(path: Path) -> list[Path]:
    """A path, or those that match it if it is a pattern. Raises `InputError` if nothing matches."""
    if not glob.has_magic(str(path)) or os.path.lexists(path):
        return [path]
    if found := sorted(glob.glob(str(path), recursive=True)):  # noqa: PTH207 (a pattern of any root)
        return list(map(Path, found))
    raise InputError(f"{path}: no file matches this pattern")


def read_sentences(paths: Iterable[str | os.PathLike[str]], splitter: WordSplitter) -> Iterator[list[str]]:
    """Yields the words of each line of a corpus; lines without a word are left out.

    Raises:
        InputError: A file cannot be read or is not UTF-8.
    """
    for path in text_files(paths):
        for block in read_blocks(path):
            for line in block.split("\n"):
                if words := splitter.words(line):
                    yield words


def _cut(content: bytes) -> int:
    """Where a block ends: after its last line; within a long line after white space or a character; 0 to read more."""
    if (end := content.rfind(b"\n") + 1) or len(content) < BLOCK:
        return end
    if end := max(content.rfind(b" "), content.rfind(b"\t")) + 1:
        return end
    end = len(content) - 1  # before the last character, which may be incomplete
    while end > len(content) - 4 and content[end] & 0xC0 == 0x80:  # a continuation byte
        end -= 1
    return max(end, 0)


def _decode(block: bytes, path: str | os.PathLike[str], line: int, column: int) -> str:
    """Decodes a block that starts after `column` bytes of a line. An error names the line and the byte in it."""
    try:
        text = block.decode("utf-8")
    except UnicodeDecodeError as error:
        start = block.rfind(b"\n", 0, error.start) + 1
        byte = error.start - start + 1 + (0 if start else column)
        line += block.count(b"\n", 0, error.start)
        raise InputError(
            f"{path}:{line}: byte {byte} of the line is not UTF-8; files must be UTF-8; {TO_UTF_8}"
        ) from error
    return text.removeprefix("\ufeff") if (line, column) == (1, 0) else text


@functools.cache
def _jieba_cut() -> Callable[[str], list[str]]:
    """Returns jieba's segmentation function, without its log.

    By default jieba keeps its dictionary in the system's folder of temporary files, under a name that anyone can write
    first. It gets a folder of its own here, which is deleted when the dictionary is in memory.
    """
    try:
        jieba = importlib.import_module("jieba")
    except ModuleNotFoundError as error:
        raise InputError('tokenizer jieba: the library is missing; pip install "textapp-keras[chinese]"') from error
    jieba.setLogLevel(logging.WARNING)
    segmenter = jieba.Tokenizer()
    with tempfile.TemporaryDirectory() as folder:
        segmenter.tmp_dir = folder
        segmenter.initialize()
    return segmenter.lcut
