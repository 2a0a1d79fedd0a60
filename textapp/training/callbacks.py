"""Keras callbacks of the user, which `--callbacks MODULE:FUNCTION` names."""

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from textapp.errors import InputError, quoted

OPTION = "--callbacks"


def user_callbacks(names: Sequence[str], folder: Path) -> list[keras.callbacks.Callback]:
    """Calls the functions of the user, each with the run folder. A resumed training calls them again.

    Args:
        names: `MODULE:FUNCTION` each. Modules are looked for in the current folder first.
        folder: The run folder.

    Returns:
        The callbacks in the order of the names. A function returns one callback or a list of them.

    Raises:
        InputError: There is no such module or function, it fails, or it returns something else.

    Example:
        # my_callbacks.py: textapp train classifier --callbacks my_callbacks:csv ...
        def csv(folder):
            return keras.callbacks.CSVLogger(folder / "epochs.csv", append=True)
    """
    found: list[keras.callbacks.Callback] = []
    for name in names:
        function = _function(name)
        try:
            made = function(folder)
        except Exception as error:  # it is not code of textapp
            raise InputError(f"{OPTION} {name}: the function failed: {type(error).__name__}: {error}") from error
        several = list(made) if isinstance(made, list | tuple) else [made]
        for one in several:
            if not isinstance(one, keras.callbacks.Callback):
                raise InputError(
                    f"{OPTION} {name}: must return a Keras callback or a list of them. Received: {quoted(one)}"
                )
        found += several
    return found


def _function(name: str) -> Any:
    """The function that a name stands for."""
    module_name, colon, function_name = name.partition(":")
    if not colon or not module_name or not function_name.isidentifier():
        raise InputError(f"{OPTION} {quoted(name)}: must be MODULE:FUNCTION, such as my_callbacks:make")
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # it is not code of textapp
        reason = f"{type(error).__name__}: {error}"
        raise InputError(
            f"{OPTION} {name}: the module cannot be imported ({reason}); run the command beside it"
        ) from error
    finally:
        sys.path.remove(here)
    _check_is_users(module_name, name)
    function = getattr(module, function_name, None)
    if not callable(function):
        raise InputError(f"{OPTION} {name}: the module {module_name} has no function {function_name}")
    return function


def _check_is_users(module_name: str, name: str) -> None:
    """Raises `InputError` if another module, such as one of Python, was found for a file of the current folder."""
    top = module_name.partition(".")[0]
    file = next((path for path in (Path(f"{top}.py"), Path(top, "__init__.py")) if path.is_file()), None)
    found = getattr(sys.modules[top], "__file__", None)
    if file is not None and (found is None or Path(found).resolve() != file.resolve()):
        raise InputError(
            f"{OPTION} {name}: {file} has the name of another module, which is imported already; rename it"
        )
