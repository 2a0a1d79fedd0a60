"""Readers of tables: TSV, CSV, JSON lines and `label text` lines.

Each reader takes the lines of a file and yields `(line, text, label)` of each row, unchanged. `line` is the number of
the line on which the row starts, from 1. Blank lines are skipped.
"""

import csv
import json
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

from textapp.data.limits import max_text, text_too_long
from textapp.errors import InputError, excerpt, list_some, quoted
from textapp.files import json_fault

TEXT_COLUMNS = ("text", "sentence", "review", "content", "comment", "review_text", "body", "tweet", "文本")
"""Known names of a text column, in order of preference. Case does not matter."""

LABEL_COLUMNS = ("label", "sentiment", "class", "polarity", "target", "category", "标签", "labels")
"""Known names of a label column, in order of preference. Case does not matter."""

_HEADER_NAMES = frozenset(
    TEXT_COLUMNS
    + LABEL_COLUMNS
    + ("texts", "sentences", "utterance", "query", "question", "document", "message", "phrase", "title")
    + ("intent", "topic", "tag", "rating", "score", "stars", "类别")
)
"""Names by which a header among the rows is known; more than those that choose columns."""

Row = tuple[int, str, Any]
"""Line, text and label. The label is a string, or from JSON lines also a list of strings."""

_LABEL_LIST = re.compile(r"[^\s,]+(?:,[^\s,]+)+|\[.*\]")
_PLAIN_LABEL = re.compile(r"[+-]?\d{1,9}|neg|neu|pos|negative|neutral|positive|__label__\S+", re.IGNORECASE | re.ASCII)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_MAX_CSV_FIELD = 2**31 - 1


def is_plain_label(field: str) -> bool:
    """Whether a field can only be a label: a whole number, the name of a sentiment, or fastText's `__label__...`."""
    return _PLAIN_LABEL.fullmatch(field.strip()) is not None


def is_header(text: str, labels: Sequence[str], columns: Sequence[str | None] = ()) -> bool:
    """Whether a row looks like a header that was read as a row: its text and its only label are names of columns.

    Args:
        text: The text of the row.
        labels: Its labels.
        columns: More names of columns, those of the file; None for unknown ones.

    Example:
        >>> is_header("Sentence", ["label"]), is_header("label", ["positive"])
        (True, False)
    """
    given = [name.casefold() for name in columns if name]
    names = [text.casefold(), *map(str.casefold, labels)]
    return len(set(names)) == len(names) == 2 and all(name in _HEADER_NAMES or name in given for name in names)


def label_names(cell: str, location: str) -> list[str]:
    """Returns the labels of a cell with several of them.

    They are names with commas between them, or a JSON list. As in CSV, a name may be in quotation marks, and must be if
    it has a comma. A cell of white space has no label.

    Args:
        cell: The cell.
        location: Where it is, for messages.

    Raises:
        InputError: The cell is neither.

    Example:
        >>> label_names('prix, "goût, odeur"', "a.tsv:2"), label_names('["goût, odeur"]', "a.tsv:3")
        (['prix', 'goût, odeur'], ['goût, odeur'])
    """
    cell = cell.strip()
    try:
        if not cell.startswith("["):
            return next(csv.reader([cell], skipinitialspace=True, strict=True), [])
        names = json.loads(cell)
    except (ValueError, RecursionError, csv.Error) as error:
        raise InputError(
            f"{location}: labels must be names with commas between them, a name with a comma in quotation marks, or a "
            f"JSON list of names. Received: {excerpt(cell)}"
        ) from error
    return list(_json_label(names, "the cell", location))


def read_tsv(
    lines: Iterator[str],
    path: str | os.PathLike[str],
    text_column: str | None,
    label_column: str | None,
    labelled: bool = True,
    several: bool = False,
) -> Iterator[Row]:
    """Yields the rows of tab-separated lines. As in GLUE, quotation marks have no special meaning."""
    records = ((number, line.rstrip("\r\n").split("\t")) for number, line in enumerate(lines, start=1))
    return _read_records(records, path, text_column, label_column, labelled, several)


