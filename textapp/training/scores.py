"""The scores of a model on the held-out splits of a training."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from textapp.config import ModelConfig
from textapp.task import Report, Task
from textapp.text.characters import counted
from textapp.training.ngram_model import weighted, with_ngrams
from textapp.training.outputs import RowOutputs
from textapp.training.prepare import NgramModels, Prepared
from textapp.training.run import save_ngrams

LEAST_WEIGHT = 0.01  # of an encoder: with less it hardly changes a label


class Scored(NamedTuple):
    """The scores of a model.

    Attributes:
        splits: The scores of each held-out split.
        targets: The targets of the model, with the decision rule chosen on the validation split.
        decoded: The results of `Task.decoded` that were scored, of each split.
        ngrams: The linear models beside the encoder, with weights chosen there too; or None.
    """

    splits: dict[str, dict[str, Any]]
    targets: Any
    decoded: Mapping[str, np.ndarray]
    ngrams: NgramModels | None = None


def held_out_metrics(
    task: Task[Any, Any, Any], config: ModelConfig, model: keras.Model, data: Prepared, folder: Path, report: Report
) -> dict[str, Any]:
    """Scores the held-out splits, and writes the linear model of n-grams, if there is one, with its weights.

    Args:
        task: The task.
        config: The settings.
        model: The trained model.
        data: The data of the training.
        folder: The run folder.
        report: Receives each line.

    Returns:
        The entries of `metrics.json` for any model of the task.
    """
    scores = score_splits(task, model, data)
    for name, part in scores.splits.items():
        report(f"{name}: {task.describe_scores(part)}")
    if scores.ngrams is not None:
        encoder, ngrams = scores.ngrams.final.weights
        report(f"n-grams: weights {encoder:.2f} for the encoder and {ngrams:.2f} for n-grams, chosen on valid")
        if encoder < LEAST_WEIGHT:
            report("note: the encoder adds nothing to the n-grams on valid; more epochs or more texts may change that")
        save_ngrams(folder, scores.ngrams.final, scores.ngrams.of_train)
    task.report_decisions(
        config, data.examples["valid"], data.held_out["valid"], scores.decoded["valid"], scores.targets, report
    )
    monitor = task.monitor(config, data.targets, data.target_counts)
    return {**model_metrics(task, model, data, scores), "monitor": monitor}


def describe_result(task: Task[Any, Any, Any], data: Prepared, metrics: Mapping[str, Any]) -> str:
    """The result of a training in one line: the main score of the test split, or where there is none of validation.

    Args:
        task: The task.
        data: The data of the training.
        metrics: From `held_out_metrics`.
    """
    name = "test" if "test" in data.held_out else "valid"
    key, scores, baseline = task.main_score(data.targets), metrics[name], ""
    if data.baseline is not None:
        baseline = f"; the baseline has {data.baseline[name][key]:.4f}"
    count = counted(scores["count"], task.counted(data.targets))
    interval = metrics["intervals"][name].get(key)
    shown = f", 95% interval {interval['low']:.3f} to {interval['high']:.3f}" if interval else ""
    return f"result: {task.main_score_title(data.targets)} {scores[key]:.4f} on {count} of {name}{shown}{baseline}"


def score_splits(task: Task[Any, Any, Any], model: keras.Model, data: Prepared) -> Scored:
    """Scores a model, with its current weights, on each held-out split."""
    outputs = RowOutputs(model, task.decoded(model), task.unit == "token")
    decoded = {name: outputs(part) for name, part in data.held_out.items()}
    if data.ngrams is None:
        return score_decoded(task, data, decoded)
    models = weighted(task, data.ngrams, data.held_out["valid"], decoded["valid"])
    decoded = {
        name: with_ngrams(models.of_train if name == "valid" else models.final, data.held_out[name], part)
        for name, part in decoded.items()
    }
    return score_decoded(task, data, decoded)._replace(ngrams=models)


def score_decoded(task: Task[Any, Any, Any], data: Prepared, decoded: Mapping[str, np.ndarray]) -> Scored:
    """Scores results as of `Task.decoded` for all rows of each held-out split."""
    targets = task.calibrated(data.examples["valid"], data.held_out["valid"], decoded["valid"], data.targets)
    return Scored(
        {name: task.score(data.examples[name], data.held_out[name], decoded[name], targets) for name in decoded},
        targets,
        decoded,
    )


def model_metrics(task: Task[Any, Any, Any], model: keras.Model, data: Prepared, scores: Scored) -> dict[str, Any]:
    """The entries of `metrics.json` for a model with these scores, without those of the training."""
    return {
        "task": task.name,
        **task.describe_targets(scores.targets),
        **scores.splits,
        "intervals": _intervals(task, data, scores),
        "data": data.counts,
        "target_counts": dict(zip(data.targets.names, _counts(data.target_counts), strict=True)),
        "fingerprint": data.fingerprint,
        "parameters": model.count_params(),
        **({} if scores.ngrams is None else {"ngrams": _describe_ngrams(scores.ngrams)}),
    }


def _intervals(task: Task[Any, Any, Any], data: Prepared, scores: Scored) -> dict[str, dict[str, Any]]:
    """The confidence intervals of the scores of each held-out split, ready for JSON."""
    found = {}
    for name, decoded in scores.decoded.items():
        rows = data.held_out[name]
        examples = data.examples[name].select(rows.sources.tolist())
        intervals = task.intervals(examples, task.decisions(rows, decoded, scores.targets), scores.targets)
        found[name] = {key: interval._asdict() for key, interval in intervals.items()}
    return found


def _counts(target_counts: np.ndarray) -> list[int]:
    """How often each target occurs, from `EncodedRows.target_counts`."""
    counts: list[int] = (target_counts if target_counts.ndim == 1 else target_counts[:, 1]).tolist()
    return counts


def _describe_ngrams(ngrams: NgramModels) -> dict[str, Any]:
    """The entry of `metrics.json` for n-grams. The scores on valid are of n-grams that have not learned its texts."""
    knows_valid = ngrams.final.table is not ngrams.of_train.table
    return {"weights": list(ngrams.final.weights), "fitted_to": ["train", "valid"] if knows_valid else ["train"]}
