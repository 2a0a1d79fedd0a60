"""Rows of line-based files: TSV, CSV, JSON lines and `label text` lines.

Each reader takes the lines of a file and yields `(line, text, label)` as they stand in it, one row at a time. `line`
is the number, from 1, of the line on which the row starts. Blank lines are skipped.
"""

import csv
import json
import os
import re
from collections.abc import Iterator
from typing import Any

from textapp.errors import InputError

TEXT_COLUMNS = ("text", "sentence", "review", "content", "comment", "review_text", "body", "tweet", "文本")
"""Names by which a text column is recognized, in order of preference, whatever their case."""

LABEL_COLUMNS = ("label", "sentiment", "class", "polarity", "target", "category", "标签")
"""Names by which a label column is recognized, in order of preference, whatever their case."""

Row = tuple[int, str, str]

_PLAIN_LABEL = re.compile(r"[+-]?\d{1,9}|neg|neu|pos|negative|neutral|positive|__label__\S+", re.IGNORECASE | re.ASCII)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_MAX_CSV_FIELD = 2**31 - 1


def is_plain_label(field: str) -> bool:
    """Whether a field can only be a label: a whole number, a sentiment's name or fastText's `__label__...`."""
    return _PLAIN_LABEL.fullmatch(field.strip()) is not None


def read_tsv(
    lines: Iterator[str],
    path: str | os.PathLike[str],
    text_column: str | None,
    label_column: str | None,
    labelled: bool = True,
) -> Iterator[Row]:
    """Yields the rows of tab-separated lines. As in GLUE, a quotation mark is a character like any other."""
    records = ((number, line.rstrip("\r\n").split("\t")) for number, line in enumerate(lines, start=1))
    return _read_records(records, path, text_column, label_column, labelled)


def read_csv(
    lines: Iterator[str],
    path: str | os.PathLike[str],
    text_column: str | None,
    label_column: str | None,
    labelled: bool = True,
) -> Iterator[Row]:
    """Yields the rows of comma-separated lines (RFC 4180: fields may be quoted and then hold commas and line ends)."""
    return _read_records(_csv_records(lines, path), path, text_column, label_column, labelled)


def read_json_lines(
    lines: Iterator[str],
    path: str | os.PathLike[str],
    text_column: str | None,
    label_column: str | None,
    labelled: bool = True,
) -> Iterator[Row]:
    """Yields the rows of lines that hold a JSON object each. The columns, where not named, follow the first object."""
    names: tuple[str, str] | None = None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            why = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else error
            raise InputError(f"{path}:{number}: each line must be a JSON object; {why}") from error
        if not isinstance(row, dict):
            raise InputError(f"{path}:{number}: each line must be a JSON object. Received: {_shortened(line)!r}")
        if names is None:
            columns = list(row)
            text_at, label_at = _find_columns(columns, f"{path}:{number}", text_column, label_column, labelled)
            names = columns[text_at], columns[label_at]
        place = f"{path}:{number}"
        yield number, _json_text(row, names[0], place), _json_label(row, names[1], place)


def read_label_text(lines: Iterator[str], path: str | os.PathLike[str]) -> Iterator[Row]:
    """Yields the rows of lines that read `label text`, as in `1 a stirring , funny film`."""
    for number, line in enumerate(lines, start=1):
        line = line.rstrip("\r\n")
        if not line.strip():
            continue
        label, space, text = line.lstrip().partition(" ")
        if not space:
            raise InputError(f"{path}:{number}: each line must read LABEL TEXT. Received: {_shortened(line)!r}")
        yield number, text, label


def _csv_records(lines: Iterator[str], path: str | os.PathLike[str]) -> Iterator[tuple[int, list[str]]]:
    """Yields the first line and the fields of each CSV record, which may span lines."""
    # The limit belongs to the process and is 128 KiB at first. It is only ever raised, and a long text is no error.
    csv.field_size_limit(max(csv.field_size_limit(), _MAX_CSV_FIELD))
    reader = csv.reader(lines, strict=True)
    start = 1
    try:
        for fields in reader:
            yield start, fields
            start = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{path}:{start}: the record that starts here is not CSV: {error}") from error


