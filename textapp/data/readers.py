"""Reads labelled texts from files of many formats.

| format       | recognized by                 | a row                                                          |
|--------------|-------------------------------|----------------------------------------------------------------|
| `tsv`        | `.tsv`, `.tab`, or a tab      | tab-separated columns, no quoting                              |
| `csv`        | `.csv`                        | comma-separated columns, quoted fields may span lines          |
| `jsonl`      | `.jsonl`, `.ndjson`, `.json`  | a JSON object, also in one list in the whole file              |
| `parquet`    | `.parquet`, `.pq`             | a row; pyarrow is needed                                       |
| `label_text` | a first line like this one    | `1 a stirring , funny film`                                    |
| `folders`    | a folder                      | a file `LABEL/NAME.txt` or `SUBSET/LABEL/NAME.txt`             |
| `tar`        | `.tar`, `.tgz`                | a file of such folders; nothing is unpacked to the disk        |
| `slots`      | a folder with `seq.in`        | a line of `seq.in`, and its intent, the same line of `label`   |

Each may be compressed by gzip or zstd, except parquet, which is compressed inside. `PATH#SUBSET`
chooses a subset of `folders` and `tar`, as in `aclImdb.tar.gz#train`.

TSV and CSV files start with a header. If no columns are given, the known names in it choose them
(`tables.TEXT_COLUMNS`, `tables.LABEL_COLUMNS`). A file without a header is accepted if it has two columns, and if
exactly one field of its first row can only be a label: a whole number or the name of a sentiment, or with several
labels a list of them, `a,b`.

The reader changes two things in a text: it removes white space around it and U+FEFF at its start, and it replaces each
HTML line break (`<br>`, `<br />`) by a space, because the reviews of IMDb and other scraped texts are full of them.
On a device the tokenizer does the same (`line_breaks`).
"""

import itertools
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from textapp.data import class_folders, parquet, slot_folders, tables
from textapp.data.lines import plain_name, read_lines
from textapp.data.shards import Place, shards_of
from textapp.errors import InputError, excerpt, list_some, quoted, quoted_name
from textapp.files import named_errors
from textapp.text.characters import agreeing, counted
from textapp.text.tokenizer import LINE_BREAK

FORMATS = ("tsv", "csv", "jsonl", "parquet", "label_text", "folders", "tar", "slots")

_FORMAT_OF_SUFFIX = {
    ".tsv": "tsv",
    ".tab": "tsv",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    **dict.fromkeys(parquet.SUFFIXES, "parquet"),
    ".tar": "tar",
    ".tgz": "tar",
}
_HTML_LINE_BREAK = re.compile(LINE_BREAK)


@dataclass(frozen=True)
class Examples:
    """Texts and their labels; `str()` is a line that counts them.

    Args:
        texts: The texts, none of them empty.
        labels: The label of each text; where texts have several labels or none, a tuple of them.
        source: The source of the texts for messages: `PATH`, `PATH#SUBSET`, or another name.
        locations: Where each text is in `source`: the number of a line, or the name of a file. Empty if unknown.
        empty: Number of rows of `source` that were left out because their text is empty.

    Example:
        >>> print(Examples(["très bien", "很差"], ["positive", "negative"], "reviews.tsv"))
        reviews.tsv: 2 examples (negative 1, positive 1)
    """

    texts: list[str] = field(repr=False)
    labels: list[Any] = field(repr=False)
    source: str
    locations: Sequence[int | str] = field(default=(), repr=False)
    empty: int = 0

    def __post_init__(self) -> None:
        """Checks that the columns are equally long."""
        if len(self.texts) != len(self.labels) or (self.locations and len(self.locations) != len(self.texts)):
            raise ValueError(
                "`texts`, `labels` and `locations` must be equally long. "
                f"Received: {len(self.texts)}, {len(self.labels)}, {len(self.locations)}"
            )

    def __len__(self) -> int:
        return len(self.texts)

    def __str__(self) -> str:
        counts = Counter(name for label in self.labels for name in names_of(label))
        classes = list_some([f"{quoted_name(label)} {count:,}" for label, count in sorted(counts.items())], " labels")
        return self._described(f" ({classes})")

    @property
    def extent(self) -> str:
        """One line: how many there are, without their labels."""
        return self._described("")

    def _described(self, classes: str) -> str:
        """One line about the examples."""
        dropped = f"; rows left out because their text is empty: {self.empty:,}" if self.empty else ""
        return f"{self.source}: {counted(len(self), 'example')}{classes}{dropped}"

    def location(self, index: int) -> str:
        """Returns where a text is, for messages: `reviews.tsv:17`, `aclImdb.tar.gz#train: pos/1_9.txt`."""
        if not self.locations:
            return f"{self.source}: example {index + 1}"
        return _location(self.source, self.locations[index])

    def select(self, indices: Iterable[int]) -> "Examples":
        """Returns the examples at some positions, in that order."""
        indices = list(indices)
        return Examples(
            texts=[self.texts[index] for index in indices],
            labels=[self.labels[index] for index in indices],
            source=self.source,
            locations=[self.locations[index] for index in indices] if self.locations else (),
        )


