import json

import pytest

from textapp.cli.output import print_json, printable, say, say_table


def test_people_read_stderr(capsys):
    say("строка 1\nстрока \x1b[31m2\u202e\udcff")
    assert capsys.readouterr() == ("", "строка 1\nстрока \\x1b[31m2\\u202e\\udcff\n")


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
