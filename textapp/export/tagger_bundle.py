"""The bundle of a tagger: from a text to its entities, slots or parts of speech."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from textapp.errors import InputError
from textapp.export.bundle import Save, names_file, write_bundle
from textapp.export.characters import CharacterLookupCNN
from textapp.export.comparison import Logits
from textapp.export.conversion import Recipe
from textapp.export.embedding import EmbeddingLookup
from textapp.export.lowering import Lowering, leaves
from textapp.export.rows import TOKENS, Text, named_inputs
from textapp.files import write_json
from textapp.layers import CRF
from textapp.models.ner import without_crf
from textapp.tasks.tagging.scores import tag_scores, token_accuracy
from textapp.text.tag_set import TagSet
from textapp.text.token_encoder import TokenEncoder
from textapp.text.tokenizer import Tokenizer
from textapp.text.word_shape import SHAPES

VOCABULARY, TAGS, CHARACTERS, SCORES = "vocabulary.txt", "tags.txt", "characters.txt", "crf.json"
BUNDLE_INPUTS = (TOKENS, "char_ids", "shape_ids")


def export_tagger_bundle(
    model: keras.Model,
    folder: str | os.PathLike[str],
    *,
    tokenizer: Tokenizer,
    encoder: TokenEncoder,
    tag_set: TagSet,
    lengths: Sequence[int],
    sentences: Sequence[Sequence[str]],
    true_tags: Sequence[Sequence[str]] | None = None,
    retokenize: bool = False,
    recipe: Recipe = "dynamic_wi8_afp32",
    lowering: Lowering = "fused",
    lineage: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Path:
    """Lowers, converts and checks a tagger, and writes its bundle. Nothing is kept unless every check passes.

    The file ends in the logits of each tag. Sequences are decoded outside of it, with the CRF's scores from the bundle:
    a device pays for the tokens that a text has and not for its padding, and can also tell how sure it is.

    Args:
        model: A functional Keras model as of `textapp.models.ner.entity_tagger`, from `token_ids` and, with characters
            or shapes, `char_ids` and `shape_ids`, to the potentials `(B, T, K)` of a last layer `CRF`, or to logits
            `(B, T, K)`.
        folder: Where the bundle goes.
        tokenizer: What cuts texts into tokens, without lower-casing them.
        encoder: What the model knows tokens by.
        tag_set: Its tags, in the order of the logits.
        lengths: Text lengths in tokens, a signature each. A device takes the shortest that fits, and cuts longer texts
            into overlapping pieces.
        sentences: Real sentences, some hundred, on which the file must agree with Keras, of tokens as the model knows
            them. Longer ones than the longest signature are cut.
        true_tags: Their true tags, IOB2 or plain; with them, bundle.json gets the scores before and after. Types
            that the model lacks count as missed, as in `textapp evaluate`.
        retokenize: Whether the model knows the tokens of corpora by the pieces that `tokenizer` cuts them into; for who
            evaluates the bundle on one.
        recipe: How weights are stored; see `convert`.
        lowering: How recurrent layers run; see `lower`.
        lineage: What was done to the model before, for reports: `Lineage.to_dict()` of `textapp.compress.lineage`.
        overwrite: Whether a bundle that is already there may be replaced.

    Returns:
        The folder.

    Raises:
        InputError: An argument does not fit the model, or `folder` exists.
        ExportError: The converted file fails a check.

    Reference:
        Viterbi 1967; Lafferty et al. 2001, Conditional Random Fields.
    """
    if tokenizer.lowercase:
        raise InputError(
            "tokenizer: must keep capitals, Tokenizer(lowercase=False); words are lower-cased by the encoder"
        )
    if not any(sentences):
        raise InputError("sentences: at least one real sentence is needed to check the export")
    sentences = [sentence for sentence in sentences if sentence]
    scoring, crf = without_crf(model)
    _check_tags(scoring, tag_set)
    if true_tags is not None and [len(tags) for tags in true_tags] != [len(sentence) for sentence in sentences]:
        raise InputError("true_tags: must be a tag for each token of each sentence")
    files: dict[str, Save] = {VOCABULARY: encoder.vocabulary.save, TAGS: names_file(tag_set.tags)}
    if encoder.characters is not None:
        files[CHARACTERS] = encoder.characters.save
    if crf is not None:
        files[SCORES] = lambda path: write_json(path, crf_scores(crf))
    longest = max(lengths, default=1)
    true = None if true_tags is None else [tags[:longest] for tags in true_tags]
    form = encoder.form
    return write_bundle(
        scoring,
        folder,
        files=files,
        description={
            "task": "tagging",
            "lineage": lineage,
            "tokenizer": tokenizer.to_dict(),
            "word_form": {
                "lowercase": form.lowercase,
                "zero_digits": form.zero_digits,
                "normalization": form.normalization,
            },
            "max_characters": None if encoder.characters is None else encoder.max_characters,
            "shapes": encoder.shapes,
            "retokenize": retokenize,
            "tag_scheme": tag_set.scheme,
            "crf": crf is not None,
        },
        lengths=lengths,
        texts=[_encoded(sentence, encoder) for sentence in sentences],
        check_lowered=lambda lowered: _check_tables(lowered, encoder),
        score=lambda logits: _compare_tags(logits, crf, tag_set, true),
        recipe=recipe,
        lowering=lowering,
        overwrite=overwrite,
        max_characters=encoder.max_characters,
    )


def crf_scores(crf: CRF) -> dict[str, Any]:
    """What a decoder needs besides the logits: `transitions` `(K, K)`, `start` and `end` `(K,)`, as lists."""
    scores = {"transitions": crf.transition_scores(), "start": crf.start_scores(), "end": crf.end_scores()}
    return {name: np.asarray(values, np.float32).tolist() for name, values in scores.items()}


def _encoded(sentence: Sequence[str], encoder: TokenEncoder) -> Text:
    """A sentence as the model's inputs."""
    return {name: np.array(ids, np.int32) for name, ids in encoder.encode(sentence).items()}


