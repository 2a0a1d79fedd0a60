"""The notebooks call the package and define nothing, and their outputs are kept. `make test-notebooks` runs them."""

import ast
import importlib
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in (ROOT / "notebooks").glob("*.ipynb")}
MOST_BYTES = 300_000
OF_ONE_MACHINE = re.compile(
    r"(?<![\w.:/])/(?:home|root|tmp|Users|work|opt|var|usr|mnt)/|[A-Z]:\\|https?://(?!doi\.org)"
)


def code_cells(name):
    return [cell for cell in NOTEBOOKS[name]["cells"] if cell["cell_type"] == "code"]


def source(cell):
    """The Python code of a cell, without the lines that are for IPython alone."""
    return "".join(line for line in cell["source"] if not line.startswith("%"))


def test_there_are_five_and_each_has_its_link():
    page = (ROOT / "docs/getting-started.md").read_text(encoding="utf-8")
    assert sorted(NOTEBOOKS) == sorted(set(re.findall(r"\(\.\./notebooks/(\w+\.ipynb)\)", page)))
    assert len(NOTEBOOKS) == 5


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_it_defines_nothing_and_imports_what_is_there(name):
    for node in (node for cell in code_cells(name) for node in ast.walk(ast.parse(source(cell)))):
        assert not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module)
            assert all(hasattr(module, alias.name) for alias in node.names), ast.unparse(node)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_its_outputs_are_kept_and_of_no_machine(name):
    path = ROOT / "notebooks" / name
    assert path.stat().st_size <= MOST_BYTES
    numbers = [cell["execution_count"] for cell in code_cells(name)]
    assert numbers == list(range(1, len(numbers) + 1)), "was not run from its start; run `make notebooks`"
    outputs = [output for cell in code_cells(name) for output in cell["outputs"]]
    assert outputs
    for output in outputs:
        assert output["output_type"] != "error"
        assert output.get("name") != "stderr"
        shown = {**output, "data": {kind: text for kind, text in output.get("data", {}).items() if "image" not in kind}}
        assert not OF_ONE_MACHINE.search(json.dumps(shown, ensure_ascii=False)), shown
