"""Texts and files given on the command line."""

import os
from pathlib import Path

from textapp.data.readers import file_of
from textapp.files import named_errors


def as_utf8(argument: str) -> str:
    """An argument decoded as UTF-8 where the locale (`LANG=C`) is of another mind; what is no UTF-8 becomes U+FFFD."""
    if argument.isascii() or not any("\udc80" <= character <= "\udcff" for character in argument):
        return argument
    return os.fsencode(argument).decode("utf-8", "replace")


def check_readable(*paths: str | None) -> None:
    """Raises `InputError` for the first file that is not there: TensorFlow, which reads it, takes seconds to load."""
    for path in filter(None, paths):
        with named_errors(path):
            Path(file_of(path)).stat()
