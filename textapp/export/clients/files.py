"""Finds the sources that clients are made of: in the repository, or as copies in an installed wheel.

`native/packaging.py` makes the copies when a wheel is built.
"""

import contextlib
import importlib.util
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

from textapp.errors import InputError
from textapp.files import temporary_folder

_REPOSITORY = Path(__file__).parents[3]
_COPIES = Path(__file__).parent / "sources"  # exists in a wheel only


def client_folder(name: str) -> Path:
    """The folder of a client: `clients/NAME` of the repository, or its copy.

    Raises:
        InputError: There is neither.
    """
    for folder in (_COPIES / name, _REPOSITORY / "clients" / name):
        if folder.is_dir():
            return folder
    raise InputError(f"client {name}: its sources are missing in this installation of textapp; install it again")


def amalgamation() -> tuple[str, str]:
    """The core in C in two files: the contents of textapp.c and textapp.h.

    Raises:
        InputError: The sources of the core are missing.
    """
    copies, native = _COPIES / "native", _REPOSITORY / "native"
    if copies.is_dir():
        return _read(copies / "textapp.c"), _read(copies / "textapp.h")
    tool = native / "tools/amalgamate.py"
    spec = importlib.util.spec_from_file_location("textapp_amalgamate", tool) if tool.is_file() else None
    if spec is None or spec.loader is None:
        raise InputError("the sources of the core in C are missing in this installation of textapp; install it again")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.amalgamation()), _read(native / "include/textapp.h")


def check_wasm(kinds: Sequence[str]) -> None:
    """Raises `InputError` if `core_wasm` would have neither a copy nor a compiler for one of the kinds."""
    if not all((_COPIES / "web" / f"textapp-{kind}.wasm").is_file() for kind in kinds):
        with _wasm_build() as build:
            build.tools()


def core_wasm(kind: str) -> bytes:
    """The core as WebAssembly: the copy of a wheel, or compiled from the sources.

    Args:
        kind: relaxed, simd or plain, see `clients/web/build.py`.

    Raises:
        InputError: There is no copy and no compiler.
    """
    return _copied_or_built(f"textapp-{kind}.wasm", kind)


def core_javascript() -> bytes | None:
    """The core as a module of JavaScript; None if there is no copy, and no program wasm2js to make it.

    Raises:
        InputError: There is no compiler.
    """
    name, kind = "textapp-wasm2js.js", "wasm2js"
    if not (_COPIES / "web" / name).is_file() and shutil.which(kind) is None:
        return None
    return _copied_or_built(name, kind)


def _copied_or_built(name: str, kind: str) -> bytes:
    """A file that `clients/web/build.py` makes."""
    copy = _COPIES / "web" / name
    if copy.is_file():
        return copy.read_bytes()
    with temporary_folder() as folder, _wasm_build() as build:
        [made] = build.build(folder, [kind])
        return bytes(made.read_bytes())


@contextlib.contextmanager
def _wasm_build() -> Iterator[ModuleType]:
    """The module `clients/web/build.py`. Its errors become `InputError`."""
    spec = importlib.util.spec_from_file_location("textapp_web_build", client_folder("web") / "build.py")
    assert spec is not None
    assert spec.loader is not None
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    try:
        yield build
    except RuntimeError as error:
        raise InputError(f"clients page and web: {' '.join(str(error).split())}") from error


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def write_core(folder: Path) -> None:
    """Writes the core in C, textapp.c and textapp.h, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in zip(("textapp.c", "textapp.h"), amalgamation(), strict=True):
        (folder / name).write_text(content, encoding="utf-8", newline="\n")
