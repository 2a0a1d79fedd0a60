"""What pyproject.toml declares is true: Pythons, of which make finds one that works, the license, data files."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from textapp.runtime.native_library import library_path

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT, SETUPTOOLS = PYPROJECT["project"], PYPROJECT["tool"]["setuptools"]
PYTHONS = ("3.11", "3.12", "3.13")


@pytest.fixture
def make_setup(tmp_path):
    """The first command of `make setup` on a machine that has the given Pythons: name -> whether it works."""
    make, shell = shutil.which("make"), shutil.which("sh")
    if make is None or shell is None:
        pytest.skip("there is no make here")
    folder = tmp_path / "café 本"
    (folder / "bin").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "lock.py"):
        shutil.copy(ROOT / name, folder)
    (folder / "bin/sh").symlink_to(shell)

    def run(pythons: dict[str, bool]) -> str:
        for name, works in pythons.items():
            (folder / "bin" / name).write_text(f"#!{shell}\nexit {0 if works else 127}\n")
            (folder / "bin" / name).chmod(0o755)
        # MAKELEVEL too: a make that a make started also prints which folder it enters.
        outer = ("PYTHON", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")
        environment = {key: value for key, value in os.environ.items() if key not in outer}
        done = subprocess.run(
            [make, "-n", "setup"],
            cwd=folder,
            env={**environment, "PATH": str(folder / "bin")},
            capture_output=True,
            text=True,
            check=False,
        )
        return (done.stdout or done.stderr).splitlines()[0]

    return run


@pytest.mark.parametrize(
    ("pythons", "chosen"),
    [
        ({"python3.11": True}, "python3.11"),
        ({"python3.11": True, "python3.12": True, "python3.13": True}, "python3.13"),
        ({"python3.11": True, "python3.12": True, "python3.13": False}, "python3.12"),
        ({"python3.10": True, "python3.11": True, "python3.14": True}, "python3.11"),
    ],
)
def test_make_takes_the_newest_python_that_works(make_setup, pythons, chosen):
    assert make_setup(pythons) == f"{chosen} -m venv .venv"


def test_make_names_what_is_missing(make_setup):
    line = make_setup({"python3.10": True, "python3.13": False})
    assert "none of python3.13, python3.12 and python3.11 works here; name one: make PYTHON=PATH" in line


def test_the_declared_pythons_are_those_that_make_looks_for():
    minors = [
        f"3.{minor}" for minor in range(8, 20) if SpecifierSet(PROJECT["requires-python"]).contains(f"3.{minor}.5")
    ]
    assert minors == list(PYTHONS)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"for python in {' '.join(f'python{minor}' for minor in reversed(PYTHONS))};" in makefile


def test_each_data_file_is_packaged():
    patterns = SETUPTOOLS["package-data"]["*"]
    paths = [path for path in (ROOT / "textapp").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    data = [path for path in paths if path.suffix != ".py" and path != library_path()]
    assert {"py.typed", "page.html"} <= {path.name for path in data}
    for path in data:
        assert (path.parent / "__init__.py").exists(), f"{path}: its folder is no package, and is left out"
        assert any(path.match(pattern) for pattern in patterns), f"{path}: no pattern of package-data takes it"


def test_the_license_is_that_which_is_declared():
    text = (ROOT / PROJECT["license-files"][0]).read_text(encoding="utf-8")
    assert PROJECT["license"] == "Apache-2.0"
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_classifiers_name_the_declared_pythons():
    prefix = "Programming Language :: Python :: 3."
    assert [name for name in PROJECT["classifiers"] if name.startswith(prefix)] == [
        f"Programming Language :: Python :: {minor}" for minor in PYTHONS
    ]


def test_each_hint_of_an_extra_names_this_project_and_an_extra_of_it():
    """PyPI has another package with the name of the module, which a wrong hint would install."""
    patterns = ("textapp/**/*.py", "*.md", "docs/**/*.md", "clients/**/*.md")
    paths = [path for pattern in patterns for path in ROOT.glob(pattern)]
    hints = [
        hint
        for path in paths
        for hint in re.findall(r"pip install\s+[\"']([\w.-]+)\[([\w,{}]+)\]", path.read_text(encoding="utf-8"))
    ]
    assert {name for name, _ in hints} == {PROJECT["name"], "."}
    assert {one for _, extras in hints for one in extras.split(",")} <= {*PROJECT["optional-dependencies"], "{extra}"}
