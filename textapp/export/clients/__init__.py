"""What an app adds to use a bundle: one module for each client of `textapp export RUN --client NAME`.

The module `textapp.export.clients.NAME` has a function `write(source, out)`. It fills the empty folder `out` with all
files that an app adds, under fixed names, and with a README.md of ten lines. It may also have `check(predictor)`, which
raises `InputError` if the client cannot be made of the model of a run or of a bundle. It is called before a run is
converted, which may take minutes.
"""

import importlib
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from textapp.errors import InputError, quoted

if TYPE_CHECKING:
    from textapp.runtime.predictor import Predictor


class Client(NamedTuple):
    """A client.

    Attributes:
        summary: What it is, for help.
        needs_core: Whether it runs the bundle with the core in C.
        needs_run: Whether it is made of a run and its Keras model, so that a bundle is not enough.
    """

    summary: str
    needs_core: bool = True
    needs_run: bool = False


CLIENTS: dict[str, Client] = {
    "android": Client("a Gradle project: a library in Kotlin with the core and the bundle, and a sample app"),
    "c": Client("a program in C: the core in two files, the bundle, an example"),
    "flutter": Client("a plugin for Flutter through dart:ffi, with the core and the bundle"),
    "ios": Client("a Swift package for iOS and macOS, with the core and the bundle"),
    "mediapipe": Client("a file that MediaPipe Tasks' TextClassifier runs as it is", needs_core=False),
    "onnx": Client("the Keras model for ONNX Runtime, with masks as loops", needs_core=False, needs_run=True),
    "page": Client("one HTML file that shows what the model does, without network and server"),
    "rust": Client("a crate for Rust without dependencies, with the core and the bundle"),
    "web": Client("a module for browsers, workers, Node and React Native, the bundle, and a page that shows it"),
}


def check_clients(names: Sequence[str]) -> None:
    """Raises `InputError` unless all names are names of clients, none of them twice."""
    if isinstance(names, str):  # else its letters would be the names
        raise InputError(f"clients={quoted(names)}: must be a list of names, such as [{quoted(names)}]")
    for number, name in enumerate(names):
        if name not in CLIENTS:
            raise InputError(f"--client {quoted(name)}: is no client; choose from {', '.join(CLIENTS)}")
        if name in names[:number]:
            raise InputError(f"--client {name}: is given twice; give each client once")


def check_predictor(names: Sequence[str], predictor: "Callable[[], Predictor]") -> None:
    """Raises `InputError` if a client cannot be made of a model.

    Args:
        names: Names of clients.
        predictor: Makes the predictor of the model; it is not called where no client asks for it.
    """
    checks = [check for name in names if (check := getattr(client_module(name), "check", None))]
    if checks:
        made = predictor()
        for check in checks:
            check(made)


def client_module(name: str) -> ModuleType:
    """The module of a client, imported when it is needed."""
    return importlib.import_module(f"{__name__}.{name}")
