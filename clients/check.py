"""Tests the clients in each way that this machine has the tools for, for `make test-clients`.

    python clients/check.py [c flutter ...]

Each way prints one line: passed, failed, or skipped with the reason. A way is a function without arguments. It raises
`Skipped` if a tool is missing, and `AssertionError` or `CalledProcessError` if the client fails.

Bindings are held against the golden files of `clients/conformance`. The variable TEXTAPP_CONFORMANCE names a folder of
them, of 100,000 strings for example; without it they are made of 1,000 strings.
"""

import atexit
import ctypes
import functools
import hashlib
import json
import os
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


def test_flutter() -> None:
    """Compiles the C code of the plugin as Android and iOS do; analyses and runs the Dart code where Dart is found."""
    cmake, compiler = needed("cmake"), needed("cc")
    plugin = exported("flutter")
    library = plugin / "build"
    for command in (["-S", "src", "-B", "build"], ["--build", "build"]):
        subprocess.run([cmake, *command], cwd=plugin, check=True)
    pod = ["-DTEXTAPP_BUILD_SHARED", "-DTEXTAPP_CALLER_CHECKS_PROCESSOR", "-shared", "-fPIC", "-o", "build/pod.so"]
    sources = [str(path) for path in sorted((plugin / "ios/Classes").glob("*.c"))]
    subprocess.run([compiler, "-std=c99", *pod, *sources], cwd=plugin, check=True)
    for path in (library / "libtextapp.so", library / "pod.so"):
        assert ctypes.CDLL(str(path)).textapp_abi() == 1, f"{path}: is of another version"
    try:
        dart = needed("dart")
    except Skipped as reason:
        raise Skipped(f"{reason}; the C code of the plugin is compiled") from None
    shutil.copytree(ROOT / "clients/flutter/tests", plugin / "tests")
    subprocess.run([dart, "analyze", "lib/textapp.dart", "tests/golden.dart"], cwd=plugin, check=True)
    environment = {**os.environ, "LD_LIBRARY_PATH": str(library)}
    subprocess.run([dart, "tests/golden.dart", str(golden_files())], cwd=plugin, env=environment, check=True)


def test_ios() -> None:
    """Runs the tests of the Swift package that is exported, and checks its example's types against stubs of SwiftUI."""
    swift, compiler = needed("swift"), needed("swiftc")
    package = exported("ios")
    for path in (ROOT / "clients/ios/tests").glob("*.swift"):
        shutil.copyfile(path, package / "Tests/TextappTests" / path.name)
    environment = {**os.environ, "TEXTAPP_CONFORMANCE": str(golden_files())}
    subprocess.run([swift, "test", "-c", "release"], cwd=package, env=environment, check=True)
    if sys.platform == "darwin":
        return  # Xcode checks the example against SwiftUI itself
    stubs = ROOT / "clients/ios/tests/stubs/SwiftUI.swift"
    built = package / ".build/release"
    shutil.copyfile(stubs, built / stubs.name)
    command = [compiler, "-parse-as-library", "-I", ".build/release"]
    module = ["-emit-module", "-module-name", "SwiftUI", "-o", ".build/release/SwiftUI.swiftmodule"]
    subprocess.run([*command, *module, f".build/release/{stubs.name}"], cwd=package, check=True)
    headers = [
        f"-I{package / 'Sources/CTextapp/include'}",
        f"-fmodule-map-file={built}/CTextapp.build/module.modulemap",
    ]
    options = ["-I", ".build/release/Modules", *(word for header in headers for word in ("-Xcc", header))]
    subprocess.run([*command, "-typecheck", *options, "Examples/TextappView.swift"], cwd=package, check=True)


def test_rust() -> None:
    """Runs the tests of the crate that is exported, and its example, with `cargo`, or with the cargo of CARGO."""
    cargo = needed(os.environ.get("CARGO", "cargo"))
    needed("cc")
    crate = exported("rust")
    shutil.copytree(ROOT / "clients/rust/tests", crate / "tests")
    environment = {"CARGO_TARGET_DIR": str(crate / "target"), **os.environ, "TEXTAPP_CONFORMANCE": str(golden_files())}
    for command in (["test", "--offline", "--release"], ["build", "--offline", "--release", "--example", "predict"]):
        subprocess.run([cargo, *command], cwd=crate, env=environment, check=True)
    program = Path(environment["CARGO_TARGET_DIR"], "release/examples/predict")
    text = "Ms Anbeda Norsotä sang in 北京 ."
    done = subprocess.run([program], cwd=crate, input=f"{text}\n".encode(), stdout=subprocess.PIPE, check=True)
    from textapp.runtime import load

    [found] = load(SAMPLES["tagger"], engine="litert").predict([text])
    lines = [line.split(" ", 1)[1] for line in done.stdout.decode().splitlines()]
    wanted = [f"{span.type} {span.text}" for span in found.spans]
    assert lines == wanted, f"the example prints {lines}, not {wanted}"


@functools.cache
def scratch() -> Path:
    """A folder that is removed when the program ends."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return Path(folder.name)


def exported(client: str) -> Path:
    """A new folder with a client and `tested_bundle`, as `textapp export --client` writes it."""
    from textapp.export.verb import export

    folder = scratch() / client / "textapp"
    folder.parent.mkdir()
    export(tested_bundle(), folder, clients=[client])
    return folder


@functools.cache
def tested_bundle() -> Path:
    """The sample tagger with a selftest.json, which today's exports write."""
    from textapp.runtime import load
    from textapp.runtime.selftest import selftest

    bundle = scratch() / "bundle"
    shutil.copytree(SAMPLES["tagger"], bundle)
    description = json.loads((bundle / "bundle.json").read_bytes())
    content = selftest(load(bundle, engine="litert"), description["recipe"])
    (bundle / "selftest.json").write_bytes(content)
    description["selftest"] = True
    description["sha256"]["selftest.json"] = hashlib.sha256(content).hexdigest()
    (bundle / "bundle.json").write_text(json.dumps(description), encoding="utf-8")
    return bundle


@functools.cache
def golden_files() -> Path:
    """A folder with the golden files."""
    from clients.conformance.make import make

    if named := os.environ.get("TEXTAPP_CONFORMANCE"):
        return Path(named).absolute()
    folder = scratch() / "conformance"
    make(folder, 1000)
    return folder


def run_pytest(*tests: str, **variables: str) -> None:
    """Runs tests with variables of the environment."""
    command = [sys.executable, "-m", "pytest", *tests, "-q", "-x"]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **variables}, check=True)


WAYS: dict[str, Callable[[], None]] = {
    "c": test_c,
    "flutter": test_flutter,
    "ios": test_ios,
    "rust": test_rust,
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
