"""The README is true: its script runs, its commands exist, its tree is the tree."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_fit_script_runs(tmp_path, monkeypatch, capsys):
    from textapp.data.samples import write_samples

    script = re.search(r"<!-- fit script.*?```python\n(.*?)```", README, re.S)[1]
    assert sum(bool(line.strip()) for line in script.splitlines()) <= 32
    write_samples(tmp_path, {"reviews": 600})
    monkeypatch.chdir(tmp_path)
    exec(compile(script, "README.md", "exec"), {})
    assert capsys.readouterr().out.splitlines()[-1] in ("negative", "positive")
    assert (tmp_path / "bundle/model.tflite").exists()
    assert list((tmp_path / "logs").rglob("events.*"))


@pytest.mark.parametrize("line", re.findall(r"^textapp .*$", README, re.M))
def test_the_commands_parse(line):
    """Each command of the shell blocks is known, and so is each option of it."""
    from textapp.cli.main import app

    words = shlex.split(line)[1:]
    command = words[:2] if words[0] in ("train", "vectors") else words[:1]
    shown = CliRunner().invoke(app, [*command, "--help"])
    assert shown.exit_code == 0
    for option in re.findall(r"--[a-z-]+", line):
        assert option in shown.output


def test_every_command_of_the_table_exists():
    from textapp.cli.main import app

    commands = set(re.findall(r"^\| `textapp (\w+)", README, re.M))
    assert commands == {command.name for command in app.registered_commands} | {
        group.name for group in app.registered_groups
    }


def test_each_encoder_and_each_task_has_its_line():
    from textapp.models.encoders import ENCODERS
    from textapp.task import names

    tables = {
        header: re.search(rf"^\| {header} \|.*\n.*\n((?:\|.*\n)+)", README, re.M)[1] for header in ("encoder", "task")
    }
    lines = {header: set(re.findall(r"^\| `(\w+)`", rows, re.M)) for header, rows in tables.items()}
    assert lines == {"encoder": set(ENCODERS), "task": set(names())}


def test_the_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"\bmake (\w+)", README):
        if target != "a":
            assert re.search(rf"^{target}:", makefile, re.M), target


def test_the_tree_is_the_tree():
    """Each folder of the package has its line, and no line is of a folder that is gone."""
    tree = re.search(r"<!-- tree -->(.*)<!-- /tree -->", README, re.S)[1]
    listed = set(re.findall(r"^([\w./-]+/)\s", tree, re.M))
    rooms = {f"textapp/{path.name}/" for path in (ROOT / "textapp").iterdir() if (path / "__init__.py").exists()}
    assert {name for name in listed if name.startswith("textapp/")} == rooms
    assert all((ROOT / name).is_dir() for name in listed)


def test_results_are_those_of_the_results_folder():
    """A figure of the first screen's table stands in results/ as well."""
    table = re.search(r"<!-- results -->(.*)<!-- /results -->", README, re.S)[1]
    recorded = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "results").glob("*.md"))
    figures = re.findall(r"\d+\.\d+ ± \d+\.\d+", table)
    assert figures
    for figure in figures:
        assert figure in recorded, figure
