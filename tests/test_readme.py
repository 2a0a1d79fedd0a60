"""The README and the pages of docs/ are true: scripts run, commands and links exist, figures are measured."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

ROOT = Path(__file__).parents[1]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in [*sorted(ROOT.glob("README*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
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


def test_the_generated_pages_are_what_their_generator_writes():
    from docs import generated

    assert all(f"docs/{name}" in PAGES for name in generated.PAGES)
    for name, page in generated.PAGES.items():
        assert PAGES[f"docs/{name}"] == page(), f"docs/{name}: is old; run `python docs/generated.py`"


def test_the_site_has_each_page_once():
    """Each page of docs/ has its place in the navigation of the site, which names no page that is missing."""
    project = tomllib.loads((ROOT / "docs/zensical.toml").read_text(encoding="utf-8"))["project"]
    places = re.findall(r"'([^']+\.md)'", str(project["nav"]))
    assert len(places) == len(set(places))
    assert set(PAGES) <= set(places)
    assert [place for place in places if not (ROOT / place).is_file()] == []


def test_the_site_copies_each_page_of_its_navigation():
    from docs import site

    project = tomllib.loads((ROOT / "docs/zensical.toml").read_text(encoding="utf-8"))["project"]
    copied = {str(path.relative_to(ROOT)) for pattern in site.PAGES for path in ROOT.glob(pattern)}
    assert set(re.findall(r"'([^']+\.md)'", str(project["nav"]))) <= copied


@pytest.mark.parametrize("page", [name for name in PAGES if name.startswith("docs/")])
def test_a_page_starts_with_what_the_reader_wants(page):
    first = PAGES[page].split("\n\n")[1]
    assert re.search("您" if "zh-CN" in page else r"\b[Yy]ou\b", first), first


@pytest.mark.parametrize("page", [name for name in PAGES if name.startswith("docs/zh-CN/")])
def test_a_chinese_page_has_commands_and_figures_of_the_english_page(page):
    """A figure or a command that is changed in the English page is old in the Chinese one."""
    english = PAGES[page.replace("zh-CN/", "")]
    for line in re.findall(r"^(?:\$ )?(textapp .*)$", PAGES[page], re.M):
        assert line.partition("  #")[0].rstrip() in english, line
    for figure in re.findall(r"\b\d+\.\d+\b", PAGES[page]):
        assert figure in english, figure


def test_the_page_of_formats_has_each_format_and_each_known_column():
    from textapp.data import readers, tables, tagged
    from textapp.vectors import formats

    page = PAGES["docs/formats.md"]
    for heading, known in (
        ("Examples for a classifier", readers.FORMATS),
        ("Examples for a tagger", tagged.FORMATS),
        ("Word vectors", formats.FORMATS),
    ):
        section = page.split(f"\n## {heading}\n")[1].partition("\n## ")[0]
        assert set(re.findall(r"^\| `(\w+)` \|", section, re.M)) == set(known)
    for column in tables.TEXT_COLUMNS + tables.LABEL_COLUMNS:
        assert f"`{column}`" in page
