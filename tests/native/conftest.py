"""Builds the core with the C compiler that is there, or with that of the variable CC, warnings taken for errors.

With the variable TEXTAPP_SANITIZE, addresses and undefined behaviour are checked; see `native/check.py`.
"""

import ctypes
import os
import subprocess
from pathlib import Path

import pytest

from native import library


@pytest.fixture(scope="session")
def compiler():
    """The command of the C compiler."""
    try:
        return library.compiler()
    except library.NoCompilerError as error:
        pytest.skip(f"no C compiler: {error}")


def built(folder, compiler, visibility):
    """The library, with hidden names or all."""
    options, link = library.COMPILE, library.LINK
    if os.environ.get("TEXTAPP_SANITIZE"):
        options, link = library.SANITIZE, library.LINK_SANITIZED
    options = [*options, *library.WARNINGS, "-Werror", f"-fvisibility={visibility}"]
    return ctypes.CDLL(str(library.build(folder / library.name(), compiler, options=options, link=link)))


@pytest.fixture(scope="session")
def native(tmp_path_factory, compiler):
    """The library as programs see it: only the names of textapp.h."""
    return built(tmp_path_factory.mktemp("native"), compiler, "hidden")


@pytest.fixture(scope="session")
def internals(tmp_path_factory, compiler):
    """The library with the names of all parts."""
    return built(tmp_path_factory.mktemp("internals"), compiler, "default")


@pytest.fixture(scope="session")
def check(internals, compiler, tmp_path_factory):
    """The program clients/conformance/check.c, linked with the library."""
    program, built = tmp_path_factory.mktemp("check") / "check", Path(internals._name)
    conformance = library.NATIVE.parent / "clients/conformance"
    subprocess.run(
        [*compiler, "-std=c99", "-O1", *library.WARNINGS, "-Werror", f"-I{library.NATIVE}/include",
         f"-I{library.NATIVE}/src", *(f"{conformance}/{name}.c" for name in ("check", "golden")), str(built),
         f"-Wl,-rpath,{built.parent}", "-o", str(program)],
        check=True,
    )  # fmt: skip
    return program
