"""A bundle's files, read and checked before any of them is trusted."""

import hashlib
import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textapp.errors import InputError
from textapp.files import decode_utf8, named_errors, read_bytes, read_json
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary

FORMAT = "textapp-bundle"
FORMAT_VERSION = 1
TASK = "classification"
MODEL, VOCABULARY, LABELS = "model.tflite", "vocabulary.txt", "labels.txt"
FILES = (MODEL, VOCABULARY, LABELS)


@dataclass(frozen=True)
class Bundle:
    """The checked content of a bundle folder.

    Attributes:
        folder: where it was read.
        tokenizer: splits a text into tokens as in training.
        vocabulary: token <-> id.
        labels: one name per class; the index is the class.
        signatures: length in tokens -> name of the model's signature of that length, shortest first.
        model: bytes of model.tflite.
        description: the whole of bundle.json: recipe, lowering, metrics, checks, versions, for people and reports.
    """

    folder: Path
    tokenizer: Tokenizer
    vocabulary: Vocabulary
    labels: tuple[str, ...]
    signatures: dict[int, str]
    model: bytes
    description: dict[str, Any]


def read_bundle(folder: str | os.PathLike[str]) -> Bundle:
    """Reads a bundle folder.

    The names of its files are fixed and bundle.json cannot point elsewhere. A file is used only when its SHA-256 is the
    one that bundle.json records, so that a half-copied or exchanged file is found here and not as a wrong prediction.

    Args:
        folder: the bundle, as `textapp export` wrote it.

    Raises:
        InputError: a file is missing, unreadable, changed or malformed, or bundle.json breaks a rule of its format. The
            message names the file and the rule.
    """
    folder = Path(folder)
    path = folder / "bundle.json"
    if not _exists(folder):
        raise InputError(f"{folder}: no such folder; give the folder that `textapp export` wrote")
    if not _exists(path):
        raise InputError(f"{path}: missing; a bundle is a folder with bundle.json in it, as `textapp export` writes it")
    description = _read_description(path)
    contents = {name: _read_checked(folder / name, description["sha256"][name]) for name in FILES}
    try:
        tokenizer = Tokenizer.from_dict(description["tokenizer"])
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    signatures = {length: description["signatures"][str(length)] for length in description["lengths"]}
    return Bundle(
        folder=folder,
        tokenizer=tokenizer,
        vocabulary=Vocabulary.load(folder / VOCABULARY),
        labels=_parse_labels(contents[LABELS], folder / LABELS),
        signatures=signatures,
        model=contents[MODEL],
        description=description,
    )


def _read_description(path: Path) -> dict[str, Any]:
    """Reads bundle.json and checks every field that this version of the format defines."""
    description = read_json(path)
    _require(isinstance(description, dict), path, "must hold one JSON object", description)
    _require(description.get("format") == FORMAT, path, f'"format" must be "{FORMAT}"', description.get("format"))
    version = description.get("format_version")
    if type(version) is not int or version != FORMAT_VERSION:  # type(): True and 1.0 equal 1 too
        raise InputError(
            f'{path}: "format_version" {_shown(version)} is not supported; this textapp reads version '
            f"{FORMAT_VERSION}: export again with it, or install the textapp that wrote the bundle"
        )
    for field, (is_valid, rule) in _FIELDS.items():
        _require(field in description, path, f'"{field}" is missing; it must be {rule}')
        _require(is_valid(description[field]), path, f'"{field}" must be {rule}', description[field])
    lengths, signatures = description["lengths"], description["signatures"]
    expected = [str(length) for length in lengths]
    if sorted(signatures) != sorted(expected):
        raise InputError(
            f'{path}: "signatures" must name one signature for each of "lengths" {_shown(lengths)}. '
            f"Received: {_shown(sorted(signatures))}"
        )
    return description


