"""Prints the output of commands: text for people on stderr, one JSON object for programs on stdout."""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from textapp.files import json_bytes
from textapp.text.characters import printable, terminal_width


def say(text: str) -> None:
    """Prints lines for people."""
    print("\n".join(map(printable, text.split("\n"))), file=sys.stderr, flush=True)


@contextlib.contextmanager
def resumable(force: bool) -> Iterator[None]:
    """If Ctrl-C stops the block, prints that the same command (without `--force`) resumes its work."""
    try:
        yield
    except KeyboardInterrupt:
        say(f"\nstopped; the same command{' without --force' if force else ''} resumes it")
        raise


def print_json(value: dict[str, Any]) -> None:
    """Prints the JSON object of `--json`."""
    sys.stdout.buffer.write(json_bytes(value) + b"\n")
    sys.stdout.flush()


def print_line(line: str) -> None:
    """Prints a line on stdout."""
    sys.stdout.buffer.write(line_bytes(line))


def line_bytes(line: str) -> bytes:
    """A line with its end, in UTF-8 in any locale; lone surrogates become escapes."""
    return f"{line}\n".encode("utf-8", "backslashreplace")


def say_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a table for people. The first column is aligned to the left, the others to the right."""
    cells = [list(header), *map(list, rows)]
    widths = [max(terminal_width(row[column]) for row in cells) for column in range(len(header))]
    lines = []
    for row in cells:
        spaces = [" " * (width - terminal_width(cell)) for cell, width in zip(row, widths, strict=True)]
        lines.append(
            "  ".join([row[0] + spaces[0], *(space + cell for space, cell in zip(spaces[1:], row[1:], strict=True))])
        )
    say("\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]]))
