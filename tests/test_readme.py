"""The README and the pages of docs/ are true: scripts run, commands and links exist, figures are measured."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

ROOT = Path(__file__).parents[1]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in [*sorted(ROOT.glob("README*.md")), *sorted((ROOT / "docs").glob("*.md"))]
}
ALL = "\n".join(PAGES.values())
OUTPUT = re.compile(r"^\$ (textapp .*)$", re.M)
COMMANDS = sorted({line.partition("  #")[0] for line in re.findall(r"^(?:\$ )?(textapp .*)$", ALL, re.M)})


def test_the_fit_script_runs(tmp_path, monkeypatch, capsys):
    from textapp.data.samples import write_samples

    script = re.search(r"<!-- fit script.*?```python\n(.*?)```", ALL, re.S)[1]
    assert sum(bool(line.strip()) for line in script.splitlines()) <= 32
    write_samples(tmp_path, {"reviews": 600})
    monkeypatch.chdir(tmp_path)
    exec(compile(script, "fit.py", "exec"), {})
    assert capsys.readouterr().out.splitlines()[-1] in ("negative", "positive")
    assert (tmp_path / "bundle/model.tflite").exists()
    assert list((tmp_path / "logs").rglob("events.*"))


@pytest.mark.parametrize("line", COMMANDS)
def test_the_commands_parse(line):
    """Each command of the shell blocks is known, and so is each option of it."""
    from textapp.cli.main import app

    words = shlex.split(line)[1:]
    command = words[:2] if words[0] in ("train", "vectors", "data", "tune") else words[:1]
    shown = CliRunner().invoke(app, [*command, "--help"])
    assert shown.exit_code == 0
    for option in re.findall(r" (--[a-z-]+)", line):
        assert option in shown.output


def test_every_command_of_the_table_exists():
    from textapp.cli.main import app

    commands = set(re.findall(r"^\| `textapp (\w+)", PAGES["docs/commands.md"], re.M))
    assert commands == {command.name for command in app.registered_commands} | {
        group.name for group in app.registered_groups
    }


def test_each_encoder_and_each_task_has_its_line():
    from textapp.models.encoders import ENCODERS
    from textapp.task import names

    tables = {
        header: re.search(rf"^\| {header} \|.*\n.*\n((?:\|.*\n)+)", PAGES["docs/design.md"], re.M)[1]
        for header in ("encoder", "task")
    }
    lines = {header: set(re.findall(r"^\| `(\w+)`", rows, re.M)) for header, rows in tables.items()}
    assert lines == {"encoder": set(ENCODERS), "task": set(names())}


def test_the_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make ([\w-]+)", ALL) + re.findall(r"^make ([\w-]+)", ALL, re.M):
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_the_tree_is_the_tree():
    """Each folder of the package has its line, and no line is of a folder that is gone."""
    tree = re.search(r"<!-- tree -->(.*)<!-- /tree -->", PAGES["docs/design.md"], re.S)[1]
    listed = set(re.findall(r"^([\w./-]+/)\s", tree, re.M))
    rooms = {f"textapp/{path.name}/" for path in (ROOT / "textapp").iterdir() if (path / "__init__.py").exists()}
    assert {name for name in listed if name.startswith("textapp/")} == rooms
    assert all((ROOT / name).is_dir() for name in listed)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page):
    folder = (ROOT / page).parent
    for link in re.findall(r"\]\(([^)\s#]+)", PAGES[page]) + re.findall(r'(?:src|srcset)="([^"]+)"', PAGES[page]):
        assert link.startswith("https://") or (folder / link).exists(), link


@pytest.mark.parametrize("page", PAGES)
def test_figures_stand_in_results(page):
    """A figure with a spread, or of a table of results, was measured."""
    recorded = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "results").glob("*.md"))
    tables = "".join(re.findall(r"<!-- results -->(.*?)<!-- /results -->", PAGES[page], re.S))
    for figure in re.findall(r"\d+\.\d+ ± \d+\.\d+", PAGES[page]) + re.findall(r"\*\*(\d+\.\d+)", tables):
        assert figure in recorded, figure


@pytest.mark.parametrize("page", [name for name in PAGES if name.startswith("README")])
def test_the_first_page_is_short_and_has_the_results(page):
    assert len(PAGES[page].splitlines()) <= 150
    assert "<!-- results -->" in PAGES[page]
    assert re.findall(r"\*\*\d+\.\d+", PAGES[page])
