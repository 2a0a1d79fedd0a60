"""Finished runs as bundles."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from textapp.compress.lineage import Lineage
from textapp.data.readers import Examples, check_labels
from textapp.data.tagged import TaggedExamples
from textapp.data.tagged_splits import cut_sentences, retokenized
from textapp.errors import InputError
from textapp.export.classifier_bundle import export_bundle
from textapp.export.conversion import Recipe
from textapp.export.lowering import Lowering
from textapp.export.tagger_bundle import export_tagger_bundle
from textapp.training.ner_run import NerRun
from textapp.training.preparation import bucket_widths
from textapp.training.run import Run, read_finished

DEFAULT: tuple[Recipe, Lowering] = ("dynamic_wi8_afp32", "fused")


def export_run(
    run: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    recipe: Recipe | None = None,
    lowering: Lowering | None = None,
    lengths: Sequence[int] | None = None,
    examples: Examples | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Exports the classifier of a run folder.

    Args:
        run: The run folder.
        folder: Where the bundle goes.
        recipe: How weights are stored; see `convert`. By default `dynamic_wi8_afp32`, or as the run was quantized for.
        lowering: How recurrent layers run; see `lower`. By default `fused`, or as the run was quantized for.
        lengths: Text lengths in tokens; by default powers of two and the longest that the model was trained on.
        examples: Labelled texts to check and score the file on; by default the run's sample of its validation split.
        overwrite: Whether a bundle that is already there may be replaced.

    Returns:
        What `bundle.json` says.

    Raises:
        InputError: The run is broken, an argument does not fit it, or the converted file fails a check.
    """
    trained = Run.load(run)
    own_recipe, own_lowering = quantized_for(run) or DEFAULT
    examples = examples or trained.sample
    check_labels(examples, trained.labels)
    bundle = export_bundle(
        trained.model,
        folder,
        tokenizer=trained.tokenizer,
        vocabulary=trained.vocabulary,
        labels=trained.labels,
        lengths=_lengths(lengths, trained.config.max_tokens),
        texts=examples.texts,
        true_labels=examples.labels,
        recipe=recipe or own_recipe,
        lowering=lowering or own_lowering,
        lineage=Lineage.of_run(run).to_dict(),
        overwrite=overwrite,
    )
    return _description(bundle)


def export_tagger_run(
    run: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    recipe: Recipe | None = None,
    lowering: Lowering | None = None,
    lengths: Sequence[int] | None = None,
    examples: TaggedExamples | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Exports the tagger of a run folder.

    Args, Returns and Raises are those of `export_run`; `examples` are tagged sentences.
    """
    trained = NerRun.load(run)
    own_recipe, own_lowering = quantized_for(run) or DEFAULT
    lengths = _lengths(lengths, trained.config.max_tokens)
    examples = examples or trained.sample
    if trained.config.retokenize:
        examples, _ = retokenized(examples, trained.tokenizer)
    sentences, tags = cut_sentences(examples, max(lengths))
    bundle = export_tagger_bundle(
        trained.model,
        folder,
        tokenizer=trained.tokenizer,
        encoder=trained.encoder,
        tag_set=trained.tag_set,
        lengths=lengths,
        sentences=sentences,
        true_tags=tags,
        retokenize=trained.config.retokenize,
        recipe=recipe or own_recipe,
        lowering=lowering or own_lowering,
        lineage=Lineage.of_run(run).to_dict(),
        overwrite=overwrite,
    )
    return _description(bundle)


def quantized_for(run: str | os.PathLike[str]) -> tuple[Recipe, Lowering] | None:
    """The recipe and the lowering that a run of `textapp quantize` was rounded for; None of any other run."""
    _, metrics = read_finished(Path(run))
    quantization = metrics.get("quantization")
    return quantization and (quantization["recipe"], quantization["lowering"])


def _lengths(lengths: Sequence[int] | None, longest: int) -> list[int]:
    """The lengths that were asked for, or the default. Raises `InputError` where the run never saw such long texts."""
    if lengths and max(lengths) > longest:
        raise InputError(f"lengths {list(lengths)}: the run was trained on texts of at most {longest} tokens")
    return list(lengths) if lengths else bucket_widths(longest)


def _description(bundle: Path) -> dict[str, Any]:
    """What bundle.json says."""
    description: dict[str, Any] = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))
    return description
