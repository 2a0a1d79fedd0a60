"""The runtime predicts where neither TensorFlow nor Keras is installed, and loads neither where they are."""

import ast
import importlib.metadata
import json
import resource
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from textapp.runtime import load, read_bundle
from textapp.task import task

ROOT = Path(__file__).parents[2]
TEXTS = ["Très good film !", "这部电影很坏", "плохо 😀", "", "\0", "\ud800 café"]
PREDICT = """
import json, sys
from textapp.runtime import load
predictor = load(sys.argv[1])
predictions = [prediction.to_dict() for prediction in predictor.predict(json.loads(sys.argv[2]))]
modules = sorted({name.partition(".")[0] for name in sys.modules})
print(json.dumps({"predictions": predictions, "modules": modules}))
"""

COMMAND = "import sys; from textapp.cli.main import main; sys.argv[0] = 'textapp'; main()"
EXAMPLES = {
    "classification": ("данные.tsv", "text\tlabel\nTrès good film !\t积极\nплохо\tneutre\n"),
    "tagging": ("данные.txt", "Angela B-人\nMerkel I-人\n\n北 O\n"),
}


def run(code, *arguments):
    """The standard output of a fresh Python process."""
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def data(folder, tmp_path):
    """Examples of the bundle's task."""
    name, text = EXAMPLES[read_bundle(folder).task]
    (tmp_path / name).write_text(text, encoding="utf-8")
    return str(tmp_path / name)


@pytest.fixture
def answer(folder):
    return json.loads(run(PREDICT, str(folder), json.dumps(TEXTS)))


def test_predicting_needs_no_training_library(answer, folder, base_install):
    for name in ("tensorflow", "keras"):  # the block works
        assert run(f"{base_install}\ntry:\n import {name}\nexcept ImportError: print('gone')") == "gone\n"
    blocked = json.loads(run(base_install + PREDICT, str(folder), json.dumps(TEXTS)))
    assert blocked["predictions"] == answer["predictions"]
    assert len(blocked["predictions"]) == len(TEXTS)


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("predict", ["--json", "--file"]),
        ("evaluate", ["--json", "--data"]),
        ("bench", ["--data"]),
        ("report", ["--rounds", "1", "--out", "отчёт.html", "--data"]),
    ],
)
def test_the_command_line_needs_no_training_library(folder, data, tmp_path, base_install, command, options):
    options = [str(tmp_path / option) if option.endswith(".html") else option for option in options]
    source = data
    if command == "predict":  # reads texts, one a line, and no table
        source = str(tmp_path / "тексты.txt")
        Path(source).write_text("北 good\nтекст\n", encoding="utf-8")
    out = run(base_install + COMMAND, command, str(folder), *options, source)
    if command == "evaluate":
        predictor = load(folder)
        found = task(predictor.task)
        examples = found.read(data)
        decisions = list(predictor.decide(found.questions(examples)))
        assert json.loads(out) == found.score_decisions(examples, decisions, predictor.targets)


def test_predicting_and_timing_need_no_module_that_windows_lacks(folder, data):
    absent = "import sys; sys.modules |= dict.fromkeys(('fcntl', 'grp', 'pwd', 'resource', 'termios'))\n"
    assert json.loads(run(absent + COMMAND, "predict", str(folder), "--json", "北"))["predictions"]
    assert json.loads(run(absent + COMMAND, "bench", str(folder), "--data", data, "--json"))["count"] == 2
    assert json.loads(run(absent + COMMAND, "evaluate", str(folder), "--data", data, "--json"))["count"] > 0


def test_predicting_from_the_command_line_takes_little_cpu_time(tagger_folder):
    """Process start and imports included; wall time would be that of a machine that has other things to do."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run(COMMAND, "predict", str(tagger_folder), "Angela Merkel in 北京")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.2  # twice that of a slow machine


def test_everything_loaded_is_brought_by_the_base_install(answer):
    """Every third-party module belongs to a package that numpy or ai-edge-litert requires."""
    installed, queue = set(), ["numpy", "ai-edge-litert"]
    while queue:
        name = canonicalize_name(queue.pop())
        if name not in installed:
            installed.add(name)
            requirements = map(Requirement, importlib.metadata.requires(name) or [])
            queue += [r.name for r in requirements if r.marker is None or r.marker.evaluate({"extra": ""})]
    brought_by = importlib.metadata.packages_distributions()
    startup = json.loads(run("import json, sys; print(json.dumps([m.partition('.')[0] for m in sys.modules]))"))
    loaded = set(answer["modules"]) - set(startup) - set(sys.stdlib_module_names) - {"textapp"}
    assert {"numpy", "ai_edge_litert"} <= loaded
    foreign = {
        m: brought_by[m]
        for m in loaded & set(brought_by)
        if installed.isdisjoint(map(canonicalize_name, brought_by[m]))
    }
    assert not foreign


def test_the_base_install_has_no_training_library():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {Requirement(line).name for line in project["dependencies"]} == {"numpy", "ai-edge-litert", "typer"}


@pytest.mark.parametrize("path", sorted((ROOT / "textapp/runtime").glob("*.py")), ids=lambda path: path.name)
def test_no_import_reaches_beyond_the_runtime(path):
    """Also imports inside functions, which the processes above might not have run."""
    allowed = set(sys.stdlib_module_names) | {"numpy", "ai_edge_litert"}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        assert not (isinstance(node, ast.ImportFrom) and node.level), "relative imports are not used"
        names = [node.module] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            if name.partition(".")[0] == "textapp":
                assert name.split(".")[1] in ("runtime", "text", "task", "errors", "files"), name
            else:
                assert name.partition(".")[0] in allowed, name
