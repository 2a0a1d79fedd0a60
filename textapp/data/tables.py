"""Readers of tables: TSV, CSV, JSON lines, parquet and `label text` lines.

Each reader takes the lines of a file, or the path of parquet, and yields `(line, text, label)` of each row, unchanged.
`line` is the number of the line on which the row starts, from 1. Blank lines are skipped.
"""

import csv
import itertools
import json
import os
import re
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from textapp.data.json_rows import json_objects, place
from textapp.data.limits import max_text, text_too_long
from textapp.data.parquet import column_names, iterate_rows
from textapp.errors import InputError, excerpt, list_some, quoted

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

Row = tuple[int | str, str, Any]
"""Line (or place, where a row is no line), text and label. The label is a string, or from JSON also a list of them."""

_LABEL_LIST = re.compile(r"[^\s,]+(?:,[^\s,]+)+|\[.*\]")
_PLAIN_LABEL = re.compile(r"[+-]?\d{1,9}|neg|neu|pos|negative|neutral|positive|__label__\S+", re.IGNORECASE | re.ASCII)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_MAX_CSV_FIELD = 2**31 - 1
_NUMBER = re.compile(r"-?[0-9]{1,4}", re.ASCII)
_SEPARATOR_LINE = re.compile(r'"?sep=([,;\t|])"?\s*', re.IGNORECASE)  # Excel's first line, which is no row
_LOOKED_AT = 100  # lines or rows at the start that show what separates columns, and whether there is a header
_MARKS = re.compile(r'"((?:[^"]|"")*)"')  # a quoted field of CSV


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
    """Yields the rows of tab-separated lines.

    As in GLUE, quotation marks have no special meaning, with two exceptions. Spreadsheets and pandas quote a field with
    a quotation mark, a tab or a line break, and double the marks in it: a field in marks whose inner marks are all
    doubled is such a field. And where the header is in quotation marks, the file is read as CSV with tabs.
    """
    return _read_records(tsv_records(lines, path), path, text_column, label_column, labelled, several)


def read_csv(
    lines: Iterator[str],
    path: str | os.PathLike[str],
    text_column: str | None,
    label_column: str | None,
    labelled: bool = True,
    several: bool = False,
) -> Iterator[Row]:
    """Yields the rows of comma-separated lines. As in RFC 4180, quoted fields may have commas and line ends in them."""
    return _read_records(csv_records(lines, path), path, text_column, label_column, labelled, several)


def read_json_lines(
    lines: Iterator[str],
    path: str | os.PathLike[str],
    text_column: str | None,
    label_column: str | None,
    labelled: bool = True,
) -> Iterator[Row]:
    """Yields the rows of lines with a JSON object each, or of one JSON list of objects.

    The keys of the first object choose columns not given.
    """
    names: tuple[str, str] | None = None
    for number, row in json_objects(lines, path):
        if names is None:
            columns = list(row)
            text_at, label_at = _find_columns(columns, place(path, number), text_column, label_column, labelled)
            names = columns[text_at], columns[label_at]
        yield _json_row(row, number, path, *names)


def read_parquet(
    path: str | os.PathLike[str], text_column: str | None, label_column: str | None, labelled: bool = True
) -> Iterator[Row]:
    """Yields the rows of a parquet file. Values count as those of JSON lines, and only the two columns are read."""
    columns = column_names(path)
    text_at, label_at = _find_columns(columns, os.fspath(path), text_column, label_column, labelled)
    text_name, label_name = columns[text_at], columns[label_at]
    for number, row in iterate_rows(path, [text_name, label_name]):
        yield _json_row(row, number, path, text_name, label_name)


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
        if label.startswith("__label__"):  # fastText's own examples have a comma behind the label
            text = text.lstrip().removeprefix(", ")
        yield number, text, label


