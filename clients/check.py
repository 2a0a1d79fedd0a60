"""Tests the clients in each way that this machine has the tools for, for `make test-clients`.

    python clients/check.py [--debian] [c flutter ...]

Each way prints one line: passed, failed, or skipped with the reason. A way is a function without arguments. It raises
`Skipped` if a tool is missing, and another error if the client fails. `clients/tools.py` installs the tools that npm
and PyPI have; with `--debian`, as root, also Chromium and Binaryen, for the whole system.

Bindings are held against the golden files of `clients/conformance`. The variable TEXTAPP_CONFORMANCE names a folder of
them, of 100,000 strings for example; without it they are made of 300 strings.
"""

import atexit
import ctypes
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from clients import tools  # noqa: E402
from clients.conformance.bundles import bundles  # noqa: E402
from clients.conformance.make import make  # noqa: E402
from clients.conformance.mutants import write_mutants  # noqa: E402
from native.check import Skipped, needed, relaxed_options, run_ways  # noqa: E402
from tests.native.core_bundle import with_files  # noqa: E402
from textapp.export.verb import export  # noqa: E402
from textapp.runtime import load  # noqa: E402
from textapp.runtime.selftest import selftest  # noqa: E402

SAMPLES = {task: ROOT / "tests/samples" / task / "bundle" for task in ("classifier", "tagger")}
"""Bundles of an earlier version, which each client runs."""

MEDIAPIPE = "tests/export/clients/test_mediapipe.py::test_mediapipe_itself_gives_these_scores"

GOLDEN = 300
"""Strings of the golden files; `clients/conformance/make.py` makes any number."""

LIMIT = 1200
"""Seconds that a program may take, so that a test that hangs fails."""


def test_android() -> None:
    """Runs the Kotlin client on this machine's Java, and its libraries for Android in QEMU."""
    tools.needed_from("java", (11,))
    compiler = str(tools.kotlin_compiler())
    run_pytest("clients/android/tests", KOTLINC=compiler, TEXTAPP_CONFORMANCE=str(golden_files()))


def test_browser() -> None:
    """Shows bundles in Chromium, and compares the page with Python."""
    tools.require_wasm_compiler()
    run_in_browser("tests/export/clients/test_in_browser.py")


def run_in_browser(test: str, **variables: str) -> None:
    """Runs a test file in Chromium. What fails is run a second time: a busy machine may end a browser."""
    environment = {**os.environ, **variables, "CHROMEDRIVER": tools.started_chromedriver()}
    cache = ["-o", f"cache_dir={scratch() / 'pytest'}"]
    command = [sys.executable, "-m", "pytest", test, "-q", *cache]
    try:
        run(command, env=environment)
    except subprocess.CalledProcessError:
        print(f"{test}: runs a second time what failed", file=sys.stderr, flush=True)
        run([*command, "--last-failed", "--last-failed-no-failures", "none"], env=environment)


def test_c() -> None:
    """Runs the tests of client c with each C compiler that is here."""
    found = [path for name in ("gcc", "clang") if (path := shutil.which(name))]
    if not found:
        raise Skipped("no gcc and no clang here")
    for compiler in found:
        run_pytest("tests/export/clients/test_c.py", CC=compiler)


def test_flutter() -> None:
    """Compiles the C code of the plugin as Android and iOS do; analyses and runs the Dart code where Dart is found."""
    cmake, compiler = tools.needed_from("cmake", (3, 13)), needed("cc")
    plugin = exported("flutter")
    library = plugin / "build"
    for command in (["-S", "src", "-B", "build"], ["--build", "build"]):
        run([cmake, *command], cwd=plugin)
    pod = ["-DTEXTAPP_BUILD_SHARED", "-DTEXTAPP_CALLER_CHECKS_PROCESSOR", "-shared", "-fPIC", "-o", "build/pod.so"]
    sources = [str(path) for path in sorted((plugin / "ios/Classes").glob("*.c"))]
    run([compiler, "-std=c99", *pod, *sources], cwd=plugin)
    for path in (library / "libtextapp.so", library / "pod.so"):
        assert ctypes.CDLL(str(path)).textapp_abi() == 1, f"{path}: is of another version"
    try:
        dart = needed("dart")
    except Skipped as reason:
        raise Skipped(f"{reason}; the C code of the plugin is compiled") from None
    shutil.copytree(ROOT / "clients/flutter/tests", plugin / "tests")
    run([dart, "analyze", "lib/textapp.dart", "tests/golden.dart"], cwd=plugin)
    environment = {**os.environ, "LD_LIBRARY_PATH": str(library)}
    run([dart, "tests/golden.dart", str(golden_files()), str(mutants())], cwd=plugin, env=environment)


