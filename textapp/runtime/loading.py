"""Loads a predictor from a bundle's folder."""

import os
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from textapp.errors import InputError
from textapp.runtime.bundle import Bundle, read_bundle
from textapp.runtime.bundle_format import CHARACTERS, MODEL, VOCABULARY
from textapp.runtime.native import NativeModel
from textapp.runtime.native_library import LIBRARY, BrokenLibraryError, UnsupportedError
from textapp.runtime.ngram_model import NgramModel
from textapp.runtime.predictor import Predictor
from textapp.task import device
from textapp.text.token_encoder import TokenEncoder
from textapp.text.word_shape import SHAPES

if TYPE_CHECKING:
    from textapp.runtime.model import DeviceModel


Engine = Literal["auto", "native", "litert"]
ENGINES: tuple[Engine, ...] = get_args(Engine)


def load(path: str | os.PathLike[str], threads: int | None = None, engine: Engine = "auto") -> Any:
    """Loads a bundle folder.

    Args:
        path: the folder that `textapp export` wrote.
        threads: positive integer. With LiteRT the threads that one text may use; by default one, which is fastest for
            models of this size. With the core in C the threads that share many texts, as `decide` gets them; by default
            one for each processor.
        engine: what runs the bundle. "native" is the core in C, several times as fast; "litert" is LiteRT, under
            Python's tokenizer and decoder; "auto" is the core where it is there and runs the bundle, else LiteRT. A
            library that is broken, or built from other sources, is an error under "native", and a warning under "auto".

    Returns:
        A `Predictor` of the bundle's task: a `Classifier` or a `Tagger`.

    Raises:
        InputError: a file of the bundle is missing, changed or malformed, or the core cannot run it under "native". The
            message is one line and names the file.
    """
    if engine not in ENGINES:
        raise ValueError(f"`engine` must be one of {', '.join(ENGINES)}. Received: engine={engine!r}")
    bundle = read_bundle(path)
    half = device(bundle.task)
    targets = half.read_targets(bundle.description, bundle.files, bundle.folder)
    logits = half.logits_shape(targets)
    core = None if engine == "litert" else _core(bundle, logits, threads, is_wanted=engine == "native")
    model = core or _checked_model(bundle, logits, threads)
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
    predictor.bundle, predictor.model, predictor.core = bundle, model, core
    if bundle.description["ngrams"]:
        predictor.ngrams = NgramModel.parse(bundle.files, bundle.folder, len(targets.names))
    return predictor


def _core(
    bundle: Bundle, logits: Callable[[int], tuple[int, ...]], threads: int | None, is_wanted: bool
) -> NativeModel | None:
    """The bundle in the core. If the core cannot run it: None, or `InputError` where the core is wanted.

    A library that the user names must work. For one of the package that does not, LiteRT runs, with a warning.
    """
    try:
        return NativeModel(bundle, logits, threads)
    except BrokenLibraryError as error:
        if is_wanted or os.environ.get(LIBRARY):
            raise InputError(f"{error}; the variable {LIBRARY} may name another library") from error
        warnings.warn(f"{error}; until then LiteRT runs bundles, which takes longer", stacklevel=3)
        return None
    except UnsupportedError as error:
        if is_wanted:
            raise InputError(f'{error}; engine="litert" may run it') from error
        return None


def _checked_model(bundle: Bundle, logits: Callable[[int], tuple[int, ...]], threads: int | None) -> "DeviceModel":
    """The bundle's model in LiteRT."""
    from textapp.runtime.model import DeviceModel  # with LiteRT, which the core does not need

    model = DeviceModel(
        bundle.model,
        bundle.signatures,
        bundle.encoder.inputs,
        logits,
        source=bundle.folder / MODEL,
        threads=1 if threads is None else threads,
    )
    _check_model(bundle, model)
    return model


def table_entries(encoder: TokenEncoder) -> dict[str, tuple[str, int]]:
    """Name of each input of a model -> the file with the entries that its ids count, and their number."""
    entries = {"token_ids": (VOCABULARY, len(encoder.vocabulary))}
    if encoder.characters is not None:
        entries["char_ids"] = (CHARACTERS, len(encoder.characters))
    if encoder.shapes:
        entries["shape_ids"] = (MODEL, SHAPES)
    return entries


def _check_model(bundle: Bundle, model: "DeviceModel") -> None:
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


def _check_ids(bundle: Bundle, model: "DeviceModel", file: str, count: int, token: Mapping[str, Any]) -> None:
    """Raises `InputError` with the name of `file` if the model fails on the last of its entries."""
    try:
        model.run(token)
    except InputError as error:
        path = bundle.folder / file
        raise InputError(f"{path}: the model fails on the last of {count} entries: {error}") from error
