"""The scores of a model on the held-out splits of a training."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import numpy as np

from textapp.config import ModelConfig
from textapp.task import Report, Task
from textapp.training.outputs import RowOutputs
from textapp.training.prepare import Prepared


class Scored(NamedTuple):
    """The scores of a model.

    Attributes:
        splits: The scores of each held-out split.
        targets: The targets of the model, with the decision rule chosen on the validation split.
    """

    splits: dict[str, dict[str, Any]]
    targets: Any


def held_out_metrics(
    task: Task[Any, Any, Any], config: ModelConfig, model: keras.Model, data: Prepared, report: Report
) -> dict[str, Any]:
    """Scores the held-out splits, and returns the entries of `metrics.json` for any model of the task."""
    decoded = decode_splits(task, model, data)
    scores = score_decoded(task, data, decoded)
    for name, part in scores.splits.items():
        report(f"{name}: {task.describe_scores(part)}")
    task.report_decisions(
        config, data.examples["valid"], data.held_out["valid"], decoded["valid"], scores.targets, report
    )
    return model_metrics(task, model, data, scores)


def score_splits(task: Task[Any, Any, Any], model: keras.Model, data: Prepared) -> Scored:
    """Scores a model, with its current weights, on each held-out split."""
    return score_decoded(task, data, decode_splits(task, model, data))


def decode_splits(task: Task[Any, Any, Any], model: keras.Model, data: Prepared) -> dict[str, np.ndarray]:
    """The results of `Task.decoded` for all rows of each held-out split."""
    outputs = RowOutputs(model, task.decoded(model), task.unit == "token")
    return {name: outputs(part) for name, part in data.held_out.items()}


def score_decoded(task: Task[Any, Any, Any], data: Prepared, decoded: Mapping[str, np.ndarray]) -> Scored:
    """Scores results as of `Task.decoded` for all rows of each held-out split."""
    targets = task.calibrated(data.examples["valid"], data.held_out["valid"], decoded["valid"], data.targets)
    return Scored(
        {name: task.score(data.examples[name], data.held_out[name], decoded[name], targets) for name in decoded},
        targets,
    )


def model_metrics(task: Task[Any, Any, Any], model: keras.Model, data: Prepared, scores: Scored) -> dict[str, Any]:
    """The entries of `metrics.json` for a model with these scores, without those of the training."""
    return {
        "task": task.name,
        **task.describe_targets(scores.targets),
        **scores.splits,
        "data": data.counts,
        "fingerprint": data.fingerprint,
        "parameters": model.count_params(),
    }