def test_ios() -> None:
    """Runs the tests of the Swift package that is exported, and checks its example's types against stubs of SwiftUI."""
    swift, compiler = needed("swift"), needed("swiftc")
    package = exported("ios")
    for path in (ROOT / "clients/ios/conformance").glob("*.swift"):
        shutil.copyfile(path, package / "Tests/TextappTests" / path.name)
    environment = {
        **os.environ,
        "TEXTAPP_CONFORMANCE": str(golden_files()),
        "TEXTAPP_MUTANTS": str(mutants()),
    }
    run([swift, "test", "-c", "release"], cwd=package, env=environment)
    if sys.platform == "darwin":
        return  # Xcode checks the example against SwiftUI itself
    stubs = ROOT / "clients/ios/conformance/stubs/SwiftUI.swift"
    built = package / ".build/release"
    shutil.copyfile(stubs, built / stubs.name)
    command = [compiler, "-parse-as-library", "-I", ".build/release"]
    module = ["-emit-module", "-module-name", "SwiftUI", "-o", ".build/release/SwiftUI.swiftmodule"]
    run([*command, *module, f".build/release/{stubs.name}"], cwd=package)
    headers = [
        f"-I{package / 'Sources/CTextapp/include'}",
        f"-fmodule-map-file={built}/CTextapp.build/module.modulemap",
    ]
    options = ["-I", ".build/release/Modules", *(word for header in headers for word in ("-Xcc", header))]
    run([*command, "-typecheck", *options, "Examples/TextappView.swift"], cwd=package)


def test_litert_js() -> None:
    """Runs model files in LiteRT.js, in Chromium."""
    run_in_browser("tests/export/clients/test_litert_js.py", PACKAGES=str(tools.npm_packages("@litertjs/core")))


def test_mediapipe() -> None:
    """Runs the file of client mediapipe in MediaPipe."""
    run_pytest(f"{MEDIAPIPE}[in_python]", MEDIAPIPE_PYTHON=str(tools.mediapipe_python()))


def test_mediapipe_web() -> None:
    """Runs it in MediaPipe for the web, in Chromium."""
    run_in_browser(f"{MEDIAPIPE}[in_browser]", PACKAGES=str(tools.npm_packages("@mediapipe/tasks-text")))


def test_onnx() -> None:
    """Runs the file of client onnx in ONNX Runtime, with this Python's packages or with others beside them."""
    folder = str(tools.onnx_packages())
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), folder)))
    run_pytest("tests/export/clients/test_onnx.py", PYTHONPATH=path)


def test_rust() -> None:
    """Runs the tests of the crate that is exported, and its example, with `cargo`, or with the cargo of CARGO."""
    cargo = tools.needed_from(os.environ.get("CARGO", "cargo"), (1, 63))
    needed("cc")
    crate = exported("rust")
    shutil.copytree(ROOT / "clients/rust/tests", crate / "tests")
    environment = {
        "CARGO_TARGET_DIR": str(crate / "target"),
        **os.environ,
        "TEXTAPP_CONFORMANCE": str(golden_files()),
        "TEXTAPP_MUTANTS": str(mutants()),
    }
    for command in (["test", "--offline", "--release"], ["build", "--offline", "--release", "--example", "predict"]):
        run([cargo, *command], cwd=crate, env=environment)
    program = Path(environment["CARGO_TARGET_DIR"], "release/examples/predict")
    text = "Ms Anbeda Norsotä sang in 北京 ."
    [made] = [made for made in bundles() if made.name == "plain-tags"]
    plain = made.write(crate / "plain-tags")
    [found] = load(SAMPLES["tagger"], engine="litert").predict([text])
    [tagged] = load(plain, engine="litert").predict([text])
    for bundle, wanted in (
        (SAMPLES["tagger"], [f"{span.type} {span.text}" for span in found.spans]),
        (plain, [f"{token.tag} {text[token.start : token.end]}" for token in tagged.tokens]),
    ):
        done = subprocess.run([program, bundle], input=f"{text}\n".encode(), stdout=subprocess.PIPE, check=True)
        lines = [line.split(" ", 1)[1] for line in done.stdout.decode().splitlines()]
        assert lines == wanted, f"the example prints {lines}, not {wanted}"


