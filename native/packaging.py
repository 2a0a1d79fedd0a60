"""Steps of setuptools that put the core into the package: `build_py`, `bdist_wheel` and `editable_wheel` use them.

Where no C compiler is found, the package is built without the library, and bundles run on LiteRT. The variable
TEXTAPP_NATIVE=required makes that an error; TEXTAPP_NATIVE=no leaves the library out.
"""

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

NATIVE = Path(__file__).parent
PLACE = "textapp/runtime"


def _library() -> ModuleType:
    """The module beside this file: a build has no path to it."""
    spec = importlib.util.spec_from_file_location("textapp_native_library", NATIVE / "library.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


library = _library()


class BuildPy(build_py):
    """Compiles the core beside the modules: into the build, or into the sources of an editable install."""

    def run(self) -> None:
        """Copies the modules, then compiles."""
        super().run()
        wanted = os.environ.get("TEXTAPP_NATIVE", "")
        made = self.library_path()
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
        made = self.library_path()
        return super().get_outputs(include_bytecode) + ([str(made)] if made.exists() else [])

    def get_source_files(self) -> list[str]:
        """The files that a source distribution needs to build."""
        patterns = ("*.py", "*.txt", "include/*.h", "src/*.[ch]", "command/*.c")
        found = [path for pattern in patterns for path in NATIVE.glob(pattern)]
        return [*super().get_source_files(), *sorted(os.path.relpath(path) for path in found)]

    def library_path(self) -> Path:
        """The library's file."""
        root = NATIVE.parent if self.editable_mode else Path(self.build_lib)
        return root / PLACE / library.name()


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
