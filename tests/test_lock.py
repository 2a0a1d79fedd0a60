"""constraints.txt locks each requirement of pyproject.toml, with hashes and without an address."""

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import lock

ROOT = Path(__file__).parents[1]
LINES = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
PYTHONS = ("3.11", "3.12", "3.13")


def pins(python: str) -> dict[str, str]:
    """The version of each package for a Python; a package has one."""
    found: dict[str, str] = {}
    for line in LINES:
        pin = Requirement(line.partition(" --hash=")[0])
        if pin.marker is None or pin.marker.evaluate({"python_version": python}):
            assert pin.name not in found, line
            found[pin.name] = str(pin.specifier).removeprefix("==")
    return found


@pytest.mark.parametrize("python", PYTHONS)
def test_each_requirement_has_a_version_that_it_allows(python):
    locked = pins(python)
    for text in [*lock.BUILDERS, *lock.requirements(lock.all_extras())]:
        wanted = Requirement(text)
        assert wanted.specifier.contains(locked[lock.normalized(wanted.name)]), text


def test_each_line_is_a_pin_with_hashes_and_holds_no_address_or_path():
    for line in LINES:
        pattern = r'[a-z0-9-]+==[\w.+!]+( ; [\w "=.]+)?( --hash=sha256:[0-9a-f]{64})+'
        assert re.fullmatch(pattern, line, re.ASCII), line


def test_the_lock_is_of_the_pythons_of_the_project():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert re.findall(r'Python :: (3\.\d+)"', text) == list(PYTHONS)
    assert f"LOCKED ?= {' '.join(f'python{python}' for python in PYTHONS)}" in (ROOT / "Makefile").read_text("utf-8")


def test_files_of_several_pythons_and_platforms_become_one_line(monkeypatch):
    def package(name, version, number):
        return {
            "metadata": {"name": name, "version": version},
            "download_info": {"archive_info": {"hashes": {"sha256": f"{number:064x}"}}},
        }

    def report(python, arguments):
        del python
        if "--no-deps" in arguments:
            return [package("Six", "1", 1), package("numpy", versions[-1], 7)]
        versions.append("2" if versions else "1")
        return [package("Six", "1", 1), package("numpy", versions[-1], 5 + len(versions))]

    versions = []
    monkeypatch.setattr(lock, "report", report)
    monkeypatch.setattr(lock.subprocess, "run", lambda *_, **__: None)
    monkeypatch.setattr(lock.subprocess, "check_output", lambda *_: f"3.{11 + len(versions)}\n".encode())
    assert lock.lock(["python3.11", "python3.12"]) == [
        f'numpy==1 ; python_version == "3.11" --hash=sha256:{6:064x} --hash=sha256:{7:064x}',
        f'numpy==2 ; python_version == "3.12" --hash=sha256:{7:064x}',
        f"six==1 --hash=sha256:{1:064x}",
    ]