def test_web(*kinds: str) -> None:
    """Runs the tests of client web in Node, in cores of some kinds, and of that folder as it is exported."""
    node = tools.needed_from("node", (20,))
    if "wasm2js" in kinds:
        tools.debian_tool("wasm2js")
    tools.require_wasm_compiler()
    web = exported("web", SAMPLES["classifier"])
    environment = {
        **os.environ,
        "TEXTAPP_WEB": str(web),
        "TEXTAPP_CONFORMANCE": str(golden_files()),
        "TEXTAPP_SELFTEST": str(tested_bundle()),
    }
    tests = sorted(map(str, (ROOT / "clients/web/tests").glob("*.test.mjs")))
    for kind in kinds:
        options = relaxed_options(node) if kind == "relaxed" else []
        command = [node, *options, "--test", *tests]
        run(command, env={**environment, "TEXTAPP_KIND": kind})


def test_web_browser() -> None:
    """Runs client web in Chromium."""
    tools.require_wasm_compiler()
    run_in_browser("tests/export/clients/test_web_in_browser.py")


def test_web_types() -> None:
    """Checks the types of client web in a program that uses all of them."""
    node, tsc = tools.needed_from("node", (20,)), tools.typescript_compiler()
    options = ["--strict", "--noEmit", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom,dom.iterable"]
    run([node, tsc, *options, "clients/web/tests/types.ts"])


@functools.cache
def scratch() -> Path:
    """A folder that is removed when the program ends."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return Path(folder.name)


def exported(client: str, bundle: Path | None = None) -> Path:
    """A folder with a client and a bundle, by default `tested_bundle`, as `textapp export --client` writes it."""
    folder = scratch() / client / "textapp"
    if not folder.exists():
        folder.parent.mkdir(exist_ok=True)
        export(bundle or tested_bundle(), folder, clients=[client])
    return folder


@functools.cache
def tested_bundle() -> Path:
    """The sample tagger with a selftest.json, which today's exports write."""
    content = selftest(load(SAMPLES["tagger"], engine="litert"), "dynamic_wi8_afp32")
    files_of_bundle = {"selftest.json": content}
    return Path(with_files(SAMPLES["tagger"], scratch() / "bundle", files_of_bundle, fields={"selftest": True}))


@functools.cache
def mutants() -> Path:
    """A folder with changed bundles, each in a folder."""
    for bundle in SAMPLES.values():
        write_mutants(bundle, scratch() / "mutants")
    return scratch() / "mutants"


@functools.cache
def golden_files() -> Path:
    """A folder with the golden files."""
    if named := os.environ.get("TEXTAPP_CONFORMANCE"):
        return Path(named).absolute()
    folder = scratch() / "conformance"
    make(folder, GOLDEN)
    return folder


def run_pytest(*tests: str, **variables: str) -> None:
    """Runs tests with variables of the environment."""
    run([sys.executable, "-m", "pytest", *tests, "-q", "-x"], env={**os.environ, **variables})


def run(command: Sequence[str | Path], **options: Any) -> None:
    """Runs a program in the repository, or in `cwd`, for at most `LIMIT` seconds. Raises an error if it fails."""
    subprocess.run(command, check=True, timeout=LIMIT, **{"cwd": ROOT, **options})


WAYS: dict[str, Callable[[], None]] = {
    "android": test_android,
    "browser": test_browser,
    "c": test_c,
    "flutter": test_flutter,
    "ios": test_ios,
    "litert-js": test_litert_js,
    "mediapipe": test_mediapipe,
    "mediapipe-web": test_mediapipe_web,
    "onnx": test_onnx,
    "rust": test_rust,
    "web": lambda: test_web("plain", "simd", "relaxed"),
    "web-javascript": lambda: test_web("wasm2js"),
    "web-types": test_web_types,
    "web-browser": test_web_browser,
}


if __name__ == "__main__":
    if "--debian" in sys.argv:
        sys.argv.remove("--debian")
        tools.may_install_debian = True
    sys.exit(run_ways(WAYS))
