"""Writes the bundle of any task: one folder with everything that a device needs."""

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from textapp import __version__
from textapp.compress.granularity import check_functional
from textapp.config import LONGEST, ModelConfig
from textapp.errors import InputError, excerpt, list_names, quoted
from textapp.export.card import CARD, CARD_HASH, model_card
from textapp.export.checks import check_file
from textapp.export.comparison import compare
from textapp.export.conversion import ROW_BITS, STATIC, Recipe, convert, signature_name
from textapp.export.lowering import Lowering, in_float32, lower
from textapp.export.model_inputs import (
    TOKENS,
    InputBatch,
    Inputs,
    encoded_tokens,
    keras_logits,
    named_inputs,
    padded_rows,
    takes_names,
)
from textapp.export.own_model import with_two_logits
from textapp.export.packing import round_rows
from textapp.files import digest, write_json, write_text
from textapp.layers import CharacterCNN
from textapp.layers.leaves import flat_layers
from textapp.output_files import replacing_folder
from textapp.runtime.bundle_format import FORMAT, FORMAT_VERSION, SELFTEST, check_fields, read_description
from textapp.runtime.clients import clients_of
from textapp.runtime.loading import table_entries
from textapp.runtime.model import DeviceModel
from textapp.runtime.model_check import SignatureTensors, check_model
from textapp.runtime.ngram_model import NGRAM_TABLE, NGRAMS, NgramModel
from textapp.runtime.selftest import selftest
from textapp.task import Compared, Save, Task, device, task
from textapp.text.labels import ExclusiveLabels
from textapp.text.token_encoder import TokenEncoder
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary
from textapp.text.word_shape import SHAPES

MODEL, VOCABULARY, CHARACTERS = "model.tflite", "vocabulary.txt", "characters.txt"
BUNDLE_INPUTS = (TOKENS, "char_ids", "shape_ids")
CHECKED_TEXTS = 256  # enough to see a defect; each text runs through every signature twice
PROBABILITY_TOLERANCE = 1e-3  # between 1 and a sum of probabilities; logits of all texts never come as near
PACKAGES = ("tensorflow", "keras", "ai_edge_litert")


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
    """Exports a classifier of your own: lowers, converts and checks it, and writes its bundle.

    Args:
        model: A functional Keras model from token ids `(B, T)` to logits `(B, C)`. For two labels it may end in one
            unit, with a sigmoid or without: the probability of the second label.
        folder: Where the bundle goes.
        tokenizer: The tokenizer that the model was trained with.
        vocabulary: The model's vocabulary.
        labels: The model's labels, in the order of the logits.
        lengths: Input lengths in tokens; each becomes a signature. A device takes the shortest that fits, and cuts
            longer texts.
        texts: Some hundred real texts. The file must agree with Keras on them.
        true_labels: The labels of `texts`. If given, the accuracy before and after the conversion is recorded.
        recipe: How weights are stored; see `convert`.
        lowering: How recurrent layers run; see `lower`.
        lineage: What was done to the model before, for reports: `Lineage.to_dict()` of `textapp.compress.lineage`.
        overwrite: Whether a bundle that is already there may be replaced. A folder with other files never is.

    Returns:
        The folder.

    Raises:
        InputError: An argument does not fit the model, or `folder` holds something.
        ExportError: The converted file fails a check; nothing is kept.
    """
    from textapp.data.readers import Examples

    found, targets = task("classification"), ExclusiveLabels(tuple(labels))
    if len(set(labels)) < len(labels) or len(labels) < 2 or any(not label or "\n" in label for label in labels):
        raise InputError("labels: must be two or more different lines of text")
    examples = None
    if true_labels is not None:
        if len(true_labels) != len(texts):
            raise InputError(f"true_labels: {len(true_labels)} for {len(texts)} texts")
        if unknown := sorted(set(true_labels) - set(labels)):
            raise InputError(f"true_labels: {quoted(unknown[0])} is none of the model's labels: {list_names(labels)}")
        examples = Examples(list(texts), list(true_labels), "texts")
    longest = max(lengths, default=1)
    return export_model(
        found,
        with_two_logits(model, len(labels)),
        folder,
        config=found.config(),
        tokenizer=tokenizer,
        encoder=TokenEncoder(None, vocabulary),
        targets=targets,
        lengths=lengths,
        compared=Compared([tokenizer.words(text)[:longest] for text in texts], texts, examples),
        recipe=recipe,
        lowering=lowering,
        lineage=lineage,
        overwrite=overwrite,
    )


