"""Builds the core as WebAssembly, with clang and wasm-ld, or with PyPI's ziglang; and from it as JavaScript.

    python clients/web/build.py OUT [--kinds relaxed simd plain wasm2js] [--compiler COMMAND]

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
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from native import library  # noqa: E402

SOURCE = Path(__file__).with_name("web.c")
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
STACK = 1 << 17  # bytes
LINK = ["-nostdlib", "-Wl,--no-entry", "-Wl,--strip-all", "-Wl,--stack-first", f"-Wl,-z,stack-size={STACK}"]
_CLANGS = ["clang", *(f"clang-{version}" for version in range(30, 13, -1))]


def file_name(kind: str) -> str:
    """The name of the file of a kind."""
    return f"textapp-{kind}.{'js' if kind == JAVASCRIPT else 'wasm'}"


def compiler() -> list[str]:
    """The command of a compiler for WebAssembly: a clang that knows relaxed SIMD and has a linker, or ziglang's.

    Raises:
        library.NoCompilerError: There is none.
    """
    for name in _CLANGS:
        if shutil.which(name) and _links([name, "--target=wasm32"]):
            return [name, "--target=wasm32"]
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-freestanding"]
    raise library.NoCompilerError(
        "no compiler for WebAssembly is here: install clang (19 or later) and lld, or `pip install ziglang`"
    )


def _links(command: Sequence[str]) -> bool:
    """Whether a compiler makes a file of the kind that needs most."""
    options = [*KINDS["relaxed"], *LINK, "-x", "c", "-", "-o", "-"]
    program = b"#include <wasm_simd128.h>\nv128_t f(v128_t a) { return wasm_i16x8_relaxed_dot_i8x16_i7x16(a, a); }\n"
    done = subprocess.run(
        [*command, *options], input=program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    )
    return done.returncode == 0


def build(out: Path, kinds: Sequence[str] = tuple(KINDS), command: Sequence[str] = ()) -> list[Path]:
    """Builds the file of each kind in a folder.

    Args:
        out: The folder.
        kinds: Of `KINDS` and `JAVASCRIPT`.
        command: The compiler; by default the one that `compiler` finds.

    Raises:
        library.NoCompilerError: There is no compiler, or no wasm2js for `JAVASCRIPT`.
        library.CompileError: The compiler failed.
    """
    command = command or compiler()
    return [
        _javascript(out / file_name(kind), command) if kind == JAVASCRIPT else _wasm(out / file_name(kind), kind, command)
        for kind in kinds
    ]


def _wasm(path: Path, kind: str, command: Sequence[str]) -> Path:
    made = library.build(
        path,
        command,
        processor="wasm",  # all of a file has the options of its kind, not only the kernels
        options=[*COMPILE, *KINDS[kind]],
        link=LINK,
        more=[SOURCE],
    )
    made.chmod(0o644)
    return made


def _javascript(path: Path, command: Sequence[str]) -> Path:
    """Writes a module whose default export makes an instance: each has all variables of its own."""
    program = shutil.which("wasm2js")
    if program is None:
        raise library.NoCompilerError("no wasm2js is here: install binaryen, of Linux or of npm")
    with tempfile.TemporaryDirectory() as folder:
        plain = _wasm(Path(folder, "plain.wasm"), "plain", command)
        done = subprocess.run([program, "-O", plain], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        raise library.CompileError(f"{program}\n{done.stderr.decode(errors='replace')}")
    lines = done.stdout.decode().splitlines()
    body = "\n".join(line for line in lines if not line.startswith("export "))
    start = "// The core of textapp, translated from WebAssembly by wasm2js of Binaryen.\nexport default function () {\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{start}{body}\nreturn retasmFunc;\n}}\n", encoding="utf-8", newline="\n")
    return path


def main() -> int:
    """Builds the kinds that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder of the files")
    parser.add_argument("--kinds", nargs="+", choices=[*KINDS, JAVASCRIPT], default=list(KINDS))
    parser.add_argument("--compiler", default="", help="by default a clang with wasm-ld, or ziglang")
    arguments = parser.parse_args()
    try:
        made = build(arguments.out, arguments.kinds, shlex.split(arguments.compiler))
    except (library.NoCompilerError, library.CompileError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    for path in made:
        print(f"{path}: {path.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
