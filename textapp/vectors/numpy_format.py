"""Word vectors as a NumPy archive (`.npz`), the one format with everything that further training needs.

The members are `words` (UTF-8 bytes, the words joined by newlines), `vectors`, `settings` (JSON: format, version,
tokenizer, n-grams) and, if the vectors have them, `counts`, `outputs` and `subword_vectors`; for a round of a training
in shards also `input_squares` and `output_squares`, and `round` in the settings. An archive of another
program needs only `words` (NumPy strings) and `vectors`. Nothing is unpickled, and an array is read only if the archive
is large enough to hold it.
"""

import json
import os
import zipfile
from typing import IO, Any

import numpy as np

from textapp.data.numpy_archive import open_archive, read_array
from textapp.errors import InputError, excerpt, quoted
from textapp.vectors.rounds import RoundState
from textapp.vectors.subwords import Subwords, SubwordVectors
from textapp.vectors.word_vectors import WordVectors

FORMAT = "textapp word vectors"
VERSION = 1

_TEXTS = ("words", "settings")


def read_npz(stream: IO[bytes], path: str | os.PathLike[str], limit: int | None) -> WordVectors:
    """Reads an archive from a stream that can seek. Raises `InputError` if it breaks a rule."""
    with open_archive(stream, path) as archive:
        return _read(archive, path, limit)


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
    if vectors.training is not None:
        settings["round"] = vectors.training.to_dict()
        arrays |= {"input_squares": vectors.training.inputs, "output_squares": vectors.training.outputs}
    arrays["settings"] = _to_bytes(json.dumps(settings, ensure_ascii=False))
    np.savez(stream, **arrays)


def read_round(stream: IO[bytes], path: str | os.PathLike[str]) -> RoundState | None:
    """Reads the state of a round without its arrays, which are empty; None if the archive is of no round."""
    with open_archive(stream, path) as archive:
        if "settings.npy" not in archive.namelist():
            return None
        values = _settings(read_array(archive, "settings", path), path).get("round")
    return None if values is None else RoundState.from_dict(values, np.zeros(0, np.float32), np.zeros(0, np.float32))


def _read(archive: zipfile.ZipFile, path: str | os.PathLike[str], limit: int | None) -> WordVectors:
    """Reads the members of an archive."""
    members = set(archive.namelist())
    if not {"words.npy", "vectors.npy"} <= members:
        raise InputError(
            f"{path}: the archive must hold the arrays `words` and `vectors`; unpack a zip file of text first"
        )

    def read(name: str, limit: int | None = None) -> np.ndarray | None:
        return _read_numbers(archive, name, path, limit) if f"{name}.npy" in members else None

    settings = _settings(read("settings"), path)
    vectors, words = read("vectors", limit), read("words")
    assert vectors is not None  # both members exist
    assert words is not None
    try:
        subword_vectors = read("subword_vectors") if settings["subwords"] else None
        if settings["subwords"] and subword_vectors is None:
            raise InputError("the array `subword_vectors` is missing")
        training = None
        if settings.get("round") is not None and limit is None:
            inputs, outputs = read("input_squares"), read("output_squares")
            if inputs is None or outputs is None or inputs.ndim != 1 or outputs.shape != (len(vectors),):
                raise InputError("the accumulators of the round are missing or have another shape")
            training = RoundState.from_dict(settings["round"], _float32(inputs), _float32(outputs))
        return WordVectors(
            _words(words)[:limit],
            vectors,
            counts=read("counts", limit),
            outputs=read("outputs", limit),
            subwords=None if subword_vectors is None else _subword_vectors(settings["subwords"], subword_vectors),
            tokenizer=settings["tokenizer"],
            training=training,
        )
    except InputError as error:
        message = str(error)
        raise error if message.startswith(os.fspath(path)) else InputError(f"{path}: {message}") from error


def _read_numbers(archive: zipfile.ZipFile, name: str, path: str | os.PathLike[str], limit: int | None) -> np.ndarray:
    """Reads an array, which must hold numbers unless it is text."""
    array = read_array(archive, name, path, limit)
    if name not in _TEXTS and array.dtype.kind not in "fiu":
        raise InputError(f"{path}: `{name}` must hold real numbers. Received: {excerpt(str(array.dtype))}")
    return array


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
            f"{path}: the archive has version {quoted(settings.get('version'))}; this textapp reads version {VERSION}"
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
        raise InputError(f"the subwords' settings must be {', '.join(names)}, integers. Received: {quoted(settings)}")
    return SubwordVectors(Subwords(**settings), vectors)


def _float32(array: np.ndarray) -> np.ndarray:
    """The array as float32, a copy only if it has another type."""
    return array.astype(np.float32, copy=False)


def _to_bytes(text: str) -> np.ndarray:
    """Returns a text's UTF-8 bytes as an array."""
    return np.frombuffer(text.encode(), np.uint8)
