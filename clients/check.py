"""Tests the clients in each way that this machine has the tools for, for `make test-clients`.

    python clients/check.py [android c ...]

Each way prints one line: passed, failed, or skipped with the reason. A way is a function without arguments. It raises
`Skipped` if a tool is missing, and `AssertionError` or `CalledProcessError` if the client fails.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

SAMPLES = {task: ROOT / "tests/samples" / task / "bundle" for task in ("classifier", "tagger")}
"""Bundles of an earlier version, which each client runs."""

KOTLIN = "2.4.20"
"""The version of npm's kotlin-compiler, JetBrains' whole compiler."""


class Skipped(Exception):
    """A tool is missing."""


def needed(tool: str) -> str:
    """The path of a tool. Raises `Skipped` if it is missing."""
    found = shutil.which(tool)
    if found is None:
        raise Skipped(f"no {tool} here")
    return found


def test_c() -> None:
    """Runs the tests of client c with each C compiler."""
    for compiler in ("gcc", "clang"):
        run_pytest("tests/export/clients/test_c.py", CC=needed(compiler))


def test_android() -> None:
    """Runs the Kotlin client on this machine's Java, and its libraries for Android in QEMU."""
    needed("java")
    with tempfile.TemporaryDirectory() as folder:
        run_pytest("clients/android/tests", KOTLINC=kotlin_compiler(Path(folder)))


def kotlin_compiler(folder: Path) -> str:
    """The path of a Kotlin compiler: of node_modules, of PATH, or that of npm, which is installed into a folder.

    Raises:
        Skipped: There is none, and npm is not here or does not reach its registry.
    """
    place = "node_modules/kotlin-compiler/bin/kotlinc"
    for found in (ROOT / place, ROOT / "clients/android" / place):
        if found.is_file():
            return str(found)
    if (on_path := shutil.which("kotlinc")) is not None:
        done = subprocess.run([on_path, "-version"], capture_output=True, text=True, check=False)
        if (version := re.search(r"kotlinc-jvm (\d+)", done.stderr)) and int(version[1]) >= 2:
            return on_path
    if (npm := shutil.which("npm")) is None:
        raise Skipped("no Kotlin compiler from version 2 on here, and no npm to install one")
    command = [npm, "install", "--no-audit", "--no-fund", "--fetch-retries=1", f"kotlin-compiler@{KOTLIN}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Skipped(f"no Kotlin compiler from version 2 on here, and npm cannot install kotlin-compiler@{KOTLIN}")
    return str(folder / place)


def run_pytest(*tests: str, **variables: str) -> None:
    """Runs tests with variables of the environment."""
    command = [sys.executable, "-m", "pytest", *tests, "-q", "-x"]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **variables}, check=True)


WAYS: dict[str, Callable[[], None]] = {
    "android": test_android,
    "c": test_c,
}


def main() -> int:
    """Tests in each way, or in those that are named; 1 if one fails."""
    wanted = sys.argv[1:] or list(WAYS)
    if unknown := set(wanted) - set(WAYS):
        print(f"{', '.join(sorted(unknown))}: must be of {', '.join(WAYS)}", file=sys.stderr)
        return 2
    results = {}
    for name in wanted:
        try:
            WAYS[name]()
            results[name] = "passed"
        except Skipped as reason:
            results[name] = f"skipped: {reason}"
        except (subprocess.CalledProcessError, AssertionError) as error:
            results[name] = f"failed: {error}"
    for name, result in results.items():
        print(f"{name}: {result}")
    return int(any(result.startswith("failed") for result in results.values()))


if __name__ == "__main__":
    sys.exit(main())
