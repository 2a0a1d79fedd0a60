"""Texts given on the command line."""

import os


def as_utf8(argument: str) -> str:
    """An argument decoded as UTF-8 where the locale (`LANG=C`) is of another mind; what is no UTF-8 becomes U+FFFD."""
    if argument.isascii() or not any("\udc80" <= character <= "\udcff" for character in argument):
        return argument
    return os.fsencode(argument).decode("utf-8", "replace")
