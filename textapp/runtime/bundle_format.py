"""Checks the format of a bundle: all files exist and are unchanged, and bundle.json keeps its rules."""

import hashlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from textapp.errors import InputError, quoted
from textapp.files import decode_utf8, named_errors, read_bytes, read_json
from textapp.task import names
from textapp.text.normalization import FORMS

FORMAT = "textapp-bundle"
FORMAT_VERSION = 1
MODEL, VOCABULARY, CHARACTERS = "model.tflite", "vocabulary.txt", "characters.txt"
SELFTEST = "selftest.json"
LONGEST = 4096  # tokens of a signature, and characters of a token: the most that a training takes

Fields = Mapping[str, tuple[Callable[[object], bool], str]]
"""field -> (check of its value, the rule in words)"""


def read_description(folder: Path) -> dict[str, Any]:
    """Reads bundle.json and checks the fields that bundles of every task have, except "sha256".

    Raises:
        InputError: It is missing or unreadable, or breaks a rule of its format.
    """
    path = folder / "bundle.json"
    if not _exists(folder):
        raise InputError(f"{folder}: no such folder; give the folder that `textapp export` wrote")
    if not _exists(path):
        if _exists(folder / "config.json"):
            raise InputError(
                f"{folder}: is a run, not a bundle; make a bundle with `textapp export {folder} --out BUNDLE`, "
                "in Python `textapp.export(RUN, BUNDLE)`, and load that"
            )
        raise InputError(f"{path}: missing; a bundle is a folder with bundle.json in it, as `textapp export` writes it")
    description = read_json(path)
    require(isinstance(description, dict), path, "must hold one JSON object", description)
    require(description.get("format") == FORMAT, path, f'"format" must be "{FORMAT}"', description.get("format"))
    version = description.get("format_version")
    if type(version) is not int or version != FORMAT_VERSION:  # type(): True and 1.0 equal 1 too
        raise InputError(
            f'{path}: "format_version" {quoted(version)} is not supported; this textapp reads version '
            f"{FORMAT_VERSION}: export again with it, or install the textapp that wrote the bundle"
        )
    description = {**_EARLIER, **description}
    check_fields(description, path, _FIELDS)
    lengths, signatures = description["lengths"], description["signatures"]
    for field, largest in (("lengths", lengths[-1]), ("max_characters", description["max_characters"] or 0)):
        require(largest <= LONGEST, path, f'"{field}" must be at most {LONGEST}', largest)
    expected = [str(length) for length in lengths]
    if sorted(signatures) != sorted(expected):
        raise InputError(
            f'{path}: "signatures" must name one signature for each of "lengths" {quoted(lengths)}. '
            f"Received: {quoted(sorted(signatures))}"
        )
    return dict(description)


def check_fields(description: Mapping[str, Any], path: Path, fields: Fields) -> None:
    """Raises `InputError` unless all `fields` exist and keep their rules. Other fields are not read."""
    for field, (is_valid, rule) in fields.items():
        require(field in description, path, f'"{field}" is missing; it must be {rule}')
        require(is_valid(description[field]), path, f'"{field}" must be {rule}', description[field])


def read_files(folder: Path, description: Mapping[str, Any], files: Sequence[str]) -> dict[str, bytes]:
    """Reads a bundle's files, whose names are fixed: bundle.json cannot point elsewhere.

    A file is used only if its SHA-256 is the one in bundle.json. So a half-copied or replaced file raises an error here
    and does not cause wrong predictions.

    Args:
        folder: The bundle.
        description: The content of bundle.json.
        files: The names of the bundle's files, except bundle.json. "sha256" must name exactly these.

    Raises:
        InputError: A file is missing, unreadable or changed, or "sha256" names others.
    """

    def are_hashes(value: object) -> bool:
        return (
            isinstance(value, dict)
            and set(value) == set(files)
            and all(
                isinstance(digest, str) and len(digest) == 64 and set(digest) <= set("0123456789abcdef")
                for digest in value.values()
            )
        )

    rule = f"an object from each of {', '.join(files)} to 64 lower-case hexadecimal digits"
    check_fields(description, folder / "bundle.json", {"sha256": (are_hashes, rule)})
    return {name: _read_checked(folder / name, description["sha256"][name]) for name in files}


def parse_names(content: bytes, path: Path, noun: str) -> tuple[str, ...]:
    """Splits a file of labels or tags, one a line, into two or more distinct names.

    Args:
        content: The content of the file.
        path: The file, for messages.
        noun: The word for a line, for messages: `label`.

    Raises:
        InputError: A line is empty or occurs twice, or there is only one.
    """
    lines = decode_utf8(content, path).removesuffix("\n").split("\n")  # not splitlines(): a label may hold U+2028
    first_seen: dict[str, int] = {}
    for number, name in enumerate(lines, start=1):
        if not name:
            raise InputError(f"{path}:{number}: empty; each line must be a {noun}")
        if name in first_seen:
            raise InputError(f"{path}:{number}: {quoted(name)} is also on line {first_seen[name]}; {noun}s must differ")
        first_seen[name] = number
    if len(lines) < 2:
        raise InputError(f"{path}: only one {noun}; a model chooses between two or more")
    return tuple(lines)


def require(holds: bool, path: Path, rule: str, *received: object) -> None:
    """Raises `InputError` with the rule, and with the value received if one is given, unless the rule holds."""
    if not holds:
        ending = f". Received: {quoted(received[0])}" if received else ""
        raise InputError(f"{path}: {rule}{ending}")


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


def _exists(path: Path) -> bool:
    """Whether a path exists. Raises `InputError` if it cannot be checked, as in a folder without permission."""
    with named_errors(path):
        return path.exists()


def _is_string(value: object) -> bool:
    """Whether a JSON value is a string that is not empty."""
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


def _is_word_form(value: object) -> bool:
    """Whether a JSON value holds the settings of a `WordForm`, or is null."""
    if value is None:
        return True
    if not isinstance(value, dict) or set(value) != {"lowercase", "zero_digits", "normalization"}:
        return False
    return type(value["lowercase"]) is type(value["zero_digits"]) is bool and value["normalization"] in FORMS


_EARLIER: Mapping[str, Any] = {
    "word_form": None,
    "max_characters": None,
    "shapes": False,
    "temperature": 1.0,
    "ngrams": False,
    "selftest": False,
}
"""Fields that bundles of earlier versions may lack, and what their absence means."""

_FIELDS: Fields = {
    "task": (lambda value: value in names(), f"one of {', '.join(names())}"),
    "word_form": (
        _is_word_form,
        f"an object of lowercase and zero_digits, true or false, and normalization, one of {', '.join(FORMS)}; or null "
        "where words are looked up as the tokenizer gives them",
    ),
    "max_characters": (
        lambda value: value is None or (type(value) is int and value > 0),
        "a positive integer, or null for a model that reads no characters",
    ),
    "shapes": (lambda value: type(value) is bool, "true or false"),
    "ngrams": (lambda value: type(value) is bool, "true or false"),
    "selftest": (lambda value: type(value) is bool, "true or false"),
    "textapp_version": (_is_string, "a string"),
    "tokenizer": (_is_object, "an object"),
    "lengths": (_are_lengths, "a list of positive integers in ascending order"),
    "signatures": (_are_signatures, "an object from each length to a signature's name, no name twice"),
    "lowering": (_is_string, "a string"),
    "recipe": (_is_string, "a string"),
    "metrics": (_is_object_or_null, "an object or null"),
    "checks": (_is_object_or_null, "an object or null"),
    "versions": (_is_object, "an object"),
}
