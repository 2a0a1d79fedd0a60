"""Writes the predictions of a file's texts to another file, beside the columns of the file, for `predict --out`.

| suffix            | a row                                                                                     |
|-------------------|-------------------------------------------------------------------------------------------|
| `.jsonl`          | an object; also `.ndjson`                                                                 |
| `.csv`, `.tsv`    | quoted fields; lists and structures are JSON in a cell                                    |
| `.parquet`        | columns of their own types; spans are a list of structures                                |

Text files may also be `.gz`. Rows keep their order; a block of rows is in memory at a time.
"""

import contextlib
import csv
import gzip
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from textapp.data.records import PARQUET_HINT, RECORD_FORMATS, read_records, record_format
from textapp.errors import InputError, excerpt, list_some, quoted
from textapp.output_files import Overwrite, replacing_output

if TYPE_CHECKING:
    from textapp.runtime import Predictor
    from textapp.runtime.predictor import ColumnType

Columns = Mapping[str, Any]
"""Column name -> its values, a list or an array of pyarrow."""

Write = Callable[[Columns, Columns], None]
"""A function that writes a block of rows: the columns of the input, and those of the predictions."""


def check_format(path: str | os.PathLike[str]) -> None:
    """Raises `InputError` unless predictions can be written to a file of this suffix."""
    if (
        record_format(path) is None
        or Path(path).suffix == ".json"
        or os.fspath(path).endswith((".parquet.gz", ".pq.gz", ".zst"))
    ):
        names = ", ".join(suffix for suffix in RECORD_FORMATS if suffix not in (".json", ".tab", ".pq"))
        raise InputError(f"--out {path}: its suffix must name the format of the predictions: {names}, or one with .gz")
    if record_format(path) == "parquet":
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError as error:
            raise InputError(f"--out {path}: {PARQUET_HINT}") from error


def write_predictions(
    predictor: "Predictor",
    options: Mapping[str, Any],
    file: str | os.PathLike[str],
    out: str | os.PathLike[str],
    text_column: str | None = None,
    overwrite: Overwrite = False,
    check: Callable[[], object] = lambda: None,
) -> int:
    """Predicts the texts of a file, and writes a row for each row of it, whole or not at all.

    Args:
        predictor: The model.
        options: The options of its `columns`.
        file: The file of the texts, see `read_records`.
        out: The file to write; its suffix is its format.
        text_column: Name of the text column.
        overwrite: Whether a file that is already there may be replaced.
        check: Called before each block of rows; what it raises ends the work.

    Returns:
        The number of rows.

    Raises:
        InputError: The file breaks a rule, has a column with the name of a prediction, or `out` cannot be written.
    """
    types = predictor.column_types(**options)
    count = 0
    with replacing_output(out, overwrite) as temporary, _writer(temporary, out, types) as write:
        for block in read_records(file, text_column):
            check()
            if taken := [name for name in block.columns if name in types]:
                raise InputError(
                    f"{file}: has a column with the name of a prediction, {list_some(list(map(quoted, taken)))}; "
                    "rename or remove it"
                )
            write(block.columns, predictor.columns(block.texts, **options))
            count += len(block.texts)
    return count


def _writer(
    path: Path, out: str | os.PathLike[str], types: "dict[str, ColumnType]"
) -> contextlib.AbstractContextManager[Write]:
    """Opens a file for predictions in the format of the suffix of `out`."""
    kind = record_format(out)
    if kind == "parquet":
        return _parquet_writer(path, out, types)
    return _text_writer(path, os.fspath(out).lower().endswith(".gz"), {"csv": ",", "tsv": "\t"}.get(str(kind)))