def tsv_records(lines: Iterator[str], path: str | os.PathLike[str]) -> Iterator[tuple[int, list[str]]]:
    """Yields the first line and the fields of each row of tab-separated lines, see `read_tsv`."""
    first = next(lines, None)
    if first is None:
        return
    names = first.rstrip("\r\n").split("\t")
    lines = itertools.chain([first], lines)
    if len(names) > 1 and all(_MARKS.fullmatch(name) for name in names):
        yield from csv_records(lines, path)
        return
    waiting: deque[tuple[int, str]] = deque()
    numbered = _numbered(lines, waiting)
    for number, line in numbered:
        fields = line.rstrip("\r\n").split("\t")
        joined = None
        if len(fields) != len(names) and any(field.startswith('"') for field in fields):
            joined = _joined(line, len(names), numbered)
        elif len(fields) > 1 and fields[-1].startswith('"') and fields[-1].count('"') % 2:
            joined = _with_broken_end(line, len(names), numbered, waiting)
        yield number, list(map(_unquoted, fields)) if joined is None else joined


def _numbered(lines: Iterator[str], waiting: deque[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Yields the number and text of each line; first, at any time, those that were put back into `waiting`."""
    for numbered in enumerate(lines, start=1):
        yield numbered
        while waiting:
            yield waiting.popleft()


def _joined(line: str, width: int, more: Iterator[tuple[int, str]]) -> list[str] | None:
    """The fields of a row with a quoted field that holds tabs or line breaks; None if there is no such field.

    Lines are taken from `more` only while the row has too few columns and an open quotation mark.
    """
    length, limit = len(line), max_text()
    while True:
        try:
            [fields] = csv.reader([line], delimiter="\t", strict=True)
        except (csv.Error, ValueError):
            fields = []
        if len(fields) == width:
            return fields
        if fields or len(line.split("\t")) >= width or line.count('"') % 2 == 0:
            return None
        following = next(more, None)
        if following is None or length > limit:
            return None
        line += following[1]
        length += len(following[1])


def _with_broken_end(
    line: str, width: int, numbered: Iterator[tuple[int, str]], waiting: deque[tuple[int, str]]
) -> list[str] | None:
    """The fields of a row whose last field is quoted and goes on in the next lines; None if it ends with its line.

    As quotation marks have no meaning in other files, the next lines belong to the field only if they have too few
    columns for rows and the last of them ends in the mark that closes it. Otherwise they wait to be read as rows.
    """
    taken: list[tuple[int, str]] = []
    length, limit = len(line), max_text()
    for following in numbered:
        taken.append(following)
        length += len(following[1])
        if following[1].count("\t") + 1 >= width or length > limit:
            break
        if following[1].count('"') % 2:
            try:
                [fields] = csv.reader([line + "".join(text for _, text in taken)], delimiter="\t", strict=True)
            except (csv.Error, ValueError):
                break
            if len(fields) == width:
                return fields
            break
    waiting.extendleft(reversed(taken))
    return None


def _unquoted(field: str) -> str:
    """A field of TSV without the quotation marks that spreadsheets and pandas add to fields with marks in them."""
    if len(field) < 4 or field[0] != '"' or field[-1] != '"' or '""' not in field[1:-1]:
        return field
    match = _MARKS.fullmatch(field)
    return field if match is None else match[1].replace('""', '"')


def csv_records(lines: Iterator[str], path: str | os.PathLike[str]) -> Iterator[tuple[int, list[str]]]:
    """Yields the first line and the fields of each CSV record, which may span lines.

    The first rows show what separates the fields, see `_delimiter`. A first line `sep=;`, as Excel writes it, names it.

    Raises:
        InputError: A record is not CSV, or longer than `textapp.data.limits` allows.
    """
    # The limit is one for the whole process, at first 128 KiB. This only raises it: a record has a limit of its own.
    csv.field_size_limit(max(csv.field_size_limit(), _MAX_CSV_FIELD))
    head = list(itertools.islice(lines, _LOOKED_AT))
    named = _SEPARATOR_LINE.fullmatch(head[0]) if head else None
    skipped = 0 if named is None else 1
    lines = itertools.chain(head[skipped:], lines)
    delimiter = _delimiter(head) if named is None else named[1]
    start, length, limit = 1 + skipped, 0, max_text()

    def limited() -> Iterator[str]:
        nonlocal length
        for line in lines:
            length += len(line)
            if length > limit:  # a quotation mark that nothing closes makes one record of the rest of the file
                raise text_too_long(f"{path}:{start}", "the record that starts here")
            yield line

    reader = csv.reader(limited(), delimiter=delimiter, strict=True)
    try:
        for fields in reader:
            yield start, fields
            start, length = reader.line_num + 1 + skipped, 0
    except csv.Error as error:
        why = f"the record that starts here is not CSV: {error}"
        if "new-line" in str(error):
            why = "a carriage return is inside a field without quotation marks; end lines in LF or CRLF, or quote it"
        raise InputError(f"{path}:{start}: {why}") from error


def _delimiter(head: Sequence[str]) -> str:
    """What separates the fields of CSV by its first lines: that which gives all rows the same columns, two or more.

    If nothing does, the first row decides, see `delimiter_of`.
    """
    head = list(itertools.dropwhile(lambda line: not line.strip(), head))
    rows_of: dict[str, list[list[str]]] = {}
    for mark in ",;\t":
        try:
            rows = [row for row in csv.reader(head, delimiter=mark) if any(field.strip() for field in row)]
        except csv.Error:
            continue
        rows_of[mark] = rows[:-1] if len(head) == _LOOKED_AT else rows  # the last one may go on in later lines
    for mark, rows in rows_of.items():
        widths = set(map(len, rows))
        if len(widths) == 1 and max(widths) > 1:
            return mark
    return delimiter_of(head[0]) if head else ","


def delimiter_of(line: str) -> str:
    """What separates the fields of CSV by its first line: a comma, or where it has none a semicolon or tab.

    Spreadsheets write semicolons where the decimal sign is a comma.

    Example:
        >>> delimiter_of("text;label"), delimiter_of("text,label"), delimiter_of("text")
        (';', ',', ',')
    """
    try:
        counts = {mark: len(next(csv.reader([line], delimiter=mark), [])) for mark in ",;\t"}
    except csv.Error:
        return ","
    return next((mark for mark, count in counts.items() if count > 1), ",")


def _read_records(
    records: Iterator[tuple[int, list[str]]],
    path: str | os.PathLike[str],
    text_column: str | None,
    label_column: str | None,
    labelled: bool,
    several: bool,
) -> Iterator[Row]:
    """Yields the rows of records. The first record may be a header."""
    found = _located(records, path, text_column, label_column, labelled, several)
    if found is not None:
        for line, fields in found.rows:
            yield line, fields[found.text_at], fields[found.label_at]


class _Located(NamedTuple):
    """Records whose columns are known: names (numbers without a header), the two positions, and the rows."""

    names: list[str]
    text_at: int
    label_at: int
    rows: Iterator[tuple[int, list[str]]]


def _located(
    records: Iterator[tuple[int, list[str]]],
    path: str | os.PathLike[str],
    text_column: str | None,
    label_column: str | None,
    labelled: bool,
    several: bool,
) -> _Located | None:
    """Finds the columns of records; None if there is no record. The first record may be a header."""
    # Spreadsheets write an empty row as a line of delimiters; it counts as a blank line.
    records = ((line, fields) for line, fields in records if any(field.strip() for field in fields))
    first = next(records, None)
    if first is None:
        return None
    line, header = first
    width = len(header)
    columns: list[str] = []
    is_row = True
    row_label_at = _label_of_row(header, several or not labelled)
    numbers = _numbers(header, f"{path}:{line}", text_column, label_column, labelled)
    if numbers is not None:
        text_at, label_at = numbers
        following = list(itertools.islice(records, _LOOKED_AT))
        records = itertools.chain(following, records)
        is_row = not _is_header_of(header, [fields for _, fields in following], text_at) and not is_header(
            header[text_at].strip(), [header[label_at].strip()]
        )
    elif text_column is None and label_column is None and row_label_at is not None:
        text_at, label_at = 1 - row_label_at, row_label_at
    else:
        columns, is_row = [name.strip() for name in header], False
        text_at, label_at = _find_columns(columns, f"{path}:{line}", text_column, label_column, labelled)

    def rows() -> Iterator[tuple[int, list[str]]]:
        if is_row:
            yield line, header
        for number, fields in records:
            if len(fields) != width:
                raise InputError(
                    f"{path}:{number}: each row must have {width} columns, as the first row has. "
                    f"Received: {len(fields)}"
                )
            yield number, fields

    return _Located(columns or list(map(str, range(width))), text_at, label_at, rows())


def text_records(
    records: Iterator[tuple[int, list[str]]], path: str | os.PathLike[str], text_column: str | None
) -> tuple[list[str], int, Iterator[tuple[int, list[str]]]]:
    """Finds the text column of records as training does, for all their columns.

    Args:
        records: The records, from `csv_records` or `tsv_records`.
        path: The file, for messages.
        text_column: Name or number of the text column; None for the first known name.

    Returns:
        The names of the columns, numbers from 0 where there is no header; the position of the text column; and the
        line and the fields of each row.

    Raises:
        InputError: There is no such column; while the rows are read: one has more or fewer columns than the first.
    """
    found = _located(records, path, text_column, None, labelled=False, several=False)
    return ([], 0, iter(())) if found is None else (found.names, found.text_at, found.rows)


def find_text_column(columns: list[str], location: str, text_column: str | None) -> int:
    """The position of the text column among names. Raises `InputError` if it is not there."""
    return _find_columns(columns, location, text_column, None, labelled=False)[0]


def _numbers(
    first: list[str], location: str, text_column: str | None, label_column: str | None, labelled: bool
) -> tuple[int, int] | None:
    """The positions of the columns if they are given as numbers, for a file without a header; else None.

    Raises:
        InputError: A number is none of a column, or one column is given by number and the other by name.
    """
    names = [name.strip() for name in first]
    given = [text_column, label_column] if labelled else [text_column, text_column]
    numbers = [column is not None and column not in names and _NUMBER.fullmatch(column) is not None for column in given]
    if not any(numbers):
        return None
    if not all(numbers):
        raise InputError(
            f"{location}: give both columns by number, from 0, where the file has no header, or both by name. "
            f"Received: text_column={quoted(text_column)}, label_column={quoted(label_column)}"
        )
    width = len(first)
    for role, column in zip(("text", "label"), given, strict=True):
        if not -width <= int(str(column)) < width:
            raise InputError(
                f"{location}: `{role}_column` must be from {-width} to {width - 1} here. Received: {column}"
            )
    text_at, label_at = (int(str(column)) % width for column in given)
    if labelled and text_at == label_at:
        raise InputError(f"{location}: text and label must be two columns. Received: {text_column} and {label_column}")
    return text_at, label_at


def _is_header_of(first: Sequence[str], rows: Sequence[Sequence[str]], text_at: int) -> bool:
    """Whether the first record of a table with columns by number is a header with names of the user.

    It is if another column than that of the texts has numbers or names of sentiments in all of the next rows, two or
    more, and a name in the first.
    """
    columns = [column for column in range(len(first)) if column != text_at and first[column].strip()]
    whole = [row for row in rows if len(row) == len(first)]
    return len(whole) > 1 and any(
        not is_plain_label(first[column]) and all(is_plain_label(row[column]) for row in whole) for column in columns
    )


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
        f"{role}_column=NAME, other commands: --{role}-column NAME), or, if this line is no header, the number of each "
        f"column, from 0; {found}"
    )


def _columns_found(columns: list[str]) -> str:
    """Returns the end of a message about a missing column."""
    return f"columns found: {list_some(list(map(quoted, columns)))}"


def _json_row(
    row: dict[str, Any], number: int | str, path: str | os.PathLike[str], text_column: str, label_column: str
) -> Row:
    """Returns place, text and label of an object."""
    location = place(path, number)
    label = _json_label(_json_value(row, label_column, location), repr(label_column), location)
    return number, json_text(row, text_column, location), label


def json_text(row: dict[str, Any], column: str, location: str) -> str:
    """Returns the text of an object; null counts as an empty text. Raises `InputError` unless it is a string."""
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