def read_examples(
    path: str | os.PathLike[str],
    text_column: str | None = None,
    label_column: str | None = None,
    format: str | None = None,
    subset: str | None = None,
    several: bool = False,
) -> Examples:
    """Reads all examples of a file or folder into memory.

    Args:
        path: File or folder, also as `PATH#SUBSET`.
        text_column: Name of the text column of TSV, CSV and JSON lines. Default: the first known name in the file.
        label_column: Name of the label column, likewise.
        format: One of `FORMATS`. Default: by the suffix, else by the first line.
        subset: For `folders` and `tar`: name of the folder that directly holds the class folders to read.
        several: Whether a text may have several labels or none: `a,b` or a list in JSON, see `tables.label_names`.
            Labels are then tuples.

    Raises:
        InputError: The file breaks a rule; the message names the file, the line and the rule.
    """
    path, subset = _split_subset(path, subset)
    texts: list[str] = []
    labels: list[Any] = []
    locations: list[int | str] = []
    empty = 0
    for location, text, label in _read_rows(path, text_column, label_column, format, subset, several):
        if not text:
            empty += 1
            continue
        texts.append(text)
        labels.append(label)
        locations.append(location)
    return Examples(texts, labels, path if subset is None else f"{path}#{subset}", locations, empty)


def iterate_examples(
    path: str | os.PathLike[str],
    text_column: str | None = None,
    label_column: str | None = None,
    format: str | None = None,
    subset: str | None = None,
    on_empty: Callable[[str], object] | None = None,
) -> Iterator[tuple[str, str]]:
    """Yields `(text, label)` one by one, for files that are larger than memory.

    Args:
        path: File or folder, as for `read_examples`.
        text_column: Name of the text column.
        label_column: Name of the label column.
        format: One of `FORMATS`.
        subset: Name of the folder that directly holds the class folders to read.
        on_empty: A function that receives the location of each row that is left out because its text is empty.

    Raises:
        InputError: As `read_examples`, when the iteration reaches the row that breaks a rule.
    """
    path, subset = _split_subset(path, subset)
    for location, text, label in _read_rows(path, text_column, label_column, format, subset):
        if text:
            yield text, label
        elif on_empty is not None:
            on_empty(_location(path, location))


def iterate_texts(path: str | os.PathLike[str]) -> Iterator[str]:
    """Yields the texts of a table or of JSON lines one by one, without the empty ones. The file needs no labels.

    Raises:
        InputError: As `iterate_examples`.
    """
    for _, text, _ in _all_rows(os.fspath(path), None, None, None, None, labelled=False):
        if text := clean_text(text):
            yield text


def file_of(path: str | os.PathLike[str]) -> str:
    """Returns the file or folder of `PATH` or `PATH#SUBSET`."""
    return _split_subset(path, None)[0]


def clean_text(text: str) -> str:
    """Replaces HTML line breaks by spaces, and removes U+FEFF at the start and white space around the text."""
    if "<" in text:
        text = _HTML_LINE_BREAK.sub(" ", text)
    return text.strip().lstrip("\ufeff").lstrip()


