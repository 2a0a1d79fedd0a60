"""Tests the clients in each way that this machine has the tools for, for `make test-clients`.

    python clients/check.py [c ...]

Each way prints one line: passed, failed, or skipped with the reason. A way is a function without arguments. It raises
`Skipped` if a tool is missing, and `AssertionError` or `CalledProcessError` if the client fails.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from clients.conformance.make import make  # noqa: E402
from tests.native.core_bundle import with_files  # noqa: E402
from textapp.errors import InputError  # noqa: E402
from textapp.export.clients import files  # noqa: E402
from textapp.export.verb import export  # noqa: E402
from textapp.runtime import load  # noqa: E402
from textapp.runtime.selftest import selftest  # noqa: E402

SAMPLES = {task: ROOT / "tests/samples" / task / "bundle" for task in ("classifier", "tagger")}
"""Bundles of an earlier version, which each client runs."""

GOLDEN = 300
"""Strings of the golden files; `clients/conformance/make.py` makes any number."""


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


def test_browser() -> None:
    """Shows bundles in Chromium, and compares the page with Python."""
    run_in_browser("tests/export/clients/test_in_browser.py")


def run_in_browser(tests: str) -> None:
    """Runs tests of the web client in Chromium."""
    needed("chromium")
    chromedriver = needed("chromedriver")
    try:
        files.core_wasm("simd")
    except InputError as error:
        raise Skipped(str(error)) from error
    run_pytest(tests, CHROMEDRIVER=chromedriver)


def test_web(*kinds: str) -> None:
    """Runs the tests of client web in Node, in cores of some kinds, and of that folder as it is exported."""
    node = needed("node")
    known = subprocess.run([node, "--v8-options"], stdout=subprocess.PIPE, text=True, check=True).stdout
    flag = "--experimental-wasm-relaxed-simd"  # of V8 before 11.4, as in Node 20
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = {
            **os.environ,
            "TEXTAPP_WEB": str(exported("web", folder)),
            "TEXTAPP_CONFORMANCE": str(folder / "conformance"),
            "TEXTAPP_SELFTEST": str(with_selftest(SAMPLES["tagger"], folder / "selftest")),
        }
        make(folder / "conformance", GOLDEN)
        tests = sorted(map(str, (ROOT / "clients/web/tests").glob("*.test.mjs")))
        for kind in kinds:
            if kind == "wasm2js" and not (folder / "web/without-wasm.js").exists():
                raise Skipped("no wasm2js here, of binaryen")
            options = [flag] if kind == "relaxed" and flag in known else []
            command = [node, *options, "--test", *tests]
            subprocess.run(command, cwd=ROOT, env={**environment, "TEXTAPP_KIND": kind}, check=True)


def test_web_types() -> None:
    """Checks the types of client web in a program that uses all of them."""
    tsc = needed("tsc")
    options = ["--strict", "--noEmit", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom,dom.iterable"]
    subprocess.run([tsc, *options, "clients/web/tests/types.ts"], cwd=ROOT, check=True)


def exported(client: str, folder: Path) -> Path:
    """What `textapp export` writes for a client. Raises `Skipped` if a tool is missing that makes it."""
    try:
        export(SAMPLES["classifier"], folder / client, clients=[client])
    except InputError as error:
        raise Skipped(str(error)) from error
    return folder / client


def with_selftest(bundle: Path, folder: Path) -> Path:
    """A copy of a bundle, with selftest.json."""
    content = selftest(load(bundle, engine="litert"), "dynamic_wi8_afp32")
    return Path(with_files(bundle, folder, {"selftest.json": content}, fields={"selftest": True}))


def run_pytest(*tests: str, **variables: str) -> None:
    """Runs tests with variables of the environment."""
    command = [sys.executable, "-m", "pytest", *tests, "-q", "-x"]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **variables}, check=True)


WAYS: dict[str, Callable[[], None]] = {
    "c": test_c,
    "browser": test_browser,
    "web": lambda: test_web("plain", "simd", "relaxed"),
    "web-javascript": lambda: test_web("wasm2js"),
    "web-types": test_web_types,
    "web-browser": lambda: run_in_browser("tests/export/clients/test_web_in_browser.py"),
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
