"""A finished run trained on with rounded weights: a run folder in, another one out."""

import hashlib
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras

from textapp import __version__
from textapp.compress.config import QuantizeConfig
from textapp.compress.quantization_aware import QuantizationAware
from textapp.compress.quantize_classifiers import Classifier, Student
from textapp.compress.quantize_taggers import Tagger, TaggerStudent
from textapp.compress.quantize_tasks import Task, changed_since, snapped
from textapp.compress.rounding import STORED_BITS, stored_bits
from textapp.compress.summary import WeightSummary, summarize
from textapp.config import LARGEST
from textapp.dashboards import EventLog, Histograms, Scalars
from textapp.errors import InputError
from textapp.files import read_bytes, write_json
from textapp.training import run
from textapp.training.fit import fit
from textapp.training.ner_run import TASK
from textapp.training.progress import Progress
from textapp.training.strategy import choose_strategy, describe

OTHER_SEED = 104_729  # on top of the run's own
TITLES = {"accuracy": "accuracy", "entity_f1": "entity F1"}


def quantize_run(
    config: QuantizeConfig,
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    force: bool = False,
    report: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
) -> dict[str, Any]:
    """Trains a run on, quantization-aware, and leaves another run of its task; called again, it goes on.

    The files, and every setting but those of `config`, are the run's own; a student goes on with its soft labels, which
    stand for its teachers. Training computes in float32, since half precision would round the very grid that it is
    about. The weights of the epoch with the best validation score (accuracy; strict entity F1 of a tagger of spans) are
    kept, rounded; those of the run itself, rounded, where no epoch is as good. All are measured with rounded weights.

    Args:
        config: The settings.
        source: A finished run of `train_sentiment`, `distill`, `train_ner` or of this function.
        out: The run folder to make.
        force: Whether a run that is there already is deleted first.
        report: Is given each line of progress.

    Returns:
        What `metrics.json` says: what it says of any run of the task, of the rounded model, and `quantization`: the
        settings, the `recipe` to export with, which weights were `kept`, the scores of the run in `float`, rounded
        without training (`post_training`) and with it (`quantization_aware`), and each of the `weights` in the file.

    Raises:
        InputError: The run or its files cannot be used any more, or `out` holds a finished or another run.
    """
    source, folder = Path(source), Path(out)
    command, metrics = run.read_finished(source)
    task = task_of(source, command, metrics)
    if folder.resolve() == source.resolve():
        raise InputError(f"{folder}: is the run itself; choose another --out")
    command = {
        # Its teachers are not asked again: `metrics.json` goes on naming them.
        **{key: value for key, value in command.items() if key not in ("teachers", "textapp_version")},
        "quantized_from": os.fspath(source),
        "quantize": config.to_dict(),
    }
    with run.reserved(folder, command, force):
        return _quantize(config, task, source, metrics, folder, command, force, report)


def task_of(source: Path, command: Mapping[str, Any], metrics: Mapping[str, Any]) -> type[Task]:
    """The task of a run, by its `config.json` and `metrics.json`.

    Raises:
        InputError: Its model is none that can be trained on, or it does not name its files.
    """
    task, is_student = metrics.get("task"), "distillation" in command
    if task not in ("sentiment", TASK):
        raise InputError(f"{source}: a run of another task, {task}; must be one of a classifier or tagger")
    if not command.get("train"):
        raise InputError(f"{source / run.CONFIG}: names no training file; only a run that does can go on")
    if task == TASK:
        return TaggerStudent if is_student else Tagger
    return Student if is_student else Classifier


def _quantize(
    config: QuantizeConfig,
    task: type[Task],
    source: Path,
    before: Mapping[str, Any],
    folder: Path,
    command: dict[str, Any],
    force: bool,
    report: Callable[[str], None],
) -> dict[str, Any]:
    """Trains into a folder that is this process's alone."""
    began = time.monotonic()
    start = hashlib.sha256(read_bytes(source / run.MODEL)).hexdigest()
    # Loading draws the dropout's seeds. With the run's own seed its masks would come again over the same batches: the
    # model knows these by heart (96 % of SST-2's training texts right where other masks leave 90 %).
    keras.utils.set_random_seed((command["settings"]["seed"] + OTHER_SEED) % LARGEST)
    strategy = choose_strategy()
    opened = task.open(source, command, strategy, report)
    model, data, metric = opened.model, opened.data, opened.metric
    # What the teachers' insides said, which nobody asks again, stands behind the rest; runs of before have none.
    if not before.get("fingerprint", data.fingerprint).startswith(data.fingerprint):
        raise changed_since(command["train"], "examples")
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
            activation_bits=config.activation_bits or None,
        )
        opened.compile(aware, config)

    run.clear(folder, keep_progress=not force)
    write_json(folder / run.CONFIG, {**command, "textapp_version": __version__})
    opened.save_text_side(folder)
    scores = {"float": opened.scores()}
    with snapped(aware):
        scores["post_training"] = opened.scores()
    for name, parts in scores.items():
        report(f"{name.replace('_', '-')}: {_in_words(parts, metric)}")

    floats = model.get_weights()
    history: list[dict[str, float]] = []
    if config.epochs:
        report(f"training on {describe(strategy)} with rounded weights: {steps:,} steps an epoch")
        log = EventLog(folder / run.LOGS)
        history = fit(
            aware,
            data.batches,
            opened.validation,
            epochs=config.epochs,
            patience=config.patience,
            checkpoint=folder / run.CHECKPOINT,
            fingerprint=f"{config.to_dict()} {data.fingerprint} {start}",
            monitor=f"val_{metric}",
            scores=opened.callbacks,
            callbacks=[Progress(config.epochs, steps, data.tokens), Scalars(log), Histograms(log)],
        )
    own, is_trained = scores["post_training"], False
    if history:
        # Measured like rounding alone: an epoch's own score is of rounded activations too, where these are trained.
        with snapped(aware):
            scores["quantization_aware"] = opened.scores()
        report(f"quantization-aware: {_in_words(scores['quantization_aware'], metric)}")
        is_trained = scores["quantization_aware"]["valid"][metric] >= own["valid"][metric]
        if is_trained:
            own = scores["quantization_aware"]
        else:
            model.set_weights(floats)
            report("no epoch was as good on the validation split as rounding alone, which is kept")
    weights = snap_and_summarize(aware)
    run.save_model(folder, model)
    metrics = {
        **opened.metrics(own),
        "data": data.counts,
        "fingerprint": data.fingerprint,
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


def snap_and_summarize(aware: QuantizationAware) -> list[WeightSummary]:
    """Ends a training with `snap`, and tells what it changed and what the file will weigh."""
    before = [weight.variable.numpy() for weight, _ in aware.plan]
    aware.snap()
    return summarize(aware.plan, before, [weight.variable.numpy() for weight, _ in aware.plan])


def recipe_of(aware: QuantizationAware) -> str:
    """The export's recipe for activations as they were trained, and embedding rows in the bits that they were."""
    if aware.activation_bits is not None:
        return "static_wi8_ai8"
    rows = [stored_bits(w.groups, bits) for w, bits in aware.plan if w.groups is not None and w.is_table and bits]
    packed = min(rows, default=STORED_BITS)
    return "dynamic_wi8_afp32" if packed == STORED_BITS else f"dynamic_wi8_afp32_emb{packed}"


def _in_words(scores: dict[str, Any], metric: str) -> str:
    """The scores that count, of some splits."""
    return ", ".join(f"{name} {TITLES[metric]} {part[metric]:.4f}" for name, part in scores.items())
