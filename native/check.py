"""Tests the core in each way that this machine has the tools for, for `make test-native`.

    python native/check.py [gcc clang sanitizers wasm aarch64 armv7l riscv64]

Each way prints one line: passed, failed, or skipped with the reason. The compilers build the core with warnings taken
for errors, and run `tests/native`. `sanitizers` runs those of whole bundles with a library that checks addresses and
undefined behaviour. The other processors (AArch64, ARMv7, RISC-V) run in QEMU: the program `textapp-native` over the
sample bundles, whose answers must be those of Python, and the golden files of `clients/conformance`. `wasm` runs the
kernels and the sample bundles in Node.
"""

import functools
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from clients.conformance.make import make  # noqa: E402
from clients.web import build as web  # noqa: E402
from native import library  # noqa: E402
from textapp.errors import InputError  # noqa: E402

SAMPLES = ROOT / "tests/samples"
CROSS = {  # processor -> compiler, and what runs its programs
    "aarch64": ("aarch64-linux-gnu-gcc", "qemu-aarch64"),
    "armv7l": ("arm-linux-gnueabihf-gcc", "qemu-arm"),
    "riscv64": ("riscv64-linux-gnu-gcc", "qemu-riscv64"),
}
STRINGS = 200
"""Strings of the golden files that other processors check."""
_TOLERANCE = 0.02  # of probabilities, of int8 recipes


class Skipped(Exception):
    """A tool is missing."""


def needed(tool: str) -> str:
    """The path of a tool. Raises `Skipped` if it is missing."""
    found = shutil.which(tool) or shutil.which(f"{tool}-static")
    if found is None:
        raise Skipped(f"no {tool} here")
    return found


def run_ways(ways: Mapping[str, Callable[[], None]]) -> int:
    """Tests in each way, or in those that the command line names, and prints a line for each.

    Args:
        ways: Name -> a function that raises `Skipped` if a tool is missing, and another error if the way fails.

    Returns:
        The exit code: 1 if a way fails, 2 if a name is not one of them.
    """
    wanted = sys.argv[1:] or list(ways)
    if unknown := set(wanted) - set(ways):
        print(f"{', '.join(sorted(unknown))}: must be of {', '.join(ways)}", file=sys.stderr)
        return 2
    results = {}
    for name in wanted:
        start = time.monotonic()
        try:
            ways[name]()
            results[name] = f"passed in {time.monotonic() - start:.0f} s"
        except Skipped as reason:
            results[name] = f"skipped: {reason}"
        except (subprocess.SubprocessError, library.CompileError, AssertionError, InputError, OSError) as error:
            results[name] = f"failed: {error}"
        print(f"{name}: {results[name]}", flush=True)
    print("all ways:")
    for name, result in results.items():
        print(f"{name}: {result}")
    return int(any(result.startswith("failed") for result in results.values()))


def relaxed_options(node: str) -> list[str]:
    """The options with which Node runs relaxed SIMD: V8 needs one before 11.4, as in Node 20."""
    known = subprocess.run([node, "--v8-options"], stdout=subprocess.PIPE, text=True, check=True).stdout
    flag = "--experimental-wasm-relaxed-simd"
    return [flag] if flag in known else []


def run_tests(compiler: str, tests: Sequence[str] = ("tests/native",), **variables: str) -> None:
    """Runs tests of the core with a compiler."""
    command = [sys.executable, "-m", "pytest", *tests, "-q", "-x"]
    environment = {**os.environ, "CC": needed(compiler), **variables}
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


