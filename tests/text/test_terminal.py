"""What a terminal shows: when it has colours, which read on both backgrounds, and lines that fit."""

import io

import pytest

from textapp.text import terminal
from textapp.text.characters import terminal_width
from textapp.text.terminal import BOLD, FILLS, PLAIN, Screen, broken, filled, rgb, table


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "environment", "screen"),
    [
        (Terminal(), {"TERM": "xterm"}, Screen(True, True, 80)),
        (Terminal(), {"COLUMNS": "33"}, Screen(True, True, 33)),
        (Terminal(), {"COLUMNS": "wide"}, Screen(True, True, 80)),
        (Terminal(), {"NO_COLOR": "1", "FORCE_COLOR": "1"}, Screen(True, False, 80)),
        (Terminal(), {"NO_COLOR": ""}, Screen(True, True, 80)),
        (Terminal(), {"TERM": "dumb"}, PLAIN),
        (io.StringIO(), {"TERM": "xterm", "COLUMNS": "33"}, PLAIN),
        (io.StringIO(), {"FORCE_COLOR": "1"}, Screen(False, True, 80)),
    ],
)
def test_the_environment_decides_about_colours(stream, environment, screen):
    assert Screen.of(stream, environment) == screen


def test_an_encoding_without_blocks_has_other_bars():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    assert Screen.of(stream, {}).bar(0.5, 4) == "==--"
    assert PLAIN.bar(0.5, 4) == "━━╌╌"
    assert [PLAIN.bar(share, 2) for share in (-1, 0, 1, 2)] == ["╌╌", "╌╌", "━━", "━━"]


def luminance(number):
    """The relative luminance of one of the 256 colours, 0 to 1, as WCAG 2 defines it."""
    parts = [part / 255 for part in rgb(number)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("code", [terminal.GREEN, terminal.RED, terminal.ORANGE])
def test_letters_read_on_black_and_on_white(code):
    lightness = luminance(int(code.rpartition(";")[2])) + 0.05
    assert lightness / 0.05 > 3.8
    assert 1.05 / lightness > 3.8


def test_twelve_backgrounds_read_and_differ():
    assert len(set(FILLS)) == 12
    assert min((luminance(number) + 0.05) / 0.05 for number in FILLS) > 10
    assert filled(FILLS[0]) == "38;5;16;48;5;117"


def test_colours_that_depend_on_a_theme_are_refused():
    with pytest.raises(ValueError, match="number=15"):
        rgb(15)


@pytest.mark.parametrize(
    ("line", "columns", "lines"),
    [
        ("short", 5, ["short"]),
        ("one two  three", 9, ["one two", "  three"]),
        ("  chosen: x=1      of a reason", 14, ["  chosen: x=1", "    of a", "    reason"]),
        ("/a/path/that/is/longer is no file", 12, ["/a/path/that/is/longer", "  is no file"]),
        ("很好吃 很好吃的面", 10, ["很好吃", "  很好吃的面"]),
        ("", 1, [""]),
    ],
)
def test_lines_are_broken_between_words(line, columns, lines):
    assert broken(line, columns) == lines


def test_broken_lines_fit_and_lose_no_word():
    text = "warning: " + " ".join("é" * (number % 9 + 1) for number in range(80))
    for columns in (12, 40, 80):
        lines = broken(text, columns)
        assert max(map(terminal_width, lines)) <= columns
        assert " ".join(lines).split() == text.split()


def test_the_kind_of_a_line_has_a_style_on_a_terminal():
    screen = Screen(is_terminal=True, colours=True, columns=24)
    assert screen.line("warning: more than 5% are unknown") == (
        "\x1b[1;38;5;130mwarning:\x1b[0m more than 5%\n  are unknown"
    )
    assert screen.line("chosen: a=1   the reason is long") == (
        "chosen: a=1\x1b[2m   the reason\x1b[0m\n\x1b[2m  is long\x1b[0m"
    )
    assert screen.line("valid: 1") == "valid: 1"
    assert Screen(is_terminal=True, columns=24).line("warning: more than 5% are unknown") == (
        "warning: more than 5%\n  are unknown"
    )
    long = "warning: " + "x " * 100
    assert PLAIN.line(long) == long


def test_nothing_is_painted_without_colours_letters_or_codes():
    coloured = Screen(colours=True)
    assert [PLAIN.paint("a", BOLD), coloured.paint("", BOLD), coloured.paint("a")] == ["a", "", "a"]


def test_a_table_is_aligned_by_columns_of_a_terminal():
    assert table(["", "好"], [["x", "1"]]) == ["   好", "-  --", "x   1"]
