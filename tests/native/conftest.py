"""Builds the core with the C compiler that is there."""

import ctypes
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

NATIVE = Path(__file__).parents[2] / "native"
COMPILER = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wstrict-prototypes", "-Wdouble-promotion", "-Werror"]


def kernel_flags():
    """The flags of each kernel's file for this processor's architecture, from native/kernels.txt where it is."""
    table = NATIVE / "kernels.txt"
    lines = table.read_text().splitlines() if table.exists() else []
    rows = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    machine = {"x86_64": "x86", "AMD64": "x86", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
    return {name: flags for name, architecture, *flags in rows if architecture == machine}


def build(folder, visibility):
    """Compiles native/src into one shared library."""
    if COMPILER is None:
        pytest.skip("no C compiler")
    flags = kernel_flags()
    objects = []
    for source in sorted((NATIVE / "src").glob("*.c")):
        objects.append(folder / f"{source.stem}.o")
        command = [COMPILER, "-std=c99", "-O2", "-fPIC", "-ffreestanding", "-DTEXTAPP_BUILD_SHARED", *WARNINGS]
        command += [f"-fvisibility={visibility}", *flags.get(source.name, ())]
        command += [f"-I{NATIVE / 'include'}", "-c", str(source), "-o", str(objects[-1])]
        subprocess.run(command, check=True)
    library = folder / "libtextapp.so"
    subprocess.run([COMPILER, "-shared", "-nostdlib", *map(str, objects), "-o", str(library)], check=True)
    return library


@pytest.fixture(scope="session")
def native(tmp_path_factory):
    """The library as programs see it: only the names of textapp.h."""
    return ctypes.CDLL(str(build(tmp_path_factory.mktemp("native"), "hidden")))


@pytest.fixture(scope="session")
def internals(tmp_path_factory):
    """The library with the names of all parts."""
    return ctypes.CDLL(str(build(tmp_path_factory.mktemp("internals"), "default")))
