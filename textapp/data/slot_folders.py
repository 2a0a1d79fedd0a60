"""Readers of slot-filling folders: three files with a sentence per line, as SlotGated-SLU publishes Snips and ATIS.

    seq.in    play westbam on google music
    seq.out   O B-artist O B-service I-service
    label     PlayMusic

Each file may be gzip-compressed, with the name `seq.in` or `seq.in.gz`.

Reference: Goo et al., "Slot-Gated Modeling for Joint Slot Filling and Intent Prediction" (2018).
"""

import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from textapp.data.conll import TaggedSentence, split_at_spaces
from textapp.data.lines import read_lines
from textapp.errors import InputError


def read_slots(path: str | os.PathLike[str]) -> Iterator[TaggedSentence]:
    """Yields the sentences of a folder with the tags of their slots. A line that is blank in all files has no tokens.

    Raises:
        InputError: A file is missing or shorter than the others, or a line has more tokens than tags or fewer.
    """
    tag_file = os.fspath(_file(path, "seq.out"))
    for number, tokens, tags, _ in _read_rows(path):
        yield TaggedSentence(tokens, tags, tag_file, [number] * max(len(tokens), 1))


def read_intents(path: str | os.PathLike[str]) -> Iterator[tuple[str, str, str]]:
    """Yields the same sentences for a classifier: location, tokens joined by spaces, intent.

    Raises:
        InputError: As `read_slots`.
    """
    name = _file(path, "label").name
    for number, tokens, _, intent in _read_rows(path):
        yield f"{name}:{number}", " ".join(tokens), intent


def is_slot_folder(path: str | os.PathLike[str]) -> bool:
    """Whether a folder holds slots, and not class folders."""
    return _file(path, "seq.in").is_file() and _file(path, "label").is_file()


def _read_rows(path: str | os.PathLike[str]) -> Iterator[tuple[int, list[str], list[str], str]]:
    """Yields line, tokens, tags and intent of each sentence."""
    files = [_file(path, name) for name in ("seq.in", "seq.out", "label")]
    if not any(file.exists() for file in files):
        raise InputError(f"{path}: a folder of tagged sentences must hold the files seq.in, seq.out and label")
    columns = itertools.zip_longest(*(read_lines(file) for file in files))
    for number, row in enumerate(columns, start=1):
        for file, line in zip(files, row, strict=True):
            if line is None and any(other is not None and other.strip() for other in row):
                raise InputError(
                    f"{file}:{number}: the file ends before the others; each must have a line per sentence"
                )
        words, slots, intent = ("" if line is None else line for line in row)
        tokens, tags = ([sys.intern(field) for field in split_at_spaces(line)] for line in (words, slots))
        if len(tokens) != len(tags):
            raise InputError(
                f"{files[1]}:{number}: each token must have a tag. Received: {len(tags)} for {len(tokens)} tokens"
            )
        yield number, tokens, tags, intent.strip()


def _file(path: str | os.PathLike[str], name: str) -> Path:
    """Returns a file of the folder: `name.gz` if only that exists."""
    plain, compressed = Path(path) / name, Path(path) / f"{name}.gz"
    return compressed if compressed.exists() and not plain.exists() else plain
