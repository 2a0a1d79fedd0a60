"""Bundles of every task, read and checked before any of their files is trusted."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textapp.errors import InputError
from textapp.files import read_json
from textapp.runtime.bundle_files import (
    MODEL,
    VOCABULARY,
    Fields,
    check_fields,
    parse_names,
    read_description,
    read_files,
    require,
    shown,
)
from textapp.runtime.decoding import TagDecoder
from textapp.text.normalization import FORMS
from textapp.text.tag_schemes import OUTSIDE, SCHEMES, is_tag
from textapp.text.tag_set import TagSet
from textapp.text.token_encoder import TokenEncoder
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary
from textapp.text.word_form import WordForm

CLASSIFICATION, TAGGING = "classification", "tagging"
LABELS = "labels.txt"  # of a classifier
TAGS, CHARACTERS, CRF = "tags.txt", "characters.txt", "crf.json"  # of a tagger
_LARGEST = 1e9  # of a score: far more than a model learns, far less than a decoder's "never"
_NUMBERS = f"numbers from {-_LARGEST:,.0f} to {_LARGEST:,.0f}"


@dataclass(frozen=True)
class Bundle:
    """The checked content of a bundle folder of any task.

    Attributes:
        folder: where it was read.
        tokenizer: splits a text into tokens as in training.
        vocabulary: token <-> id.
        signatures: length in tokens -> name of the model's signature of that length, shortest first.
        model: bytes of model.tflite.
        description: the whole of bundle.json: recipe, lowering, metrics, checks, versions, for people and reports.
    """

    folder: Path
    tokenizer: Tokenizer
    vocabulary: Vocabulary
    signatures: dict[int, str]
    model: bytes
    description: dict[str, Any]


@dataclass(frozen=True)
class ClassifierBundle(Bundle):
    """A bundle that gives a text a label.

    Attributes:
        labels: one name per class; the index is the class.
    """

    labels: tuple[str, ...]


@dataclass(frozen=True)
class TaggerBundle(Bundle):
    """A bundle that gives each token of a text a tag.

    Attributes:
        encoder: tokens to ids.
        tag_set: the tags; the index is the id.
        decoder: the CRF's scores; None for a model without one.
        retokenize: whether the model knows the tokens of corpora by the pieces that the tokenizer cuts them into.
    """

    encoder: TokenEncoder
    tag_set: TagSet
    decoder: TagDecoder | None
    retokenize: bool


def read_bundle(folder: str | os.PathLike[str]) -> ClassifierBundle | TaggerBundle:
    """Reads a bundle folder.

    Args:
        folder: the bundle, as `textapp export` wrote it.

    Raises:
        InputError: a file is missing, unreadable, changed or malformed, or bundle.json breaks a rule of its format. The
            message names the file and the rule.
    """
    folder = Path(folder)
    path = folder / "bundle.json"
    description = read_description(folder)
    check_fields(description, path, _TASK)
    if description["task"] == TAGGING:
        return _read_tagger(folder, description)
    contents = read_files(folder, description, (MODEL, VOCABULARY, LABELS))
    return ClassifierBundle(
        **_parts_of_every_task(folder, description, contents),
        labels=parse_names(contents[LABELS], folder / LABELS, "label"),
    )


def _read_tagger(folder: Path, description: dict[str, Any]) -> TaggerBundle:
    """Reads the bundle of a tagger."""
    description = {"shapes": False, **description}  # bundles of before there were any do not name them
    check_fields(description, folder / "bundle.json", _TAGGER_FIELDS)
    max_characters, scheme = description["max_characters"], description["tag_scheme"]
    optional = {CHARACTERS: max_characters is not None, CRF: description["crf"]}
    names = (MODEL, VOCABULARY, TAGS, *(name for name, is_there in optional.items() if is_there))
    contents = read_files(folder, description, names)
    parts = _parts_of_every_task(folder, description, contents)
    tags = parse_names(contents[TAGS], folder / TAGS, "tag")
    if scheme is not None:
        _check_tags(tags, scheme, folder / TAGS)
    return TaggerBundle(
        **parts,
        encoder=TokenEncoder(
            form=WordForm(**description["word_form"]),
            vocabulary=parts["vocabulary"],
            characters=Vocabulary.load(folder / CHARACTERS) if optional[CHARACTERS] else None,
            max_characters=max_characters or 0,
            shapes=description["shapes"],
        ),
        tag_set=TagSet(tags, scheme),
        decoder=_read_decoder(folder / CRF, len(tags)) if optional[CRF] else None,
        retokenize=description["retokenize"],
    )


def _parts_of_every_task(folder: Path, description: dict[str, Any], contents: dict[str, bytes]) -> dict[str, Any]:
    """The fields of `Bundle`."""
    try:
        tokenizer = Tokenizer.from_dict(description["tokenizer"])
    except InputError as error:
        raise InputError(f"{folder / 'bundle.json'}: {error}") from error
    return {
        "folder": folder,
        "tokenizer": tokenizer,
        "vocabulary": Vocabulary.load(folder / VOCABULARY),
        "signatures": {length: description["signatures"][str(length)] for length in description["lengths"]},
        "model": contents[MODEL],
        "description": description,
    }


def _check_tags(tags: tuple[str, ...], scheme: str, path: Path) -> None:
    """Raises `InputError` unless tags are those of spans, `O` first."""
    for number, tag in enumerate(tags, start=1):
        if not is_tag(tag, scheme):
            raise InputError(f"{path}:{number}: {shown(tag)} is no tag of {scheme}, which bundle.json names")
    if tags[0] != OUTSIDE:
        raise InputError(f"{path}:1: must be {OUTSIDE}, the tag of tokens outside of all spans. Received: {tags[0]!r}")


def _read_decoder(path: Path, tags: int) -> TagDecoder:
    """Reads a CRF's scores: `transitions` (K, K), `start` (K,) and `end` (K,)."""
    scores = read_json(path)
    names = ("transitions", "start", "end")
    require(isinstance(scores, dict) and set(scores) == set(names), path, f"must hold {', '.join(names)}", scores)
    for name in ("start", "end"):
        require(_are_numbers(scores[name], tags), path, f'"{name}" must be {tags} {_NUMBERS}, one a tag')
    rows = scores["transitions"]
    are_rows = isinstance(rows, list) and len(rows) == tags and all(_are_numbers(row, tags) for row in rows)
    require(are_rows, path, f'"transitions" must be {tags} lists of {tags} {_NUMBERS}')
    try:
        return TagDecoder(*(scores[name] for name in names))
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error


