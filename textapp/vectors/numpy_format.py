"""Word vectors as a NumPy archive (`.npz`), the one format with everything that further training needs.

The members are `words` (UTF-8 bytes, the words joined by newlines), `vectors`, `settings` (JSON: format, version,
tokenizer, n-grams) and, if the vectors have them, `counts`, `outputs` and `subword_vectors`. An archive of another
program needs only `words` (NumPy strings) and `vectors`. Nothing is unpickled, and an array is read only if the archive
is large enough to hold it.
"""

import json
import math
import os
import zipfile
import zlib
from typing import IO, Any

import numpy as np

from textapp.errors import InputError
from textapp.vectors.subwords import Subwords, SubwordVectors
from textapp.vectors.word_vectors import WordVectors

FORMAT = "textapp word vectors"
VERSION = 1

_TEXTS = ("words", "settings")
_READ_BYTES = 1 << 22


def read_npz(stream: IO[bytes], path: str | os.PathLike[str], limit: int | None) -> WordVectors:
    """Reads an archive from a stream that can seek. Raises `InputError` if it breaks a rule."""
    try:
        with zipfile.ZipFile(stream) as archive:
            return _read(archive, path, limit)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
    ) as error:  # the last two: encrypted
        raise InputError(f"{path}: the archive is cut off, damaged or encrypted ({error})") from error


def write_npz(vectors: WordVectors, stream: IO[bytes]) -> None:
    """Writes an archive to a stream that can seek."""
    subwords = vectors.subwords
    settings: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "tokenizer": vectors.tokenizer,
        "subwords": None,
    }
    arrays: dict[str, Any] = {"words": _to_bytes("\n".join(vectors.words)), "vectors": vectors.vectors}
    if vectors.counts is not None:
        arrays["counts"] = vectors.counts
    if vectors.outputs is not None:
        arrays["outputs"] = vectors.outputs
    if subwords is not None:
        grams = subwords.subwords
        settings["subwords"] = {"min_n": grams.min_n, "max_n": grams.max_n, "buckets": grams.buckets}
        arrays["subword_vectors"] = subwords.vectors
    arrays["settings"] = _to_bytes(json.dumps(settings, ensure_ascii=False))
    np.savez(stream, **arrays)


def _read(archive: zipfile.ZipFile, path: str | os.PathLike[str], limit: int | None) -> WordVectors:
    """Reads the members of an archive."""
    members = set(archive.namelist())
    if not {"words.npy", "vectors.npy"} <= members:
        raise InputError(
            f"{path}: the archive must hold the arrays `words` and `vectors`; unpack a zip file of text first"
        )

    def read(name: str, limit: int | None = None) -> np.ndarray | None:
        return _read_array(archive, name, path, limit) if f"{name}.npy" in members else None

    settings = _settings(read("settings"), path)
    vectors, words = read("vectors", limit), read("words")
    assert vectors is not None  # both members exist
    assert words is not None
    try:
        subword_vectors = read("subword_vectors") if settings["subwords"] else None
        if settings["subwords"] and subword_vectors is None:
            raise InputError("the array `subword_vectors` is missing")
        return WordVectors(
            _words(words)[:limit],
            vectors,
            counts=read("counts", limit),
            outputs=read("outputs", limit),
            subwords=None if subword_vectors is None else _subword_vectors(settings["subwords"], subword_vectors),
            tokenizer=settings["tokenizer"],
        )
    except InputError as error:
        message = str(error)
        raise error if message.startswith(os.fspath(path)) else InputError(f"{path}: {message}") from error


def _read_array(archive: zipfile.ZipFile, name: str, path: str | os.PathLike[str], limit: int | None) -> np.ndarray:
    """Reads an array, or its first `limit` rows."""
    info = archive.getinfo(f"{name}.npy")
    with archive.open(info) as member:
        try:
            version = np.lib.format.read_magic(member)
            read_header = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            shape, fortran_order, dtype = read_header(member)
        except (ValueError, KeyError) as error:
            raise InputError(f"{path}: `{name}` is not a NumPy array that can be read ({error})") from error
        if dtype.hasobject:
            raise InputError(f"{path}: `{name}` holds Python objects, which are never loaded; save it as numbers")
        if name not in _TEXTS and dtype.kind not in "fiu":
            raise InputError(f"{path}: `{name}` must hold real numbers. Received: {dtype}")
        if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != info.file_size - member.tell():
            raise InputError(f"{path}: `{name}` does not have the shape {shape} of its header; the file is damaged")
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


def _settings(content: np.ndarray | None, path: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads the settings. An archive of another program has none."""
    settings: Any = {"format": FORMAT, "version": VERSION}
    if content is not None:
        try:
            settings = json.loads(content.tobytes())
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: `settings` is not JSON ({error})") from error
    if not isinstance(settings, dict) or settings.get("format") != FORMAT:
        raise InputError(f"{path}: `settings` must be a JSON object with the format {FORMAT!r}")
    if settings.get("version") != VERSION:
        raise InputError(
            f"{path}: the archive has version {settings.get('version')!r}; this textapp reads version {VERSION}"
        )
    for name in ("tokenizer", "subwords"):
        if not isinstance(settings.setdefault(name, None), dict | None):
            raise InputError(f"{path}: `{name}` in `settings` must be a JSON object or null")
    return settings


def _words(array: np.ndarray) -> list[str]:
    """Returns the words of their array: UTF-8 bytes joined by newlines, or NumPy strings."""
    if array.ndim == 1 and array.dtype.kind == "U":
        return array.tolist()
    if array.ndim != 1 or array.dtype != np.uint8:
        raise InputError(f"`words` must be text in bytes or strings. Received: {array.dtype} {array.shape}")
    try:
        return array.tobytes().decode().split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"`words` is not UTF-8 at byte {error.start}") from error


def _subword_vectors(settings: dict[str, Any], vectors: np.ndarray) -> SubwordVectors:
    """Returns the n-grams' vectors with their settings."""
    names = ("min_n", "max_n", "buckets")
    if set(settings) != set(names) or not all(type(settings[name]) is int for name in names):
        raise InputError(f"the subwords' settings must be {', '.join(names)}, integers. Received: {settings!r}")
    return SubwordVectors(Subwords(**settings), vectors)


def _to_bytes(text: str) -> np.ndarray:
    """Returns a text's UTF-8 bytes as an array."""
    return np.frombuffer(text.encode(), np.uint8)
