"""Whether the core's library is whole, and was built from the sources that belong to this package.

A build of `native/library.py` writes a digest of its sources into the library. In a checkout it must be that of
`native/`; in an installed package it must be that of the build, which `native/packaging.py` writes beside the library.

`native/library.py` loads this file alone, where textapp is not installed. So it imports nothing of textapp.
"""

import functools
import hashlib
import struct
from pathlib import Path

NATIVE = Path(__file__).parents[2] / "native"
"""Where the sources lie in a checkout."""

BUILT = Path(__file__).with_name("native_sources.txt")
"""The digest of an installed package's build; a checkout does not have it."""

_ELF = b"\x7fELF"
_SECTIONS = {  # class of an ELF file -> where its table of sections is named: its place, and the size and the number
    1: (struct.Struct("<I"), 0x20, 0x2E),
    2: (struct.Struct("<Q"), 0x28, 0x3A),
}


def sources_digest(native: Path = NATIVE) -> str:
    """The SHA-256 of the core's sources and of how they are compiled, in hexadecimal.

    Args:
        native: the folder `native` of a repository.
    """
    files = [*sorted((native / "src").glob("*.[ch]")), native / "include/textapp.h"]
    state = hashlib.sha256()
    for path in [*files, native / "kernels.txt", native / "library.py"]:
        content = path.read_bytes()
        state.update(f"{path.name}\0{len(content)}\0".encode())
        state.update(content)
    return state.hexdigest()


def is_checkout() -> bool:
    """Whether the sources lie beside this package."""
    return (NATIVE / "include/textapp.h").exists()


@functools.cache
def wanted_digest() -> str | None:
    """The digest that the library of this package must have; None if it is not known."""
    if is_checkout():
        return sources_digest()
    return BUILT.read_text(encoding="ascii").strip() if BUILT.exists() else None


def way_on() -> str:
    """What replaces a library that cannot be used."""
    return "build it again: python native/library.py" if is_checkout() else "install textapp again"


def is_cut(path: Path) -> bool:
    """Whether the end of a library is missing.

    Linux would load such a file, and end the process (SIGBUS) at the first use of what is missing. Other systems refuse
    it. The table of sections is the last part of an ELF file.
    """
    with path.open("rb") as file:
        header = file.read(64)
    if header[:4] != _ELF:
        return False  # the system says what it is
    form = _SECTIONS.get(header[4]) if len(header) == 64 else None
    if form is None:
        return True
    place, at, numbers = form
    size, count = struct.unpack_from("<HH", header, numbers)
    return int(place.unpack_from(header, at)[0]) + size * count > path.stat().st_size
