"""The whole training of a tagger: tagged files in, a run folder out."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from textapp.config import NerConfig
from textapp.layers import CRFLoss
from textapp.layers.token_loss import TokenLoss
from textapp.models.ner import entity_tagger
from textapp.tasks.tagging.dashboards import tagging_dashboards
from textapp.tasks.tagging.scores import describe_scores, tag_scores
from textapp.text.tag_set import TagSet
from textapp.text.word_shape import SHAPES
from textapp.training import run
from textapp.training.fit import fit
from textapp.training.ner_run import TASK, save_sample, save_text_side
from textapp.training.optimizer import optimizer_of
from textapp.training.progress import Progress
from textapp.training.tag_predictor import TagPredictor
from textapp.training.tag_preparation import PreparedTags, prepare_tags
from textapp.training.task import Task, train_task
from textapp.training.validation_tags import ValidationTags


def train_ner(
    config: NerConfig,
    out: str | os.PathLike[str],
    *,
    train: str | os.PathLike[str],
    valid: str | os.PathLike[str] | None = None,
    test: str | os.PathLike[str] | None = None,
    vectors: str | os.PathLike[str] | None = None,
    force: bool = False,
    report: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
) -> dict[str, Any]:
    """Trains a tagger and leaves a run folder; called again after a crash, it goes on where it was.

    Args:
        config: The settings.
        out: The run folder to make.
        train: Tagged sentences, in any form that `textapp.data.tagged` reads.
        valid: Sentences for early stopping; by default a share of `train`.
        test: Sentences to score at the very end, once.
        vectors: Word vectors to start from, in any form that `textapp.vectors.formats` reads. `embedding_dim` must then
            be theirs or None. Needed by the training alone.
        force: Whether a run that is there already is deleted first.
        report: Is given each line of progress.

    Returns:
        What `metrics.json` says: `valid` and `test` scores, `tags` and their `scheme`, `data`, `vectors` where they
        were given, `history`, `parameters`, `seconds` (those of the process that finished it).

    Raises:
        InputError: A file or a setting is wrong, or `out` holds a finished or another run.
    """
    task = Task(TASK, prepare_tags, build_model, compile_model, fit_tagger, tagger_metrics)
    return train_task(
        task, config, out, train=train, valid=valid, test=test, vectors=vectors, force=force, report=report
    )


def fit_tagger(
    model: keras.Model,
    config: NerConfig,
    folder: Path,
    data: PreparedTags,
    validation: tf.data.Dataset,
    core: keras.Model,
) -> tuple[keras.Model, list[dict[str, float]]]:
    """Trains a compiled model, or goes on with it, and writes all of the run but its metrics.

    Args:
        model: From `build_model`, or one around such a model.
        config: The settings that built it.
        folder: The run.
        data: What to train on.
        validation: The batches of `data.held_out["valid"]`, with the compiled loss's targets.
        core: The model from `build_model`: it alone is kept.

    Returns:
        The model from `build_model` with its best weights, float32, and the logs of each epoch.
    """
    save_text_side(folder, config, data.encoder, data.tag_set)
    save_sample(folder, data.examples["valid"])
    encoded, steps = data.held_out["valid"], data.batches.steps_per_epoch
    scores = ValidationTags(data.examples["valid"], encoded, validation, config.batch_size, data.tag_set)
    history = fit(
        model,
        data.batches,
        validation,
        epochs=config.epochs,
        patience=config.patience,
        checkpoint=folder / run.CHECKPOINT,
        fingerprint=f"{config.to_dict()} {data.fingerprint}",
        monitor=scores.monitor,
        scores=[scores],
        callbacks=[
            Progress(config.epochs, steps, data.tokens),
            *tagging_dashboards(folder / run.LOGS, scores, validation, data.encoder.vocabulary),
        ],
    )

    if config.mixed_precision:  # keep a float32 twin: the policy would follow the model into its export
        half, core = core, build_model(config, data)
        core.set_weights(half.get_weights())
    run.save_model(folder, core)
    return core, history


def tagger_metrics(model: keras.Model, data: PreparedTags, report: Callable[[str], None]) -> dict[str, Any]:
    """Scores the held-out splits: what `metrics.json` says of any tagger."""
    metrics: dict[str, Any] = {"task": TASK, "tags": list(data.tag_set.tags), "scheme": data.tag_set.scheme}
    predictor = TagPredictor(model, data.tag_set)
    for name, part in data.held_out.items():
        metrics[name] = tag_scores(data.examples[name].tags, predictor.predict(part), data.tag_set)
        report(f"{name}: {describe_scores(metrics[name])}")
    return {**metrics, "data": data.counts, "fingerprint": data.fingerprint, "parameters": model.count_params()}


def build_model(config: NerConfig, data: PreparedTags) -> keras.Model:
    """The model that the settings describe, for data; with vectors, which it starts from, of their dimension."""
    characters = None if data.encoder.characters is None else len(data.encoder.characters)
    vectors = None if data.pretrained is None else data.pretrained.table
    return build_tagger(config, len(data.encoder.vocabulary), characters, data.tag_set, vectors)


def build_tagger(
    config: NerConfig,
    vocabulary_size: int,
    character_vocabulary_size: int | None,
    tag_set: TagSet,
    vectors: np.ndarray | None = None,
) -> keras.Model:
    """The same for so many words and characters, None where it does not look into its tokens."""
    embedding_dim = config.embedding_dim if vectors is None else vectors.shape[1]
    if embedding_dim is None:
        raise ValueError("`vectors` must be given where `embedding_dim` is None. Received: None")
    return entity_tagger(
        vocabulary_size,
        len(tag_set),
        embedding_dim=embedding_dim,
        context_filters=config.context_filters or None,
        context_width=config.context_width,
        character_vocabulary_size=character_vocabulary_size,
        character_dim=config.character_dim,
        character_filters=config.character_filters,
        character_width=config.character_width,
        bigram_rows=config.bigrams or None,
        bigram_dim=config.bigram_dim,
        features={"shape_ids": (SHAPES, config.shape_dim)} if config.shapes else None,
        units=config.units,
        num_layers=config.num_layers,
        cell=config.cell,
        word_dropout=config.word_dropout,
        embedding_dropout=config.embedding_dropout,
        character_dropout=config.character_dropout,
        bigram_dropout=config.bigram_dropout,
        dropout=config.dropout,
        crf=config.crf,
        allowed=tag_set.allowed() if config.crf else None,
        vectors=vectors,
        train_embedding=not config.embedding_frozen,
    )


def compile_model(model: keras.Model, config: NerConfig, total_steps: int, core: keras.Model | None = None) -> None:
    """Gives a model the optimizer and the loss that the settings describe.

    Args:
        model: From `build_model`, or one around such a model.
        config: The settings.
        total_steps: Steps of all epochs.
        core: The model from `build_model`, where `model` is one around it.
    """
    core = core or model
    optimizer = optimizer_of(config, core, total_steps)
    # Rows that only fill up a batch of static shape weigh 0 and must not count.
    reduction = "mean_with_sample_weight"
    loss = CRFLoss(core.get_layer("crf"), reduction) if config.crf else TokenLoss(reduction)
    model.compile(optimizer, loss, jit_compile=config.jit_compile)
