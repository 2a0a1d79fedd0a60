"""The baseline of a training: a quick model of the same splits, which shows what the trained model must beat."""

import dataclasses
import time
from collections.abc import Mapping
from typing import Any

from textapp.config import LONGEST, ModelConfig
from textapp.data.batches import TrainingBatches
from textapp.settings import MOST
from textapp.task import Report, Task
from textapp.training.prepare import Prepared
from textapp.training.scores import score_decoded

_OF_LOGITS = frozenset({"loss", "ece"})  # scores of probabilities, which margins are not
CUT_OFTEN = 0.1  # share of cut texts above which a larger `max_tokens` is a remedy


def with_baseline(task: Task[Any, Any, Any], config: ModelConfig, data: Prepared, report: Report) -> Prepared:
    """Fits the baseline and scores it on the held-out splits.

    Args:
        task: The task.
        config: The settings.
        data: The data of the training.
        report: Receives each line of progress.

    Returns:
        The data with the scores in `baseline`, and without the training examples, which nothing else needs.
    """
    if not isinstance(data.batches, TrainingBatches):
        report("baseline: left out, because stream=true does not hold the training texts in memory")
        return data
    if config.training.baseline == "crf":
        report("baseline: fitting a CRF; thousands of sentences take minutes")
    began = time.monotonic()
    fitted = task.baseline(config, data.train, data.batches.rows, data.targets, data.tokenizer)
    decoded = {name: fitted.decoded(data.examples[name], rows) for name, rows in data.held_out.items()}
    splits = {name: _figures(scores) for name, scores in score_decoded(task, data, decoded).splits.items()}
    report(f"baseline: {fitted.title}, fitted to {fitted.extent} in {time.monotonic() - began:.1f} s")
    entry = {"model": fitted.title, "fitted_to": fitted.extent, **splits}
    return dataclasses.replace(data, train=None, baseline=entry)


def report_baseline(
    task: Task[Any, Any, Any],
    config: ModelConfig,
    data: Prepared,
    metrics: Mapping[str, Any],
    epochs: int,
    report: Report,
) -> None:
    """Reports the scores of the baseline, and warns if they are better than those of the model.

    Args:
        task: The task.
        config: The settings.
        data: The data of the training, with a baseline.
        metrics: The scores of the trained model on each split.
        epochs: The number of epochs of the training.
        report: Receives each line.
    """
    assert data.baseline is not None
    title, score = task.main_score_title(data.targets), task.main_score(data.targets)
    shown = ", ".join(f"{data.baseline[name][score]:.4f} on {name}" for name in data.held_out)
    report(f"baseline: {data.baseline['model']}, {title} {shown}")
    own, other = metrics["valid"], data.baseline["valid"]
    if is_better(other[score], own[score], other["count"]):
        *first, last = remedies(task, config, data, epochs)
        report(
            f"warning: the baseline is better than the model on valid ({title} {other[score]:.4f} against "
            f"{own[score]:.4f}); try {' or '.join(filter(None, (', '.join(first), last)))}"
        )


def is_better(score: float, other: float, count: int) -> bool:
    """Whether a score is higher than another one by more than one standard error of their difference.

    The error is that of two shares of `count` independent items, p (1 - p) / n for each. Both models see the same
    items, so the true error is mostly smaller. For an F1 score it is an approximation.

    Args:
        score: A score from 0 to 1.
        other: Another score of the same kind.
        count: The number of items that both were computed on.

    Example:
        >>> is_better(0.90, 0.86, 1000), is_better(0.90, 0.86, 100)
        (True, False)
    """
    variance = score * (1 - score) + other * (1 - other)
    return score - other > (variance / max(count, 1)) ** 0.5


def remedies(task: Task[Any, Any, Any], config: ModelConfig, data: Prepared, epochs: int) -> list[str]:
    """What may make a model better, of what its settings do not have yet."""
    training = config.training
    found = []
    # The score still rose, or the training would have ended before.
    if epochs == training.epochs * training.cycles:
        found.append(f"more epochs (--set epochs={min(2 * training.epochs, MOST)})")
    counts, longest = data.counts["train"], config.data.max_tokens
    if task.unit == "text" and counts["cut"] > CUT_OFTEN * counts["count"] and longest < LONGEST:
        found.append(f"longer texts (--set max_tokens={min(2 * longest, LONGEST)})")
    if data.pretrained is None:
        found.append("word vectors (--vectors)")
    return [*found, "another --preset"]


def _figures(scores: Mapping[str, Any]) -> dict[str, Any]:
    """The scores without tables, and without those that mean nothing for margins."""
    return {name: value for name, value in scores.items() if not isinstance(value, dict) and name not in _OF_LOGITS}
