"""The whole training of a model of any task, from files to a run folder."""

import os
import sys
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from textapp.config import ModelConfig
from textapp.dashboards import BaselineScalars
from textapp.data.batches import TrainingBatches, evaluation_batches
from textapp.data.rows import EncodedRows
from textapp.models.model import text_model
from textapp.task import Files, Report, Task, task
from textapp.text.characters import counted
from textapp.text.token_encoder import TokenEncoder
from textapp.training import run, run_folder
from textapp.training.adversarial import with_adversary
from textapp.training.automatic import choose_settings
from textapp.training.baseline import report_baseline, with_baseline
from textapp.training.fit import fit
from textapp.training.initial import InitialRun, Start
from textapp.training.ngram_model import with_ngram_model
from textapp.training.optimizer import optimizer_of
from textapp.training.prepare import Prepared, prepare_splits, read_splits
from textapp.training.pretrained import check_settings, describe_embedding_training
from textapp.training.progress import Progress
from textapp.training.scores import describe_result, held_out_metrics
from textapp.training.strategy import StrategyName, choose_strategy, describe, precision
from textapp.training.validation import ValidationScores
from textapp.training.workers import as_worker, is_chief


@as_worker
def train(
    task_name: str,
    config: ModelConfig | None,
    out: str | os.PathLike[str],
    *,
    train: str | os.PathLike[str],
    valid: str | os.PathLike[str] | None = None,
    test: str | os.PathLike[str] | None = None,
    vectors: str | os.PathLike[str] | None = None,
    init: str | os.PathLike[str] | Start | None = None,
    fixed: Collection[str] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    strategy: StrategyName = "auto",
    force: bool = False,
    report: Report = lambda line: print(line, file=sys.stderr, flush=True),
) -> dict[str, Any]:
    """Trains a model and writes a run folder. The same call resumes a training that was killed.

    Args:
        task_name: `classification` or `tagging`, see `textapp.task.names`.
        config: The settings, of the class `Task.config`. None: those that suit the training examples, as without
            `--preset`, or those of the run of `init`.
        out: The run folder to make.
        train: Training examples, in any form that the task reads.
        valid: Examples for early stopping; by default a share of `train`.
        test: Examples to score once, after the training.
        vectors: Word vectors to start from, in any format of `textapp.vectors.formats`. `embedding_dim` must be their
            dimension or None. Only the training needs the file: the finished run and its export do not.
        init: Where to start; by default at random weights or the given vectors. A path is that of a finished run: its
            weights, words and targets stay, new words and targets follow. The settings must be those of
            `InitialRun.config`, except for `textapp.training.initial.FREE_SETTINGS` and those of the training and of
            reading files. `test` is then by default the test file of that run.
        fixed: Names of the settings that stay as `config` has them. The others are chosen from the training examples by
            `textapp.training.automatic`, except those for reading files, and are reported with their reasons. By
            default all settings stay.
        callbacks: Keras callbacks of your own. They run after those of textapp, so that the logs of an epoch have all
            scores.
        strategy: The devices that train, see `textapp.training.strategy.choose_strategy`.
        force: Whether an existing run is deleted first.
        report: Receives each line of progress.

    Returns:
        The content of `metrics.json`: `task`, its targets, `valid` and `test` scores and their confidence `intervals`,
        `baseline`, `ngrams` if there are any, `data`, `target_counts` of the training split, `vectors` and `init` if
        given, `history`, the score to `monitor` that chose the best epoch, `parameters`, and `seconds` of the process
        that finished the training. `init` has `path` and `sha256` of the run, `new_words` (a number), `new_targets`,
        `without_examples` (targets of the run that the training split lacks), and in `scores` for each held-out file
        those of the run (`before`) and of the new model (`after`) on the same examples, and how many were `left_out`,
        because the run lacks their targets.

    Raises:
        InputError: A file or a setting is wrong, or `out` holds a finished run or another one.
    """
    found, folder = task(task_name), Path(out)
    start = Start() if init is None else init if isinstance(init, Start) else InitialRun.open(found, init)
    if config is None:
        config, fixed = start.default(found, vectors)
    start.check(config, folder, vectors)
    found.check_installed(config)
    files = start.with_test(Files(train, valid, test, vectors), config, report)
    command: dict[str, Any] = {
        "task": found.name,
        "settings": config.to_dict(),
        **named_files(files),
        **start.entry,
    }
    if fixed is not None:
        defaults = found.config()
        command[run_folder.FIXED] = {
            name: value for name, value in command["settings"].items() if name in fixed or value != defaults.get(name)
        }
    with run_folder.reserved(folder, command, force):
        began = time.monotonic()
        start.check_vectors(config, vectors)
        keras.utils.set_random_seed(start.seed(config))

        train_examples, held_out = read_splits(found, config, files, report)
        more = {}
        if fixed is not None:
            resumed = None if force else run_folder.resumed_settings(folder, command)
            if resumed is None:
                profile = found.profile(config, files, train_examples, held_out)
                config, reasons = choose_settings(profile, config, fixed, report)
            else:
                config, reasons = found.config.from_run(resumed[0], str(folder / run_folder.CONFIG)), resumed[1]
                report("settings: as they were chosen when this training began")
            check_settings(config, vectors)
            command["settings"], more[run_folder.CHOSEN] = config.to_dict(), reasons
        known = start.known
        data = prepare_splits(found, config, files, train_examples, held_out, report, known)
        del train_examples
        steps = data.batches.steps_per_epoch
        devices = choose_strategy(strategy)
        trained, model = compiled_model(found, config, data, devices, start)
        before = start.before(data, files, report)
        # Files and settings are valid: only now delete an old run.
        run_folder.begin(folder, command, force, **more)
        if data.pretrained is not None:
            report(f"word vectors: {describe_embedding_training(config.training)}")
        size = f"{model.count_params():,} parameters, {counted(steps, 'step')} an epoch"
        report(f"training on {describe(devices)}: {size}")
        if config.training.baseline:
            data = with_baseline(found, config, data, report)
        rows = data.batches.rows if isinstance(data.batches, TrainingBatches) else None
        data = with_ngram_model(config, rows, data, report, None if known is None else known.unbiased(valid).ngrams)

        valid_rows = data.held_out["valid"]
        model, history = fit_model(
            found, config, folder, data, trained, model, valid_rows, report, start.fingerprint, callbacks=callbacks
        )
        metrics = held_out_metrics(found, config, model, data, folder, report)
        if data.baseline is not None:
            report_baseline(found, config, data, metrics, len(history), report)
            metrics["baseline"] = data.baseline
        if data.pretrained is not None:
            metrics["vectors"] = data.pretrained.summary
        report(f"\n{describe_result(found, data, metrics)}")

        def new_run() -> run.Run:
            targets = found.read_targets(folder, metrics)
            ngrams = run.load_ngrams(folder, metrics, len(targets.names))
            return run.Run(
                folder,
                found,
                model,
                config,
                data.tokenizer,
                data.encoder,
                targets,
                command,
                metrics,
                ngrams,
                run.load_ngrams_of_train(folder, len(targets.names)) or ngrams,
            )

        metrics |= start.compare(new_run, data, before, report)
        return run.finish(folder, metrics, history, began)


