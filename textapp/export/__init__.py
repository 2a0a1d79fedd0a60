"""From a Keras model to a checked bundle for devices: lower, convert, check, write.

The package can be called as `textapp.export.verb.export`: `from textapp import export; export(run, folder)`. Its
functions are imported at their first use: a bundle becomes a client's files without TensorFlow.
"""

import importlib
import sys
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textapp.export.bundle import export_bundle, export_model
    from textapp.export.checks import ExportError
    from textapp.export.conversion import convert
    from textapp.export.lowering import lower

__all__ = ["ExportError", "convert", "export_bundle", "export_model", "lower"]

_MODULES = {
    "ExportError": "checks",
    "convert": "conversion",
    "export_bundle": "bundle",
    "export_model": "bundle",
    "lower": "lowering",
}


def __getattr__(name: str) -> Any:
    """A function of the package, from its module."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


class _Verb(types.ModuleType):
    """A module that can be called: `textapp.export` is a package and also a function."""

    def __call__(self, *args: Any, **options: Any) -> dict[str, Any]:
        """See `textapp.export.verb.export`."""
        from textapp.export.verb import export

        return export(*args, **options)


sys.modules[__name__].__class__ = _Verb