def check_labels(examples: Examples, labels: Sequence[str]) -> None:
    """Checks that each label of held-out examples is one of the classes of the training set.

    Raises:
        InputError: A label is not; the message names its first row, or several labels of which none is known.
    """
    known = set(labels)
    found = {name for label in examples.labels for name in names_of(label)}
    if len(found) > 1 and found.isdisjoint(known):
        shown, others = (list_some(list(map(quoted, some)), " labels") for some in (sorted(found), labels))
        raise InputError(
            f"{examples.source}: none of its labels occurs in the training data. Its labels: {shown}. Known: {others}"
        )
    for index, label in enumerate(examples.labels):
        for name in names_of(label):
            if name not in known:
                raise InputError(
                    f"{examples.location(index)}: the label {quoted(name)} does not occur in the training data. Known: "
                    f"{list_some(list(map(quoted, labels)), ' labels')}"
                )


def names_of(label: Any) -> tuple[str, ...]:
    """The labels of a text, which has one, a string, or a tuple of several or none."""
    return (label,) if isinstance(label, str) else tuple(label)


def _split_subset(path: str | os.PathLike[str], subset: str | None) -> tuple[str, str | None]:
    """Splits `PATH#SUBSET`, unless there is a file of that name."""
    path = os.fspath(path)
    if not path:
        raise InputError("the path of a file of examples is empty")
    with named_errors(path):
        if subset is None and "#" in path and not Path(path).exists():
            path, _, subset = path.rpartition("#")
    return path, subset


def _read_rows(
    path: str,
    text_column: str | None,
    label_column: str | None,
    format: str | None,
    subset: str | None,
    several: bool = False,
) -> Iterator[tuple[int | str, str, Any]]:
    """Yields location, cleaned text and label of each row, or a tuple of labels; the text may be empty."""
    kept = empty = 0
    parse = _several_labels if several else _one_label
    for location, text, label in _all_rows(path, text_column, label_column, format, subset, several=several):
        text = clean_text(text)
        if not text:
            empty += 1
            yield location, text, label
            continue
        kept += 1
        yield location, text, parse(label, _location(path, location))
    if not kept:
        texts = agreeing(empty, "the text of its only row is empty", f"the texts of all {empty:,} rows are empty")
        why = texts if empty else "the file is empty or has only a header"
        raise InputError(f"{path}: there is no example to read; {why}")


def _one_label(label: Any, location: str) -> str:
    """The label of a row. Raises `InputError` where there is none, or several."""
    if not isinstance(label, str):
        raise InputError(
            f"{location}: a text must have one label. Received: {quoted(label)}; "
            "`textapp train multilabel-classifier` learns texts with several"
        )
    return _label_name(label, location)


def _several_labels(label: Any, location: str) -> tuple[str, ...]:
    """The labels of a row, each once."""
    names = map(str.strip, tables.label_names(label, location) if isinstance(label, str) else label)
    return tuple(dict.fromkeys(_label_name(name, location) for name in names if name))


def _label_name(label: str, location: str) -> str:
    """A label without the white space around it. Raises `InputError` unless it is one line."""
    label = label.strip()
    if not label:
        raise InputError(
            f"{location}: the label is missing; if texts may have several labels or none, use "
            "`textapp train multilabel-classifier`"
        )
    if len(label.splitlines()) > 1:
        raise InputError(f"{location}: a label must be one line. Received: {quoted(label)}")
    return label


def check_exists(path: str | os.PathLike[str]) -> None:
    """Raises `InputError` if there is no such file or folder, or no file that fits the pattern."""
    file = file_of(path)
    if shards_of(file, _format_of_table) is None:
        with named_errors(path):
            Path(file).stat()


def _format_of_table(name: str) -> str | None:
    """The format of a table by its name. Archives are none."""
    format = _FORMAT_OF_SUFFIX.get(Path(plain_name(name)).suffix)
    return None if format == "tar" else format


