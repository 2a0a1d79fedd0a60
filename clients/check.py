"""Tests the clients in each way that this machine has the tools for, for `make test-clients`.

    python clients/check.py [c flutter ...]

Each way prints one line: passed, failed, or skipped with the reason. A way is a function without arguments. It raises
`Skipped` if a tool is missing, and another error if the client fails.

Bindings are held against the golden files of `clients/conformance`. The variable TEXTAPP_CONFORMANCE names a folder of
them, of 100,000 strings for example; without it they are made of 300 strings.
"""

import atexit
import ctypes
import functools
import importlib.util
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

from clients.conformance.bundles import bundles  # noqa: E402
from clients.conformance.make import make  # noqa: E402
from native.check import Skipped, needed, relaxed_options, run_ways  # noqa: E402
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

KOTLIN = "2.4.20"
"""The version of npm's kotlin-compiler, JetBrains' whole compiler."""


def test_android() -> None:
    """Runs the Kotlin client on this machine's Java, and its libraries for Android in QEMU."""
    needed("java")
    with tempfile.TemporaryDirectory() as folder:
        compiler = kotlin_compiler(Path(folder))
        run_pytest("clients/android/tests", KOTLINC=compiler, TEXTAPP_CONFORMANCE=str(golden_files()))


def test_browser() -> None:
    """Shows bundles in Chromium, and compares the page with Python."""
    run_in_browser("tests/export/clients/test_in_browser.py")


def run_in_browser(tests: str) -> None:
    """Runs tests of the web client in Chromium."""
    needed("chromium")
    chromedriver = needed("chromedriver")
    check_wasm()
    run_pytest(tests, CHROMEDRIVER=chromedriver)


def test_c() -> None:
    """Runs the tests of client c with each C compiler that is here."""
    found = [path for name in ("gcc", "clang") if (path := shutil.which(name))]
    if not found:
        raise Skipped("no gcc and no clang here")
    for compiler in found:
        run_pytest("tests/export/clients/test_c.py", CC=compiler)


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
    for path in (ROOT / "clients/ios/conformance").glob("*.swift"):
        shutil.copyfile(path, package / "Tests/TextappTests" / path.name)
    environment = {**os.environ, "TEXTAPP_CONFORMANCE": str(golden_files())}
    subprocess.run([swift, "test", "-c", "release"], cwd=package, env=environment, check=True)
    if sys.platform == "darwin":
        return  # Xcode checks the example against SwiftUI itself
    stubs = ROOT / "clients/ios/conformance/stubs/SwiftUI.swift"
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


def test_litert_js() -> None:
    """Runs model files in LiteRT.js, in Chromium."""
    for tool in ("chromium", "chromedriver"):
        needed(tool)
    if not (ROOT / "clients/tests/node_modules/@litertjs/core").is_dir():
        raise Skipped("no LiteRT.js here: npm install --prefix clients/tests @litertjs/core")
    subprocess.run([sys.executable, "clients/tests/litert_js.py"], cwd=ROOT, check=True)


def test_mediapipe() -> None:
    """Runs the file of client mediapipe in MediaPipe, in this Python or in that of the variable MEDIAPIPE_PYTHON."""
    if not os.environ.get("MEDIAPIPE_PYTHON") and importlib.util.find_spec("mediapipe") is None:
        raise Skipped("no mediapipe here; install it, or set MEDIAPIPE_PYTHON to a Python that has it")
    run_pytest("tests/export/clients/test_mediapipe.py")


def test_mediapipe_web() -> None:
    """Runs it in MediaPipe for the web, in Chromium."""
    needed("chromium")
    chromedriver = needed("chromedriver")
    packages = os.environ.get("MEDIAPIPE_PACKAGES") or ROOT / "clients/tests/node_modules"
    if not Path(packages, "@mediapipe/tasks-text").is_dir():
        raise Skipped("no MediaPipe for the web here: npm install --prefix clients/tests @mediapipe/tasks-text")
    test = "tests/export/clients/test_mediapipe.py::test_mediapipe_itself_gives_these_scores"
    run_pytest(test, CHROMEDRIVER=chromedriver)


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
    node = needed("node")
    check_wasm()
    web = exported("web", SAMPLES["classifier"])
    environment = {
        **os.environ,
        "TEXTAPP_WEB": str(web),
        "TEXTAPP_CONFORMANCE": str(golden_files()),
        "TEXTAPP_SELFTEST": str(tested_bundle()),
    }
    tests = sorted(map(str, (ROOT / "clients/web/tests").glob("*.test.mjs")))
    for kind in kinds:
        if kind == "wasm2js" and not (web / "without-wasm.js").exists():
            raise Skipped("no wasm2js here, of binaryen")
        options = relaxed_options(node) if kind == "relaxed" else []
        command = [node, *options, "--test", *tests]
        subprocess.run(command, cwd=ROOT, env={**environment, "TEXTAPP_KIND": kind}, check=True)


def test_web_types() -> None:
    """Checks the types of client web in a program that uses all of them."""
    tsc = needed("tsc")
    options = ["--strict", "--noEmit", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom,dom.iterable"]
    subprocess.run([tsc, *options, "clients/web/tests/types.ts"], cwd=ROOT, check=True)


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


def check_wasm() -> None:
    """Raises `Skipped` if nothing here compiles the core as WebAssembly."""
    try:
        files.core_wasm("simd")
    except InputError as error:
        raise Skipped(str(error)) from error


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
        folder.parent.mkdir()
        export(bundle or tested_bundle(), folder, clients=[client])
    return folder


@functools.cache
def tested_bundle() -> Path:
    """The sample tagger with a selftest.json, which today's exports write."""
    content = selftest(load(SAMPLES["tagger"], engine="litert"), "dynamic_wi8_afp32")
    files_of_bundle = {"selftest.json": content}
    return Path(with_files(SAMPLES["tagger"], scratch() / "bundle", files_of_bundle, fields={"selftest": True}))


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
    command = [sys.executable, "-m", "pytest", *tests, "-q", "-x"]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **variables}, check=True)


WAYS: dict[str, Callable[[], None]] = {
    "android": test_android,
    "browser": test_browser,
    "c": test_c,
    "flutter": test_flutter,
    "ios": test_ios,
    "litert-js": test_litert_js,
    "mediapipe": test_mediapipe,
    "mediapipe-web": test_mediapipe_web,
    "rust": test_rust,
    "web": lambda: test_web("plain", "simd", "relaxed"),
    "web-javascript": lambda: test_web("wasm2js"),
    "web-types": test_web_types,
    "web-browser": lambda: run_in_browser("tests/export/clients/test_web_in_browser.py"),
}


if __name__ == "__main__":
    sys.exit(run_ways(WAYS))
