"""Exports finished runs as bundles."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from textapp.compress.lineage import Lineage
from textapp.data.batches import bucket_widths
from textapp.errors import InputError, quoted
from textapp.export.bundle import export_model
from textapp.export.conversion import Recipe
from textapp.export.lowering import Lowering
from textapp.files import read_object
from textapp.training.run import Run, entry
from textapp.training.run_folder import METRICS, read_finished

DEFAULT: tuple[Recipe, Lowering] = ("dynamic_wi8_afp32", "fused")


def export(
    run: str | os.PathLike[str] | Run,
    folder: str | os.PathLike[str],
    *,
    recipe: Recipe | None = None,
    lowering: Lowering | None = None,
    lengths: Sequence[int] | None = None,
    examples: Any = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Exports the model of a run folder, of any task.

    Args:
        run: The run folder, or the run that was loaded from it.
        folder: Where the bundle goes.
        recipe: How weights are stored; see `convert`. By default the recipe that the run was quantized for, or
            `dynamic_wi8_afp32`.
        lowering: How recurrent layers run; see `lower`. By default the lowering that the run was quantized for, or
            `fused`.
        lengths: Input lengths in tokens; by default powers of two and the longest length of the training.
        examples: Examples of the task to check and score the file on; by default the run's sample of its validation
            split.
        overwrite: Whether a bundle that is already there may be replaced.

    Returns:
        The content of `bundle.json`.

    Raises:
        InputError: The run is broken, an argument does not fit it, or the converted file fails a check.
    """
    trained = run if isinstance(run, Run) else Run.load(run)
    known_recipe, known_lowering = quantized_for(trained.folder) or DEFAULT
    longest = trained.config.data.max_tokens
    if lengths and max(lengths) > longest:
        raise InputError(f"lengths {quoted(list(lengths))}: the run was trained on texts of at most {longest} tokens")
    lengths = list(lengths) if lengths else bucket_widths(longest)
    is_sample = not examples  # validation texts, which the final n-grams may know
    examples = examples or trained.sample()
    trained.task.check(examples, trained.targets)
    bundle = export_model(
        trained.task,
        trained.model,
        folder,
        config=trained.config,
        tokenizer=trained.tokenizer,
        encoder=trained.encoder,
        targets=trained.targets,
        lengths=lengths,
        compared=trained.task.compared(trained.config, examples, trained.tokenizer, max(lengths)),
        recipe=recipe or known_recipe,
        lowering=lowering or known_lowering,
        ngrams=trained.ngrams,
        judged=trained.ngrams_of_train if is_sample else trained.ngrams,
        lineage=Lineage.of_run(trained.folder).to_dict(),
        training=trained.metrics,
        scored_on="sample of the validation split" if is_sample else "given examples",
        overwrite=overwrite,
    )
    return read_object(bundle / "bundle.json")


def quantized_for(run: str | os.PathLike[str]) -> tuple[Recipe, Lowering] | None:
    """The recipe and the lowering that a run of `textapp quantize` was rounded for; None for any other run.

    Raises:
        InputError: The run is not finished, or its `metrics.json` does not say for which.
    """
    _, metrics = read_finished(Path(run))
    if metrics.get("quantization") is None:
        return None
    path = Path(run) / METRICS
    recipe, lowering = (entry(path, metrics, "quantization", key) for key in ("recipe", "lowering"))
    if recipe not in get_args(Recipe) or lowering not in get_args(Lowering):
        raise InputError(f'{path}: "quantization" has an unknown recipe or lowering: {recipe!r:.40}, {lowering!r:.40}')
    return recipe, lowering
