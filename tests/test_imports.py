"""The rules of the house about imports, checked on the syntax tree."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "textapp"
STAGES = [
    *("text", "data", "vectors", "layers", "dashboards", "tasks", "models", "training"),
    *("compress", "export", "runtime", "cli"),
]
ROOT = {"errors", "files", "config", "settings", "fonts", "figures"}  # any stage may import these
FORBIDDEN_NAMES = {"utils", "common", "helpers", "base", "registry", "factory"}
MODULES = sorted(PACKAGE.rglob("*.py"))
OF_BASE_INSTALL = sorted(  # `textapp evaluate` and `textapp report` of a bundle use these files of a task
    path for path in PACKAGE.glob("tasks/*/*.py") if path.name in {"config.py", "data.py", "scores.py"}
)


def stage(path: Path) -> str:
    """`text` for textapp/text/tokenizer.py, `config` for textapp/config.py."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """All modules that a file imports, at its top or inside a function; relative ones made absolute."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def imported_stages(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imported(path) if name.startswith("textapp.")}


def test_stages_are_the_folders():
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders <= set(STAGES)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_stage_imports_only_from_its_left(path):
    own = stage(path)
    others = imported_stages(path) - {"__version__"}
    if own in STAGES:
        allowed = ROOT | ({"text", "runtime"} if own == "runtime" else set(STAGES[: STAGES.index(own) + 1]))
    else:
        allowed = ROOT
    assert others <= allowed


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_third_parties_stay_in_their_stages(path):
    own = stage(path)
    packages = {name.partition(".")[0] for name in imported(path)}
    if own in {"text", "errors", "files", "config", "settings", "__init__"}:
        assert packages <= set(sys.stdlib_module_names) | {"textapp"}
    if own in {"runtime", "cli"}:
        assert not packages & {"tensorflow", "keras", "tensorflow_text"}
    if own in {"layers", "models"}:
        assert "tensorflow" not in packages, "layers and models are written with keras.ops"


@pytest.mark.parametrize("path", OF_BASE_INSTALL, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_settings_data_and_scores_of_a_task_need_numpy_alone(path):
    packages = {name.partition(".")[0] for name in imported(path)}
    assert packages <= set(sys.stdlib_module_names) | {"textapp", "numpy"}


def test_settings_data_and_scores_of_a_task_load_neither_tensorflow_nor_keras():
    """What they import loads neither, too."""
    names = [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in OF_BASE_INSTALL]
    assert "textapp.tasks.tagging.scores" in names
    check = f"import sys, {', '.join(names)}\nassert not {{'tensorflow', 'keras'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True, capture_output=True)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_drawer_for_everything(path):
    assert not FORBIDDEN_NAMES & {part.removesuffix(".py") for part in path.relative_to(PACKAGE).parts}


@pytest.mark.parametrize("command", [["-c", "import textapp"], ["-m", "textapp.cli.main", "--help"]])
def test_loads_neither_tensorflow_nor_keras(command):
    check = "import sys, contextlib\n"
    if command[0] == "-c":
        check += command[1]
    else:
        check += "sys.argv = ['textapp', '--help']\nfrom textapp.cli.main import main\n"
        check += "with contextlib.suppress(SystemExit): main()"
    check += "\nassert not {'tensorflow', 'keras', 'numpy'} & set(sys.modules), sorted(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True, capture_output=True)
