"""A wrong path or budget is refused before TensorFlow loads, which takes seconds."""

import json
import subprocess
import sys

import pytest

from textapp.cli.native_log import tensorflow_started

SCRIPT = """
import io, json, sys
from textapp.cli.main import main

for package in ("tensorflow", "keras", "tensorboard"):
    sys.modules[package] = None  # an import of it fails
for words in json.loads(sys.argv[1]):
    sys.argv, sys.stderr = ["textapp", *words], io.StringIO()
    try:
        main()
    except SystemExit as end:
        print(json.dumps([end.code, sys.stderr.getvalue()]))
"""


@pytest.fixture
def places(classifier, tmp_path):
    """Paths of a finished run, of texts, of a folder with other files, and of nothing."""
    other = tmp_path / "чужое"
    other.mkdir()
    (other / "x").write_text("x", encoding="utf-8")
    return {
        "run": str(classifier.run),
        "data": classifier.files["train"],
        "other": str(other),
        "none": str(tmp_path / "нет"),
        "new": str(tmp_path / "new"),
        "npz": str(tmp_path / "v.npz"),
    }


def test_wrong_paths_and_budgets_are_refused_before_tensorflow_loads(places):
    cases = [
        ("train classifier --train {none} --out {new}", "{none}: No such file or directory"),
        ("train classifier --train {data} --out {run}", "{run}: holds a finished run; use --force"),
        ("train classifier --train {data} --out {other}", "{other}: exists and is not a run folder"),
        ("train classifier --train {data} --init {none} --out {new}", "{none}: no such folder"),
        ("tune classifier --train {data} --minutes 0 --out {new}", "--minutes 0: must be a number above 0"),
        ("distill {none} --train {data} --out {new}", "{none}: No such file or directory"),
        ("distill {other} --train {data} --out {new}", "{other}: not a run folder"),
        ("distill {run} --train {data} --out {run}", "{run}: holds a finished run; use --force"),
        ("compress {none} --budget 100KB --out {new}", "{none}: No such file or directory"),
        ("compress {run} --budget 0 --out {new}", "--budget 0: must be a number of bytes"),
        ("compress {run} --budget 9KB --lengths 4,2 --out {new}", "--lengths 4,2: must be 1 or more and increase"),
        ("quantize {none} --out {new}", "{none}: no such folder"),
        ("quantize {run} --out {run}", "{run}: is the run itself"),
        ("quantize {run} --out {other}", "{other}: exists and is not a run folder"),
        ("export {none} --out {new}", "{none}: no such folder"),
        ("export {run} --out {other}", "{other}: exists; choose another folder"),
        ("predict {none} x", "{none}: no such folder"),
        ("predict {other} x", "{other}: no run folder or bundle"),
        ("evaluate {none} --data {data}", "{none}: no such folder"),
        ("report {none} --data {data} --out {new}.html", "{none}: no such folder"),
        ("vectors train {none} --out {npz}", "{none}: No such file or directory"),
        ("vectors train {data} --out {new}.x", "--out {new}.x: the name must end in "),
        ("vectors train {data} --init {none} --out {npz}", "{none}: No such file or directory"),
        ("vectors project {none} --out {new}", "{none}: No such file or directory"),
    ]
    commands = [[word.format(**places) for word in command.split()] for command, _ in cases]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(commands)], capture_output=True, text=True, timeout=60
    )
    refusals = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(refusals) == len(cases), done.stderr
    for (command, message), (code, text) in zip(cases, refusals, strict=True):
        assert (code, text.startswith(f"textapp: {message.format(**places)}")) == (2, True), (command, text)


def test_people_see_that_tensorflow_starts(monkeypatch, capsys):
    with tensorflow_started():
        pass
    assert capsys.readouterr().err == ""  # it is loaded already
    monkeypatch.delitem(sys.modules, "tensorflow")
    with tensorflow_started():
        pass
    assert capsys.readouterr().err == "starting TensorFlow\n"
