"""A bundle: the folder that a device needs, and all that it needs."""

import hashlib
import os
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import keras

from textapp import __version__
from textapp.errors import InputError
from textapp.export.checks import check_file
from textapp.export.comparison import compare
from textapp.export.conversion import Recipe, convert, signature_name
from textapp.export.embedding import EmbeddingLookup
from textapp.export.lowering import Lowering, in_float32, leaves, lower
from textapp.files import replacing_folder, write_json, write_text
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary

MODEL, VOCABULARY, LABELS = "model.tflite", "vocabulary.txt", "labels.txt"
CHECKED_TEXTS = 256  # enough to see a defect; each goes through every signature twice


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
        overwrite: Whether a bundle that is already there may be replaced.

    Returns:
        The folder.

    Raises:
        InputError: An argument does not fit the model, or `folder` exists.
        ExportError: The converted file fails a check.
    """
    folder = Path(folder)
    lengths = sorted(lengths)
    _check_folder(folder, overwrite)
    _check_labels(model, labels)
    _check_texts(texts, true_labels, labels)
    if not lengths or lengths[0] < 1 or len(set(lengths)) < len(lengths):
        raise InputError(f"lengths {lengths}: must be different positive numbers of tokens")
    lowered, reference = lower(model, lowering), in_float32(model)
    _check_vocabulary(lowered, vocabulary)
    content = convert(lowered, lengths, recipe)

    token_ids = [vocabulary.encode(tokenizer.words(text)) for text in texts]
    checked = token_ids[:: -(-len(token_ids) // CHECKED_TEXTS)]  # spread over all, as files are often sorted by label
    classes = None if true_labels is None else [list(labels).index(label) for label in true_labels]
    with replacing_folder(folder) as temporary:
        (temporary / MODEL).write_bytes(content)
        content = (temporary / MODEL).read_bytes()
        checks = check_file(content, lowered, reference, lengths, recipe, checked)
        vocabulary.save(temporary / VOCABULARY)
        write_text(temporary / LABELS, "".join(f"{label}\n" for label in labels))
        description = {
            "format": "textapp-bundle",
            "format_version": 1,
            "task": "classification",
            "textapp_version": __version__,
            "tokenizer": tokenizer.to_dict(),
            "lengths": lengths,
            "signatures": {str(length): signature_name(length) for length in lengths},
            "lowering": lowering,
            "recipe": recipe,
            "metrics": compare(content, reference, lengths, token_ids, classes),
            "checks": checks,
            "versions": {name: version(name.replace("_", "-")) for name in ("tensorflow", "keras", "ai_edge_litert")},
            "sha256": {name: _sha256(temporary / name) for name in (MODEL, VOCABULARY, LABELS)},
        }
        write_json(temporary / "bundle.json", description)
    return folder


def _sha256(path: Path) -> str:
    """The hash of a file in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _check_folder(folder: Path, overwrite: bool) -> None:
    """Raises `InputError` where writing `folder` would lose something."""
    if not folder.exists():
        return
    if not overwrite:
        raise InputError(f"{folder}: exists; choose another folder, or overwrite it (--force, overwrite=True)")
    if not folder.is_dir() or (any(folder.iterdir()) and not (folder / "bundle.json").exists()):
        raise InputError(f"{folder}: is not a bundle; only a bundle may be overwritten")


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
    if not texts:
        raise InputError("texts: at least one real text is needed to check the export")
    if true_labels is not None:
        if len(true_labels) != len(texts):
            raise InputError(f"true_labels: {len(true_labels)} for {len(texts)} texts")
        unknown = sorted(set(true_labels) - set(labels))
        if unknown:
            raise InputError(f"true_labels: {unknown[0]!r} is none of the model's labels: {', '.join(labels)}")


def _check_vocabulary(lowered: keras.Model, vocabulary: Vocabulary) -> None:
    """Raises `InputError` where an id of the vocabulary has no row in a table."""
    for layer in leaves(lowered):
        if isinstance(layer, EmbeddingLookup) and layer.input_dim < len(vocabulary):
            raise InputError(
                f"vocabulary: {len(vocabulary)} tokens, but layer {layer.name!r} has {layer.input_dim} rows"
            )