@contextlib.contextmanager
def _text_writer(path: Path, is_packed: bool, delimiter: str | None) -> Iterator[Write]:
    """Writes rows as JSON lines, or with a delimiter as CSV under a header."""
    names: list[str] = []

    def write(columns: Columns, predictions: Columns) -> None:
        lists = {name: _listed(values) for name, values in {**columns, **predictions}.items()}
        rows = zip(*lists.values(), strict=True)
        if delimiter is None:
            for row in rows:
                stream.write(_json(dict(zip(lists, row, strict=True))) + "\n")
            return
        if not names:
            names.extend(lists)
            cells.writerow(names)
        if new := [name for name in lists if name not in names]:
            raise InputError(
                f"the column {quoted(new[0])} is not in the first rows, whose columns are the header; write .jsonl"
            )
        empty = [None] * len(next(iter(lists.values())))
        for row in zip(*(lists.get(name, empty) for name in names), strict=True):
            cells.writerow([_cell(value) for value in row])

    with contextlib.ExitStack() as stack:
        file: IO[bytes] = stack.enter_context(path.open("wb"))
        if is_packed:  # without a name and a time, so that the same predictions are the same bytes
            packed = stack.enter_context(gzip.GzipFile("", "wb", 6, file, mtime=0))
            file = cast(IO[bytes], packed)
        stream = stack.enter_context(io.TextIOWrapper(file, "utf-8", "backslashreplace", newline=""))
        cells = csv.writer(stream, delimiter=delimiter or ",", lineterminator="\n")
        yield write


@contextlib.contextmanager
def _parquet_writer(path: Path, out: str | os.PathLike[str], types: "dict[str, ColumnType]") -> Iterator[Write]:
    """Writes rows as parquet. The columns of the input have the types of its first rows."""
    import pyarrow
    import pyarrow.parquet

    fields = [pyarrow.field(name, arrow_type(kind)) for name, kind in types.items()]
    opened: list[Any] = []

    def write(columns: Columns, predictions: Columns) -> None:
        if not opened:
            arrays = {name: pyarrow.array(_plain(values)) for name, values in columns.items()}
            given = [pyarrow.field(name, array.type) for name, array in arrays.items()]
            opened.append(pyarrow.parquet.ParquetWriter(path, pyarrow.schema([*given, *fields])))
        schema = opened[0].schema
        if new := [name for name in columns if name not in schema.names]:
            raise pyarrow.ArrowInvalid(f"the column {quoted(new[0])} is not in the first rows")
        count = len(next(iter(predictions.values())))
        values = {**columns, **predictions}
        batch = [_array(values.get(field.name, [None] * count), field.type) for field in schema]
        opened[0].write_batch(pyarrow.record_batch(batch, schema=schema))

    try:
        yield write
    except (pyarrow.ArrowException, UnicodeEncodeError) as error:
        why = excerpt(" ".join(str(error).split()))
        raise InputError(f"{out}: a column has no single type, as parquet needs ({why}); write .jsonl") from error
    finally:
        for writer in opened:
            writer.close()


def arrow_type(kind: "ColumnType") -> Any:
    """The type of pyarrow for a type of `Predictor.column_types`."""
    import pyarrow

    if isinstance(kind, list):
        return pyarrow.list_(arrow_type(kind[0]))
    if isinstance(kind, dict):
        return pyarrow.struct([(name, arrow_type(inner)) for name, inner in kind.items()])
    return {
        "string": pyarrow.string(),
        "double": pyarrow.float64(),
        "long": pyarrow.int64(),
        "boolean": pyarrow.bool_(),
    }[kind]


def _array(values: Any, kind: Any) -> Any:
    """Values as an array of a type; an array of the type is unchanged."""
    import pyarrow

    if isinstance(values, pyarrow.Array):
        return values if values.type == kind else values.cast(kind)
    return pyarrow.array(values, kind)


def _plain(values: Any) -> Any:
    """Values of unknown type; where all are missing, they count as strings."""
    import pyarrow

    if isinstance(values, list) and all(value is None for value in values):
        return pyarrow.array(values, pyarrow.string())
    return values


def _listed(values: Any) -> list[Any]:
    """The values of a column as a list."""
    return values if isinstance(values, list) else list(values.to_pylist())


def _cell(value: Any) -> Any:
    """A value in a cell of CSV."""
    return _json(value) if isinstance(value, list | dict | bool) else value


def _json(value: Any) -> str:
    """A value as JSON; a date or a decimal of a parquet file becomes its text."""
    return json.dumps(value, ensure_ascii=False, default=str)