def _read_checked(path: Path, expected: str) -> bytes:
    """Reads a file whose SHA-256 must be `expected`."""
    if not _exists(path):
        raise InputError(f"{path}: missing; the bundle is incomplete: copy or export it again")
    content = read_bytes(path)
    digest = hashlib.sha256(content).hexdigest()
    if digest != expected:
        raise InputError(
            f"{path}: its SHA-256 {digest[:12]}... is not the {expected[:12]}... in bundle.json: the file "
            f"({len(content):,} bytes) was cut or changed after the export; copy or export the bundle again"
        )
    return content


def _parse_labels(content: bytes, path: Path) -> tuple[str, ...]:
    """Splits labels.txt, one label a line, into two or more distinct names."""
    lines = decode_utf8(content, path).removesuffix("\n").split("\n")  # not splitlines(): a label may hold U+2028
    first_seen: dict[str, int] = {}
    for number, label in enumerate(lines, start=1):
        if not label:
            raise InputError(f"{path}:{number}: empty; each line must be a label")
        if label in first_seen:
            raise InputError(
                f"{path}:{number}: {_shown(label)} is also on line {first_seen[label]}; labels must differ"
            )
        first_seen[label] = number
    if len(lines) < 2:
        raise InputError(f"{path}: only one label; a classifier has two or more")
    return tuple(lines)


def _exists(path: Path) -> bool:
    """Whether a path exists. Raises `InputError` where that cannot be told, as in a folder that may not be entered."""
    with named_errors(path):
        return path.exists()


def _is_string(value: object) -> bool:
    """Whether a JSON value is a string with something in it."""
    return isinstance(value, str) and value != ""


def _is_object(value: object) -> bool:
    """Whether a JSON value is an object."""
    return isinstance(value, dict)


def _is_object_or_null(value: object) -> bool:
    """Whether a JSON value is an object or null."""
    return value is None or isinstance(value, dict)


def _are_lengths(value: object) -> bool:
    """Whether a JSON value is a list of positive integers in ascending order."""
    if not isinstance(value, list) or not value:
        return False
    if not all(type(length) is int and length > 0 for length in value):
        return False
    return all(a < b for a, b in itertools.pairwise(value))


def _are_signatures(value: object) -> bool:
    """Whether a JSON value is an object of distinct signature names."""
    if not isinstance(value, dict) or not all(_is_string(name) for name in value.values()):
        return False
    return len(set(value.values())) == len(value)


def _are_hashes(value: object) -> bool:
    """Whether a JSON value maps exactly the bundle's files to SHA-256 hashes in hexadecimal."""
    if not isinstance(value, dict) or set(value) != set(FILES):
        return False
    return all(
        isinstance(digest, str) and len(digest) == 64 and set(digest) <= set("0123456789abcdef")
        for digest in value.values()
    )


# field -> (what holds of its value, the same in words). Fields beyond these are for people, and not read.
_FIELDS: dict[str, tuple[Callable[[object], bool], str]] = {
    "task": (lambda value: value == TASK, f'"{TASK}"'),
    "textapp_version": (_is_string, "a string"),
    "tokenizer": (_is_object, "an object"),
    "lengths": (_are_lengths, "a list of positive integers in ascending order"),
    "signatures": (_are_signatures, "an object from each length to a signature's name, no name twice"),
    "lowering": (_is_string, "a string"),
    "recipe": (_is_string, "a string"),
    "metrics": (_is_object_or_null, "an object or null"),
    "checks": (_is_object_or_null, "an object or null"),
    "versions": (_is_object, "an object"),
    "sha256": (_are_hashes, f"an object from each of {', '.join(FILES)} to 64 lower-case hexadecimal digits"),
}


def _require(holds: bool, path: Path, rule: str, *received: object) -> None:
    """Raises `InputError` with the rule, and the value received where one is given, unless the rule holds."""
    if not holds:
        ending = f". Received: {_shown(received[0])}" if received else ""
        raise InputError(f"{path}: {rule}{ending}")


def _shown(value: object) -> str:
    """A value in one short line of an error message."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
