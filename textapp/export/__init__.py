"""From a Keras model to a checked bundle for devices: lower, convert, check, write.

The package can be called as `textapp.export.run.export`: `from textapp import export; export(run, folder)`.
"""

import sys
import types
from typing import Any

from textapp.export.bundle import export_bundle, export_model
from textapp.export.checks import ExportError
from textapp.export.conversion import convert
from textapp.export.lowering import lower

__all__ = ["ExportError", "convert", "export_bundle", "export_model", "lower"]


class _Verb(types.ModuleType):
    """A module that can be called: `textapp.export` is a package and also a function."""

    def __call__(self, *args: Any, **options: Any) -> dict[str, Any]:
        """See `textapp.export.run.export`."""
        from textapp.export.run import export

        return export(*args, **options)


sys.modules[__name__].__class__ = _Verb
