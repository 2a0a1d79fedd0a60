"""A finished run trained on with rounded weights: a run folder in, another one out."""

import dataclasses
import hashlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from textapp import __version__
from textapp.compress.config import QuantizeConfig
from textapp.compress.quantization_aware import QuantizationAware
from textapp.compress.rounding import STORED_BITS, stored_bits
from textapp.compress.summary import WeightSummary, summarize
from textapp.config import SentimentConfig
from textapp.data.pipeline import evaluation_batches
from textapp.errors import InputError
from textapp.files import read_bytes, write_json
from textapp.training import run
from textapp.training.evaluate import classification_scores, predict_logits
from textapp.training.fit import fit
from textapp.training.optimizer import optimizer_of
from textapp.training.preparation import Prepared, prepare
from textapp.training.progress import Progress
from textapp.training.strategy import choose_strategy, describe
from textapp.training.tensorboard import EventLog, Histograms, Scalars


def quantize_run(
    config: QuantizeConfig,
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    force: bool = False,
    report: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
) -> dict[str, Any]:
    """Trains a classifier's run on, quantization-aware, and leaves another run; called again, it goes on.

    The files, and every setting but those of `config`, are the run's own. Training computes in float32, since half
    precision would round the very grid that it is about. The weights of the epoch with the best validation accuracy are
    kept, rounded; those of the run itself, rounded, where no epoch is as good. All are measured with rounded weights.

    Args:
        config: The settings.
        source: A finished run of `train_sentiment`.
        out: The run folder to make.
        force: Whether a run that is there already is deleted first.
        report: Is given each line of progress.

    Returns:
        What `metrics.json` says: what `train_sentiment` says, of the rounded model, and `quantization`: the settings,
        the `recipe` to export with, which weights were `kept`, the scores of the run in `float` and rounded without
        training (`post_training`), and each of the `weights` in the file.

    Raises:
        InputError: The run or its files cannot be used any more, or `out` holds a finished or another run.
    """
    source, folder = Path(source), Path(out)
    command, metrics = run.read_finished(source)
    if metrics.get("task") != "sentiment":
        raise InputError(f"{source}: not a run of a classifier; its task is {metrics.get('task')}")
    if "distillation" in command:
        raise InputError(
            f"{source}: a student of `textapp distill`, which cannot be trained on; its file can be rounded: "
            "textapp export --recipe dynamic_wi8_afp32_emb4"
        )
    if folder.resolve() == source.resolve():
        raise InputError(f"{folder}: is the run itself; choose another --out")
    if not command.get("train"):
        raise InputError(f"{source / run.CONFIG}: names no training file; only a run of `train sentiment` can go on")
    command = {
        "settings": command["settings"],
        **{name: command.get(name) for name in ("train", "valid", "test", "vectors")},
        "quantized_from": os.fspath(source),
        "quantize": config.to_dict(),
    }
    with run.reserved(folder, command, force):
        return _quantize(config, source, folder, command, force, report)


