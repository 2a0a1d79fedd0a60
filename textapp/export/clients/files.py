"""Finds the sources that clients are made of: in the repository, or as copies in an installed wheel.

`native/packaging.py` makes the copies when a wheel is built.
"""

import importlib.util
from pathlib import Path

from textapp.errors import InputError

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


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
