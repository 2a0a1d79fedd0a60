"""A finished run as a bundle."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from textapp.data.readers import Examples, check_labels
from textapp.errors import InputError
from textapp.export.bundle import export_bundle
from textapp.export.conversion import Recipe
from textapp.export.lowering import Lowering
from textapp.training.preparation import bucket_widths
from textapp.training.run import Run


def export_run(
    run: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    recipe: Recipe = "dynamic_wi8_afp32",
    lowering: Lowering = "fused",
    lengths: Sequence[int] | None = None,
    examples: Examples | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Exports the model of a run folder.

    Args:
        run: The run folder.
        folder: Where the bundle goes.
        recipe: How weights are stored; see `convert`.
        lowering: How recurrent layers run; see `lower`.
        lengths: Text lengths in tokens; by default powers of two and the longest that the model was trained on.
        examples: Labelled texts to check and score the file on; by default the run's sample of its validation split.
        overwrite: Whether a bundle that is already there may be replaced.

    Returns:
        What `bundle.json` says.

    Raises:
        InputError: The run is broken, an argument does not fit it, or the converted file fails a check.
    """
    trained = Run.load(run)
    longest = trained.config.max_tokens
    if lengths and max(lengths) > longest:
        raise InputError(f"lengths {list(lengths)}: the run was trained on texts of at most {longest} tokens")
    examples = examples or trained.sample
    check_labels(examples, trained.labels)
    bundle = export_bundle(
        trained.model,
        folder,
        tokenizer=trained.tokenizer,
        vocabulary=trained.vocabulary,
        labels=trained.labels,
        lengths=lengths or bucket_widths(longest),
        texts=examples.texts,
        true_labels=examples.labels,
        recipe=recipe,
        lowering=lowering,
        overwrite=overwrite,
    )
    description: dict[str, Any] = json.loads((Path(bundle) / "bundle.json").read_text(encoding="utf-8"))
    return description