def read_csv(
    lines: Iterator[str],
    path: str | os.PathLike[str],
    text_column: str | None,
    label_column: str | None,
    labelled: bool = True,
    several: bool = False,
) -> Iterator[Row]:
    """Yields the rows of comma-separated lines. As in RFC 4180, quoted fields may have commas and line ends in them."""
    return _read_records(_csv_records(lines, path), path, text_column, label_column, labelled, several)


def read_json_lines(
    lines: Iterator[str],
    path: str | os.PathLike[str],
    text_column: str | None,
    label_column: str | None,
    labelled: bool = True,
) -> Iterator[Row]:
    """Yields the rows of lines with a JSON object each. The keys of the first object choose columns not given."""
    names: tuple[str, str] | None = None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}:{number}: each line must be a JSON object; {json_fault(error)}") from error
        if not isinstance(row, dict):
            raise InputError(f"{path}:{number}: each line must be a JSON object. Received: {quoted(line.strip())}")
        if names is None:
            columns = list(row)
            text_at, label_at = _find_columns(columns, f"{path}:{number}", text_column, label_column, labelled)
            names = columns[text_at], columns[label_at]
        location = f"{path}:{number}"
        label = _json_label(_json_value(row, names[1], location), repr(names[1]), location)
        yield number, _json_text(row, names[0], location), label


def read_label_text(lines: Iterator[str], path: str | os.PathLike[str]) -> Iterator[Row]:
    """Yields the rows of lines of the form `label text`, such as `1 a stirring , funny film`."""
    for number, line in enumerate(lines, start=1):
        line = line.rstrip("\r\n")
        if not line.strip():
            continue
        label, space, text = line.lstrip().partition(" ")
        if not space:
            raise InputError(f"{path}:{number}: each line must be LABEL TEXT. Received: {quoted(line.strip())}")
        if text.lstrip().startswith("__label__"):
            raise InputError(
                f"{path}:{number}: a line of this format has one label. Received: {quoted(line.strip())}; several "
                "labels are read from TSV, CSV and JSON lines by `textapp train multilabel-classifier`"
            )
        yield number, text, label


def _csv_records(lines: Iterator[str], path: str | os.PathLike[str]) -> Iterator[tuple[int, list[str]]]:
    """Yields the first line and the fields of each CSV record, which may span lines."""
    # The limit is one for the whole process, at first 128 KiB. This only raises it: a record has a limit of its own.
    csv.field_size_limit(max(csv.field_size_limit(), _MAX_CSV_FIELD))
    start, length, limit = 1, 0, max_text()

    def limited() -> Iterator[str]:
        nonlocal length
        for line in lines:
            length += len(line)
            if length > limit:  # a quotation mark that nothing closes makes one record of the rest of the file
                raise text_too_long(f"{path}:{start}", "the record that starts here")
            yield line

    reader = csv.reader(limited(), strict=True)
    try:
        for fields in reader:
            yield start, fields
            start, length = reader.line_num + 1, 0
    except csv.Error as error:
        raise InputError(f"{path}:{start}: the record that starts here is not CSV: {error}") from error


def _read_records(
    records: Iterator[tuple[int, list[str]]],
    path: str | os.PathLike[str],
    text_column: str | None,
    label_column: str | None,
    labelled: bool,
    several: bool,
) -> Iterator[Row]:
    """Yields the rows of records. The first record may be a header."""
    # Spreadsheets write an empty row as a line of delimiters; it counts as a blank line.
    records = ((line, fields) for line, fields in records if any(field.strip() for field in fields))
    first = next(records, None)
    if first is None:
        return
    line, header = first
    width = len(header)
    row_label_at = _label_of_row(header, several or not labelled)
    if text_column is None and label_column is None and row_label_at is not None:
        text_at, label_at = 1 - row_label_at, row_label_at
        yield line, header[text_at], header[label_at]
    else:
        columns = [name.strip() for name in header]
        text_at, label_at = _find_columns(columns, f"{path}:{line}", text_column, label_column, labelled)
    for line, fields in records:
        if len(fields) != width:
            raise InputError(
                f"{path}:{line}: each row must have {width} columns, as the first row has. Received: {len(fields)}"
            )
        yield line, fields[text_at], fields[label_at]


