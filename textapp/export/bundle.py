"""A bundle: the folder that a device needs, and all that it needs."""

import hashlib
import importlib.metadata
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from textapp import __version__
from textapp.errors import InputError
from textapp.export.checks import check_file
from textapp.export.convert import Recipe, convert, signature_name
from textapp.export.embedding import EmbeddingLookup
from textapp.export.lowering import Lowering, lower
from textapp.files import replacing_folder, write_json, write_text
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary


def export_bundle(
    model: keras.Model,
    folder: str | os.PathLike[str],
    *,
    tokenizer: Tokenizer,
    vocabulary: Vocabulary,
    labels: Sequence[str],
    lengths: Sequence[int],
    texts: Sequence[str],
    recipe: Recipe = "dynamic_wi8_afp32",
    lowering: Lowering = "fused",
    metrics: dict[str, Any] | None = None,
    overwrite: bool = False,
) -> Path:
    """Lowers, converts and checks a model, and writes its bundle. Nothing is written unless every check passes.

    Args:
        model: A functional Keras model from token ids `(B, T)` to logits `(B, C)`.
        folder: Where the bundle goes.
        tokenizer: How the model's texts were cut.
        vocabulary: Its words.
        labels: Its classes, in the order of the logits.
        lengths: Text lengths in tokens, a signature each. A device takes the shortest that fits and cuts longer texts.
        texts: Real texts, some hundred, on which the file must agree with Keras.
        recipe: How weights are stored; see `convert`.
        lowering: How recurrent layers run; see `lower`.
        metrics: Results of the model to record, for people.
        overwrite: Whether a bundle that is already there may be replaced.

    Returns:
        The folder.

    Raises:
        InputError: An argument does not fit the model, or `folder` exists.
        ExportError: The converted file fails a check.
    """
    folder = Path(folder)
    _check_folder(folder, overwrite)
    lengths = sorted(lengths)
    _check_arguments(model, labels, lengths, texts)
    lowered = lower(model, lowering)
    _check_vocabulary(lowered, vocabulary)
    content = convert(lowered, lengths, recipe)
    ids = [vocabulary.encode(tokenizer.words(text)) for text in texts]
    checks = check_file(content, model, lowered, lengths, recipe, ids)
    description: dict[str, Any] = {
        "format": "textapp-bundle",
        "format_version": 1,
        "task": "classification",
        "textapp_version": __version__,
        "tokenizer": tokenizer.to_dict(),
        "lengths": lengths,
        "signatures": {str(length): signature_name(length) for length in lengths},
        "lowering": lowering,
        "recipe": recipe,
        "metrics": metrics,
        "checks": checks,
        "versions": {
            name.replace("-", "_"): importlib.metadata.version(name) for name in ("tensorflow", "keras", "ai-edge-litert")
        },
    }
    with replacing_folder(folder) as temporary:
        (temporary / "model.tflite").write_bytes(content)
        vocabulary.save(temporary / "vocabulary.txt")
        write_text(temporary / "labels.txt", "".join(f"{label}\n" for label in labels))
        description["sha256"] = {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(temporary.iterdir())
        }
        write_json(temporary / "bundle.json", description)
    return folder


def _check_folder(folder: Path, overwrite: bool) -> None:
    """Raises `InputError` where writing `folder` would lose something."""
    if not folder.exists():
        return
    if not overwrite:
        raise InputError(f"{folder}: exists; choose another folder or ask to overwrite it")
    if not folder.is_dir() or (any(folder.iterdir()) and not (folder / "bundle.json").exists()):
        raise InputError(f"{folder}: is not a bundle; only a bundle may be overwritten")


def _check_arguments(model: keras.Model, labels: Sequence[str], lengths: Sequence[int], texts: Sequence[str]) -> None:
    """Raises `InputError` where labels, lengths or texts do not fit the model."""
    if len(set(lengths)) < len(lengths) or not lengths or lengths[0] < 1:
        raise InputError(f"lengths {list(lengths)}: must be different positive numbers of tokens")
    if not texts:
        raise InputError("texts: at least one real text is needed to check the export")
    if len(model.outputs) != 1 or len(model.outputs[0].shape) != 2:
        shapes = ", ".join(str(tensor.shape) for tensor in model.outputs)
        raise InputError(f"model {model.name!r}: must have one output, logits (B, C). Received: {shapes}")
    if model.outputs[0].shape[-1] != len(labels):
        raise InputError(f"labels: {len(labels)} for a model of {model.outputs[0].shape[-1]} classes")
    if len(set(labels)) < len(labels) or len(labels) < 2 or any(not label or "\n" in label for label in labels):
        raise InputError("labels: must be two or more different lines of text")
    last = model.layers[-1]
    if getattr(last, "activation", None) in (keras.activations.softmax, keras.activations.sigmoid):
        raise InputError(f"layer {last.name!r} ({type(last).__name__}): applies {last.activation.__name__}; models return logits, leave it out")


def _check_vocabulary(lowered: keras.Model, vocabulary: Vocabulary) -> None:
    """Raises `InputError` where an id of the vocabulary has no row in the table."""
    for layer in lowered.layers:
        if isinstance(layer, EmbeddingLookup) and layer.input_dim < len(vocabulary):
            raise InputError(f"vocabulary: {len(vocabulary)} tokens for the {layer.input_dim} rows of layer {layer.name!r}")
