"""Client `android`: a Gradle project of a library in Kotlin, with the core and a bundle in it, and of a sample app."""

import importlib.util
import shutil
from pathlib import Path

from textapp.errors import InputError
from textapp.export.clients.files import amalgamation, client_folder
from textapp.export.clients.source import Source

_PROJECT = ("settings.gradle.kts", "build.gradle.kts", "gradle.properties", "textapp", "sample")
_COMPILED = """\
The libraries of the core, `textapp/src/main/jniLibs`, are compiled for arm64-v8a, armeabi-v7a and x86_64, with pages of
16 KB. Delete that folder, and the build compiles them from `textapp/src/main/cpp` with the NDK."""
_NOT_COMPILED = """\
The build compiles the core, `textapp/src/main/cpp`, with the NDK and CMake of the Android SDK. Where the export finds
clang 16 or newer with lld, it adds the compiled libraries; here: {reason}."""


def write(source: Source, out: Path) -> None:
    """Writes the project, with the bundle in the library's assets, the core in its C sources, and README.md.

    The compiled libraries of the core are added where this installation holds them, or clang and lld are found.
    """
    folder = client_folder("android")
    for name in _PROJECT:
        copy = shutil.copytree if (folder / name).is_dir() else shutil.copyfile
        copy(folder / name, out / name)
    main = out / "textapp/src/main"
    code, header = amalgamation()
    (main / "cpp/textapp.c").write_text(code, encoding="utf-8", newline="\n")
    (main / "cpp/textapp.h").write_text(header, encoding="utf-8", newline="\n")
    shutil.copytree(source.bundle, main / "assets/textapp")
    readme = (folder / "EXPORTED.md").read_text(encoding="utf-8")
    note = _add_libraries(folder, main)
    (out / "README.md").write_text(f"{readme.rstrip()}\n\n{note}\n", encoding="utf-8", newline="\n")


def _add_libraries(folder: Path, main: Path) -> str:
    """Adds the compiled libraries if possible. Returns a note for the README."""
    if (folder / "jniLibs").is_dir():
        shutil.copytree(folder / "jniLibs", main / "jniLibs")
        return _COMPILED
    spec = importlib.util.spec_from_file_location("textapp_build_android", folder / "build.py")
    if spec is None or spec.loader is None:
        raise InputError("client android: build.py is missing in this installation of textapp; install it again")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    try:
        module.libraries(main / "cpp", main / "jniLibs")
    except RuntimeError as error:
        return _NOT_COMPILED.format(reason=str(error).partition(":")[0])
    return _COMPILED
