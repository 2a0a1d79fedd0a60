"""Steps of setuptools that put the core and the clients into the package.

`build_py`, `bdist_wheel` and `editable_wheel` use them. Where no C compiler is found, the package is built without the
library, and bundles run on LiteRT. The variable TEXTAPP_NATIVE=required makes that an error; TEXTAPP_NATIVE=no leaves
the library out.

A wheel has copies of what `textapp export --client` writes: the core in two files, and the folders of `clients`. A
client whose folder has a `build.py` is compiled into its copy by `build(folder)`; where that lacks a tool, it raises
`RuntimeError`, and the wheel has the sources alone.
"""

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

NATIVE = Path(__file__).parent
CLIENTS = NATIVE.parent / "clients"
PLACE = "textapp/runtime"
PLACE_OF_SOURCES = "textapp/export/clients/sources"
LEFT_OUT = {"build", "conformance", "node_modules", "target", "tests", "__pycache__"}
"""Folders of `clients` that no app adds; those with a hidden name are left out, too."""


def _module(path: Path) -> ModuleType:
    """The module of a file: a build has no path to it."""
    name = "_".join(("textapp", *path.relative_to(NATIVE.parent).with_suffix("").parts))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


library = _module(NATIVE / "library.py")


def client_files() -> Iterator[Path]:
    """The files of `clients` that are copied, as paths below it."""
    for place, folders, names in os.walk(CLIENTS):
        folders[:] = sorted(name for name in folders if name not in LEFT_OUT and not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and Path(place) != CLIENTS:
                yield Path(place, name).relative_to(CLIENTS)


class BuildPy(build_py):
    """Compiles the core beside the modules: into the build, or into the sources of an editable install.

    Clients are copied into a build only: an editable install has the repository's own.
    """

    def run(self) -> None:
        """Copies the modules and the clients, then compiles."""
        super().run()
        if not self.editable_mode:
            self.copy_clients()
        self.build_library()

    def copy_clients(self) -> None:
        """Writes what `textapp.export.clients.files` reads."""
        out = self.sources_path()
        shutil.rmtree(out, ignore_errors=True)
        amalgamate = _module(NATIVE / "tools/amalgamate.py")
        (out / "native").mkdir(parents=True)
        (out / "native/textapp.c").write_text(amalgamate.amalgamation(), encoding="utf-8", newline="\n")
        shutil.copyfile(NATIVE / "include/textapp.h", out / "native/textapp.h")
        for path in client_files():
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(CLIENTS / path, out / path)
        for path in sorted(CLIENTS.glob("*/build.py")):
            try:
                _module(path).build(out / path.parent.name)
            except RuntimeError as error:
                self.warn(f"the client {path.parent.name} is packaged without its compiled files: {error}")

    def build_library(self) -> None:
        """Compiles the core, unless there is no compiler, or none is wanted."""
        wanted = os.environ.get("TEXTAPP_NATIVE", "")
        made = self.library_path()
        if not self.editable_mode:  # an editable install compares with the sources themselves
            digest = Path(self.build_lib, library.DIGEST)
            digest.write_text(f"{library.sources_digest()}\n", encoding="ascii")
        if wanted == "no":
            made.unlink(missing_ok=True)
            return
        try:
            library.build(made, library.compiler())
        except (library.NoCompilerError, library.CompileError) as error:
            if wanted == "required":
                raise
            made.unlink(missing_ok=True)
            self.warn(f"textapp is built without its core in C, so bundles run on LiteRT alone: {error}")

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """The files of the build."""
        made = [self.library_path(), Path(self.build_lib, library.DIGEST), *self.sources_path().rglob("*")]
        return [*super().get_outputs(include_bytecode), *(str(path) for path in made if path.is_file())]

    def get_source_files(self) -> list[str]:
        """The files that a source distribution needs to build."""
        patterns = ("*.py", "*.txt", "include/*.h", "src/*.[ch]", "command/*.[ch]", "tools/*.py")
        found = [path for pattern in patterns for path in NATIVE.glob(pattern)]
        found += [CLIENTS / path for path in client_files()]
        return [*super().get_source_files(), *sorted(os.path.relpath(path) for path in found)]

    def library_path(self) -> Path:
        """The library's file."""
        root = NATIVE.parent if self.editable_mode else Path(self.build_lib)
        return root / PLACE / library.name()

    def sources_path(self) -> Path:
        """The folder of the copies."""
        return Path(self.build_lib) / PLACE_OF_SOURCES


class BdistWheel(bdist_wheel):
    """A wheel with the core runs on one platform, with any Python 3; one without it runs on all."""

    def finalize_options(self) -> None:
        """Takes the package for one of a platform, so that it is built and installed as such."""
        self.distribution.has_ext_modules = _is_wanted
        super().finalize_options()

    def get_tag(self) -> tuple[str, str, str]:
        """The tag of the wheel, which is asked for after the build."""
        has_library = Path(self.get_finalized_command("build_py").library_path()).exists()
        return "py3", "none", super().get_tag()[2] if has_library else "any"


def _is_wanted() -> bool:
    """Whether the core is to be compiled, and a compiler is here."""
    if os.environ.get("TEXTAPP_NATIVE") == "no":
        return False
    try:
        return bool(library.compiler())
    except library.NoCompilerError:
        return False