def export_model(
    task: Task[Any, Any, Any],
    model: keras.Model,
    folder: str | os.PathLike[str],
    *,
    config: ModelConfig,
    tokenizer: Tokenizer,
    encoder: TokenEncoder,
    targets: Any,
    lengths: Sequence[int],
    compared: Compared,
    recipe: Recipe = "dynamic_wi8_afp32",
    lowering: Lowering = "fused",
    ngrams: NgramModel | None = None,
    judged: NgramModel | None = None,
    lineage: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
    scored_on: str = "given examples",
    overwrite: bool = False,
) -> Path:
    """Lowers, converts and checks a model of any task, and writes its bundle. Nothing is kept unless all checks pass.

    The file ends in logits. They are decoded outside of it (by a CRF, for example), with the bundle's other files. So a
    device decodes the tokens of a text and not its padding, and it can also compute how sure the model is.

    Args:
        task: The task.
        model: A functional Keras model from the encoder's inputs to logits, `(B, C)` or `(B, T, C)`, or to the outputs
            of the task's head.
        folder: Where the bundle goes.
        config: The task's settings.
        tokenizer: Cuts texts into tokens.
        encoder: Turns tokens into ids.
        targets: The labels or tags that the model chooses from, in the order of the logits.
        lengths: Input lengths in tokens; each becomes a signature.
        compared: Real tokens, on which the file must agree with Keras, and examples to score the file on. Some of the
            tokens also calibrate `static_wi8_ai8`.
        recipe: How weights are stored; see `convert`.
        lowering: How recurrent layers run; see `lower`.
        ngrams: The linear model of n-grams beside the model, or None.
        judged: The one to score `compared` with, if they are texts that `ngrams` knows; by default `ngrams`.
        lineage: What was done to the model before, for reports.
        training: The content of the run's `metrics.json`, for the model card; empty for a model without a run.
        scored_on: What the examples of `compared` are, for the model card.
        overwrite: Whether a bundle that is already there may be replaced. A folder with other files never is.

    Returns:
        The folder.

    Raises:
        InputError: An argument does not fit the model, or `folder` holds something.
        ExportError: The converted file fails a check.
    """
    folder = Path(folder)
    lengths = sorted(lengths)
    with replacing_folder(folder, bundle_files, overwrite) as temporary:
        if task.files_hold_tokens and tokenizer.lowercase:
            raise InputError("tokenizer: must keep capitals, Tokenizer(lowercase=False); the encoder looks words up")
        if not compared.rows or (task.unit == "token" and not any(compared.rows)):
            raise InputError("texts: at least one real text is needed to check the export")
        if not lengths or lengths[0] < 1 or lengths[-1] > LONGEST or len(set(lengths)) < len(lengths):
            raise InputError(f"lengths {lengths}: must be different positive numbers of tokens, at most {LONGEST}")
        check_functional(model)
        scoring = task.device_model(model)
        _check_outputs(scoring, task, len(targets.names))
        rows = [encoded_tokens(tokens, encoder) for tokens in compared.rows]
        files: dict[str, Save] = {VOCABULARY: encoder.vocabulary.save, **task.files(targets)}
        if encoder.characters is not None:
            files[CHARACTERS] = encoder.characters.save
        files |= task.device_files(model, targets)

        lowered, reference = lower(scoring, lowering, integer=recipe == STATIC), in_float32(scoring)
        _check_tables(lowered, encoder)
        _check_lengths(reference, lengths, rows)
        checked = rows[:: -(-len(rows) // CHECKED_TEXTS)]  # spread over all, as files are often sorted by label
        if task.exclusive:
            _check_logits(reference, padded_rows([text for text in checked if len(text[TOKENS])], lengths[-1]))
        max_characters = None if encoder.characters is None else encoder.max_characters
        converted = convert(lowered, lengths, recipe, max_characters, checked)
        stored = round_rows(in_float32(scoring), ROW_BITS[recipe]) if recipe in ROW_BITS else reference
        form = encoder.form
        (temporary / MODEL).write_bytes(converted)
        content = (temporary / MODEL).read_bytes()
        checks = check_file(content, lowered, stored, lengths, recipe, checked, task.exclusive)
        tensors = check_model(content)
        _check_rows(tensors, encoder)
        for name, save in files.items():
            save(temporary / name)
        for name, written in ({} if ngrams is None else ngrams.files()).items():
            (temporary / name).write_bytes(written)
        contents = {name: (temporary / name).read_bytes() for name in (*files, *(ngrams.files() if ngrams else ()))}
        fields = task.device_fields(config, model, targets)
        predictor = device(task.name).predictor(
            tokenizer, encoder, targets, fields, contents, folder, lengths[-1], None
        )
        predictor.ngrams = judged or ngrams
        metrics = {**compare(task, predictor, content, reference, lengths, compared), "scored_on": scored_on}
        predictor.ngrams = ngrams
        signatures = {length: signature_name(length) for length in lengths}
        shape = device(task.name).logits_shape(targets)
        predictor.score = DeviceModel(content, signatures, encoder.inputs, shape, source=folder / MODEL).run
        contents[SELFTEST] = selftest(predictor, recipe)
        (temporary / SELFTEST).write_bytes(contents[SELFTEST])
        description = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "task": task.name,
            "tokenizer": tokenizer.to_dict(),
            "lineage": lineage,
            "word_form": None if form is None else form.to_dict(),
            "max_characters": max_characters,
            "shapes": encoder.shapes,
            "ngrams": ngrams is not None,
            "selftest": True,
            "clients": clients_of(tensors),
            **fields,
            "textapp_version": __version__,
            "lengths": lengths,
            "signatures": {str(length): name for length, name in signatures.items()},
            "lowering": lowering,
            "recipe": recipe,
            "metrics": metrics,
            "checks": checks,
            "versions": {name: version(name.replace("_", "-")) for name in PACKAGES},
            "sha256": {name: hashlib.sha256(part).hexdigest() for name, part in {MODEL: content, **contents}.items()},
        }
        sizes = {name: len(part) for name, part in {MODEL: content, **contents}.items()}
        card = model_card(task, targets, encoder.vocabulary.tokens[2:], description, sizes, training or {})
        write_text(temporary / CARD, card)
        description[CARD_HASH] = digest(temporary / CARD)
        write_json(temporary / "bundle.json", description)
    return folder


def bundle_files(folder: Path) -> list[str]:
    """The names of the files of a bundle, `bundle.json` last; none if the folder is not a bundle.

    The model card is one of them only if it is as the export wrote it.
    """
    path = folder / "bundle.json"
    if not path.is_file():
        return []
    try:
        description = read_description(folder)
        half = device(description["task"])
        check_fields(description, path, half.FIELDS)
    except InputError:
        return []
    names = (MODEL, VOCABULARY, CHARACTERS, NGRAMS, NGRAM_TABLE, SELFTEST, *half.file_names(description))
    card = folder / CARD
    has_card = card.is_file() and not card.is_symlink() and digest(card) == description.get(CARD_HASH)
    return [*(name for name in names if name in description["sha256"]), *([CARD] if has_card else ()), path.name]


def _check_outputs(model: keras.Model, task: Task[Any, Any, Any], count: int) -> None:
    """Raises `InputError` if a bundle with `count` targets cannot have this model's output or inputs."""
    wanted = f"({'B, T' if task.unit == 'token' else 'B'}, {count})"
    shapes = [tuple(tensor.shape) for tensor in getattr(model, "outputs", None) or []]
    rank = 3 if task.unit == "token" else 2
    if len(shapes) != 1 or len(shapes[0]) != rank or shapes[0][-1] != count:
        shown = ", ".join(map(str, shapes)) or "none"
        raise InputError(f"model: must have one output, logits {wanted}, for {count} targets. Received: {shown}")
    last = model.layers[-1]
    softmax = isinstance(last, keras.layers.Softmax)
    if softmax or getattr(last, "activation", None) in (keras.activations.softmax, keras.activations.sigmoid):
        raise InputError(
            f"layer {quoted(last.name)} ({type(last).__name__}): gives probabilities; end the model at its logits"
        )
    if foreign := named_inputs(model).keys() - set(BUNDLE_INPUTS):
        raise InputError(
            f"model: its input {quoted(min(foreign))} is none that a bundle has; known: {', '.join(BUNDLE_INPUTS)}"
        )


def _check_lengths(reference: keras.Model, lengths: Sequence[int], rows: Sequence[Inputs]) -> None:
    """Raises `InputError` if a model does not take texts of one of the lengths."""
    fixed = named_inputs(reference)[TOKENS].shape[1]
    if fixed is not None:  # `convert` compares it with the lengths
        return
    # In a graph the shapes are checked as in the conversion; a convolution may let too few tokens pass without one.
    run = tf.function(lambda inputs: reference(inputs, training=False), autograph=False)
    for length in lengths:
        inputs = padded_rows(rows[:1], length)
        try:
            with tf.device("/CPU:0"):
                run(inputs if takes_names(reference) else inputs[TOKENS])
        except Exception as error:  # of a layer, as Keras or TensorFlow raise it
            raise InputError(
                f"length {length}: the model cannot take {length} tokens; choose other `lengths`, within the widths of "
                f"its convolutions and tables of positions: {excerpt(_reason(error))}"
            ) from error


def _reason(error: Exception) -> str:
    """The line of an error of Keras or TensorFlow that says what is wrong."""
    plain = re.sub(r"\x1b\[\d*m|\{\{.*?\}\}", "", str(error))  # TensorFlow's colours and names of its functions
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    named = [line for line in lines if not line.startswith(("Exception encountered", "Arguments received", "•"))]
    return next(iter(named or lines), type(error).__name__)


def _check_logits(reference: keras.Model, rows: InputBatch) -> None:
    """Raises `InputError` if a model gives probabilities on real texts, whatever its last layer is."""
    scores = keras_logits(reference, rows)
    if scores.ndim == 3:
        scores = scores[rows[TOKENS] != 0]
    if len(scores) and scores.min() >= 0 and np.abs(scores.sum(axis=-1) - 1).max() < PROBABILITY_TOLERANCE:
        raise InputError(
            "model: gives probabilities, as its scores of each text are positive and sum to 1; end the model at its "
            "logits, before the softmax"
        )


def _check_tables(lowered: keras.Model, encoder: TokenEncoder) -> None:
    """Raises `InputError` if the id of a word, character or shape has no row in its table."""
    inputs = named_inputs(lowered)
    for name, known in (("characters", "char_ids"), ("shapes", "shape_ids")):
        if (known in encoder.inputs) != (known in inputs):
            raise InputError(f"encoder: must have {name} where the model takes {known}, and only there")
    letters = 0 if encoder.characters is None else len(encoder.characters)
    for layer in flat_layers(lowered):
        if isinstance(layer, CharacterCNN):
            entries, rows, what = letters, layer.vocabulary_size, "characters"
        elif isinstance(layer, keras.layers.Embedding) and encoder.shapes and layer.input is inputs["shape_ids"]:
            entries, rows, what = SHAPES, layer.input_dim, "shapes of words"
        elif isinstance(layer, keras.layers.Embedding):
            entries, rows, what = len(encoder.vocabulary), layer.input_dim, "tokens"
        else:
            continue
        if rows < entries:
            raise InputError(f"vocabulary: {entries} {what}, but layer {layer.name!r} has {rows} rows")


def _check_rows(signatures: Mapping[str, SignatureTensors], encoder: TokenEncoder) -> None:
    """Raises `InputError` if a table has a row without an entry of the encoder. The runtime refuses such a bundle."""
    entries = table_entries(encoder)
    for tensors in signatures.values():
        for name, counts in tensors.table_rows.items():
            file, count = entries[name]
            for rows in counts - {count}:
                raise InputError(
                    f"model: looks {name} up in a table of {rows} rows, but {file} has {count} entries for them; give "
                    "the vocabulary that the model was trained with, and make its table of as many rows"
                )