def _compare_tags(
    logits: Logits, crf: CRF | None, tag_set: TagSet, true: Sequence[Sequence[str]] | None
) -> dict[str, Any]:
    """Scores a tagger before and after its conversion: the share of tags that are the same, and those of `evaluate`."""
    tags = {name: [tag_set.decode(ids) for ids in _best(rows, crf)] for name, rows in logits._asdict().items()}
    count = sum(map(len, tags["before"]))
    scores: dict[str, Any] = {"count": count, "label_agreement": token_accuracy(tags["before"], tags["after"])}
    if true is not None:
        scores |= {name: tag_scores(true, predicted, tag_set) for name, predicted in tags.items()}
    return scores


def _best(logits: Sequence[NDArray[np.float32]], crf: CRF | None) -> list[list[int]]:
    """The ids of the best tags of sentences, for logits `(n, K)` each."""
    if crf is None:
        return [row.argmax(axis=1).tolist() for row in logits]
    lengths = np.array([len(row) for row in logits])
    mask = np.arange(lengths.max()) < lengths[:, None]
    padded_logits = np.zeros((*mask.shape, logits[0].shape[1]), np.float32)
    padded_logits[mask] = np.concatenate(logits)
    best = np.asarray(crf.decode(crf(padded_logits, mask=mask), mask)[0])
    return [row[:length].tolist() for row, length in zip(best, lengths, strict=True)]


def _check_tags(model: keras.Model, tag_set: TagSet) -> None:
    """Raises `InputError` where the model's output or inputs are not those of a tagger with these tags."""
    shape = tuple(model.outputs[0].shape)
    if len(model.outputs) != 1 or len(shape) != 3 or shape[-1] != len(tag_set):
        raise InputError(
            f"model: must give logits (B, T, {len(tag_set)}), or end in a CRF of them, for {len(tag_set)} tags. "
            f"Received: {shape}"
        )
    if foreign := named_inputs(model).keys() - set(BUNDLE_INPUTS):
        raise InputError(
            f"model: its input {min(foreign)!r} is none that a bundle has; known: {', '.join(BUNDLE_INPUTS)}"
        )


def _check_tables(lowered: keras.Model, encoder: TokenEncoder) -> None:
    """Raises `InputError` where an id of a word or character has no row in a table."""
    letters = 0 if encoder.characters is None else len(encoder.characters)
    inputs = named_inputs(lowered)
    for name, known in (("characters", "char_ids"), ("shapes", "shape_ids")):
        if (known in encoder.inputs) != (known in inputs):
            raise InputError(f"encoder: must have {name} where the model takes {known}, and only there")
    for layer in leaves(lowered):
        if isinstance(layer, EmbeddingLookup) and encoder.shapes and layer.input is inputs["shape_ids"]:
            if layer.input_dim < SHAPES:
                raise InputError(f"model: layer {layer.name!r} has {layer.input_dim} rows for {SHAPES} shapes of words")
            continue
        if isinstance(layer, EmbeddingLookup) and layer.input_dim < len(encoder.vocabulary):
            entries, rows = len(encoder.vocabulary), layer.input_dim
        elif isinstance(layer, CharacterLookupCNN) and layer.vocabulary_size < letters:
            entries, rows = letters, layer.vocabulary_size
        else:
            continue
        raise InputError(f"encoder: {entries} words or characters, but layer {layer.name!r} has {rows} rows")
