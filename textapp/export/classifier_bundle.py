"""The bundle of a classifier: from a text to its label."""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras

from textapp.errors import InputError
from textapp.export.bundle import names_file, write_bundle
from textapp.export.comparison import compare_labels
from textapp.export.conversion import Recipe
from textapp.export.lowering import Lowering
from textapp.export.lowerings.embedding import EmbeddingLookup
from textapp.export.rows import token_text
from textapp.layers.leaves import leaves
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary

VOCABULARY, LABELS = "vocabulary.txt", "labels.txt"


def export_bundle(
    model: keras.Model,
    folder: str | os.PathLike[str],
    *,
    tokenizer: Tokenizer,
    vocabulary: Vocabulary,
    labels: Sequence[str],
    lengths: Sequence[int],
    texts: Sequence[str],
    true_labels: Sequence[str] | None = None,
    recipe: Recipe = "dynamic_wi8_afp32",
    lowering: Lowering = "fused",
    lineage: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Path:
    """Lowers, converts and checks a model, and writes its bundle. Nothing is kept unless every check passes.

    Args:
        model: A functional Keras model from token ids `(B, T)` to logits `(B, C)`.
        folder: Where the bundle goes.
        tokenizer: How the model's texts were cut.
        vocabulary: Its words.
        labels: Its classes, in the order of the logits.
        lengths: Text lengths in tokens, a signature each. A device takes the shortest that fits and cuts longer texts.
        texts: Real texts, some hundred, on which the file must agree with Keras.
        true_labels: The labels of `texts`; then accuracy before and after the conversion is recorded.
        recipe: How weights are stored; see `convert`.
        lowering: How recurrent layers run; see `lower`.
        lineage: What was done to the model before, for reports: `Lineage.to_dict()` of `textapp.compress.lineage`.
        overwrite: Whether a bundle that is already there may be replaced.

    Returns:
        The folder.

    Raises:
        InputError: An argument does not fit the model, or `folder` exists.
        ExportError: The converted file fails a check.
    """
    _check_labels(model, labels)
    _check_texts(texts, true_labels, labels)
    classes = None if true_labels is None else [list(labels).index(label) for label in true_labels]
    return write_bundle(
        model,
        folder,
        files={VOCABULARY: vocabulary.save, LABELS: names_file(labels)},
        description={"task": "classification", "tokenizer": tokenizer.to_dict(), "lineage": lineage},
        lengths=lengths,
        texts=[token_text(vocabulary.encode(tokenizer.words(text))) for text in texts],
        check_lowered=partial(_check_vocabulary, vocabulary=vocabulary),
        score=lambda logits: compare_labels(logits, classes),
        recipe=recipe,
        lowering=lowering,
        overwrite=overwrite,
    )


def _check_labels(model: keras.Model, labels: Sequence[str]) -> None:
    """Raises `InputError` where the labels cannot be stored or are not those of the model's output."""
    if len(set(labels)) < len(labels) or len(labels) < 2 or any(not label or "\n" in label for label in labels):
        raise InputError("labels: must be two or more different lines of text")
    shapes = [tuple(tensor.shape) for tensor in getattr(model, "outputs", None) or []]
    if shapes != [(None, len(labels))]:
        shown = ", ".join(map(str, shapes)) or "none"
        raise InputError(
            f"model: must have one output, logits (B, {len(labels)}), for {len(labels)} labels. Received: {shown}"
        )
    last = model.layers[-1]
    softmax = isinstance(last, keras.layers.Softmax)
    if softmax or getattr(last, "activation", None) in (keras.activations.softmax, keras.activations.sigmoid):
        raise InputError(
            f"layer {last.name!r} ({type(last).__name__}): gives probabilities; end the model at its logits"
        )


def _check_texts(texts: Sequence[str], true_labels: Sequence[str] | None, labels: Sequence[str]) -> None:
    """Raises `InputError` where the texts cannot check an export."""
    if true_labels is not None:
        if len(true_labels) != len(texts):
            raise InputError(f"true_labels: {len(true_labels)} for {len(texts)} texts")
        unknown = sorted(set(true_labels) - set(labels))
        if unknown:
            raise InputError(f"true_labels: {unknown[0]!r} is none of the model's labels: {', '.join(labels)}")


def _check_vocabulary(lowered: keras.Model, vocabulary: Vocabulary) -> None:
    """Raises `InputError` where an id of the vocabulary has no row in a table."""
    for _, layer in leaves(lowered):
        if isinstance(layer, EmbeddingLookup) and layer.input_dim < len(vocabulary):
            raise InputError(
                f"vocabulary: {len(vocabulary)} tokens, but layer {layer.name!r} has {layer.input_dim} rows"
            )
