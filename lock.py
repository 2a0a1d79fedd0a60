"""Locks what the Makefile installs: the exact version of each package, and the hashes of its files.

    python lock.py python3.11 python3.12 python3.13     resolves again, for these Pythons, and writes constraints.txt
    python lock.py --requirements train dev             prints requirements of pyproject.toml

pip resolves the requirements of all extras together, once for each Python, and reports each file with its SHA-256. A
second report for each platform of `PLATFORMS` adds the hashes of the same versions there. Only the package index is
asked: neither pip's configuration nor a folder of wheels, whose files may be builds of one machine.

pip checks hashes for requirements that constraints.txt pins, but not for a folder such as this one. So the Makefile
installs the requirements first, and then the project without them.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent

BUILDERS = ("pip", "setuptools>=77", "setuptools-scm", "wheel")
"""What installs and builds the rest: the project itself, and packages that have no wheel."""

UNLOCKED = ("ray", "spark")
"""Extras that are not locked: the version of an engine is that of the cluster."""

PLATFORMS = {
    "Linux on aarch64": ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux_2_17_aarch64"),
    "macOS on arm64": ("macosx_15_0_arm64",),
}
"""Platform tags of wheels, besides those of the machine that locks."""


def requirements(extras: Iterable[str]) -> list[str]:
    """The requirements of the base install and of some extras."""
    project = _project()
    return [*project["dependencies"], *(line for name in extras for line in project["optional-dependencies"][name])]


def all_extras() -> list[str]:
    """The names of the extras that are locked."""
    return [name for name in _project()["optional-dependencies"] if name not in UNLOCKED]


def report(python: Path, arguments: Sequence[str]) -> list[dict[str, Any]]:
    """What pip would install into an empty environment."""
    environment = {name: value for name, value in os.environ.items() if name != "PIP_FIND_LINKS"}
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--dry-run"]
    with tempfile.NamedTemporaryFile() as file:
        subprocess.run(
            [*command, "--ignore-installed", "--report", file.name, *arguments],
            check=True,
            env={**environment, "PIP_CONFIG_FILE": os.devnull},
        )
        return json.load(file)["install"]


def lock(interpreters: Sequence[str]) -> list[str]:
    """The lines of constraints.txt for some interpreters."""
    pythons: dict[tuple[str, str], list[str]] = defaultdict(list)
    hashes: dict[tuple[str, str], set[str]] = defaultdict(set)
    for interpreter in interpreters:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([interpreter, "-m", "venv", "--without-pip", folder], check=True)
            python = Path(folder) / "bin" / "python"
            shown = subprocess.check_output([python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
            number = shown.decode().strip()
            found = report(python, [*BUILDERS, *requirements(all_extras())])
            pins = [f"{package['metadata']['name']}=={package['metadata']['version']}" for package in found]
            target = ("--no-deps", "--target", folder, "--python-version", number, "--implementation", "cp")
            elsewhere = [
                report(python, [*target, *(f"--platform={tag}" for tag in tags), *pins]) for tags in PLATFORMS.values()
            ]
        for package in found:
            pythons[_key(package)].append(number)
        for package in (*found, *(package for part in elsewhere for package in part)):
            hashes[_key(package)].add(package["download_info"]["archive_info"]["hashes"]["sha256"])
    lines = []
    for (name, version), numbers in sorted(pythons.items()):
        marker = " or ".join(f'python_version == "{number}"' for number in numbers)
        condition = f" ; {marker}" if len(numbers) < len(interpreters) else ""
        known = [f"--hash=sha256:{value}" for value in sorted(hashes[name, version])]
        lines.append(" ".join([f"{name}=={version}{condition}", *known]))
    return lines


def normalized(name: str) -> str:
    """The name of a package as an index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _key(package: dict[str, Any]) -> tuple[str, str]:
    """Name and version of a package of a report."""
    return normalized(package["metadata"]["name"]), package["metadata"]["version"]


def _project() -> dict[str, Any]:
    """The project's table of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def main() -> None:
    """Writes the lock, or prints the requirements of some extras."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", help="interpreters, or extras with --requirements")
    parser.add_argument("--requirements", action="store_true", help="print the requirements of these extras")
    arguments = parser.parse_args()
    if arguments.requirements:
        print("\n".join(requirements(arguments.names)))
        return
    lines = lock(arguments.names)
    (ROOT / "constraints.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    print(f"constraints.txt: {len(lines)} pins")


if __name__ == "__main__":
    main()
