"""A bundle: the folder that a device needs, and all that it needs."""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras

from textapp import __version__
from textapp.errors import InputError
from textapp.export.checks import check_file
from textapp.export.comparison import Logits, both_logits
from textapp.export.conversion import ROW_BITS, STATIC, Recipe, convert, signature_name
from textapp.export.lowering import Lowering, in_float32, lower
from textapp.export.packing import round_rows
from textapp.export.rows import Text
from textapp.files import replacing_folder, write_json, write_text

MODEL = "model.tflite"
PACKAGES = ("tensorflow", "keras", "ai_edge_litert")
CHECKED_TEXTS = 256  # enough to see a defect; each goes through every signature twice

Save = Callable[[Path], None]


def write_bundle(
    model: keras.Model,
    folder: str | os.PathLike[str],
    *,
    files: Mapping[str, Save],
    description: Mapping[str, Any],
    lengths: Sequence[int],
    texts: Sequence[Text],
    check_lowered: Callable[[keras.Model], None],
    score: Callable[[Logits], dict[str, Any]],
    recipe: Recipe,
    lowering: Lowering,
    overwrite: bool,
    max_characters: int | None = None,
) -> Path:
    """Lowers, converts and checks a model, and writes its bundle. Nothing is kept unless every check passes.

    Args:
        model: A functional Keras model to logits, of a text or of its tokens.
        folder: Where the bundle goes.
        files: What stands beside the model, by name: each writes itself to a path.
        description: What the task adds to bundle.json.
        lengths: Text lengths in tokens, a signature each.
        texts: Real texts on which the file must agree with Keras, and is scored. Some of them also calibrate
            `static_wi8_ai8`.
        check_lowered: Raises `InputError` where the lowered model does not fit the files.
        score: What bundle.json says of the logits before and after the conversion, as `metrics`.
        recipe: How weights are stored; see `convert`.
        lowering: How recurrent layers run; see `lower`.
        overwrite: Whether a bundle that is already there may be replaced.
        max_characters: See `convert`.

    Returns:
        The folder.

    Raises:
        InputError: An argument does not fit the model, or `folder` exists.
        ExportError: The converted file fails a check.
    """
    folder = Path(folder)
    lengths = sorted(lengths)
    _check_folder(folder, overwrite)
    if not texts:
        raise InputError("texts: at least one real text is needed to check the export")
    if not lengths or lengths[0] < 1 or len(set(lengths)) < len(lengths):
        raise InputError(f"lengths {lengths}: must be different positive numbers of tokens")
    lowered, reference = lower(model, lowering, integer=recipe == STATIC), in_float32(model)
    check_lowered(lowered)
    checked = texts[:: -(-len(texts) // CHECKED_TEXTS)]  # spread over all, as files are often sorted by label
    converted = convert(lowered, lengths, recipe, max_characters, checked)
    stored = round_rows(in_float32(model), ROW_BITS[recipe]) if recipe in ROW_BITS else reference

    with replacing_folder(folder) as temporary:
        (temporary / MODEL).write_bytes(converted)
        content = (temporary / MODEL).read_bytes()
        checks = check_file(content, lowered, stored, lengths, recipe, checked)
        for name, save in files.items():
            save(temporary / name)
        write_json(
            temporary / "bundle.json",
            {
                "format": "textapp-bundle",
                "format_version": 1,
                **description,
                "textapp_version": __version__,
                "lengths": lengths,
                "signatures": {str(length): signature_name(length) for length in lengths},
                "lowering": lowering,
                "recipe": recipe,
                "metrics": score(both_logits(content, reference, lengths, texts)),
                "checks": checks,
                "versions": {
                    name: version(name.replace("_", "-")) for name in ("tensorflow", "keras", "ai_edge_litert")
                },
                "sha256": {name: _sha256(temporary / name) for name in (MODEL, *files)},
            },
        )
    return folder


def names_file(names: Sequence[str]) -> Save:
    """A file of labels or tags, one a line."""
    return lambda path: write_text(path, "".join(f"{name}\n" for name in names))


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
