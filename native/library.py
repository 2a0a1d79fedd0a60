"""Compiles the core into a shared library, with a C compiler that takes the options of gcc.

    python native/library.py [--out textapp/runtime] [--compiler "gcc"] [--sanitize]

Each file of `native/src` is compiled alone. A kernel file gets the options of its processor from `native/kernels.txt`;
where the compiler does not know them, it is compiled without them, and is then empty. The library needs no other one,
not even the C library, so it runs on any Linux of its processor. It has a digest of its sources in it, by which Python
notices one that is out of date; see textapp/runtime/native_sources.py.
"""

import argparse
import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

NATIVE = Path(__file__).parent
NAMES = {"linux": "libtextapp.so", "darwin": "libtextapp.dylib", "win32": "textapp.dll"}
"""The name of the library by `sys.platform`."""

COMMAND = sorted((NATIVE / "command").glob("*.c"))
"""The sources of textapp-native beside those of the library."""

DIGEST = "textapp/runtime/native_sources.txt"
"""The file of a built package with the digest of the sources."""

COMPILE = [
    "-std=c99",
    "-O2",
    "-g0",
    "-fPIC",
    "-ffreestanding",
    "-fno-stack-protector",
    "-ffp-contract=off",  # clang would fuse products and sums, and results would differ between processors
    "-fvisibility=hidden",
    "-DTEXTAPP_BUILD_SHARED",
    "-DTEXTAPP_WITHOUT_LIBC",
]
LINK = ["-shared", "-fPIC", "-nostdlib", "-s"]
SANITIZE = [
    "-std=c99",
    "-O1",
    "-g",
    "-fPIC",
    "-fvisibility=hidden",
    "-DTEXTAPP_BUILD_SHARED",
    "-fsanitize=address,undefined",
]
LINK_SANITIZED = ["-shared", "-fPIC", "-fsanitize=address,undefined"]
WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wstrict-prototypes", "-Wdouble-promotion"]
_MACHINES = {"amd64": "x86_64", "x64": "x86_64", "arm64": "aarch64"}


class NoCompilerError(RuntimeError):
    """There is no C compiler."""


class CompileError(RuntimeError):
    """The compiler failed; the message holds what it wrote."""


def name(system: str = sys.platform) -> str:
    """The name of the library on a system."""
    return NAMES.get(system, NAMES["linux"])


def machine(of: str = "") -> str:
    """The processor of this machine, or the usual name of a given one: x86_64, aarch64, ..."""
    found = (of or platform.machine()).lower()
    return _MACHINES.get(found, found)


def compiler() -> list[str]:
    """The command of a C compiler: that of the variable CC, or the first of cc, gcc and clang.

    Raises:
        NoCompilerError: There is none.
    """
    try:
        wanted = shlex.split(os.environ.get("CC", ""))
    except ValueError as error:
        raise NoCompilerError(f"CC={os.environ['CC']}: {error}") from error
    for command in [wanted] if wanted else [["cc"], ["gcc"], ["clang"]]:
        if shutil.which(command[0]):
            return command
    raise NoCompilerError(f"{shlex.join(wanted)}: not found" if wanted else "none of cc, gcc and clang is here")


def kernel_options(of: str) -> dict[str, list[str]]:
    """Name of each kernel file -> its options for a processor."""
    table = NATIVE / "kernels.txt"
    rows = [line.partition("#")[0].split() for line in table.read_text(encoding="utf-8").splitlines()]
    return {file: options for file, processors, *options in filter(None, rows) if of in processors.split(",")}


def sources_digest() -> str:
    """The digest of the sources, as `textapp.runtime.native_sources` has it; textapp need not be installed."""
    path = NATIVE.parent / "textapp/runtime/native_sources.py"
    spec = importlib.util.spec_from_file_location("textapp_runtime_native_sources", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.sources_digest(NATIVE))


def build(
    path: Path,
    command: Sequence[str],
    *,
    processor: str = "",
    options: Sequence[str] = COMPILE,
    link: Sequence[str] = LINK,
    more: Sequence[Path] = (),
) -> Path:
    """Compiles the library.

    Args:
        path: The file to write. It is replaced in one step, as a process may have loaded it.
        command: The compiler, with its options for another system than this.
        processor: The processor that it compiles for; by default this one.
        options: Options of each file.
        link: Options of the linker.
        more: More files to compile, such as a program.

    Raises:
        CompileError: The compiler failed.
    """
    kernels = kernel_options(machine(processor))
    sources = f'-DTEXTAPP_SOURCES="{sources_digest()}"'
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder, "empty.c")
        empty.write_text("typedef int empty;\n", encoding="utf-8")

        def compile_file(source: Path) -> str:
            own = kernels.get(source.name, [])
            if (
                own
                and subprocess.run(
                    [*command, *own, "-c", str(empty), "-o", str(Path(folder, f"{source.stem}.empty.o"))],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    check=False,
                ).returncode
            ):
                own = []
            made = str(Path(folder, f"{source.parent.name}-{source.stem}.o"))  # more than one folder may have a name
            includes = ["-I", str(NATIVE / "include"), "-I", str(NATIVE / "src")]
            if source in more:  # a program, which may use the C library
                own = [*own, "-fhosted"]
            _run([*command, *options, *own, sources, *includes, "-c", str(source), "-o", made])
            return made

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            objects = list(pool.map(compile_file, [*sorted((NATIVE / "src").glob("*.c")), *more]))
        path.parent.mkdir(parents=True, exist_ok=True)
        made = path.with_name(f"{path.name}.{os.getpid()}.new")
        try:
            _run([*command, *link, *objects, "-o", str(made)])
            made.replace(path)
        finally:
            made.unlink(missing_ok=True)
    return path


def _run(command: Sequence[str]) -> None:
    """Runs a compiler. Raises `CompileError` with what it wrote."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise CompileError(f"{shlex.join(command)}\n{done.stdout}")


def main() -> int:
    """Compiles the library, by default to where the package looks for it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=NATIVE.parent / "textapp/runtime", help="folder of the library")
    parser.add_argument("--compiler", help="command of the compiler; by default $CC, cc, gcc or clang")
    parser.add_argument("--warnings", action="store_true", help="take warnings for errors")
    parser.add_argument("--sanitize", action="store_true", help="check addresses and undefined behaviour at run time")
    arguments = parser.parse_args()
    options, link = [*COMPILE], [*LINK]
    if arguments.sanitize:
        options, link = [*SANITIZE], LINK_SANITIZED
    if arguments.warnings:
        options += [*WARNINGS, "-Werror"]
    try:
        command = shlex.split(arguments.compiler) if arguments.compiler else compiler()
        made = build(arguments.out / name(), command, options=options, link=link)
    except (NoCompilerError, CompileError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{made}: {made.stat().st_size:,} bytes, by {shlex.join(command)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
