"""What training a classifier and training a tagger have in common: files in, a run folder out."""

import dataclasses
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from textapp import __version__
from textapp.config import NerConfig, SentimentConfig
from textapp.data.pipeline import evaluation_batches
from textapp.files import write_json
from textapp.training import run
from textapp.training.adversarial import with_adversary
from textapp.training.pretrained import check_settings, way_of_training
from textapp.training.strategy import choose_strategy, describe, precision

Config = SentimentConfig | NerConfig


@dataclasses.dataclass(frozen=True)
class Task:
    """The steps in which tasks differ; each is described where it is defined.

    Attributes:
        name: As `config.json` holds it; None where it does not.
        prepare: `(config, train, valid, test, report, vectors)` to the data to train on.
        build: `(config, data)` to the model.
        compile: `(model, config, total_steps)`.
        fit: `(model, config, folder, data, validation, core)` to the model with its best weights and the history.
        score: `(model, data, report)` to what `metrics.json` says of the held-out splits.
    """

    name: str | None
    prepare: Callable[..., Any]
    build: Callable[..., keras.Model]
    compile: Callable[..., None]
    fit: Callable[..., tuple[keras.Model, list[dict[str, float]]]]
    score: Callable[..., dict[str, Any]]


def train_task(
    task: Task,
    config: Config,
    out: str | os.PathLike[str],
    *,
    train: str | os.PathLike[str],
    valid: str | os.PathLike[str] | None,
    test: str | os.PathLike[str] | None,
    vectors: str | os.PathLike[str] | None,
    force: bool,
    report: Callable[[str], None],
) -> dict[str, Any]:
    """Trains a task; arguments, result and errors are those of `train_sentiment` and `train_ner`."""
    folder = Path(out)
    command = {
        **({} if task.name is None else {"task": task.name}),
        "settings": config.to_dict(),
        "train": os.fspath(train),
        "valid": None if valid is None else os.fspath(valid),
        "test": None if test is None else os.fspath(test),
        "vectors": None if vectors is None else os.fspath(vectors),
    }
    with run.reserved(folder, command, force):
        check_settings(config, vectors)
        return _train(task, config, folder, command, force, report)


def _train(
    task: Task, config: Config, folder: Path, command: dict[str, Any], force: bool, report: Callable[[str], None]
) -> dict[str, Any]:
    """Trains into a folder that is this process's alone."""
    began = time.monotonic()
    keras.utils.set_random_seed(config.seed)

    data = task.prepare(config, command["train"], command["valid"], command["test"], report, command["vectors"])
    steps = data.batches.steps_per_epoch
    strategy = choose_strategy()
    with strategy.scope(), precision(config.mixed_precision):
        model = task.build(config, data)
        trained = with_adversary(model, config.adversarial)
        task.compile(trained, config, total_steps=config.epochs * steps)
    # Only now, when files and settings have proved good, may an old run go.
    run.clear(folder, keep_progress=not force)
    write_json(folder / run.CONFIG, {**command, "textapp_version": __version__})
    if data.pretrained is not None:
        report(f"word vectors: {way_of_training(config)}")
    report(f"training on {describe(strategy)}: {model.count_params():,} parameters, {steps:,} steps an epoch")
    validation = evaluation_batches(data.held_out["valid"], config.batch_size, data.widths, config.static_shapes)
    model, history = task.fit(trained, config, folder, data, validation, model)
    metrics = task.score(model, data, report)
    if data.pretrained is not None:
        metrics["vectors"] = data.pretrained.summary
    return run.finish(folder, metrics, history, began)
