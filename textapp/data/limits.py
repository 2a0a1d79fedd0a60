"""Limits on what a file may become in memory.

A file of ten megabytes may hold one line of ten gigabytes, or an archive a member that claims a terabyte. Two limits
stop the reading before the memory ends:

| environment variable    | default     | limits                                                                 |
|-------------------------|-------------|------------------------------------------------------------------------|
| `TEXTAPP_MAX_TEXT`      | 67,108,864  | bytes of one text: a line, a CSV record, a file of a folder or archive  |
| `TEXTAPP_MAX_EXPANSION` | 100         | how many times larger than the file its unpacked content may be        |

The second limit applies only above `FREE_BYTES` of unpacked content, so a file of any size may have small members that
compress well. Text compresses 3 to 20 times. They are environment variables because every command and every Python
function that reads a file obeys them, and because they are no setting of a model.
"""

import os
import zipfile

from textapp.errors import InputError, quoted

FREE_BYTES = 16 << 20
"""Unpacked bytes that no file is refused for, however well they compress."""

_DEFAULTS = {"TEXTAPP_MAX_TEXT": 1 << 26, "TEXTAPP_MAX_EXPANSION": 100}
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what NumPy and Keras write


def max_text() -> int:
    """The most bytes of one text. Raises `InputError` if the environment variable is no positive whole number."""
    return _limit("TEXTAPP_MAX_TEXT")


def text_too_long(place: str, what: str = "the line") -> InputError:
    """The error for a text of more than `max_text()` bytes.

    Args:
        place: The file, and the line or the member.
        what: What is too long.
    """
    return InputError(
        f"{place}: {what} has more than {max_text():,} bytes; a larger limit is set by the environment variable "
        "TEXTAPP_MAX_TEXT"
    )


class Expansion:
    """Compares the size of compressed data with the size of what they become.

    Args:
        path: The file, for the message.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path
        self._limit = _limit("TEXTAPP_MAX_EXPANSION")

    def check(self, packed: int, unpacked: int) -> None:
        """Raises `InputError` if `packed` bytes have become too many `unpacked` bytes."""
        if unpacked > max(FREE_BYTES, self._limit * packed):
            raise InputError(
                f"{self._path}: its compressed data expand more than {self._limit:,} times, to over {FREE_BYTES:,} "
                "bytes; a larger limit is set by the environment variable TEXTAPP_MAX_EXPANSION"
            )


def check_zip(archive: zipfile.ZipFile, path: str | os.PathLike[str]) -> None:
    """Checks the sizes in the directory of an open zip archive; `zipfile` reads no more of a member than these.

    Raises:
        InputError: The members expand too much, or one is compressed by another method than NumPy and Keras use.
    """
    members = archive.infolist()
    for member in members:
        if member.compress_type not in _METHODS:
            raise InputError(
                f"{path}: the member {quoted(member.filename)} is compressed by a method that is not supported; "
                "it must be stored or deflated"
            )
    assert archive.fp is not None  # it is open
    Expansion(path).check(archive.fp.seek(0, os.SEEK_END), sum(member.file_size for member in members))


def _limit(name: str) -> int:
    """The value of an environment variable, or its default."""
    value = os.environ.get(name, "")
    if not value:
        return _DEFAULTS[name]
    if not (value.isascii() and value.isdigit() and len(value) <= 18 and int(value)):
        raise InputError(f"environment variable {name}: must be a positive whole number. Received: {quoted(value)}")
    return int(value)
