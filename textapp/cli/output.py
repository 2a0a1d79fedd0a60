"""Prints the output of commands: text for people on stderr, one JSON object for programs on stdout."""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from textapp.files import json_bytes
from textapp.text.characters import printable
from textapp.text.terminal import BOLD, Screen, table


def say(text: str) -> None:
    """Prints lines for people. A terminal breaks a single line between words; several, such as a table, stay."""
    lines = list(map(printable, text.lstrip("\n").split("\n")))
    above = "\n" * (len(text) - len(text.lstrip("\n")))
    shown = Screen.of(sys.stderr).line(lines[0]) if len(lines) == 1 else "\n".join(lines)
    print(f"{above}{shown}", file=sys.stderr, flush=True)


def say_steps(*steps: tuple[str, object]) -> None:
    """Prints what was made, and the commands to go on with, in an aligned list. No line is broken: one copies them.

    Args:
        steps: What each line is, such as `next`, and the path or the command.
    """
    screen, width = Screen.of(sys.stderr), max(len(name) for name, _ in steps) + 1
    for name, step in steps:
        spaces = " " * (width - len(name))
        print(f"{screen.paint(f'{name}:', BOLD)}{spaces}{printable(str(step))}", file=sys.stderr, flush=True)


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
    say("\n".join(table(header, rows)))
