"""The files of one set of examples that is split into shards: a folder of tables, or a pattern such as `part-*.csv.gz`.

Shards are read in the order of their names, so that each epoch and each run sees the same order.
"""

import glob
import os
import re
from collections.abc import Callable
from pathlib import Path

from textapp.errors import InputError, list_some, quoted
from textapp.files import named_errors

_SPLITS = frozenset({"train", "training", "valid", "validation", "val", "dev", "test", "testing", "eval"})
_FIRST_WORD = re.compile(r"[^\W\d_]+")


class Place(str):
    """A place that names its own file, as a row of a shard has: `data/part-2.csv:17`."""

    __slots__ = ()


def is_pattern(path: str) -> bool:
    """Whether a path is a pattern of files (`*`, `?`, `[...]`). A file of this name goes first."""
    with named_errors(path):
        return glob.has_magic(path) and not Path(path).exists()


def shards_of(path: str, format_of: Callable[[str], str | None]) -> list[str] | None:
    """Returns the shards of a pattern, or of a folder that directly holds tables; None for other files and folders.

    Hidden files, and those that start with `_`, as Spark writes them, are no shards.

    Args:
        path: The pattern, folder or file.
        format_of: A function that returns the format of a table by its name, or None for other files.

    Raises:
        InputError: No file fits the pattern; or a folder holds tables and class folders, tables of several formats, or
            those of several splits.
    """
    if is_pattern(path):
        with named_errors(path):
            files = glob.glob(path, recursive=True)  # noqa: PTH207  # the pattern may be absolute
            found = sorted(file for file in files if Path(file).is_file())
        if not found:
            raise InputError(f"{path}: no file fits this pattern")
        return found
    with named_errors(path):
        if not Path(path).is_dir():
            return None
        entries = sorted(entry for entry in Path(path).iterdir() if not entry.name.startswith((".", "_")))
        tables = {entry: format_of(entry.name) for entry in entries if entry.is_file() and format_of(entry.name)}
        if not tables:
            return None
        classes = next((entry for entry in entries if entry.is_dir() and any(entry.rglob("*.txt"))), None)
    first = next(iter(tables))
    of_one_format = quoted(os.fspath(first.with_name("*" + first.suffix)))
    if classes is not None:
        raise InputError(
            f"{path}: holds tables ({quoted(first.name)}) and folders of texts ({quoted(classes.name)}); name the "
            f"tables by a pattern, as {of_one_format}, or move them away"
        )
    words = {match[0].casefold() for entry in tables if (match := _FIRST_WORD.match(entry.name))}
    if len(words) > 1 and words & _SPLITS:
        raise InputError(
            f"{path}: holds files of several splits ({list_some(sorted(words))}); name those of one by a pattern, as "
            f"{quoted(os.fspath(Path(path) / 'train*'))}"
        )
    formats = sorted({str(format) for format in tables.values()})
    if len(formats) > 1:
        raise InputError(
            f"{path}: its tables have several formats ({list_some(formats)}); name those of one by a pattern, as "
            f"{of_one_format}"
        )
    return [os.fspath(entry) for entry in tables]