def _label_of_row(first: list[str], several: bool) -> int | None:
    """The position of the label if the first record is a row: a text, and a field that can only be a label.

    With `several`, a list of labels is such a field too if it is shorter than the text.
    """
    if len(first) != 2:
        return None
    found = [is_plain_label(field) for field in first]
    if several and not any(found):
        pairs = zip(first, reversed(first), strict=True)
        found = [len(one) < len(other) and _LABEL_LIST.fullmatch(one.strip()) is not None for one, other in pairs]
    return found.index(True) if sum(found) == 1 else None


def _find_columns(
    columns: list[str], location: str, text_column: str | None, label_column: str | None, labelled: bool
) -> tuple[int, int]:
    """Returns the positions of the text column and of the label column; without labels, the text column twice."""
    text_at = _find_column(columns, location, "text", text_column, TEXT_COLUMNS)
    if not labelled:
        return text_at, text_at
    label_at = _find_column(columns, location, "label", label_column, LABEL_COLUMNS)
    if text_at == label_at:
        raise InputError(
            f"{location}: text and label must be two columns. Received: {quoted(columns[text_at])} for both"
        )
    return text_at, label_at


def _find_column(columns: list[str], location: str, role: str, wanted: str | None, known: tuple[str, ...]) -> int:
    """Returns the position of the column `wanted`, or without `wanted` of the first known name."""
    found = _columns_found(columns)
    if wanted is not None:
        names, candidates = columns, [wanted]
    else:
        names, candidates = [name.casefold() for name in columns], list(known)
    for name in candidates:
        if names.count(name) > 1:
            raise InputError(f"{location}: more than one column has the name {quoted(name)}; {found}")
        if name in names:
            return names.index(name)
    if wanted is not None:
        raise InputError(f"{location}: no column {quoted(wanted)} for the {role}; {found}")
    raise InputError(
        f"{location}: no column has a known name for the {role}; give its name (`textapp train`: --set "
        f"{role}_column=NAME, other commands: --{role}-column NAME); {found}"
    )


def _columns_found(columns: list[str]) -> str:
    """Returns the end of a message about a missing column."""
    return f"columns found: {list_some(list(map(quoted, columns)))}"


def _json_text(row: dict[str, Any], column: str, location: str) -> str:
    """Returns the text of an object; null counts as an empty text."""
    value = _json_value(row, column, location)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InputError(f"{location}: {quoted(column)} must be a string. Received: {excerpt(json.dumps(value))}")
    # JSON can write half a surrogate pair. UTF-8 files and tensors of strings cannot hold one.
    return _LONE_SURROGATE.sub("\ufffd", value)


def _json_label(value: Any, place: str, location: str) -> str | list[str]:
    """Returns a label as a string, or a list of them. A whole number or truth value becomes JSON text, null empty."""
    for name in value if isinstance(value, list) else [value]:
        if name is not None and not isinstance(name, str | int):
            raise InputError(
                f"{location}: {place} must be a name (a string or a whole number) or a list of names. "
                f"Received: {excerpt(json.dumps(value))}"
            )
    return [_json_name(name) for name in value] if isinstance(value, list) else _json_name(value)


def _json_name(value: str | int | None) -> str:
    """Returns a name as a string; null counts as a missing label."""
    if value is None:
        return ""
    return _LONE_SURROGATE.sub("\ufffd", value) if isinstance(value, str) else json.dumps(value)


def _json_value(row: dict[str, Any], column: str, location: str) -> Any:
    """Returns the value of a column. The object must have it."""
    if column not in row:
        raise InputError(f"{location}: no column {quoted(column)}; {_columns_found(list(row))}")
    return row[column]
