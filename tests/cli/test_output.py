import json

import pytest

from textapp.cli.output import print_json, printable, say, say_steps, say_table


def test_people_read_stderr(capsys):
    say("строка 1\nстрока \x1b[31m2\u202e\udcff")
    assert capsys.readouterr() == ("", "строка 1\nстрока \\x1b[31m2\\u202e\\udcff\n")


def test_a_terminal_breaks_lines_for_people_but_no_command(capsys, monkeypatch):
    for name, value in {"TERM": "xterm", "NO_COLOR": "", "COLUMNS": "20"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    say("\nwarning: a line that is too long")
    say("a table  of columns\nthat is  not broken up")
    say_steps(("run", "a"), ("next", "textapp export a --out b\x1b"))
    assert capsys.readouterr().err.splitlines() == [
        "",
        "\x1b[1;38;5;130mwarning:\x1b[0m a line that",
        "  is too long",
        "a table  of columns",
        "that is  not broken up",
        "\x1b[1mrun:\x1b[0m  a",
        "\x1b[1mnext:\x1b[0m textapp export a --out b\\x1b",
    ]


def test_next_steps_are_aligned(capsys):
    say_steps(("run", "прогон"), ("next", "textapp"))
    assert capsys.readouterr().err == "run:  прогон\nnext: textapp\n"


def test_a_table_is_aligned(capsys):
    say_table(("", "точность"), [("keras", "0.9"), ("int8 包", "0.89")])
    assert capsys.readouterr().err.splitlines() == [
        "         точность",
        "-------  --------",
        "keras         0.9",
        "int8 包      0.89",
    ]


def test_json_is_one_line_of_utf_8_on_stdout(capfdbinary):
    value = {"текст": "好\n🎉", "half": "\ud800"}
    print_json(value)
    out, err = capfdbinary.readouterr()
    assert err == b""
    assert out.count(b"\n") == 1
    assert json.loads(out) == value
    assert "好".encode() in out
    with pytest.raises(ValueError, match="not JSON compliant"):
        print_json({"x": float("nan")})
    assert capfdbinary.readouterr() == (b"", b"")


@pytest.mark.parametrize(
    ("text", "shown"),
    [("é 好 🎉", "é 好 🎉"), ("\0\x07\x1b[0m\x7f\x9b", "\\x00\\x07\\x1b[0m\\x7f\\x9b"), ("\t", "\\t")],
)
def test_control_characters_are_escaped(text, shown):
    assert printable(text) == shown
