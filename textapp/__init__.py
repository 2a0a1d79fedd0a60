"""textapp: Keras text models, from raw text to the phone.

    import textapp

    textapp.train("classification", config, "run", train="train.tsv")
    textapp.export("run", "bundle")
    textapp.load("bundle").predict(["..."])

Each of these functions imports what it needs on its first use: `load` needs only NumPy and LiteRT.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textapp.compress.distill import distill
    from textapp.compress.quantize import quantize
    from textapp.export.verb import export
    from textapp.runtime.loading import load
    from textapp.training.train import train

__version__ = "0.1.0"
__all__ = ["__version__", "distill", "export", "load", "quantize", "train"]

_MODULES = {
    "distill": "textapp.compress.distill",
    "export": "textapp.export.verb",
    "load": "textapp.runtime.loading",
    "quantize": "textapp.compress.quantize",
    "train": "textapp.training.train",
}


def __getattr__(name: str) -> Any:
    """A verb, from its module."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