def _quantize(
    config: QuantizeConfig,
    source: Path,
    folder: Path,
    command: dict[str, Any],
    force: bool,
    report: Callable[[str], None],
) -> dict[str, Any]:
    """Trains into a folder that is this process's alone."""
    began = time.monotonic()
    settings = SentimentConfig.from_dict(command["settings"], os.fspath(source / run.CONFIG))
    start = hashlib.sha256(read_bytes(source / run.MODEL)).hexdigest()
    # Loading draws the dropout's seeds. With the run's own seed its masks would come again over the same batches: the
    # model knows these by heart (96 % of SST-2's training texts right where other masks leave 90 %).
    keras.utils.set_random_seed(int(start[:8], 16))
    strategy = choose_strategy()
    with strategy.scope():
        trained = run.Run.load(source)
    model = trained.model
    data = prepare(settings, command["train"], command["valid"], command["test"], report, command["vectors"])
    _check_data(data, trained, command["train"])
    steps = data.batches.steps_per_epoch
    total = config.epochs * steps
    with strategy.scope():
        aware = QuantizationAware(
            model,
            config.bits,
            config.embedding_bits,
            config.lowering,
            delay=round(config.delay * total),
            freeze=None if config.freeze == 1 or not total else max(1, round(config.freeze * total)),
        )
        compile_aware(aware, settings, config, steps)

    run.clear(folder, keep_progress=not force)
    write_json(folder / run.CONFIG, {**command, "textapp_version": __version__})
    run.save_text_side(folder, trained.tokenizer, trained.vocabulary, trained.labels)
    run.save_sample(folder, data.sample)
    floats = model.get_weights()
    scores = {"float": _scores(model, data)}
    aware.snap()
    scores["post_training"] = _scores(model, data)
    model.set_weights(floats)
    for name, parts in scores.items():
        report(f"{name.replace('_', '-')}: {_in_words(parts)}")

    history: list[dict[str, float]] = []
    if config.epochs:
        report(f"training on {describe(strategy)} with rounded weights: {steps:,} steps an epoch")
        log = EventLog(folder / run.LOGS)
        history = fit(
            aware,
            data.batches,
            evaluation_batches(data.held_out["valid"], settings.batch_size, data.widths, settings.static_shapes),
            epochs=config.epochs,
            patience=config.patience,
            checkpoint=folder / run.CHECKPOINT,
            fingerprint=f"{config.to_dict()} {data.fingerprint} {start}",
            callbacks=[Progress(config.epochs, steps, data.tokens), Scalars(log), Histograms(log)],
        )
    rounding_alone = scores["post_training"]["valid"]["accuracy"]
    is_trained = any(epoch["val_accuracy"] >= rounding_alone for epoch in history)
    if not is_trained:
        model.set_weights(floats)
        if history:
            report("no epoch was as good on the validation split as rounding alone, which is kept")
    weights = snap_and_summarize(aware)
    run.save_model(folder, model)
    own = _scores(model, data)
    if is_trained:
        report(f"quantization-aware: {_in_words(own)}")
    metrics = {
        "task": "sentiment",
        "labels": trained.labels,
        **own,
        "data": data.counts,
        "parameters": model.count_params(),
        "quantization": {
            **config.to_dict(),
            "recipe": recipe_of(aware),
            "kept": "quantization_aware" if is_trained else "post_training",
            **scores,
            "bytes": sum(weight.bytes for weight in weights),
            "weights": [weight.to_dict() for weight in weights],
        },
    }
    return run.finish(folder, metrics, history, began)


def compile_aware(aware: QuantizationAware, settings: SentimentConfig, config: QuantizeConfig, steps: int) -> None:
    """Compiles as `train_sentiment` does, for another number of epochs at another learning rate.

    Args:
        aware: The model, around one of `build_model`.
        settings: Of the run.
        config: Of its quantization.
        steps: Steps an epoch.
    """
    changed = dataclasses.replace(
        settings,
        epochs=max(1, config.epochs),
        learning_rate=config.learning_rate,
        warmup=config.warmup,
        freeze_epochs=0,  # word vectors that stood still at first have begun to move, or never will
    )
    optimizer = optimizer_of(changed, aware.model, changed.epochs * steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="mean_with_sample_weight")
    accuracy = keras.metrics.SparseCategoricalAccuracy("accuracy")
    aware.compile(optimizer, loss, weighted_metrics=[accuracy], jit_compile=settings.jit_compile)


def snap_and_summarize(aware: QuantizationAware) -> list[WeightSummary]:
    """Ends a training with `snap`, and tells what it changed and what the file will weigh."""
    before = [weight.variable.numpy() for weight, _ in aware.plan]
    aware.snap()
    return summarize(aware.plan, before, [weight.variable.numpy() for weight, _ in aware.plan])


def recipe_of(aware: QuantizationAware) -> str:
    """The export's recipe that stores the embedding rows in the bits that they were trained in."""
    rows = [stored_bits(w.groups, bits) for w, bits in aware.plan if w.groups is not None and w.is_table and bits]
    packed = min(rows, default=STORED_BITS)
    return "dynamic_wi8_afp32" if packed == STORED_BITS else f"dynamic_wi8_afp32_emb{packed}"


def _check_data(data: Prepared, trained: run.Run, path: str) -> None:
    """Raises `InputError` where the run's files are not those any more that it was trained on."""
    if data.vocabulary.tokens != trained.vocabulary.tokens or data.labels != trained.labels:
        raise InputError(
            f"{path}: gives another vocabulary or other labels than the run has; the file has changed since"
        )


def _scores(model: keras.Model, data: Prepared) -> dict[str, Any]:
    """The scores on each held-out split."""
    return {
        name: classification_scores(part.labels, predict_logits(model, part)) for name, part in data.held_out.items()
    }


def _in_words(scores: dict[str, Any]) -> str:
    """The accuracies of some splits."""
    return ", ".join(f"{name} accuracy {part['accuracy']:.4f}" for name, part in scores.items())
