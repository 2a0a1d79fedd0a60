"""What a command prints: people read stderr, machines one JSON object on stdout."""

import contextlib
import json
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

from textapp.text.characters import printable


def say(text: str) -> None:
    """Prints lines for people."""
    print("\n".join(map(printable, text.split("\n"))), file=sys.stderr, flush=True)


@contextlib.contextmanager
def resumable(force: bool) -> Iterator[None]:
    """Around work that its command, given without `--force`, goes on with: whoever stops it with Ctrl-C is told so."""
    try:
        yield
    except KeyboardInterrupt:
        say(f"\nstopped; the same command{' without --force' if force else ''} goes on with it")
        raise


def print_json(value: dict[str, Any]) -> None:
    """Prints the one JSON object of `--json`, as UTF-8 whatever the locale; lone surrogates as JSON escapes."""
    sys.stdout.buffer.write(json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace"))
    sys.stdout.buffer.write(b"\n")
    sys.stdout.flush()


def print_line(line: str) -> None:
    """Writes a line on stdout as UTF-8 whatever the locale; lone surrogates as escapes."""
    sys.stdout.buffer.write(f"{line}\n".encode("utf-8", "backslashreplace"))


def say_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a table for people: the first column to the left, the others to the right."""
    cells = [list(header), *map(list, rows)]
    widths = [max(_width(row[column]) for row in cells) for column in range(len(header))]
    lines = []
    for row in cells:
        spaces = [" " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)]
        lines.append(
            "  ".join([row[0] + spaces[0], *(space + cell for space, cell in zip(spaces[1:], row[1:], strict=True))])
        )
    say("\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]]))


def _width(text: str) -> int:
    """How many columns of a terminal a text takes: Chinese characters two, combining marks none."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) > 0 for character in text)
