"""Reads the texts of a table with all other columns, block by block, for predictions that are kept beside them.

The formats are those that training reads: TSV, CSV, JSON lines or a JSON list, each also packed by gzip or zstd, and
parquet. Columns are found by the same rules. A text with line breaks in a quoted field is one text. Only a block is in
memory at a time.
"""

import dataclasses
import itertools
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from textapp.data import tables
from textapp.data.json_rows import json_objects, place
from textapp.data.lines import plain_name, read_lines
from textapp.errors import InputError, excerpt, list_some, quoted
from textapp.files import named_errors

RECORD_FORMATS = {
    ".tsv": "tsv",
    ".tab": "tsv",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
"""Suffix of a file -> the format of its rows. A file with another suffix has a text a line."""

PARQUET_HINT = "install pyarrow to read and write parquet: pip install 'textapp-keras[parquet]'"

_ROWS = 1024  # of a block: some hundredths of a second with a bundle
_HTML_LINE_BREAK = re.compile(r"<br\s*/?>|^\ufeff", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Records:
    """Some rows of a file.

    Attributes:
        numbers: The number of each row: its first line in a file of text, from 1; in other files that of the row.
        texts: The texts for a model. HTML line breaks are spaces, as in training, but as many: positions in a text
            are those in the file.
        columns: All columns by name, unchanged: lists, or arrays of pyarrow.
    """

    numbers: Sequence[int]
    texts: list[str]
    columns: Mapping[str, Any]


def record_format(path: str | os.PathLike[str]) -> str | None:
    """The format of a file's rows by its suffix, also before `.gz` and `.zst`; None for a file with a text a line.

    Example:
        >>> record_format("part-1.csv.gz"), record_format("part-1.parquet"), record_format("part-1.txt")
        ('csv', 'parquet', None)
    """
    return RECORD_FORMATS.get(Path(plain_name(os.fspath(path))).suffix)


def read_records(path: str | os.PathLike[str], text_column: str | None = None) -> Iterator[Records]:
    """Yields the rows of a file in blocks, in order. A file with a text a line has one column, `text`.

    Args:
        path: The file.
        text_column: Name of the text column, or its number in a table without a header; by default the first known
            name in the file.

    Raises:
        InputError: The file breaks a rule, or has no row; the message names the file, the place and the rule.
    """
    kind = record_format(path)
    if kind is None and text_column is not None:
        raise InputError(
            f"{path}: --text-column is for tables, and its suffix names none ({', '.join(RECORD_FORMATS)}); rename it"
        )
    is_empty = True
    blocks = _parquet_records(path, text_column) if kind == "parquet" else _text_records(path, kind, text_column)
    for block in blocks:
        is_empty = False
        yield block
    if is_empty:
        raise InputError(f"{path}: there is no text to read; the file is empty or has only a header")


def _text_records(path: str | os.PathLike[str], kind: str | None, text_column: str | None) -> Iterator[Records]:
    """The rows of a file of text."""
    lines = read_lines(path)
    if kind == "jsonl":
        return _json_records(lines, path, text_column)
    if kind is None:
        rows = ((number, [line.rstrip("\r\n")]) for number, line in enumerate(lines, start=1))
        return _field_records(["text"], 0, rows)
    read = tables.csv_records if kind == "csv" else tables.tsv_records
    return _field_records(*tables.text_records(read(lines, path), path, text_column))


def _field_records(names: list[str], text_at: int, rows: Iterator[tuple[int, list[str]]]) -> Iterator[Records]:
    """Blocks of rows of fields. A column without a name, or with one that is taken, gets its number in the name."""
    counts = Counter(names)
    unique = [name if name and counts[name] == 1 else f"{name or 'column'}_{at}" for at, name in enumerate(names)]
    for block in _blocks(rows):
        numbers, records = zip(*block, strict=True)
        columns = dict(zip(unique, map(list, zip(*records, strict=True)), strict=True))
        yield Records(numbers, list(map(_model_text, columns[unique[text_at]])), columns)


def _json_records(lines: Iterator[str], path: str | os.PathLike[str], text_column: str | None) -> Iterator[Records]:
    """Blocks of JSON objects. A key that an object of a block lacks is null there."""
    name: str | None = None
    count = 0
    for block in _blocks(json_objects(lines, path)):
        number, first = block[0]
        if name is None:
            name = list(first)[tables.find_text_column(list(first), place(path, number), text_column)]
        texts = [_model_text(tables.json_text(row, name, place(path, at))) for at, row in block]
        names = dict.fromkeys(key for _, row in block for key in row)
        columns = {key: [row.get(key) for _, row in block] for key in names}
        numbers = [at if isinstance(at, int) else count + place_in for place_in, (at, _) in enumerate(block, start=1)]
        yield Records(numbers, texts, columns)
        count += len(block)


def _parquet_records(path: str | os.PathLike[str], text_column: str | None) -> Iterator[Records]:
    """Blocks of a parquet file; a block is in one row group, of which only the pages that it needs are in memory."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise InputError(f"{path}: {PARQUET_HINT}") from error
    try:
        with named_errors(path), pyarrow.parquet.ParquetFile(path, pre_buffer=False) as file:
            names = file.schema_arrow.names
            if repeated := [name for name, count in Counter(names).items() if count > 1]:
                raise InputError(f"{path}: more than one column has the name {list_some(list(map(quoted, repeated)))}")
            name = names[tables.find_text_column(names, os.fspath(path), text_column)]
            kind = file.schema_arrow.field(name).type
            inner = kind.value_type if pyarrow.types.is_dictionary(kind) else kind
            if not (pyarrow.types.is_string(inner) or pyarrow.types.is_large_string(inner)):
                raise InputError(f"{path}: the column {quoted(name)} must hold strings. Received: {kind}")
            count = 0
            for batch in file.iter_batches(batch_size=_ROWS):
                if not batch.num_rows:
                    continue
                texts = [_model_text(text or "") for text in batch.column(name).to_pylist()]
                columns = dict(zip(names, batch.columns, strict=True))
                yield Records(range(count + 1, count + 1 + len(texts)), texts, columns)
                count += len(texts)
    except (pyarrow.ArrowException, UnicodeDecodeError) as error:
        why = excerpt(" ".join(str(error).split()))
        raise InputError(f"{path}: is cut off, or no parquet file that can be read ({why}); fetch it again") from error


def _blocks(rows: Iterator[Any]) -> Iterator[list[Any]]:
    """Lists of `_ROWS` rows; the last may have fewer."""
    return iter(lambda: list(itertools.islice(rows, _ROWS)), [])


def _model_text(text: str) -> str:
    """A text with spaces for each HTML line break, as many as it has characters, and for a byte order mark."""
    if "<" not in text and text[:1] != "\ufeff":
        return text
    return _HTML_LINE_BREAK.sub(lambda found: " " * len(found[0]), text)
