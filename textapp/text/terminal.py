"""What a terminal shows: its width, colours that read on both backgrounds, bars, tables and long lines."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO

from textapp.text.characters import terminal_width

COLUMNS = 80
"""Columns of a terminal whose width is not known."""

BOLD, DIM = "1", "2"
# Colours of letters have a middle lightness: on white and on black alike, their contrast is 3.8 or more.
GREEN, RED, ORANGE = (f"38;5;{number}" for number in (28, 160, 130))
FILLS = (117, 222, 157, 218, 183, 252, 159, 229, 216, 151, 147, 180)
"""Twelve light colours of the 256, for backgrounds. Letters on them are black, so that both kinds of terminals show the
same: the contrast is 10 or more."""

_STYLES = {
    **{"warning": f"{BOLD};{ORANGE}", "textapp": f"{BOLD};{RED}", "note": BOLD},
    **dict.fromkeys(("best", "result"), f"{BOLD};{GREEN}"),
}
_STEPS = (0, 95, 135, 175, 215, 255)  # the levels of red, green and blue in the cube of the 256 colours


@dataclass(frozen=True)
class Screen:
    """How a stream shows text.

    Attributes:
        is_terminal: Whether a line can be written again. Not so for a file, a pipe, or with `TERM=dumb`.
        colours: Whether escape codes of colours may be written.
        columns: The width in columns; `COLUMNS` for what is not a terminal.
        blocks: Whether the encoding has the characters that bars are drawn with.
    """

    is_terminal: bool = False
    colours: bool = False
    columns: int = COLUMNS
    blocks: bool = True

    @classmethod
    def of(cls, stream: TextIO, environment: Mapping[str, str] = os.environ) -> "Screen":
        """The screen of a stream.

        `NO_COLOR` and `FORCE_COLOR` count if they are not empty, and `NO_COLOR` counts more; `COLUMNS` counts more than
        the width that the terminal gives.

        Reference: https://no-color.org and https://force-color.org
        """
        is_terminal = stream.isatty() and environment.get("TERM") != "dumb"
        colours = not environment.get("NO_COLOR") and (is_terminal or bool(environment.get("FORCE_COLOR")))
        columns = _columns(stream, environment) if is_terminal else COLUMNS
        return cls(is_terminal, colours, columns, (stream.encoding or "utf-8").lower().startswith("utf"))

    @property
    def is_for_people(self) -> bool:
        """Whether a person reads it rather than a program, so that parts are aligned and marked."""
        return self.is_terminal or self.colours

    def paint(self, text: str, *codes: str) -> str:
        """A text in a style, such as `paint("yes", BOLD, GREEN)`; as it is without colours, codes or letters."""
        return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if self.colours and text and any(codes) else text

    def bar(self, share: float, width: int, *codes: str) -> str:
        """A bar of `width` columns for a share from 0 to 1, its filled part in a style."""
        done = min(width, max(0, round(share * width)))
        full, empty = ("━", "━" if self.colours else "╌") if self.blocks else ("=", "-")
        return self.paint(full * done, *codes) + self.paint(empty * (width - done), DIM)

    def line(self, text: str) -> str:
        """A line for people: on a terminal it is broken between words, and its kind (`warning:`) has a style."""
        parts = broken(text, self.columns) if self.is_terminal else [text]
        kind, colon, rest = parts[0].partition(":")
        if colon and kind in _STYLES:
            parts[0] = f"{self.paint(f'{kind}:', _STYLES[kind])}{rest}"
        elif colon and kind == "chosen":  # the setting counts; its reason is for those who ask
            setting, gap, reason = rest.strip().partition("  ")
            parts[0] = f"{kind}: {setting}{self.paint(f'{gap}{reason}', DIM)}"
            parts[1:] = [self.paint(part, DIM) for part in parts[1:]]
        return "\n".join(parts)


PLAIN = Screen()
"""The screen of a file or a pipe."""


def filled(number: int) -> str:
    """The code of black letters on one of `FILLS`, or on another light colour of the 256."""
    return f"38;5;16;48;5;{number}"


def rgb(number: int) -> tuple[int, int, int]:
    """Red, green and blue, 0 to 255, of one of the 256 colours from number 16 on, which no theme changes.

    Example:
        >>> rgb(16), rgb(117), rgb(252)
        ((0, 0, 0), (135, 215, 255), (208, 208, 208))
    """
    if number < 16:
        raise ValueError(f"`number` must be 16 or more: the first 16 depend on the theme. Received: number={number}")
    if number >= 232:
        grey = 8 + 10 * (number - 232)
        return grey, grey, grey
    place = number - 16
    return _STEPS[place // 36], _STEPS[place // 6 % 6], _STEPS[place % 6]


def broken(text: str, columns: int) -> list[str]:
    """Breaks a line between words into lines of at most some columns; a longer word has a line for itself.

    Args:
        text: The line. Spaces at its start and between its words stay where it is not broken.
        columns: The width. Lines after the first are indented by two columns more than the first.

    Example:
        >>> broken("note: 很好 吃的 面 here", 11)
        ['note: 很好', '  吃的 面', '  here']
    """
    if terminal_width(text) <= columns:
        return [text]
    words = text.split(" ")
    indent = " " * (len(text) - len(text.lstrip(" ")) + 2)
    lines = [words[0]]
    for word in words[1:]:
        longer = f"{lines[-1]} {word}"
        if terminal_width(longer) <= columns or not lines[-1].strip():
            lines[-1] = longer
        elif word:  # no line begins with the spaces that stood before the break
            lines.append(indent + word)
    return [line.rstrip(" ") for line in lines]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table. The first column is aligned to the left, the others to the right.

    Args:
        header: The titles of the columns.
        rows: The cells of each row.
    """
    cells = [list(header), *map(list, rows)]
    widths = [max(terminal_width(row[column]) for row in cells) for column in range(len(header))]
    lines = []
    for row in cells:
        first, *others = [
            " " * (width - terminal_width(cell)) + cell if column else cell + " " * (width - terminal_width(cell))
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join([first, *others]))
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]


def _columns(stream: TextIO, environment: Mapping[str, str]) -> int:
    """The width of a terminal."""
    given = environment.get("COLUMNS", "")
    if given.isdecimal() and int(given):
        return int(given)
    try:
        return os.get_terminal_size(stream.fileno()).columns or COLUMNS
    except OSError:  # a stream that has no file descriptor
        return COLUMNS


def duration(seconds: float) -> str:
    """A time for people, in the unit that suits it.

    Example:
        >>> duration(9.94), duration(75), duration(500), duration(9000)
        ('9.9 s', '75 s', '8 min', '2.5 h')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
