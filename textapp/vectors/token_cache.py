"""A corpus as word ids in a file on disk, made in one pass over its text.

A cache is a folder with `ids.int32` (little-endian, -1 after each sentence), `words.txt` (a word a line), `counts.npy`
and `cache.json` (the source: files and arguments; and the SHA-256 of the other three, so that a damaged cache is made
again). `cache.json` is written after the others are complete and deleted before they change, so a folder without it is
not a cache.
"""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from textapp.errors import InputError
from textapp.files import (
    delete_leftovers,
    digest,
    leftovers,
    named_errors,
    read_json,
    read_text,
    replacing,
    write_json,
    write_text,
)
from textapp.output_files import delete_empty_folders
from textapp.text.characters import counted
from textapp.vectors.corpus import Part, WordSplitter, read_part, text_files
from textapp.vectors.word_ids import DROPPED, END, WordIds

VERSION = 1
MAX_WORDS = 4_000_000
"""Distinct words in memory at a time; a million need about 200 MB."""

_META, _IDS, _WORDS, _COUNTS, _UNFINISHED = "cache.json", "ids.int32", "words.txt", "counts.npy", "ids.unfinished"
_ID = np.dtype("<i4")
_RENUMBER_BATCH = 1 << 20  # ids

Report = Callable[[str], object]


