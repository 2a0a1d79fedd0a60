"""Reads bundles of every task, and checks them before it uses any of their files."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textapp.errors import InputError
from textapp.runtime.bundle_format import (
    CHARACTERS,
    MODEL,
    SELFTEST,
    VOCABULARY,
    check_fields,
    read_description,
    read_files,
)
from textapp.runtime.ngram_model import NGRAM_TABLE, NGRAMS
from textapp.task import device
from textapp.text.token_encoder import TokenEncoder
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary
from textapp.text.word_form import WordForm


@dataclass(frozen=True)
class Bundle:
    """The checked content of a bundle folder. The hashes of all files agree with bundle.json.

    Attributes:
        folder: the folder that it was read from.
        task: name of its task.
        tokenizer: cuts a text into tokens as in training.
        encoder: turns tokens into ids.
        signatures: length in tokens -> name of the model's signature of that length, shortest first.
        files: content of each file except bundle.json, by name.
        description: the whole of bundle.json: recipe, lowering, metrics, checks, versions, for people and reports.
    """

    folder: Path
    task: str
    tokenizer: Tokenizer
    encoder: TokenEncoder
    signatures: dict[int, str]
    files: Mapping[str, bytes]
    description: dict[str, Any]

    @property
    def model(self) -> bytes:
        """The content of model.tflite."""
        return self.files[MODEL]

    @property
    def model_bytes(self) -> int:
        """Bytes of the model: of model.tflite, and of ngrams.bin if there is one."""
        return len(self.model) + len(self.files.get(NGRAM_TABLE, b""))


def read_bundle(folder: str | os.PathLike[str]) -> Bundle:
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
    half = device(description["task"])
    check_fields(description, path, half.FIELDS)
    reads_characters = description["max_characters"] is not None
    optional = {
        CHARACTERS: reads_characters,
        NGRAMS: description["ngrams"],
        NGRAM_TABLE: description["ngrams"],
        SELFTEST: description["selftest"],
    }
    there = (name for name, is_there in optional.items() if is_there)
    files = read_files(folder, description, (MODEL, VOCABULARY, *there, *half.file_names(description)))
    try:
        tokenizer = Tokenizer.from_dict(description["tokenizer"])
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    form = description["word_form"]
    if form is None and (reads_characters or description["shapes"]):
        raise InputError(f'{path}: "word_form" must not be null for a model that reads characters or shapes')
    encoder = TokenEncoder(
        form=None if form is None else WordForm(**form),
        vocabulary=Vocabulary.parse(files[VOCABULARY], folder / VOCABULARY),
        characters=Vocabulary.parse(files[CHARACTERS], folder / CHARACTERS) if reads_characters else None,
        max_characters=description["max_characters"] or 0,
        shapes=description["shapes"],
    )
    signatures = {length: description["signatures"][str(length)] for length in description["lengths"]}
    return Bundle(folder, description["task"], tokenizer, encoder, signatures, files, description)