def _read_records(
    records: Iterator[tuple[int, list[str]]],
    path: str | os.PathLike[str],
    text_column: str | None,
    label_column: str | None,
    labelled: bool,
) -> Iterator[Row]:
    """Yields rows of records, of which the first may be a header."""
    # Spreadsheets write their empty rows as delimiters alone: blank lines, too.
    records = ((line, fields) for line, fields in records if any(field.strip() for field in fields))
    first = next(records, None)
    if first is None:
        return
    line, header = first
    width = len(header)
    if text_column is None and label_column is None and _is_headerless(header):
        label_at = 0 if is_plain_label(header[0]) else 1
        text_at = 1 - label_at
        yield line, header[text_at], header[label_at]
    else:
        columns = [name.strip() for name in header]
        text_at, label_at = _find_columns(columns, f"{path}:{line}", text_column, label_column, labelled)
    for line, fields in records:
        if len(fields) != width:
            raise InputError(
                f"{path}:{line}: each row must have the {width} columns of the first. Received: {len(fields)}"
            )
        yield line, fields[text_at], fields[label_at]


def _is_headerless(first: list[str]) -> bool:
    """Whether the first record is a row already: a text and something that can only be a label."""
    return len(first) == 2 and is_plain_label(first[0]) != is_plain_label(first[1])


def _find_columns(
    columns: list[str], place: str, text_column: str | None, label_column: str | None, labelled: bool
) -> tuple[int, int]:
    """Returns the positions of the text column and of the label column, without labels of the text column twice."""
    text_at = _find_column(columns, place, "text", text_column, TEXT_COLUMNS)
    if not labelled:
        return text_at, text_at
    label_at = _find_column(columns, place, "label", label_column, LABEL_COLUMNS)
    if text_at == label_at:
        raise InputError(f"{place}: text and label must be two columns. Received: {columns[text_at]!r} for both")
    return text_at, label_at


def _find_column(columns: list[str], place: str, role: str, wanted: str | None, known: tuple[str, ...]) -> int:
    """Returns the position of the column called `wanted`, or else of the first of the `known` names."""
    found = _columns_found(columns)
    if wanted is not None:
        names, candidates = columns, [wanted]
    else:
        names, candidates = [name.casefold() for name in columns], list(known)
    for name in candidates:
        if names.count(name) > 1:
            raise InputError(f"{place}: more than one column is called {name!r}; {found}")
        if name in names:
            return names.index(name)
    if wanted is not None:
        raise InputError(f"{place}: no column {wanted!r} for the {role}; {found}")
    raise InputError(
        f"{place}: no column is known to hold the {role}; name it with {role}_column (--set "
        f"{role}_column=NAME of `textapp train`, --{role}-column NAME of others); {found}"
    )


def _columns_found(columns: list[str], limit: int = 20) -> str:
    """Returns the end of a message about a column that is not there."""
    names = [repr(_shortened(name)) for name in columns[:limit]]
    return f"columns found: {', '.join(names)}" + (", …" if len(columns) > limit else "")


def _json_text(row: dict[str, Any], column: str, place: str) -> str:
    """Returns an object's text; null counts as an empty one."""
    value = _json_value(row, column, place)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InputError(f"{place}: {column!r} must be a string. Received: {_shortened(json.dumps(value))}")
    # JSON can spell half a surrogate pair, which no UTF-8 file and no tensor of strings can hold.
    return _LONE_SURROGATE.sub("\ufffd", value)


def _json_label(row: dict[str, Any], column: str, place: str) -> str:
    """Returns an object's label: a string, or a whole number or truth value as JSON writes it."""
    value = _json_value(row, column, place)
    if value is None:
        return ""
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("\ufffd", value)
    if isinstance(value, int):
        return json.dumps(value)
    raise InputError(
        f"{place}: {column!r} must be a string or a whole number. Received: {_shortened(json.dumps(value))}"
    )


def _json_value(row: dict[str, Any], column: str, place: str) -> Any:
    """Returns the value of a column that the object must have."""
    if column not in row:
        raise InputError(f"{place}: no column {column!r}; {_columns_found(list(row))}")
    return row[column]


def _shortened(text: str, limit: int = 40) -> str:
    """Returns what fits into an error message of one line."""
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
