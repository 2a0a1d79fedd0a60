r"""Word counts of a corpus as text, in memory that does not grow with the corpus.

A line is `WORD<TAB>COUNT`, in UTF-8. The files of textapp are sorted by the code points of the words. A file of another
program may have any order, and a word may have several lines: its counts add up. So any engine can write one, and the
counts of the shards of a corpus are merged by adding them.

Words are summed in memory. When there are too many, they are sorted and go to a temporary file; the files are merged in
the end. So the counts are exact, whatever the number of words.
"""

import contextlib
import gzip
import heapq
import io
import itertools
import operator
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, cast

import numpy as np

from textapp.data.lines import read_lines
from textapp.errors import InputError, excerpt, quoted
from textapp.output_files import Overwrite, replacing_output
from textapp.text.characters import counted
from textapp.vectors.corpus import Part, WordSplitter, read_part, text_files
from textapp.vectors.word_ids import END, WordIds

MAX_WORDS = 4_000_000
"""Distinct words in memory at a time; a million need about 200 MB."""

_MOST = 2**63 - 1  # a sum is int64 later
_CHECKED = 1000  # words of a vocabulary that are compared with the tokenizer
_WORDS_PER_REPORT = 20_000_000

Counts = Iterator[tuple[str, int]]
"""Each word once, sorted by code points, and its count."""


class _SortedRuns(contextlib.ExitStack):
    """Counts that did not fit into memory: temporary files, each sorted by word."""

    def __init__(self, folder: str | os.PathLike[str] | None):
        super().__init__()
        self._folder = folder
        self._files: list[IO[str]] = []

    def store(self, counts: Iterable[tuple[str, int]]) -> None:
        """Writes counts, each word once, to a file."""
        temporary = tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n", dir=self._folder)  # noqa: SIM115
        file = self.enter_context(temporary)
        file.writelines(f"{word}\t{count}\n" for word, count in sorted(counts))
        self._files.append(file)

    def merged(self, last: Iterable[tuple[str, int]]) -> Counts:
        """Adds up the counts of all files and of `last`, which stays in memory."""
        runs: list[Iterable[tuple[str, int]]] = [sorted(last)]
        for file in self._files:
            file.seek(0)
            runs.append(map(_stored, file))
        for word, group in itertools.groupby(heapq.merge(*runs), operator.itemgetter(0)):
            yield word, sum(count for _, count in group)


def count_words(
    paths: Iterable[str | os.PathLike[str]],
    splitter: WordSplitter | None = None,
    *,
    part: Part | None = None,
    max_words: int = MAX_WORDS,
    folder: str | os.PathLike[str] | None = None,
    report: Callable[[str], object] = lambda _: None,
) -> Counts:
    """Counts the words of a corpus.

    Args:
        paths: Text files, folders or patterns of them.
        splitter: Splits the text into words; by default `WordSplitter()`, the tokenizer "word".
        part: The part of the corpus to count; by default all of it.
        max_words: Largest number of distinct words in memory.
        folder: Folder of the temporary files; by default the system's.
        report: Receives each line of progress.

    Raises:
        InputError: A file cannot be read or is not UTF-8, or there is no word.
    """
    splitter = splitter or WordSplitter()
    files = text_files(paths)
    table, num_words, next_report = WordIds(splitter), 0, _WORDS_PER_REPORT
    with _SortedRuns(folder) as runs:
        for block in read_part(files, part):
            num_words += int(np.count_nonzero(table.encode(block) != END))
            if num_words >= next_report:
                report(f"counting: {counted(num_words, 'word')} read")
                next_report += _WORDS_PER_REPORT
            if len(table) > max_words:
                runs.store(table.items())
                table = WordIds(splitter)
        if not num_words:
            raise InputError(f"{files[0]}: there is no word in {'it' if part is None else f'part {part}'}")
        yield from runs.merged(table.items())


def merge_counts(
    paths: Iterable[str | os.PathLike[str]],
    *,
    max_words: int = MAX_WORDS,
    folder: str | os.PathLike[str] | None = None,
) -> Counts:
    """Adds up the counts of many files.

    Args:
        paths: Files of counts, plain or gzip; folders or patterns of them, such as an engine's folder of parts.
        max_words: Largest number of distinct words in memory.
        folder: Folder of the temporary files; by default the system's.

    Raises:
        InputError: A file cannot be read, a line is not `WORD<TAB>COUNT`, or there is no word. The message names it.
    """
    sums: dict[str, int] = {}
    files = text_files(paths)
    with _SortedRuns(folder) as runs:
        for path in files:
            for number, line in enumerate(read_lines(path), start=1):
                word, count = _parsed(line, path, number)
                sums[word] = total = sums.get(word, 0) + count
                if total > _MOST:
                    raise InputError(f"{path}:{number}: the counts of {quoted(word)} add up to more than int64 holds")
                if len(sums) > max_words:
                    runs.store(sums.items())
                    sums.clear()
        merged = runs.merged(sums.items())
        first = next(merged, None)
        if first is None:
            raise InputError(f"{files[0]}: there is no word; a line must read WORD<TAB>COUNT")
        yield first
        yield from merged