@dataclass(frozen=True)
class TokenCache:
    """A corpus as word ids, read from disk in slices.

    Attributes:
        folder: The folder of the cache.
        words: The vocabulary, by falling count, then by code points, or in the order that was given; a word's index is
            its id.
        counts: Occurrences of each word, int64 `(V,)`; 0 for a given word that does not occur.
        num_words: Occurrences of the vocabulary's words in the corpus, `counts.sum()`.
        num_words_read: Occurrences of all words of the corpus.
        length: Number of positions to read: `num_words` and the marks between sentences.
    """

    folder: Path
    words: tuple[str, ...] = field(repr=False)
    counts: np.ndarray = field(repr=False)
    num_words: int
    num_words_read: int
    length: int

    def read(self, start: int = 0, stop: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Reads the words at some positions. Words outside the vocabulary have no position, as if they did not occur.

        Args:
            start: First position.
            stop: Position after the last one; by default, and at most, the end.

        Returns:
            The ids, int32 `(n,)`, and the number of each id's sentence, int32 `(n,)`, counted from 0 at `start`. n is
            `stop - start` minus the number of marks between sentences.
        """
        stop = self.length if stop is None else min(stop, self.length)
        if not 0 <= start <= stop:
            raise ValueError(
                f"`start` must be from 0 to `stop`, at most {self.length}. Received: start={start}, stop={stop}"
            )
        path = self.folder / _IDS
        with named_errors(path):  # read, not mapped: pages of a mapped file would count as this process's memory
            ids = np.fromfile(path, _ID, stop - start, offset=start * _ID.itemsize)
        if len(ids) != stop - start:
            raise InputError(f"{path}: is cut off; delete {self.folder}, then the corpus is read again")
        marks = ids == END
        return ids[~marks], np.cumsum(marks, dtype=np.int32)[~marks]


def build_cache(
    paths: Iterable[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    *,
    splitter: WordSplitter | None = None,
    min_count: int = 5,
    vocabulary_size: int | None = None,
    keep: Sequence[str] = (),
    vocabulary: Sequence[str] | None = None,
    part: Part | None = None,
    max_words: int = MAX_WORDS,
    report: Report = lambda _: None,
    progress: Callable[[int, int], None] = lambda _, __: None,
) -> TokenCache:
    """Reads a corpus into a cache, or opens the cache in `folder` if it has the same source.

    The source is the paths, sizes and modification times of the files, and the arguments. Memory is bounded: when there
    are more than `max_words` distinct words, the rarer half is dropped, much as in word2vec.

    Args:
        paths: Text files, folders or patterns of them.
        folder: The folder of the cache. It must contain nothing else.
        splitter: Splits the text into words; by default `WordSplitter()`, the tokenizer "word".
        min_count: Words with fewer occurrences are left out.
        vocabulary_size: Largest number of words; None keeps all.
        keep: Words that are in the vocabulary even if they are rare, such as those of vectors to train further.
        vocabulary: The words and their order, such as those of `textapp.vectors.counts.read_vocabulary`; then
            `min_count`, `vocabulary_size` and `keep` do not matter, and the vocabulary may have any size. By default it
            is chosen from the corpus.
        part: The part of the corpus to read; by default all of it.
        max_words: Largest number of distinct words in memory, besides those of `keep`.
        report: Receives each line about the corpus.
        progress: Receives, again and again, the number of bytes of the files that were read, and of all.

    Raises:
        InputError: A file cannot be read or is not UTF-8, no word is left, or `folder` contains something else.
    """
    for name, value in {"min_count": min_count, "vocabulary_size": vocabulary_size, "max_words": max_words}.items():
        if value is not None and value < 1:
            raise InputError(f"`{name}` must be positive. Received: {name}={value}")
    splitter, folder, files = splitter or WordSplitter(), Path(folder), text_files(paths)
    source = {
        "version": VERSION,
        "files": [_identity(file) for file in files],
        "splitter": splitter.to_dict(),
        "min_count": min_count,
        "vocabulary_size": vocabulary_size,
        "keep": hashlib.sha256("\n".join(keep).encode()).hexdigest(),
        "max_words": max_words,
    }
    # A plain cache has the source that it had before there were these arguments, so that it is opened again.
    if vocabulary is not None:
        source["vocabulary"] = hashlib.sha256("\n".join(vocabulary).encode()).hexdigest()
    if part is not None:
        source["part"] = str(part)
    _prepare(folder)
    cache = _open(folder, source)
    if cache:
        report(f"corpus: {_describe(cache)}, from the cache")
        return cache
    with named_errors(folder):
        (folder / _META).unlink(missing_ok=True)
    table = WordIds(splitter, keep) if vocabulary is None else WordIds(splitter, vocabulary, fixed=True)
    with _ids_file(folder) as ids:
        num_words_read = _encode(read_part(files, part, progress), table, ids, max_words, report)
        if vocabulary is not None:
            words, counts, length = tuple(vocabulary), table.counts, ids.tell() // _ID.itemsize
        else:
            words, counts, renumber = table.vocabulary(min_count, vocabulary_size)
        if not counts.any():
            raise InputError(_empty_message(files, table, num_words_read, min_count, vocabulary is not None, part))
        if vocabulary is None:
            length = _renumber(ids, renumber)
    cache = TokenCache(folder, words, counts, int(counts.sum()), num_words_read, length)
    _save(cache, source)
    report(f"corpus: {_describe(cache)}")
    return cache


def delete_cache(folder: Path) -> None:
    """Deletes a cache: its files by name, then the folder if nothing else is in it."""
    with named_errors(folder):
        for path in _files(folder):
            path.unlink(missing_ok=True)
            delete_leftovers(path)
        delete_empty_folders(folder)


def _files(folder: Path) -> list[Path]:
    """The files of a cache. `cache.json` is the first, so that a folder of which files are deleted is no cache."""
    return [folder / name for name in (_META, _IDS, _WORDS, _COUNTS, _UNFINISHED)]


def _identity(file: Path) -> list[Any]:
    """Path, size and modification time of a file, which identify its version, as JSON values."""
    with named_errors(file):
        status = file.stat()
        return [os.fspath(file.resolve()), status.st_size, status.st_mtime_ns]


def _prepare(folder: Path) -> None:
    """Makes the folder of a cache, or checks that it is one and deletes temporary files of killed processes."""
    with named_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        left = [leftover for path in _files(folder) for leftover in leftovers(path)]
        others = sorted({*folder.iterdir()} - {*_files(folder), *left})
        if others:
            raise InputError(f"{others[0]}: is not part of a token cache, which needs a separate folder")
        for path in _files(folder):
            delete_leftovers(path)


def _open(folder: Path, source: dict[str, Any]) -> TokenCache | None:
    """Opens the folder's cache if it is complete and has that source."""
    with named_errors(folder):
        if not (folder / _META).exists():
            return None
        try:
            meta = read_json(folder / _META)
            if not isinstance(meta, dict) or {key: meta.get(key) for key in source} != source:
                return None
            if meta.get("sha256") != _digests(folder):
                return None
        except InputError:  # a file is missing or damaged: the corpus is read again
            return None
        words = tuple(read_text(folder / _WORDS).split("\n")[:-1])
        counts = np.load(folder / _COUNTS, allow_pickle=False)
        num_words, num_words_read = int(counts.sum()), meta.get("num_words_read")
        if type(num_words_read) is not int or num_words_read < num_words:
            return None
        return TokenCache(
            folder, words, counts, num_words, num_words_read, (folder / _IDS).stat().st_size // _ID.itemsize
        )


def _save(cache: TokenCache, source: dict[str, Any]) -> None:
    """Writes everything except the ids; `cache.json`, which makes the folder a cache, comes last."""
    write_text(cache.folder / _WORDS, "".join(f"{word}\n" for word in cache.words))
    with replacing(cache.folder / _COUNTS) as temporary:
        np.save(temporary, cache.counts, allow_pickle=False)
    write_json(
        cache.folder / _META, {**source, "num_words_read": cache.num_words_read, "sha256": _digests(cache.folder)}
    )


def _digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file of a cache except `cache.json`. Raises `InputError` if one is missing."""
    return {name: digest(folder / name) for name in (_IDS, _WORDS, _COUNTS)}


@contextlib.contextmanager
def _ids_file(folder: Path) -> Iterator[IO[bytes]]:
    """Yields a file for ids, which becomes `ids.int32` if the block ends without an error."""
    path = folder / _UNFINISHED
    with named_errors(path):
        try:
            with path.open("w+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            path.replace(folder / _IDS)
        finally:
            path.unlink(missing_ok=True)


def _encode(blocks: Iterable[str], table: WordIds, out: IO[bytes], max_words: int, report: Report) -> int:
    """Writes the provisional ids of all text. Returns the number of words read."""
    num_words = 0
    for block in blocks:
        ids = table.encode(block)
        out.write(ids[ids != DROPPED].astype(_ID, copy=False).data)
        num_words += int(np.count_nonzero(ids != END))
        before = len(table)
        if before - table.num_kept > max_words:
            min_count, renumber = table.prune(max_words // 2)
            _renumber(out, renumber)
            report(
                f"corpus: {before:,} distinct words in {num_words:,} are too many for memory; dropped the "
                f"{before - len(table):,} with fewer than {min_count} occurrences so far; `textapp vectors count`, "
                "then `train --counts`, drops none"
            )
    return num_words


def _renumber(file: IO[bytes], renumber: np.ndarray) -> int:
    """Renumbers all ids of a file in place and removes the dropped ones. Returns the number of ids left."""
    read_to = written_to = 0
    while True:
        file.seek(read_to)
        content = file.read(_RENUMBER_BATCH * _ID.itemsize)
        if not content:
            break
        read_to = file.tell()
        ids = renumber[np.frombuffer(content, _ID)]
        file.seek(written_to)  # never beyond `read_to`, as ids only become fewer
        file.write(ids[ids != DROPPED].astype(_ID, copy=False).data)
        written_to = file.tell()
    file.truncate(written_to)
    file.seek(written_to)
    return written_to // _ID.itemsize


def _describe(cache: TokenCache) -> str:
    """A corpus in one line, for progress."""
    return (
        f"{counted(cache.num_words_read, 'word')}, {cache.num_words / cache.num_words_read:.1%} of them in the "
        f"vocabulary of {len(cache.words):,}"
    )


def _empty_message(
    files: Sequence[Path], table: WordIds, num_words_read: int, min_count: int, is_given: bool, part: Part | None
) -> str:
    """The message for a corpus without any word left."""
    corpus = str(files[0]) if len(files) == 1 else f"{files[0]} and {len(files) - 1:,} more"
    if not num_words_read and part is not None:
        return f"{corpus}: there is no word in part {part}; use fewer parts"
    if not num_words_read:
        return f"{corpus}: there is no word in it; the corpus is empty"
    if is_given:
        return f"{corpus}: none of the {num_words_read:,} words is in the given vocabulary; count this corpus"
    return (
        f"{corpus}: none of the {num_words_read:,} words occurs {min_count} times or more (the most frequent "
        f"{table.counts.max():,} times); give more text, or lower min_count"
    )
