"""The rules of the house about imports, checked on the syntax tree."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from textapp.task import names, task

PACKAGE = Path(__file__).parents[1] / "textapp"
STAGES = [
    *("text", "data", "vectors", "layers", "dashboards", "tasks", "models", "runtime", "integrations", "training"),
    *("compress", "export", "search", "serve", "cli"),
]
# Any stage may import these.
ROOT = ["errors", "files", "output_files", "figures", "settings", "config", "answers", "task"]
TYPES_ALONE = {  # what no module loads, and a type checker reads: a task's contract, the device's results of a task
    "answers": {"text", "data", "tasks"},
    "task": {"text", "data"},
    "tasks": {"runtime"},
    "__init__": {"compress", "export", "runtime", "training"},
}
FORBIDDEN_NAMES = {"utils", "common", "helpers", "base", "registry", "factory"}
MODULES = sorted(PACKAGE.rglob("*.py"))
OF_BASE_INSTALL = sorted(  # `textapp evaluate` and `textapp report` of a bundle use these files of a task
    path
    for path in [PACKAGE / "answers.py", PACKAGE / "task.py", *PACKAGE.glob("tasks/*/*.py")]
    if path.name in {"answers.py", "config.py", "data.py", "examination.py", "scores.py", "task.py", "terminal.py"}
)


def stage(path: Path) -> str:
    """`text` for textapp/text/tokenizer.py, `config` for textapp/config.py."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path, types: bool = False) -> set[str]:
    """All modules that a file imports, at its top or inside a function, or those for its types alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    blocks = [node for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    in_blocks = {node for block in blocks for statement in block.body for node in ast.walk(statement)}
    names = set()
    for node in in_blocks if types else set(ast.walk(tree)) - in_blocks:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def imported_stages(path: Path, types: bool = False) -> set[str]:
    names = {name.split(".")[1] for name in imported(path, types) if name.startswith("textapp.")}
    return names - {"__version__"}


def allowed_stages(name: str) -> set[str]:
    """What a stage, or a module of the root, may import: itself and what stands before it."""
    if name == "runtime":  # prediction needs neither data nor dashboards
        return {"errors", "files", "task", "text", "runtime"}
    if name == "__main__":
        return {"cli"}
    if name == "layers":  # they serve anyone's model: no setting of a command is theirs
        return {"errors", "text", "layers"}
    if name in STAGES:
        return {*ROOT, *STAGES[: STAGES.index(name) + 1]}
    return set(ROOT[: ROOT.index(name)]) if name in ROOT else set()


def loads(names: list[str]) -> set[str]:
    """What a process has loaded after it has imported some modules."""
    script = f"import sys, {', '.join(names)}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def test_stages_are_the_folders():
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(STAGES)
    assert {path.stem for path in PACKAGE.glob("*.py")} == {*ROOT, "__init__", "__main__"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_stage_imports_only_from_its_left(path):
    name = stage(path)
    assert imported_stages(path) <= allowed_stages(name)
    assert imported_stages(path, types=True) <= allowed_stages(name) | TYPES_ALONE.get(name, set())


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_third_parties_stay_in_their_stages(path):
    name = stage(path)
    packages = {module.partition(".")[0] for module in imported(path)}
    base = {*sys.stdlib_module_names, "textapp"}
    if name in {"text", "__init__", *ROOT} - {"figures"}:
        assert packages <= base
    if name == "runtime":
        assert packages <= {*base, "numpy", "ai_edge_litert"}
    if name == "cli":
        assert not packages & {"tensorflow", "keras", "tensorflow_text"}
    if path.parent.name != "search" or path.stem not in {"study", "trials", "outcome"}:
        assert "optuna" not in packages, "it belongs to the extra of one command"
    if name in {"layers", "models"}:
        assert "tensorflow" not in packages, "layers and models are written with keras.ops"


@pytest.mark.parametrize("path", OF_BASE_INSTALL, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_base_install_half_of_a_task_needs_numpy_alone(path):
    """At its top: `Task` loads Keras inside the members that need it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    packages = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            packages |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            packages.add(str(node.module).partition(".")[0])
    assert packages <= {*sys.stdlib_module_names, "textapp", "numpy"}


def test_the_base_install_half_of_a_task_loads_neither_tensorflow_nor_keras():
    """What it imports loads neither, too."""
    names = [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in OF_BASE_INSTALL]
    assert {"textapp.task", "textapp.tasks.tagging.task", "textapp.tasks.tagging.scores"} <= set(names)
    assert not {"tensorflow", "keras"} & loads(names)


def test_prediction_loads_no_dashboards():
    loaded = loads(["textapp.runtime.classification", "textapp.runtime.tagging", "textapp.training.predictor"])
    assert not {name for name in loaded if name.startswith(("textapp.dashboards", "tensorboard"))}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_branch_on_a_task_outside_its_folder(path):
    if stage(path) in {"task", "tasks"}:
        return
    known = {*names(), *(task(name).short_name for name in names()), *(task(name).model_noun for name in names())}
    compared: list[ast.AST] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Compare | ast.MatchValue):
            compared += ast.walk(node)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance":
            classes = {part.id for part in ast.walk(node.args[1]) if isinstance(part, ast.Name)}
            assert not classes & {type(task(name)).__name__ for name in names()}
    assert not known & {node.value for node in compared if isinstance(node, ast.Constant)}


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