def _are_numbers(value: object, count: int) -> bool:
    """Whether a JSON value is a list of so many numbers, none NaN or out of range."""
    if not isinstance(value, list) or len(value) != count:
        return False
    return all(type(number) in (int, float) and abs(number) <= _LARGEST for number in value)


def _is_word_form(value: object) -> bool:
    """Whether a JSON value holds the settings of a `WordForm`."""
    if not isinstance(value, dict) or set(value) != {"lowercase", "zero_digits", "normalization"}:
        return False
    return type(value["lowercase"]) is type(value["zero_digits"]) is bool and value["normalization"] in FORMS


_TASK: Fields = {
    "task": (lambda value: value in (CLASSIFICATION, TAGGING), f'"{CLASSIFICATION}" or "{TAGGING}"'),
}
_TAGGER_FIELDS: Fields = {
    "word_form": (
        _is_word_form,
        f"an object of lowercase and zero_digits, true or false, and normalization, one of {', '.join(FORMS)}",
    ),
    "max_characters": (
        lambda value: value is None or (type(value) is int and value > 0),
        "a positive integer, or null for a model that reads no characters",
    ),
    "shapes": (lambda value: type(value) is bool, "true or false"),
    "tag_scheme": (
        lambda value: value is None or value in SCHEMES,
        f"one of {', '.join(SCHEMES)}, or null for tags that stand for themselves",
    ),
    "crf": (lambda value: type(value) is bool, "true or false"),
    "retokenize": (lambda value: type(value) is bool, "true or false"),
}
