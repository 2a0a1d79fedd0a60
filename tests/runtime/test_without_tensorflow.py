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


def run(code, *arguments):
    """The standard output of a fresh Python process."""
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(params=["bundle_folder", "tagger_folder"])
def folder(request):
    """A classifier's bundle and a tagger's."""
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def answer(folder):
    return json.loads(run(PREDICT, folder, json.dumps(TEXTS)))


def test_predicting_loads_nothing_that_the_base_install_lacks(answer, beyond_base_install):
    startup = json.loads(run("import json, sys; print(json.dumps([m.partition('.')[0] for m in sys.modules]))"))
    loaded = set(answer["modules"]) - set(startup)
    assert {"numpy", "ai_edge_litert"} <= loaded
    assert not loaded & beyond_base_install


def test_all_of_an_extra_is_beyond_the_base_install(base_install, beyond_base_install):
    """The imitation works: what an extra adds is not found, what the base install brings is."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    brought = {"numpy", "ai_edge_litert", "typer", "flatbuffers"}  # the last by ai-edge-litert
    modules_of = {}
    for module, names in importlib.metadata.packages_distributions().items():
        for name in names:
            modules_of.setdefault(canonicalize_name(name), set()).add(module)
    extras = project["optional-dependencies"]
    added = {canonicalize_name(Requirement(line).name) for name in ("train", "chinese") for line in extras[name]}
    added = set().union(*(modules_of.get(name, set()) for name in added)) - brought
    assert {"tensorflow", "keras", "tensorflow_text", "scipy", "sklearn"} <= added <= beyond_base_install
    found = f"print([name for name in {sorted(added | brought)!r} if importlib.util.find_spec(name)])"
    assert run(f"{base_install}import importlib.util\n{found}") == f"{sorted(brought)}\n"


def test_predicting_needs_the_base_install_alone(answer, folder, base_install):
    blocked = json.loads(run(base_install + PREDICT, folder, json.dumps(TEXTS)))
    assert blocked["predictions"] == answer["predictions"]
    assert len(blocked["predictions"]) == len(TEXTS)


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("predict", ["--confidence", "--json", "--file"]),
        ("evaluate", ["--json", "--data"]),
        ("bench", ["--data"]),
        ("report", ["--rounds", "1", "--out", "отчёт.html", "--data"]),
    ],
)
def test_the_command_line_on_a_tagger_needs_the_base_install_alone(
    base_install, tagger_folder, tmp_path, command, options
):
    data = tmp_path / "данные.txt"
    data.write_text("Angela B-人\nMerkel I-人\n北 O\n", encoding="utf-8")
    options = [str(tmp_path / option) if option.endswith(".html") else option for option in options]
    run(base_install + COMMAND, command, str(tagger_folder), *options, str(data))


def test_predicting_and_timing_need_no_module_that_windows_lacks(tagger_folder, tmp_path):
    data = tmp_path / "данные.txt"
    data.write_text("Angela B-人\nMerkel I-人\n北 O\n", encoding="utf-8")
    absent = "import sys; sys.modules |= dict.fromkeys(('fcntl', 'grp', 'pwd', 'resource', 'termios'))\n"
    assert json.loads(run(absent + COMMAND, "predict", str(tagger_folder), "--json", "北"))["predictions"]
    for command in ("bench", "evaluate"):
        output = run(absent + COMMAND, command, str(tagger_folder), "--data", str(data), "--json")
        assert json.loads(output)["count"] == 1


def test_predicting_from_the_command_line_takes_little_cpu_time(tagger_folder):
    """Process start and imports included; wall time would be that of a machine that has other things to do."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run(COMMAND, "predict", str(tagger_folder), "Angela Merkel in 北京")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.2  # twice that of a slow machine


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
                assert name.split(".")[1] in ("runtime", "text", "errors", "files"), name
            else:
                assert name.partition(".")[0] in allowed, name