def _all_rows(
    path: str,
    text_column: str | None,
    label_column: str | None,
    format: str | None,
    subset: str | None,
    labelled: bool = True,
    several: bool = False,
) -> Iterator[tuple[int | str, str, Any]]:
    """Yields the rows of a file or folder, or those of all its shards: location, text and label, not cleaned."""
    is_set = subset is None and format not in ("folders", "slots", "tar") and not slot_folders.is_slot_folder(path)
    shards = shards_of(path, _format_of_table) if is_set else None
    for shard in [path] if shards is None else shards:
        for location, text, label in _open_rows(
            shard, text_column, label_column, format, subset, labelled=labelled, several=several
        ):
            yield location if shards is None else Place(_location(shard, location)), text, label


def _open_rows(
    path: str,
    text_column: str | None,
    label_column: str | None,
    format: str | None,
    subset: str | None,
    labelled: bool = True,
    several: bool = False,
) -> Iterator[tuple[int | str, str, Any]] | Iterator[tuple[int, str, str]] | Iterator[tuple[str, str, str]]:
    """Returns the rows of a file: location, text and label, not cleaned."""
    if format is not None and format not in FORMATS:
        raise InputError(f"`format` must be one of {', '.join(FORMATS)}. Received: format={quoted(format)}")
    format = format or _guess_format(path)
    lines: Iterator[str] = iter(())
    if subset is not None and format not in ("folders", "tar"):
        with named_errors(path):
            Path(path).stat()  # a missing file is the more likely mistake
        raise InputError(f"{path}: only class folders and tar archives have subsets. Received: #{subset}")
    if format not in ("folders", "tar", "slots", "parquet"):
        lines = read_lines(path)
    if format is None:
        format, lines = _guess_format_of_lines(path, lines)
    if format not in ("tsv", "csv", "jsonl", "parquet") and (text_column, label_column) != (None, None):
        raise InputError(
            f"{path}: only TSV, CSV, JSON lines and parquet have columns to name. Received: format {format}"
        )
    match format:
        case "folders":
            return class_folders.read_folders(path, subset)
        case "tar":
            return class_folders.read_tar(path, subset)
        case "slots":
            return slot_folders.read_intents(path)
        case "tsv":
            return tables.read_tsv(lines, path, text_column, label_column, labelled, several)
        case "csv":
            return tables.read_csv(lines, path, text_column, label_column, labelled, several)
        case "jsonl":
            return tables.read_json_lines(lines, path, text_column, label_column, labelled)
        case "parquet":
            return tables.read_parquet(path, text_column, label_column, labelled)
        case _ if several:
            raise InputError(
                f"{path}: texts with several labels are read from TSV, CSV, JSON lines and parquet. "
                f"Received: format {format}"
            )
        case _:
            return tables.read_label_text(lines, path)


def _guess_format(path: str) -> str | None:
    """Returns the format by the path, or None."""
    with named_errors(path):
        if Path(path).is_dir():
            return "slots" if slot_folders.is_slot_folder(path) else "folders"
    return _FORMAT_OF_SUFFIX.get(Path(plain_name(path)).suffix)


def _guess_format_of_lines(path: str, lines: Iterator[str]) -> tuple[str, Iterator[str]]:
    """Returns the format by the first line that is not blank, and all lines."""
    blank = 0  # counted only, so that a file of line breaks takes no memory
    for line in lines:
        if not line.strip():
            blank += 1
            continue
        lines = itertools.chain(itertools.repeat("\n", blank), [line], lines)
        if line.lstrip().startswith(("{", "[{")) or line.strip() == "[":
            return "jsonl", lines
        if "\t" in line:
            return "tsv", lines
        if tables.is_plain_label(line.split(maxsplit=1)[0]):
            return "label_text", lines
        raise InputError(
            f"{path}: neither the suffix nor the first line shows the format; rename the file, as to "
            f"{Path(path).name}.tsv (suffixes: {', '.join(_FORMAT_OF_SUFFIX)}); in Python there is also the argument "
            f"`format`, one of {', '.join(FORMATS)}"
        )
    raise InputError(f"{path}: there is no example to read; the file is empty")


def _location(source: str, location: int | str) -> str:
    """Joins a source with a line number, or with the name of a file in it; a `Place` has its file already."""
    if isinstance(location, Place):
        return str(location)
    return f"{source}:{location}" if isinstance(location, int) else f"{source}: {excerpt(location)}"
