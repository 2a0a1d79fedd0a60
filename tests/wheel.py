"""Checks a built package, for `make test-wheel`: python tests/wheel.py DIST PYTHON.

DIST holds the wheel and the source distribution. PYTHON is that of an environment where the wheel was installed with
what it requires, without an extra: what a device or a server has. It must predict what the samples' own version did.
"""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "tests/samples"
COPIES = "textapp/export/clients/sources"
LIBRARIES = {f"textapp/runtime/{name}" for name in ("libtextapp.so", "libtextapp.dylib", "textapp.dll")}


def has_core(dist: Path) -> bool:
    """Whether the wheel has the core in C, and so is of one platform; without a C compiler it has none."""
    [wheel] = dist.glob("*.whl")
    if shutil.which("cc") and "-none-any" in wheel.name:
        raise AssertionError(f"{wheel.name}: a C compiler is here, but the wheel has no core")
    return "-none-any" not in wheel.name


def check_contents(dist: Path) -> None:
    """Each file of the package and the license are in the wheel and in the source distribution."""
    [wheel], [archive] = dist.glob("*.whl"), dist.glob("*.tar.gz")
    paths = [path for path in (ROOT / "textapp").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    package = {path.relative_to(ROOT).as_posix() for path in paths} - LIBRARIES
    wanted = {"textapp/py.typed", "textapp/vectors/page.html"}
    assert wanted <= package, f"not in the package: {wanted - package}"
    with zipfile.ZipFile(wheel) as file:
        names = set(file.namelist())
    assert package <= names, f"not in {wheel.name}: {sorted(package - names)}"
    assert bool(LIBRARIES & names) == has_core(dist), f"{wheel.name} is named as what it is not"
    sources = {f"{COPIES}/{name}" for name in ("native/textapp.c", "native/textapp.h", "c/main.c", "c/README.md")}
    assert sources <= names, f"not in {wheel.name}: {sorted(sources - names)}"
    assert not any("/tests/" in name or "node_modules" in name for name in names), f"{wheel.name} has too much"
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names), f"{wheel.name} has no LICENSE"
    with tarfile.open(archive) as file:
        names = {name.partition("/")[2] for name in file.getnames()}
    package |= {
        "LICENSE",
        "native/include/textapp.h",
        "native/src/predict.c",
        "native/library.py",
        "native/kernels.txt",
        "native/tools/amalgamate.py",
        "clients/c/main.c",
    }
    assert package <= names, f"not in {archive.name}: {sorted(package - names)}"


def check_commands(python: Path, engine: str) -> None:
    """The commands of the base install run outside of the checkout, and predict what is expected of the samples."""
    expected = json.loads((SAMPLES / "expected.json").read_text(encoding="utf-8"))
    lines = "".join(f"{text}\n" for text in expected["texts"]).encode()
    with tempfile.TemporaryDirectory() as folder:

        def run(*arguments: object) -> str:
            command = [str(python.with_name("textapp")), *map(str, arguments)]
            return subprocess.run(command, cwd=folder, input=lines, stdout=subprocess.PIPE, check=True).stdout.decode()

        installed = [str(python), "-c", "import textapp; print(textapp.__file__)"]
        place = subprocess.run(installed, cwd=folder, capture_output=True, check=True, text=True).stdout
        assert "site-packages" in place, f"not the installed package: {place}"
        assert "bench" in run("--help")
        for task, data in (("classifier", "test.tsv"), ("tagger", "test.txt")):
            bundle = SAMPLES / task / "bundle"
            predictions = json.loads(run("predict", bundle, "--json"))["predictions"]
            for found, then in zip(predictions, expected[task]["bundle"]["predictions"], strict=True):
                if task == "classifier":
                    assert found["label"] == then["label"], (found, then)
                else:
                    assert [token["tag"] for token in found["tokens"]] == [token["tag"] for token in then["tokens"]]
            path = SAMPLES / task / data
            figures = json.loads(run("bench", bundle, "--data", path, "--json"))
            assert figures["engine"] == engine, figures
            assert figures["model_bytes"] == (bundle / "model.tflite").stat().st_size
            main_score = "accuracy" if task == "classifier" else "entity_f1"
            scores, then = (
                json.loads(run("evaluate", bundle, "--data", path, "--json")),
                expected[task]["bundle"]["scores"],
            )
            assert abs(scores[main_score] - then[main_score]) < 1e-6, (scores, then)
            run("report", bundle, "--data", path, "--rounds", 1, "--out", f"{task}.html")
            assert Path(folder, f"{task}.html").read_text(encoding="utf-8").endswith("</html>\n")


def check_clients(python: Path) -> None:
    """The clients are written without the repository and without TensorFlow, and the example in C compiles."""
    script = (
        "from textapp.export.clients import CLIENTS as all; print(*(name for name in all if not all[name].needs_run))"
    )
    bundle, compiler = SAMPLES / "classifier/bundle", os.environ.get("CC") or shutil.which("cc")
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([python, "-c", script], cwd=folder, stdout=subprocess.PIPE, check=True, text=True)
        for name in done.stdout.split():
            out = Path(folder, "apps", name)
            command = [python.with_name("textapp"), "export", bundle, "--client", name, "--out", out]
            subprocess.run(command, cwd=folder, check=True)
            assert (out / "README.md").is_file(), f"client {name} has no README.md"
        if compiler is not None:
            program = Path(folder, "apps/c")
            subprocess.run([compiler, "main.c", "textapp.c", "-o", "example"], cwd=program, check=True)
            shown = subprocess.run(["./example"], cwd=program, input=b"good food\n", stdout=subprocess.PIPE, check=True)
            labels = (bundle / "labels.txt").read_text(encoding="utf-8").split("\n")
            assert shown.stdout.decode().rpartition(" ")[0] in labels, shown


if __name__ == "__main__":
    check_contents(Path(sys.argv[1]))
    check_commands(Path(sys.argv[2]).absolute(), "native" if has_core(Path(sys.argv[1])) else "litert")
    check_clients(Path(sys.argv[2]).absolute())
    print(f"{sys.argv[1]}: the wheel and the source distribution are whole; the base install does its part")
