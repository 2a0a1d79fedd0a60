"""Loads a predictor from a bundle's folder."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from textapp.errors import InputError
from textapp.runtime.bundle import Bundle, read_bundle
from textapp.runtime.bundle_format import CHARACTERS, MODEL, VOCABULARY
from textapp.runtime.model import DeviceModel
from textapp.runtime.ngram_model import NgramModel
from textapp.runtime.predictor import Predictor
from textapp.task import device
from textapp.text.token_encoder import TokenEncoder
from textapp.text.word_shape import SHAPES


def load(path: str | os.PathLike[str], threads: int = 1) -> Any:
    """Loads a bundle folder.

    Args:
        path: the folder that `textapp export` wrote.
        threads: positive integer, threads that LiteRT may use for one text. One is fastest for models of this size.

    Returns:
        A `Predictor` of the bundle's task: a `Classifier` or a `Tagger`.

    Raises:
        InputError: a file of the bundle is missing, changed or malformed. The message is one line and names the file.
    """
    bundle = read_bundle(path)
    half = device(bundle.task)
    targets = half.read_targets(bundle.description, bundle.files, bundle.folder)
    model = DeviceModel(
        bundle.model,
        bundle.signatures,
        bundle.encoder.inputs,
        half.logits_shape(targets),
        source=bundle.folder / MODEL,
        threads=threads,
    )
    predictor: Predictor = half.predictor(
        bundle.tokenizer,
        bundle.encoder,
        targets,
        bundle.description,
        bundle.files,
        bundle.folder,
        model.lengths[-1],
        model.run,
    )
    predictor.bundle, predictor.model = bundle, model
    if bundle.description["ngrams"]:
        predictor.ngrams = NgramModel.parse(bundle.files, bundle.folder, len(targets.names))
    _check_model(bundle, model)
    return predictor


def table_entries(encoder: TokenEncoder) -> dict[str, tuple[str, int]]:
    """Name of each input of a model -> the file with the entries that its ids count, and their number."""
    entries = {"token_ids": (VOCABULARY, len(encoder.vocabulary))}
    if encoder.characters is not None:
        entries["char_ids"] = (CHARACTERS, len(encoder.characters))
    if encoder.shapes:
        entries["shape_ids"] = (MODEL, SHAPES)
    return entries


def _check_model(bundle: Bundle, model: DeviceModel) -> None:
    """Checks the model's tables, and runs it on no token and on the last word, character and shape.

    So a foreign model fails here.
    """
    inputs, entries = bundle.encoder.inputs, table_entries(bundle.encoder)
    for name, (file, count) in entries.items():
        for rows in model.table_rows[name] - {count}:
            raise InputError(
                f"{bundle.folder / file}: has {count} entries for {name}, but {MODEL} has a table of {rows} rows for "
                "them; one of the files is of another model: copy or export the bundle again"
            )
    model.run({name: np.zeros((0, *shape), np.int32) for name, shape in inputs.items()})
    token = {name: np.zeros((1, *shape), np.int32) for name, shape in inputs.items()}
    for name, (file, count) in entries.items():
        token[name] += count - 1
        _check_ids(bundle, model, file, count, token)


def _check_ids(bundle: Bundle, model: DeviceModel, file: str, count: int, token: Mapping[str, Any]) -> None:
    """Raises `InputError` with the name of `file` if the model fails on the last of its entries."""
    try:
        model.run(token)
    except InputError as error:
        path = bundle.folder / file
        raise InputError(f"{path}: the model fails on the last of {count} entries: {error}") from error
