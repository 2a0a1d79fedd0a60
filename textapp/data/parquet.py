"""Reader of parquet files: rows come block by block, so that a file of any size takes little memory.

pyarrow is needed: `pip install "textapp-keras[parquet]"`.

Columns hold strings, whole numbers, truth values, or lists of them; each may be dictionary-encoded. Hugging Face's
datasets keep labels and tags as numbers and their names in the metadata of the file: these columns give the names.

Reference: https://parquet.apache.org/docs/file-format/
"""

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

from textapp.data.limits import max_text, text_too_long
from textapp.errors import InputError, excerpt, list_some, quoted
from textapp.files import named_errors

SUFFIXES = (".parquet", ".pq")
"""What the names of parquet files end in."""

_BLOCK = 1 << 12  # rows


def column_names(path: str | os.PathLike[str]) -> list[str]:
    """Returns the names of a file's columns in their order. Only the end of the file is read.

    Raises:
        InputError: pyarrow is not installed, or the file is missing or no parquet file.
    """
    with _opened(path) as file:
        return list(file.schema_arrow.names)


def iterate_rows(path: str | os.PathLike[str], columns: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields each row with its place, `row N` from 1. Other columns are not read.

    Args:
        path: The file.
        columns: The names of the columns.

    Yields:
        The place, and the values by name: str, int, bool, None, or a list of them.

    Raises:
        InputError: As `column_names`; or a column is missing, has values of another type, or is damaged: the message
            names the row group, from 1. Or a string is longer than `textapp.data.limits` allows.
    """
    columns, limit, number = list(dict.fromkeys(columns)), max_text(), 0
    with _opened(path) as file:
        schema = file.schema_arrow
        for name in columns:
            _check_column(schema, name, path)
        names = {name: found for name, found in _class_names(schema.metadata).items() if name in columns}
        for group in range(file.num_row_groups):
            location = f"{path}: row group {group + 1} of {file.num_row_groups}"
            for block in _blocks(file, group, columns, location):
                for values in zip(*block, strict=True):
                    number += 1
                    if any(isinstance(value, str) and len(value) > limit for value in values):
                        raise text_too_long(f"{path}: row {number}", "a string")
                    row = dict(zip(columns, values, strict=True))
                    for name, known in names.items():
                        row[name] = _named(row[name], known, f"{path}: row {number}: {quoted(name)}")
                    yield f"row {number}", row


@contextlib.contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[Any]:
    """Opens a file as a `pyarrow.parquet.ParquetFile`."""
    try:
        import pyarrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise InputError(
            f'{path}: a parquet file needs the library pyarrow; pip install "textapp-keras[parquet]"'
        ) from error
    with named_errors(path), open(path, "rb") as stream:  # noqa: PTH123  # a name that is no path of pyarrow's
        try:
            file = parquet.ParquetFile(stream)
        except (pyarrow.ArrowException, OSError) as error:
            why = excerpt(" ".join(str(error).split()))
            raise InputError(f"{path}: not a parquet file, or a damaged one; fetch the file again ({why})") from error
        with file:
            yield file


def _blocks(file: Any, group: int, columns: list[str], location: str) -> Iterator[list[list[Any]]]:
    """Yields the columns of the blocks of a row group as lists of Python's values."""
    import pyarrow

    batches = file.iter_batches(batch_size=_BLOCK, row_groups=[group], columns=columns)
    while True:
        try:
            batch = next(batches, None)
            block = None if batch is None else [batch.column(name).to_pylist() for name in columns]
        except UnicodeDecodeError as error:
            raise InputError(f"{location}: a string is not UTF-8 ({error.reason})") from error
        except (pyarrow.ArrowException, OSError) as error:
            why = excerpt(" ".join(str(error).split()))
            raise InputError(f"{location}: the data are cut off or damaged; fetch the file again ({why})") from error
        if block is None:
            return
        yield block


def _check_column(schema: Any, name: str, path: str | os.PathLike[str]) -> None:
    """Raises `InputError` unless a file has one column of this name, with values that this module reads."""
    found = schema.names.count(name)
    if found != 1:
        shown = list_some(list(map(quoted, schema.names)))
        why = f"no column {quoted(name)}" if not found else f"more than one column has the name {quoted(name)}"
        raise InputError(f"{path}: {why}; columns found: {shown}")
    type_ = schema.field(name).type
    if not _is_read(type_):
        raise InputError(
            f"{path}: the column {quoted(name)} must hold strings, whole numbers, truth values or lists of them. "
            f"Received: {excerpt(str(type_))}"
        )


def _is_read(type_: Any) -> bool:
    """Whether values of a type of Arrow are read."""
    from pyarrow import types

    if types.is_dictionary(type_):
        type_ = type_.value_type
    if types.is_list(type_) or types.is_large_list(type_) or types.is_fixed_size_list(type_):
        type_ = type_.value_type
        if types.is_dictionary(type_):
            type_ = type_.value_type
    kinds = (types.is_string, types.is_large_string, types.is_integer, types.is_boolean, types.is_null)
    return any(is_kind(type_) for is_kind in kinds)


def _class_names(metadata: dict[bytes, bytes] | None) -> dict[str, list[str]]:
    """The names of the classes of Hugging Face's columns of numbers, by column."""
    try:
        features = json.loads((metadata or {}).get(b"huggingface", b"{}"))["info"]["features"].items()
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}  # another program may use this key for something else
    found = {}
    for column, feature in features:
        while not (isinstance(feature, dict) and feature.get("_type") == "ClassLabel"):
            inner = feature.get("feature") if isinstance(feature, dict) else None  # a list of labels
            feature = inner if inner is not None else feature[0] if isinstance(feature, list) and feature else None
            if feature is None:
                break
        if feature is not None and isinstance(feature.get("names"), list):
            found[column] = list(map(str, feature["names"]))
    return found


def _named(value: Any, names: Sequence[str], location: str) -> Any:
    """The name of a class, or of each of a list. -1 is a missing label, as Hugging Face's datasets write it."""
    if isinstance(value, list):
        return [_named(one, names, location) for one in value]
    if value is None or value == -1:
        return None
    if not isinstance(value, int):
        return value
    if not 0 <= value < len(names):
        raise InputError(
            f"{location} must be from 0 to {len(names) - 1}, as the file names these labels. Received: {value}"
        )
    return names[value]
