"""The tools of clients/check.py: what hangs or fails is a missing tool, and a tool is there wholly or not at all."""

import sys
import time

import pytest

from clients import tools
from native.check import Skipped, run_ways


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where tools are installed."""
    monkeypatch.setattr(tools, "INSTALLED", tmp_path / "tools")
    return tmp_path / "tools"


def program(path, output, code=0):
    path.write_text(f"#!/bin/sh\necho '{output}'\nexit {code}\n")
    path.chmod(0o755)


def test_a_program_that_hangs_ends_in_time_with_all_that_it_has_started():
    start = time.monotonic()
    assert tools.failure(["sh", "-c", "sleep 60 & sleep 60"], 0.3) == "it took more than 0.3 s"
    assert time.monotonic() - start < 20


def test_a_program_that_fails_gives_its_last_line():
    assert tools.failure(["sh", "-c", "echo one; echo two >&2; echo; exit 3"], 60) == "two"
    assert tools.failure(["sh", "-c", "exit 3"], 60) == "exit code 3"
    assert tools.failure(["sh", "-c", "echo one"], 60) is None
    code = "import os, sys; sys.exit(os.environ['FRUIT'] != 'açaí')"
    assert tools.failure([sys.executable, "-c", code], 60, FRUIT="açaí") is None


def test_a_tool_is_installed_once(folder):
    calls = []

    def install(made):
        calls.append(made)
        made.mkdir()
        (made / "program").write_text("x")

    for _ in range(2):
        found = tools.installed("@some/tool 1.0", install)
        assert found == folder / "some-tool-1.0"
        assert (found / "program").read_text() == "x"
    assert len(calls) == 1
    assert list(folder.iterdir()) == [found]


def test_nothing_stays_of_a_tool_that_cannot_be_installed(folder):
    def install(made):
        made.mkdir()
        (made / "part").write_text("x")
        return "no network"

    with pytest.raises(Skipped, match=r"no tool here, and it cannot be installed: no network"):
        tools.installed("tool", install)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("output", "code", "is_found"),
    [("v20.2.1", 0, True), ("tool 9.99", 0, False), ("tool 20 of today", 0, True), ("20", 1, False), ("no", 0, False)],
)
def test_a_tool_of_an_old_version_is_a_missing_one(tmp_path, monkeypatch, output, code, is_found):
    program(tmp_path / "tool", output, code)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    if is_found:
        assert tools.needed_from("tool", (20,)) == str(tmp_path / "tool")
    else:
        with pytest.raises(Skipped, match="no tool from version 20 on here"):
            tools.needed_from("tool", (20,))


def test_ways_are_passed_skipped_or_failed(monkeypatch, capsys):
    def skip():
        raise Skipped("no tool here")

    def fail():
        raise FileNotFoundError("no file")

    ways = {"good": lambda: None, "lacking": skip, "bad": fail}
    monkeypatch.setattr(sys, "argv", ["check.py"])
    assert run_ways(ways) == 1
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "good: passed in 0 s",
        "lacking: skipped: no tool here",
        "bad: failed: no file",
    ]
    monkeypatch.setattr(sys, "argv", ["check.py", "good", "lacking"])
    assert run_ways(ways) == 0
    monkeypatch.setattr(sys, "argv", ["check.py", "else"])
    assert run_ways(ways) == 2
