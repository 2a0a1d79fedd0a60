"""Reads arrays of a NumPy archive (`.npz`) without trust: no pickle, and no memory for what the file does not hold."""

import contextlib
import math
import os
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

import numpy as np

from textapp.data.limits import check_zip
from textapp.errors import InputError, excerpt

_READ_BYTES = 1 << 22


@contextlib.contextmanager
def open_archive(stream: IO[bytes], path: str | os.PathLike[str]) -> Iterator[zipfile.ZipFile]:
    """Opens an archive from a stream that can seek.

    Raises:
        InputError: The archive is damaged or encrypted, which may show only while it is read, or expands more than
            `textapp.data.limits` allows.
    """
    try:
        with zipfile.ZipFile(stream) as archive:
            check_zip(archive, path)
            yield archive
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
    ) as error:  # the last two: encrypted
        why = excerpt(str(error))
        raise InputError(f"{path}: the archive is cut off, damaged or encrypted ({why})") from error


def read_array(
    archive: zipfile.ZipFile, name: str, path: str | os.PathLike[str], limit: int | None = None
) -> np.ndarray:
    """Reads an array, or its first `limit` rows.

    Args:
        archive: The archive.
        name: The array's name, without `.npy`.
        path: The archive's file, for messages.
        limit: Number of rows; None for all.

    Raises:
        InputError: The member is missing or no array, holds Python objects, or has another size than its header says.
    """
    try:
        info = archive.getinfo(f"{name}.npy")
    except KeyError as error:
        raise InputError(f"{path}: has no array `{name}`") from error
    with archive.open(info) as member:
        try:
            version = np.lib.format.read_magic(member)
            read_header = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            shape, fortran_order, dtype = read_header(member)
        except (ValueError, KeyError) as error:
            why = excerpt(str(error))
            raise InputError(f"{path}: `{name}` is not a NumPy array that can be read ({why})") from error
        if dtype.hasobject:
            raise InputError(f"{path}: `{name}` holds Python objects, which are never loaded; save it as numbers")
        if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != info.file_size - member.tell():
            shown = excerpt(str(shape))
            raise InputError(f"{path}: `{name}` does not have the shape {shown} of its header; the file is damaged")
        if limit is not None and shape and not fortran_order:
            shape = (min(limit, shape[0]), *shape[1:])
        array = np.empty(shape[::-1] if fortran_order else shape, dtype)
        target = array.reshape(-1).view(np.uint8)  # the same memory
        done = 0
        while done < len(target):
            block = member.read(min(_READ_BYTES, len(target) - done))
            if not block:
                raise InputError(f"{path}: `{name}` is cut off")
            target[done : done + len(block)] = np.frombuffer(block, np.uint8)
            done += len(block)
    return array.T[:limit] if fortran_order else array