def write_counts(counts: Iterable[tuple[str, int]], path: str | os.PathLike[str], overwrite: Overwrite) -> int:
    """Writes counts to a file, completely or not at all; gzip-compressed if its name ends in `.gz`.

    Returns:
        Number of words.

    Raises:
        InputError: The file may not be replaced or cannot be written, or the counts end with this error.
    """
    size = 0
    with replacing_output(path, overwrite) as temporary, _opened(temporary, Path(path)) as file:
        for word, count in counts:
            file.write(f"{word}\t{count}\n")
            size += 1
    return size


def holds_counts(path: Path) -> bool:
    """Whether a file begins as one of counts: what may be replaced when counts are written."""
    try:
        return all(_parsed(line, path, 1) for line in itertools.islice(read_lines(path), 10))
    except InputError:
        return False


def read_vocabulary(
    paths: Sequence[str | os.PathLike[str]],
    min_count: int = 5,
    size: int | None = None,
    keep: Iterable[str] = (),
    folder: str | os.PathLike[str] | None = None,
) -> tuple[tuple[str, ...], np.ndarray]:
    """Chooses a vocabulary from counts, as `build_cache` chooses it from the corpus.

    Args:
        paths: Files of counts; see `merge_counts`.
        min_count: Words with lower counts are left out.
        size: Largest number of words: those of `keep`, then the most frequent. None keeps all.
        keep: Words that are never left out.
        folder: Folder of temporary files; by default the system's.

    Returns:
        The words by falling count, then by code points, and their counts, int64 `(V,)`.

    Raises:
        InputError: The files are wrong, or no word is frequent enough.
    """
    kept = dict.fromkeys(keep, 0)
    others: list[tuple[int, str]] = []
    most = 0
    for word, count in merge_counts(paths, folder=folder):
        most = max(most, count)
        if word in kept:
            kept[word] = count
        elif count >= min_count:
            others.append((-count, word))
    others.sort()
    if size is not None:
        del others[max(size - len(kept), 0) :]
    if not others and not any(kept.values()):
        raise InputError(
            f"{paths[0]}: no word has a count of {min_count} or more (the highest is {most:,}); lower min_count"
        )
    chosen = sorted([*others, *((-count, word) for word, count in kept.items())]) if kept else others
    return tuple(word for _, word in chosen), -np.fromiter((count for count, _ in chosen), np.int64, len(chosen))


def check_tokenizer(words: Sequence[str], splitter: WordSplitter, path: str | os.PathLike[str]) -> None:
    """Raises `InputError` if counts were made with another tokenizer: if it changes a tenth of the frequent words.

    Args:
        words: The vocabulary, the most frequent words first.
        splitter: The tokenizer of the training.
        path: The counts, for the message.
    """
    frequent = words[:_CHECKED]
    changed = [word for word in frequent if splitter.words(word) != [word]]
    if 10 * len(changed) > len(frequent):
        becomes = " ".join(splitter.words(changed[0]))
        raise InputError(
            f"{path}: was counted with another tokenizer: {quoted(changed[0])} becomes {quoted(becomes)} with "
            f"{splitter.to_dict()}; give the settings of `textapp vectors count` here too"
        )


def _parsed(line: str, path: str | os.PathLike[str], number: int) -> tuple[str, int]:
    """The word and the count of a line. Raises `InputError` that names the line."""
    word, tab, digits = line.rstrip("\r\n").rpartition("\t")
    if not word or not tab or not (digits.isascii() and digits.isdigit()) or len(digits) > 19:
        raise InputError(f"{path}:{number}: must read WORD<TAB>COUNT. Received: {excerpt(line)!r}")
    return word, int(digits)


def _stored(line: str) -> tuple[str, int]:
    """The word and the count of a line of a temporary file."""
    word, _, digits = line.rpartition("\t")
    return word, int(digits)


@contextlib.contextmanager
def _opened(temporary: Path, path: Path) -> Iterator[IO[str]]:
    """Opens a file to write text. Gzip data get no name and no time, so that equal counts give equal files."""
    with temporary.open("wb") as file, contextlib.ExitStack() as stack:
        binary: IO[bytes] = file
        if path.suffix.lower() == ".gz":
            packed = stack.enter_context(gzip.GzipFile("", "wb", 6, file, mtime=0))
            binary = cast(IO[bytes], packed)
        yield stack.enter_context(io.TextIOWrapper(binary, encoding="utf-8", newline="\n"))