def named_files(files: Files) -> dict[str, str | None]:
    """The paths of the files, as `config.json` holds them."""
    return {name: None if path is None else os.fspath(path) for name, path in files._asdict().items()}


def build_model(task: Task[Any, Any, Any], config: ModelConfig, data: Prepared) -> keras.Model:
    """Builds the model of the settings for the data. With pretrained vectors, it starts from them."""
    table = None if data.pretrained is None else data.pretrained.table
    return model_of(task, config, data.encoder, data.targets, table)


def model_of(
    task: Task[Any, Any, Any],
    config: ModelConfig,
    encoder: TokenEncoder,
    targets: Any,
    vectors: Any = None,
    vocabulary_size: int | None = None,
) -> keras.Model:
    """Builds the model of the settings for a token encoder, or for another number of words than the encoder has."""
    return text_model(
        config.words,
        config.encoder,
        task.head(config, targets),
        vocabulary_size=vocabulary_size or len(encoder.vocabulary),
        character_vocabulary_size=None if encoder.characters is None else len(encoder.characters),
        vectors=vectors,
        train_embedding=not config.training.embedding_frozen,
    )


def compiled_model(
    task: Task[Any, Any, Any],
    config: ModelConfig,
    data: Prepared,
    devices: tf.distribute.Strategy,
    start: Start,
) -> tuple[keras.Model, keras.Model]:
    """Builds and compiles the model of the settings for true targets, with the first weights of a start.

    Returns:
        The model to `fit`, which may wrap the other one, and the model from `build_model`.
    """
    total_steps = config.training.epochs * data.batches.steps_per_epoch
    with devices.scope(), precision(config.training.mixed_precision):
        model = build_model(task, config, data)
        start.set_weights(model, data)
        trained = with_adversary(model, config.training.adversarial)
        compile_model(trained, task, config, total_steps, task.loss(config, model, data.target_counts), model)
    return trained, model


