"""Tests the clients in each way that this machine has the tools for, for `make test-clients`.

    python clients/check.py [c ...]

Each way prints one line: passed, failed, or skipped with the reason. A way is a function without arguments. It raises
`Skipped` if a tool is missing, and `AssertionError` or `CalledProcessError` if the client fails.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

SAMPLES = {task: ROOT / "tests/samples" / task / "bundle" for task in ("classifier", "tagger")}
"""Bundles of an earlier version, which each client runs."""


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


def test_mediapipe() -> None:
    """Runs the file of client mediapipe in MediaPipe, in this Python or in that of the variable MEDIAPIPE_PYTHON."""
    if not os.environ.get("MEDIAPIPE_PYTHON") and importlib.util.find_spec("mediapipe") is None:
        raise Skipped("no mediapipe here; install it, or set MEDIAPIPE_PYTHON to a Python that has it")
    run_pytest("tests/export/clients/test_mediapipe.py")


def run_pytest(*tests: str, **variables: str) -> None:
    """Runs tests with variables of the environment."""
    command = [sys.executable, "-m", "pytest", *tests, "-q", "-x"]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **variables}, check=True)


WAYS: dict[str, Callable[[], None]] = {
    "c": test_c,
    "mediapipe": test_mediapipe,
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