def test_sanitized() -> None:
    """Runs the tests of whole bundles with a library that checks addresses and undefined behaviour.

    Those of the parts would take ten times as long.
    """
    gcc = needed("gcc")
    found = [
        subprocess.run([gcc, f"-print-file-name={name}"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    if not all(map(os.path.isabs, found)):
        raise Skipped("gcc has no libasan or libubsan")
    run_tests(
        "gcc",
        tuple(f"tests/native/test_{name}.py" for name in ("binding", "native_bundle", "batches")),
        TEXTAPP_SANITIZE="1",
        LD_PRELOAD=" ".join(found),
        ASAN_OPTIONS="detect_leaks=0:halt_on_error=1",  # Python's own leaks
        UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1",
    )


@functools.cache
def golden_files() -> "tempfile.TemporaryDirectory[str]":
    """The golden files of `STRINGS` strings, for all processors. The folder is removed at the end."""
    folder = tempfile.TemporaryDirectory()
    make(Path(folder.name, "files"), STRINGS)
    return folder


def build_elsewhere(program: Path, processor: str, sources: Sequence[Path]) -> list[str]:
    """Compiles a program of another processor, warnings taken for errors. Returns the command that runs it."""
    compiler, emulator = map(needed, CROSS[processor])
    left_out = ("-fPIC", "-DTEXTAPP_BUILD_SHARED")
    options = [option for option in library.COMPILE if option not in left_out]
    options += [*library.WARNINGS, "-Werror"]
    library.build(program, [compiler], processor=processor, options=options, link=["-static"], more=sources)
    return [emulator, str(program)]


def test_elsewhere(processor: str) -> None:
    """Runs the core of another processor: textapp-native over the samples, as Python predicts, and the golden files."""
    texts = json.loads((SAMPLES / "expected.json").read_text(encoding="utf-8"))["texts"]
    texts = [" ".join(text.split("\n")) for text in texts] + ["don’t mp3 80s ㍿ ½ ﬁn 北京", "", "word " * 40]
    with tempfile.TemporaryDirectory() as folder:
        command = build_elsewhere(Path(folder, "textapp-native"), processor, library.COMMAND)
        for bundle in (SAMPLES / "classifier/bundle", SAMPLES / "tagger/bundle"):
            lines = "".join(f"{text}\n" for text in texts).encode()
            done = subprocess.run(
                [*command, "--offsets", "code-points", bundle], input=lines, stdout=subprocess.PIPE, check=True
            )
            found = [json.loads(line) for line in done.stdout.splitlines()]
            for text, one, expected in zip(texts, found, _by_python(bundle, texts), strict=True):
                if not close(one, expected):
                    raise AssertionError(f"{bundle.parent.name}: {text!r}: {one} is not {expected}")
        command = build_elsewhere(Path(folder, "check"), processor, sorted((ROOT / "clients/conformance").glob("*.c")))
        subprocess.run([*command, Path(golden_files().name, "files")], stdout=subprocess.DEVNULL, check=True)


def test_wasm() -> None:
    """Runs the kernels in Node, with the checksums of the definition, and the sample bundles."""
    node = needed("node")
    try:
        web.tools()
    except web.BuildError as error:
        raise Skipped(str(error)) from error
    options = relaxed_options(node)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        module = kernels_module(folder)
        script = f"import {{readFileSync}} from 'node:fs'; const bytes = readFileSync(process.argv[1]); {DIGESTS}"
        program = [
            node,
            *options,
            "--input-type=module",
            "-e",
            f"{script}; console.log(JSON.stringify(rows))",
            str(module),
        ]
        check_digests(json.loads(subprocess.run(program, stdout=subprocess.PIPE, check=True).stdout))
        for path in (ROOT / "clients/web").glob("*.js"):
            shutil.copyfile(path, folder / path.name)
        for kind, path in zip(web.KINDS, web.build(folder, list(web.KINDS)), strict=True):
            environment = {**os.environ, "TEXTAPP_WEB": str(path.parent), "TEXTAPP_KIND": kind}
            tests = str(ROOT / "clients/web/tests/loading.test.mjs")
            subprocess.run([node, *options, "--test", tests], cwd=ROOT, env=environment, check=True)


def kernels_module(folder: Path) -> Path:
    """Compiles tests/native/kernels_digest.c with all sets of kernels for WebAssembly. Raises `web.BuildError`."""
    using = web.tools()
    names = ("kernels", "base", "numbers", "hashes")
    sources = [path for path in sorted((library.NATIVE / "src").glob("*.c")) if path.stem.startswith(names)]
    objects = []
    for source in [*sources, ROOT / "tests/native/kernels_digest.c"]:
        objects.append(str(folder / f"{source.stem}.o"))
        command = [*using.compiler, *web.COMPILE, *web.KINDS["relaxed"], "-I", str(library.NATIVE / "include")]
        subprocess.run([*command, "-c", str(source), "-o", objects[-1]], check=True)
    subprocess.run([*using.linker, *web.LINK, *objects, "-o", str(folder / "digest.wasm")], check=True)
    return folder / "digest.wasm"


DIGESTS = """
const {instance} = await WebAssembly.instantiate(bytes);
const digest = (set, check) => instance.exports.digest(set, check) >>> 0;
const sets = [0, 1, 2, 3, 4, 5, 6, 7, 8].filter(set => digest(set, 0) !== 0xffffffff);
const rows = sets.map(set => [0, 1, 2, 3, 4, 5].map(check => digest(set, check)))"""
"""JavaScript that computes `rows`, the checksums of each set that an engine runs, from `bytes` of `kernels_module`."""


def check_digests(rows: list[list[int]]) -> None:
    """Raises `AssertionError` unless all sets have the checksums of the first, the definition."""
    if len(rows) < 2 or any(row != [rows[0][0], 0, *rows[0][2:]] for row in rows):
        raise AssertionError(f"checksums of the kernels: {rows}")


def _by_python(bundle: Path, texts: list[str]) -> list[Any]:
    """What Python and LiteRT predict, as JSON."""
    from textapp.runtime import load

    return [prediction.to_dict() for prediction in load(bundle, engine="litert").predict(texts)]


def close(found: Any, expected: Any) -> bool:
    """Whether two JSON values are equal but for probabilities, which may differ by little."""
    if isinstance(expected, float):
        return isinstance(found, float | int) and math.isclose(found, expected, abs_tol=_TOLERANCE)
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(close(found[key], expected[key]) for key in expected)
    if isinstance(expected, list | tuple):
        return len(found) == len(expected) and all(map(close, found, expected))
    return bool(found == expected)


def main() -> int:
    """Tests in each way, or in those that are named; 1 if one fails."""
    ways: dict[str, Callable[[], None]] = {
        "gcc": lambda: run_tests("gcc"),
        "clang": lambda: run_tests("clang"),
        "sanitizers": test_sanitized,
        "wasm": test_wasm,
    }
    for processor in CROSS:
        ways[processor] = lambda processor=processor: test_elsewhere(processor)  # type: ignore[misc]
    return run_ways(ways)


if __name__ == "__main__":
    sys.exit(main())
