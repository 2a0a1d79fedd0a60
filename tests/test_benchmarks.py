"""Benchmarks fit the package, and the tables in results/ are those of the figures beside them."""

import importlib
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RIVALS = ("onnxruntime", "tf2onnx", "gensim", "fasttext", "pycrfsuite")  # of the extra `bench`
TABLES = {
    "accuracy": "accuracy",
    "tagging": "accuracy",
    "compression": "compression",
    "tagger_students": "compression",
    **{name: name for name in ("alignment", "budget", "changed_labels", "clients", "decoding", "latency")},
    **{name: name for name in ("native", "native_equality", "native_kernels", "native_safety", "native_size")},
    **{name: name for name in ("quantization", "training_speed")},
    "vectors_case_study": "vectors_case_study",
    "reliability": "reliability.__main__",
    "any_data": "any_data.__main__",
}


def imported(name):
    """A module of the benchmarks; skips where a rival is not installed."""
    try:
        return importlib.import_module(f"benchmarks.{name}")
    except ModuleNotFoundError as error:
        if error.name.partition(".")[0] not in RIVALS:
            raise
        pytest.skip(f"{error.name} is not installed")


def modules():
    paths = [path.relative_to(ROOT / "benchmarks").with_suffix("") for path in (ROOT / "benchmarks").rglob("*.py")]
    return sorted(".".join(path.parts) for path in paths)


@pytest.mark.parametrize("name", modules())
def test_each_benchmark_can_be_imported(name):
    imported(name)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_that_of_its_figures(name):
    benchmark = imported(TABLES[name])
    figures = json.loads((ROOT / f"results/{name}.json").read_text(encoding="utf-8"))
    table = benchmark.markdown(name, figures) if hasattr(benchmark, "markdown") else benchmark.table(figures)
    assert table == (ROOT / f"results/{name}.md").read_text(encoding="utf-8")


def test_make_runs_each_benchmark_that_results_name():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    readme = (ROOT / "results/README.md").read_text(encoding="utf-8")
    commands = re.findall(r"\.md \|.*`python -m (benchmarks\.\w+)", readme)
    assert commands
    for command in commands:
        assert re.search(rf"-m {command}\b", makefile), command


def test_the_drawing_is_that_of_the_figures():
    from benchmarks.score_by_bytes import OUT, picture, points

    assert picture(points()) == OUT.read_text(encoding="utf-8")
