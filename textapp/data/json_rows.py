"""Rows of JSON files: a line with an object each, or one list of objects in the whole file."""

import itertools
import json
import os
from collections.abc import Iterator
from typing import Any

from textapp.data.limits import max_text, text_too_long
from textapp.errors import InputError, excerpt, quoted
from textapp.files import json_fault


def json_rows(lines: Iterator[str], path: str | os.PathLike[str]) -> Iterator[tuple[int | str, Any]]:
    """Yields each row with its place: the number of its line from 1, or `row N` in a file that is one list.

    Such a list is read whole, so its file may have at most `textapp.data.limits.max_text()` bytes. Blank lines are
    skipped.

    Raises:
        InputError: A line, or the file, is not JSON.
    """
    numbered = ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
    first = next(numbered, None)
    if first is None:
        return
    if first[1].lstrip().startswith("[") and (first[1].strip() == "[" or not _is_json(first[1])):
        yield from _list_rows([first[1], *(line for _, line in numbered)], path, first[0])
        return
    rest = next(numbered, None)
    if rest is None and first[1].lstrip().startswith("["):
        yield from _list_rows([first[1]], path, first[0])
        return
    for number, line in itertools.chain([first], [] if rest is None else [rest], numbered):
        try:
            yield number, json.loads(line.rstrip())
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}:{number}: each line must be a JSON object; {json_fault(error)}") from error


def json_objects(lines: Iterator[str], path: str | os.PathLike[str]) -> Iterator[tuple[int | str, dict[str, Any]]]:
    """Yields the rows of `json_rows`. Raises `InputError` if one is no JSON object."""
    for number, row in json_rows(lines, path):
        if not isinstance(row, dict):
            what = "line" if isinstance(number, int) else "row"
            shown = excerpt(json.dumps(row, ensure_ascii=False))
            raise InputError(f"{place(path, number)}: each {what} must be a JSON object. Received: {quoted(shown)}")
        yield number, row


def place(path: str | os.PathLike[str], number: int | str) -> str:
    """The file and the place of a row, for messages: `a.jsonl:3`, `a.json: row 3`."""
    return f"{path}:{number}" if isinstance(number, int) else f"{path}: {number}"


def _is_json(line: str) -> bool:
    """Whether a line is JSON on its own."""
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _list_rows(lines: list[str], path: str | os.PathLike[str], line: int) -> Iterator[tuple[str, Any]]:
    """The rows of a file that is one JSON list, which begins in a line."""
    if sum(map(len, lines)) > max_text():
        raise text_too_long(f"{path}:{line}", "the JSON list")
    try:
        rows = json.loads("".join(lines))
    except (ValueError, RecursionError) as error:
        at = f"{path}:{line + error.lineno - 1}" if isinstance(error, json.JSONDecodeError) else f"{path}"
        raise InputError(f"{at}: the file must be one JSON list; {json_fault(error)}") from error
    for number, row in enumerate(rows, start=1):
        yield f"row {number}", row