def compile_model(
    trained: keras.Model,
    task: Task[Any, Any, Any],
    config: ModelConfig,
    total_steps: int,
    loss: keras.losses.Loss,
    model: keras.Model,
) -> None:
    """Compiles a model with the optimizer of the settings, a loss, and the task's metrics.

    Args:
        trained: The model to `fit`: `model` itself, or a model that wraps it.
        task: The task.
        config: The settings.
        total_steps: Steps of all epochs of a cycle.
        loss: The loss.
        model: From `build_model`.
    """
    optimizer = optimizer_of(config.training, model, total_steps)
    # Rows that only fill a batch of static shape have weight 0: loss and metrics must not count them.
    trained.compile(optimizer, loss, weighted_metrics=task.metrics() or None, jit_compile=config.training.jit_compile)


def fit_model(
    task: Task[Any, Any, Any],
    config: ModelConfig,
    folder: Path,
    data: Prepared,
    trained: keras.Model,
    model: keras.Model,
    valid: EncodedRows,
    report: Report,
    start: str = "",
    probe: tuple[Any, Any] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> tuple[keras.Model, list[dict[str, float]]]:
    """Trains a compiled model, or resumes its training, and writes all files of the run except its metrics.

    Args:
        task: The task.
        config: The settings of the model.
        folder: The run folder.
        data: The data of the training.
        trained: The compiled model.
        model: The model from `build_model`: only this one is saved.
        valid: The validation split, with targets for the compiled loss.
        report: Receives each line of progress.
        start: Identifies the weights of a run that the training starts from; empty for random ones.
        probe: Inputs and targets for gradient norms; by default some of the validation split.
        callbacks: Callbacks of the user.

    Returns:
        The model from `build_model` with its best weights, float32, and the logs of each epoch.
    """
    training = config.training
    run.save_text_side(folder, task, data.tokenizer, data.encoder, data.targets, data.examples["valid"])

    def dashboards(scores: ValidationScores, validation: tf.data.Dataset) -> list[keras.callbacks.Callback]:
        return [
            *([Progress(training.epochs, data.batches.steps_per_epoch, data.num_tokens)] if is_chief() else []),
            *task.dashboards(folder / run_folder.LOGS, data, scores, validation, probe),
            *([] if data.baseline is None else [BaselineScalars(folder / run_folder.LOGS, data.baseline["valid"])]),
            *callbacks,
        ]

    checkpoint = folder / run_folder.CHECKPOINT
    history = fit_scored(task, config, data, trained, model, valid, checkpoint, dashboards, report, start)
    if training.mixed_precision:  # a float32 copy: the export must not have this policy
        half, model = model, build_model(task, config, data)
        model.set_weights(half.get_weights())
    run.save_model(folder, model)
    return model, history


def monitor_of(task: Task[Any, Any, Any], config: ModelConfig, data: Prepared) -> str:
    """The name in the logs of the validation score that chooses the best epoch."""
    return f"val_{task.monitor(config, data.targets, data.target_counts)}"


def fit_scored(
    task: Task[Any, Any, Any],
    config: ModelConfig,
    data: Prepared,
    trained: keras.Model,
    model: keras.Model,
    valid: EncodedRows,
    checkpoint: Path,
    callbacks: Callable[[ValidationScores, tf.data.Dataset], Sequence[keras.callbacks.Callback]],
    report: Report,
    start: str = "",
) -> list[dict[str, float]]:
    """Trains a compiled model with the task's score of the validation split, or resumes its training.

    Args:
        task: The task.
        config: The settings of the model.
        data: The data of the training.
        trained: The compiled model.
        model: The model from `build_model`. It gets its best weights.
        valid: The validation split, with targets for the compiled loss.
        checkpoint: File for the state of the training.
        callbacks: Makes more callbacks from the scores and the batches of the validation split.
        report: Receives each line of progress.
        start: As for `fit_model`.

    Returns:
        The logs of each epoch. They have the score that chose the best epoch under the name `monitor_of`.
    """
    training = config.training
    validation = evaluation_batches(valid, training.batch_size, data.widths, training.static_shapes)
    scores = ValidationScores(
        task,
        model,
        data.examples["valid"],
        data.held_out["valid"],
        validation,
        training.batch_size,
        data.targets,
    )
    return fit(
        trained,
        data.batches,
        validation,
        epochs=training.epochs,
        patience=training.patience,
        checkpoint=checkpoint,
        fingerprint=" ".join(filter(None, (str(config.to_dict()), data.fingerprint, start))),
        monitor=monitor_of(task, config, data),
        scores=[scores],
        callbacks=callbacks(scores, validation),
        cycles=training.cycles,
        report=report,
    )
