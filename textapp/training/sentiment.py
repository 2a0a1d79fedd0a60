"""The whole training of a sentiment model: labelled files in, a run folder out."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from textapp.config import SentimentConfig
from textapp.data.pipeline import evaluation_batches
from textapp.models.sentiment import sentiment_classifier
from textapp.tasks.classification.dashboards import classification_dashboards
from textapp.tasks.classification.scores import classification_scores
from textapp.training import run
from textapp.training.evaluate import predict_logits
from textapp.training.fit import fit
from textapp.training.optimizer import optimizer_of
from textapp.training.preparation import Prepared, prepare
from textapp.training.progress import Progress
from textapp.training.task import Task, train_task

ATTENTION_TEXTS = 8  # of the validation split, drawn with their attention in TensorBoard


def train_sentiment(
    config: SentimentConfig,
    out: str | os.PathLike[str],
    *,
    train: str | os.PathLike[str],
    valid: str | os.PathLike[str] | None = None,
    test: str | os.PathLike[str] | None = None,
    vectors: str | os.PathLike[str] | None = None,
    force: bool = False,
    report: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
) -> dict[str, Any]:
    """Trains a classifier and leaves a run folder; called again after a crash, it goes on where it was.

    Args:
        config: The settings.
        out: The run folder to make.
        train: Labelled examples, in any form that `textapp.data.readers` reads.
        valid: Examples for early stopping; by default a stratified share of `train`.
        test: Examples to score at the very end, once.
        vectors: Word vectors to start from, in any form that `textapp.vectors.formats` reads. `embedding_dim` must then
            be theirs or None. Needed by the training alone: neither the finished run nor its export asks for them.
        force: Whether a run that is there already is deleted first.
        report: Is given each line of progress.

    Returns:
        What `metrics.json` says: `valid` and `test` scores, `data`, `vectors` where they were given, `history`,
        `parameters`, `seconds` (those of the process that finished it).

    Raises:
        InputError: A file or a setting is wrong, or `out` holds a finished or another run.
    """
    task = Task(None, prepare, _build, compile_model, fit_classifier, classifier_metrics)
    return train_task(
        task, config, out, train=train, valid=valid, test=test, vectors=vectors, force=force, report=report
    )


def _build(config: SentimentConfig, data: Prepared) -> keras.Model:
    """The model that the settings describe, for data; with vectors, which it starts from, of their dimension."""
    table = None if data.pretrained is None else data.pretrained.table
    return build_model(config, len(data.vocabulary), len(data.labels), table)


def fit_classifier(
    model: keras.Model,
    config: SentimentConfig,
    folder: Path,
    data: Prepared,
    validation: tf.data.Dataset,
    core: keras.Model,
    probe: tuple[Any, Any] | None = None,
) -> tuple[keras.Model, list[dict[str, float]]]:
    """Trains a compiled model, or goes on with it, and writes all of the run but its metrics.

    Args:
        model: From `build_model`, or one around such a model.
        config: The settings that built it.
        folder: The run.
        data: What to train on.
        validation: What early stopping looks at: batches of the compiled loss's targets.
        core: The model from `build_model`: it alone is kept.
        probe: Inputs and targets for the norms of gradients; by default some of the validation split.

    Returns:
        The model from `build_model` with its best weights, float32, and the logs of each epoch.
    """
    run.save_text_side(folder, data.tokenizer, data.vocabulary, data.labels)
    sample = run.save_sample(folder, data.sample)
    history = fit(
        model,
        data.batches,
        validation,
        epochs=config.epochs,
        patience=config.patience,
        checkpoint=folder / run.CHECKPOINT,
        fingerprint=f"{config.to_dict()} {data.fingerprint}",
        callbacks=[
            Progress(config.epochs, data.batches.steps_per_epoch, data.tokens),
            *classification_dashboards(
                folder / run.LOGS,
                validation=evaluation_batches(
                    data.held_out["valid"], config.batch_size, data.widths, config.static_shapes
                ),
                label_names=data.labels,
                tokenizer=data.tokenizer,
                vocabulary=data.vocabulary,
                texts=[text for text, _ in sample[:: max(1, len(sample) // ATTENTION_TEXTS)]],
                probe=probe,
            ),
        ],
    )
    if config.mixed_precision:  # keep a float32 twin: the policy would follow the model into its export
        half, core = core, _build(config, data)
        core.set_weights(half.get_weights())
    run.save_model(folder, core)
    return core, history


def classifier_metrics(model: keras.Model, data: Prepared, report: Callable[[str], None]) -> dict[str, Any]:
    """Scores the held-out splits: what `metrics.json` says of any classifier."""
    metrics: dict[str, Any] = {"task": "sentiment", "labels": data.labels}
    for name, part in data.held_out.items():
        metrics[name] = classification_scores(part.labels, predict_logits(model, part))
        report(f"{name}: accuracy {metrics[name]['accuracy']:.4f}, macro F1 {metrics[name]['macro_f1']:.4f}")
    return {**metrics, "data": data.counts, "fingerprint": data.fingerprint, "parameters": model.count_params()}


def build_model(
    config: SentimentConfig, vocabulary_size: int, num_classes: int, vectors: np.ndarray | None = None
) -> keras.Model:
    """The model that the settings describe; with vectors `(V, E)`, which it starts from, of their dimension."""
    embedding_dim = config.embedding_dim if vectors is None else vectors.shape[1]
    if embedding_dim is None:
        raise ValueError("`vectors` must be given where `embedding_dim` is None. Received: vectors=None")
    return sentiment_classifier(
        vocabulary_size,
        num_classes,
        embedding_dim=embedding_dim,
        embedding_rank=config.embedding_rank,
        units=config.units,
        num_layers=config.num_layers,
        cell=config.cell,
        attention_units=config.attention_units,
        word_dropout=config.word_dropout,
        embedding_dropout=config.embedding_dropout,
        dropout=config.dropout,
        vectors=vectors,
        train_embedding=not config.embedding_frozen,
    )


def compile_model(
    model: keras.Model, config: SentimentConfig, total_steps: int, core: keras.Model | None = None
) -> None:
    """Gives a model the optimizer, the loss and the metric that the settings describe.

    Args:
        model: From `build_model`, or one around such a model.
        config: The settings.
        total_steps: Steps of all epochs.
        core: The model from `build_model`, where `model` is one around it.
    """
    optimizer = optimizer_of(config, core or model, total_steps)
    # Rows that only fill up a batch of static shape weigh 0: neither loss nor accuracy may count them.
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="mean_with_sample_weight")
    accuracy = keras.metrics.SparseCategoricalAccuracy("accuracy")
    model.compile(optimizer, loss, weighted_metrics=[accuracy], jit_compile=config.jit_compile)
