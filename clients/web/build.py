"""Builds the core as WebAssembly, with clang and wasm-ld, or with PyPI's ziglang; and from it as JavaScript.

    python clients/web/build.py OUT [--kinds relaxed simd plain wasm2js] [--compiler clang]

OUT gets one file a kind: `textapp-relaxed.wasm` for engines with relaxed SIMD, `textapp-simd.wasm` for those with
SIMD, and `textapp-plain.wasm` for all. The core calls nothing of the C library, and the files import nothing.
`textapp-wasm2js.js` is the plain one as JavaScript, by the program wasm2js of Binaryen.
"""

import argparse
import importlib.util
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
SIMD = ["-msimd128", "-mbulk-memory", "-mnontrapping-fptoint"]  # every engine with SIMD has the other two
KINDS = {"relaxed": [*SIMD, "-mrelaxed-simd"], "simd": SIMD, "plain": ["-mcpu=mvp"]}
"""Name of a kind of WebAssembly -> options of the compiler."""

JAVASCRIPT = "wasm2js"
"""The kind that is JavaScript."""

COMPILE = [
    "-std=c99",
    "-Oz",  # at most 5 % slower than -O2, of which the files have a third more bytes
    "-g0",
    "-ffreestanding",
    "-ffp-contract=off",
    "-fvisibility=hidden",
    "-DTEXTAPP_WITHOUT_LIBC",
]
STACK = 1 << 17  # bytes; first in memory, so that no overflow reaches data
LINK = ["--no-entry", "--strip-all", "--stack-first", "-z", f"stack-size={STACK}"]
_CLANGS = ["clang", *(f"clang-{version}" for version in range(30, 13, -1))]


class Tools(NamedTuple):
    """The commands of a compiler and of its linker."""

    compiler: list[str]
    linker: list[str]


class BuildError(RuntimeError):
    """A compiler is missing, or failed; the message is for the user."""


def file_name(kind: str) -> str:
    """The name of the file of a kind."""
    return f"textapp-{kind}.{'js' if kind == JAVASCRIPT else 'wasm'}"


def clang() -> Tools | None:
    """A clang that knows relaxed SIMD, and its wasm-ld."""
    for name in filter(shutil.which, _CLANGS):
        command = [name, "--target=wasm32"]
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "relaxed.c")
            source.write_text(
                "#include <wasm_simd128.h>\nv128_t f(v128_t a) { return wasm_i16x8_relaxed_dot_i8x16_i7x16(a, a); }\n"
            )
            options = [*KINDS["relaxed"], "-c", str(source), "-o", f"{source}.o"]
            done = subprocess.run(
                [*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
            )
        found = subprocess.run([name, "-print-prog-name=wasm-ld"], stdout=subprocess.PIPE, text=True, check=False)
        linker = shutil.which(found.stdout.strip())
        if done.returncode == 0 and linker:
            return Tools(command, [linker])
    return None


def ziglang() -> Tools | None:
    """The compiler of PyPI's ziglang."""
    if importlib.util.find_spec("ziglang") is None:
        return None
    zig = [sys.executable, "-m", "ziglang"]
    return Tools([*zig, "cc", "-target", "wasm32-freestanding"], [*zig, "wasm-ld"])


COMPILERS: dict[str, Callable[[], Tools | None]] = {"clang": clang, "ziglang": ziglang}


def tools(compiler: str = "") -> Tools:
    """The tools of a compiler, or of the first that is here.

    Raises:
        BuildError: It is not here, or none is.
    """
    for name in [compiler] if compiler else COMPILERS:
        if found := COMPILERS[name]():
            return found
    raise BuildError(
        f"no {compiler or 'compiler'} for WebAssembly is here: install clang (19 or later) and lld, or "
        "`pip install ziglang`"
    )


def build(out: Path, kinds: Sequence[str] = (), compiler: str = "") -> list[Path]:
    """Builds the file of each kind in a folder.

    Args:
        out: The folder.
        kinds: Of `KINDS` and `JAVASCRIPT`; by default all, `JAVASCRIPT` only where wasm2js is here.
        compiler: Of `COMPILERS`; by default the first that is here.

    Raises:
        BuildError: There is no compiler, or no wasm2js for `JAVASCRIPT`, or one failed.
    """
    found = tools(compiler)
    kinds = kinds or [*KINDS, *([JAVASCRIPT] if shutil.which("wasm2js") else [])]
    out.mkdir(parents=True, exist_ok=True)
    made = []
    for kind in kinds:
        content = _javascript(found) if kind == JAVASCRIPT else _wasm(kind, found)
        made.append(out / file_name(kind))
        made[-1].write_bytes(content)
    return made


def _wasm(kind: str, using: Tools) -> bytes:
    """Compiles a kind of WebAssembly."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_core(folder)
        objects = []
        for source in (folder / "textapp.c", HERE / "web.c"):
            objects.append(str(folder / f"{source.stem}.o"))
            _run([*using.compiler, *COMPILE, *KINDS[kind], "-I", name, "-c", str(source), "-o", objects[-1]])
        _run([*using.linker, *LINK, *objects, "-o", str(folder / "core.wasm")])
        return (folder / "core.wasm").read_bytes()


def _write_core(folder: Path) -> None:
    """Writes textapp.c and textapp.h: from the repository, or the copies of an installed wheel."""
    copies, tool = HERE.parent / "native", HERE.parents[1] / "native/tools/amalgamate.py"
    if (copies / "textapp.c").is_file():
        for name in ("textapp.c", "textapp.h"):
            shutil.copyfile(copies / name, folder / name)
    else:
        _run([sys.executable, str(tool), str(folder)])


def _javascript(using: Tools) -> bytes:
    """A module whose default export makes an instance: each has all variables of its own."""
    program = shutil.which("wasm2js")
    if program is None:
        raise BuildError("no wasm2js is here: install binaryen, of Linux or of npm")
    with tempfile.TemporaryDirectory() as folder:
        plain, made = Path(folder, "plain.wasm"), Path(folder, "core.js")
        plain.write_bytes(_wasm("plain", using))
        _run([program, "-O", str(plain), "-o", str(made)])
        lines = made.read_text(encoding="utf-8").splitlines()
    body = "\n".join(line for line in lines if not line.startswith("export "))
    start = (
        "// The core of textapp, translated from WebAssembly by wasm2js of Binaryen.\nexport default function () {\n"
    )
    return f"{start}{body}\nreturn retasmFunc;\n}}\n".encode()


def _run(command: Sequence[str]) -> None:
    """Runs a program. Raises `BuildError` with what it wrote."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise BuildError(f"{shlex.join(command)}\n{done.stdout.decode(errors='replace')}")


def main() -> int:
    """Builds the kinds that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder of the files")
    parser.add_argument("--kinds", nargs="+", choices=[*KINDS, JAVASCRIPT], default=[], help="by default all")
    parser.add_argument("--compiler", choices=COMPILERS, default="", help="by default the first that is here")
    arguments = parser.parse_args()
    try:
        made = build(arguments.out, arguments.kinds, arguments.compiler)
    except (BuildError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    for path in made:
        print(f"{path}: {path.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
