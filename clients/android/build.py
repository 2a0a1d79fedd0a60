"""Compiles libtextapp.so for Android with clang and lld, without the NDK: the core needs no library of a system.

A wheel of textapp holds these files if its builder has both tools; else `textapp export --client android` compiles them
where it runs.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent
NAME = "libtextapp.so"


class Target(NamedTuple):
    """A processor of Android devices.

    Attributes:
        triple: Its name for clang; 23 is the oldest version of Android's interface, Android 6.
        options: More options of the compiler.
        sources: More files to compile, in this folder.
    """

    triple: str
    options: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


TARGETS = {
    "arm64-v8a": Target("aarch64-linux-android23"),
    # GNU's names of memcpy and memset are those that the core has.
    "armeabi-v7a": Target(
        "armv7a-linux-androideabi23", ("-mfpu=neon", "-meabi", "gnu"), ("freestanding/arm_runtime.c",)
    ),
    "x86_64": Target("x86_64-linux-android23"),
}
"""Android's name of a processor -> how it is compiled for."""

_OLDEST = 16  # of clang: it can use the dot product in a part of a file
_COMPILE = (
    "-std=c99",
    "-O2",
    "-g0",
    "-fPIC",
    "-ffreestanding",
    "-fno-stack-protector",
    "-ffp-contract=off",
    "-fvisibility=hidden",
    "-ffunction-sections",
    "-fdata-sections",
    "-DTEXTAPP_WITHOUT_LIBC",
    "-DTEXTAPP_CALLER_CHECKS_PROCESSOR",
)
_LINK = (
    "-shared",
    "-nostdlib",
    "-s",
    # Android 15 has devices with pages of 16 KB; such a library runs with those of 4 KB, too.
    f"-Wl,--no-undefined,--gc-sections,-z,max-page-size=16384,-z,common-page-size=16384,-soname,{NAME}",
)


def build(folder: Path) -> None:
    """Compiles the libraries into the copy of a client in a wheel, with the core beside it.

    Raises:
        RuntimeError: clang or lld is missing, or fails.
    """
    libraries(folder.parent / "native", folder / "jniLibs")


def libraries(core: Path, out: Path) -> None:
    """Writes `ABI/libtextapp.so` for each of `TARGETS`, or nothing.

    Args:
        core: A folder with textapp.c and textapp.h.
        out: A new folder.

    Raises:
        RuntimeError: clang or lld is missing, or fails; the message says which.
    """
    clang = find_clang()

    def compile_for(abi: str) -> None:
        target = TARGETS[abi]
        (out / abi).mkdir(parents=True)
        compile_library([clang, f"--target={target.triple}", "-fuse-ld=lld"], core, out / abi / NAME, target)

    try:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(compile_for, TARGETS))
    except BaseException:
        shutil.rmtree(out, ignore_errors=True)
        raise


def compile_library(compiler: Sequence[str], core: Path, out: Path, target: Target) -> None:
    """Compiles the library of one processor.

    Args:
        compiler: The command of the compiler, with its processor.
        core: A folder with textapp.c and textapp.h.
        out: The file to write.
        target: Options and sources of the processor.

    Raises:
        RuntimeError: The compiler fails; the message holds what it wrote, after a colon.
    """
    sources = (
        core / "textapp.c",
        FOLDER / "textapp/src/main/cpp/textapp_jni.c",
        *(FOLDER / name for name in target.sources),
    )
    includes = ("-I", str(core), "-I", str(FOLDER / "freestanding"))
    command = [*compiler, *_COMPILE, *target.options, *includes, *map(str, sources), *_LINK, "-o", str(out)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(compiler)} failed: {done.stdout}")


def find_clang() -> str:
    """The command of a clang that is new enough and has lld beside it.

    Raises:
        RuntimeError: There is none.
    """
    found = ""
    for name in ("clang", *(f"clang-{version}" for version in range(40, _OLDEST - 1, -1))):
        if shutil.which(name) is None:
            continue
        found = found or name
        if _version(name) >= _OLDEST and Path(_answer(name, "-print-prog-name=ld.lld").strip()).is_absolute():
            return name
    if found:
        raise RuntimeError(f"{found} is older than {_OLDEST}, or has no ld.lld")
    raise RuntimeError(f"there is no clang; version {_OLDEST} or a newer one is needed, with lld")


def _version(clang: str) -> int:
    """The first number of a compiler's version."""
    match = re.search(r"version (\d+)", _answer(clang, "--version"))
    return int(match[1]) if match else 0


def _answer(*command: str) -> str:
    """What a command prints."""
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout
