"""Quantization-aware training of a finished run of any task, into a new run folder."""

import dataclasses
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from textapp.compress.config import QuantizeConfig
from textapp.compress.distill import StudentData, add_retention, student_config, student_loss
from textapp.compress.quantization_aware import QuantizationAware
from textapp.compress.rounding import STORED_BITS, stored_bits
from textapp.compress.soft_targets import SoftTargets
from textapp.compress.summary import WeightSummary, summarize
from textapp.config import ModelConfig
from textapp.dashboards import EventLog, Histograms, Scalars
from textapp.data.batches import TrainingBatches, evaluation_batches
from textapp.data.rows import EncodedRows
from textapp.errors import InputError
from textapp.files import read_bytes, replacing
from textapp.settings import MOST
from textapp.task import Files, Report, canonical_name
from textapp.text.characters import counted
from textapp.training import run, run_folder
from textapp.training.fit import fit
from textapp.training.ngram_model import with_ngram_model
from textapp.training.prepare import Prepared, prepare
from textapp.training.progress import Progress
from textapp.training.scores import model_metrics, score_splits
from textapp.training.strategy import StrategyName, choose_strategy, describe
from textapp.training.train import compile_model
from textapp.training.validation import ValidationScores
from textapp.training.workers import as_worker

OTHER_SEED = 104_729  # added to the run's seed


@as_worker
def quantize(
    config: QuantizeConfig,
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    strategy: StrategyName = "auto",
    force: bool = False,
    report: Report = lambda line: print(line, file=sys.stderr, flush=True),
) -> dict[str, Any]:
    """Continues the training of a run, quantization-aware, and writes a new run. The same call resumes it.

    Files and all settings except `config` are those of the run. A student continues with its soft targets and needs no
    teachers. Training computes in float32, because half precision is too coarse for the rounding. The result has the
    rounded weights of the epoch with the best validation score, or the rounded weights of the run itself if no epoch is
    as good. All scores are those of rounded weights.

    Args:
        config: The settings.
        source: A finished run of `train`, `distill` or of this function.
        out: The run folder to make.
        callbacks: As for `train`.
        strategy: The devices that train, see `textapp.training.strategy.choose_strategy`.
        force: Whether an existing run is deleted first.
        report: Receives each line of progress.

    Returns:
        The content of `metrics.json`: that of any run of the task, for the rounded model, and `quantization`: the
        settings, the `recipe` for the export, which weights were `kept`, the scores of the run in `float`, rounded
        without training (`post_training`) and with it (`quantization_aware`), and each of the `weights` in the file.

    Raises:
        InputError: The run or its files cannot be used any more, or `out` holds a finished run or another one.
    """
    source, folder = Path(source), Path(out)
    command, before = run_folder.read_finished(source)
    run.task_of(source, before)
    if not command.get("train"):
        raise InputError(f"{source / run_folder.CONFIG}: names no training file, so this run cannot be quantized")
    if folder.resolve() == source.resolve():
        raise InputError(f"{folder}: is the run itself; choose another --out")
    command = {
        # The teachers do not run again: `metrics.json` of the run has them.
        # The settings are those of the run, however they were chosen.
        **{
            key: value
            for key, value in command.items()
            if key not in (*run_folder.NOT_OF_COMMAND, run_folder.FIXED, "teachers")
        },
        "quantized_from": os.fspath(source),
        "quantize": config.to_dict(),
    }
    with run_folder.reserved(folder, command, force):
        began = time.monotonic()
        start = hashlib.sha256(read_bytes(source / run_folder.MODEL)).hexdigest()
        # Loading draws the dropout seeds. With the run's seed, the same batches would get the same dropout masks as
        # before, which the model has memorized (96 % of SST-2's training texts correct, with other masks 90 %).
        keras.utils.set_random_seed((command["settings"]["seed"] + OTHER_SEED) % MOST)
        devices = choose_strategy(strategy)
        with devices.scope():
            opened = _open(source, command, report)
        task, model, data, training = opened.run.task, opened.run.model, opened.data, opened.config.training
        steps = data.batches.steps_per_epoch
        total = config.epochs * steps
        settings = opened.config.replaced(
            epochs=max(1, config.epochs),
            cycles=1,
            learning_rate=config.learning_rate,
            warmup=config.warmup,
            freeze_epochs=0,  # at this point word vectors are trained, or frozen for the whole training
        )
        with devices.scope():
            aware = QuantizationAware(
                model,
                config.bits,
                config.embedding_bits,
                config.lowering,
                delay=round(config.delay * total),
                freeze=None if config.freeze == 1 or not total else max(1, round(config.freeze * total)),
                activation_bits=config.activation_bits or None,
            )
            given = opened.config, model, data.target_counts
            loss = student_loss(task, *given) if opened.soft else task.loss(*given)
            compile_model(aware, task, settings, settings.training.epochs * steps, loss, model)

        run_folder.begin(folder, command, force)
        run.save_text_side(folder, task, opened.run.tokenizer, data.encoder, data.targets, data.examples["valid"])
        if opened.soft is not None:  # other students, and later calls of `quantize`, can use them
            with replacing(folder / run_folder.SOFT_TARGETS) as temporary:
                shutil.copyfile(opened.soft.name, temporary)
        metric = task.main_score(data.targets)
        title, monitor = task.score_titles[metric], task.monitor(opened.config, data.targets, data.target_counts)
        scores = {"float": score_splits(task, model, data)}
        with aware.rounded_weights():
            scores["post_training"] = score_splits(task, model, data)
        for name, parts in scores.items():
            report(f"{name.replace('_', '-')}: {_in_words(parts.splits, metric, title)}")

        floats = model.get_weights()
        history: list[dict[str, float]] = []
        if config.epochs:
            report(f"training on {describe(devices)} with rounded weights: {counted(steps, 'step')} an epoch")
            log = EventLog(folder / run_folder.LOGS)
            size = training.batch_size
            validation = evaluation_batches(opened.valid, size, data.widths, training.static_shapes)
            validation_scores = ValidationScores(
                task,
                model,
                data.examples["valid"],
                data.held_out["valid"],
                validation,
                size,
                data.targets,
                aware.rounded_weights,
            )
            history = fit(
                aware,
                data.batches,
                validation,
                epochs=config.epochs,
                patience=config.patience,
                checkpoint=folder / run_folder.CHECKPOINT,
                fingerprint=f"{config.to_dict()} {data.fingerprint} {start}",
                monitor=f"val_{monitor}",
                scores=[validation_scores],
                callbacks=[
                    Progress(config.epochs, steps, data.num_tokens),
                    Scalars(log),
                    Histograms(log),
                    *callbacks,
                ],
                report=report,
            )
        kept, is_trained = scores["post_training"], False
        if history:
            # Score them as for `post_training`: an epoch's score may also be of rounded activations.
            with aware.rounded_weights():
                scores["quantization_aware"] = score_splits(task, model, data)
            trained = scores["quantization_aware"]
            report(f"quantization-aware: {_in_words(trained.splits, metric, title)}")
            compared = metric if monitor == "loss" else monitor
            is_trained = trained.splits["valid"][compared] >= kept.splits["valid"][compared]
            if is_trained:
                kept = trained
            else:
                model.set_weights(floats)
                report("no epoch was as good on the validation split as rounding without training: that is kept")
        weights = round_and_summarize(aware)
        run.save_model(folder, model)
        if kept.ngrams is not None:
            run.save_ngrams(folder, kept.ngrams.final, kept.ngrams.of_train)
        metrics = {**model_metrics(task, model, data, kept), "monitor": monitor}
        if opened.soft is not None:
            metrics["distillation"] = add_retention(before["distillation"], metric, kept.splits["valid"][metric])
        metrics["quantization"] = {
            **config.to_dict(),
            "recipe": recipe_of(aware),
            "kept": "quantization_aware" if is_trained else "post_training",
            **{name: part.splits for name, part in scores.items()},
            "bytes": sum(weight.bytes for weight in weights),
            "weights": [weight.to_dict() for weight in weights],
        }
        return run.finish(folder, metrics, history, began)


@dataclasses.dataclass(frozen=True)
class _LoadedRun:
    """A finished run with the data of its training.

    Attributes:
        run: The run.
        config: Its settings; for a student, including those of the distillation.
        data: Its data, with targets for its loss in the batches.
        valid: The validation split, with targets for its loss.
        soft: The soft targets of a student, or None.
    """

    run: run.Run
    config: ModelConfig
    data: Prepared
    valid: EncodedRows
    soft: SoftTargets | None


def _open(source: Path, command: Mapping[str, Any], report: Report) -> _LoadedRun:
    """Loads a run, and reads its files again.

    Raises:
        InputError: The run or a file is broken, or the files have changed since the training.
    """
    loaded = run.Run.load(source)
    task, config, soft = loaded.task, loaded.config, None
    train = run.entry(source / run_folder.CONFIG, command, "train")
    files = Files(train, command.get("valid"), command.get("test"), command.get("vectors"))
    if "distillation" in command:
        run.entry(
            source / run_folder.METRICS, loaded.metrics, "distillation", f"valid_{task.main_score(loaded.targets)}"
        )
        config = student_config(task, command, os.fspath(source / run_folder.CONFIG))
        soft = SoftTargets.read(_soft_targets(source), task, loaded.targets)
        student = StudentData.read(task, config, files, command.get("unlabelled", ()), [soft], report)
        data, valid = student.with_soft_targets(soft)
        rows: EncodedRows | None = student.train
    else:
        # The vocabulary and the targets of a training that started from a run hold those of that run.
        data = prepare(task, config, files, report, loaded if "init" in command else None)
        rows = data.batches.rows if isinstance(data.batches, TrainingBatches) else None
        valid = data.held_out["valid"]
    same = data.encoder.vocabulary == loaded.encoder.vocabulary and data.encoder.characters == loaded.encoder.characters
    # Runs of textapp 0.1 have other fingerprints of their data.
    is_earlier = canonical_name(command.get("task")) != command.get("task")
    known = loaded.metrics.get("fingerprint", data.fingerprint)
    if not same or data.targets != loaded.targets or not (is_earlier or known == data.fingerprint):
        raise InputError(
            f"{command['train']}: gives another vocabulary, other targets or other examples than the run has; the file "
            "has changed since"
        )
    if loaded.ngrams is not None:  # fitted again, as the run's own may know the validation split
        data = with_ngram_model(config, rows, data, report)
    return _LoadedRun(loaded, config, data, valid, soft)


def _soft_targets(source: Path) -> Path:
    """The file of a student's soft targets. Raises `InputError` if there is none."""
    path, earlier = source / run_folder.SOFT_TARGETS, source / "soft_labels.jsonl.gz"
    if not path.exists() and earlier.exists():
        return earlier
    if not path.exists():
        raise InputError(f"{path}: missing; distil the student again")
    return path


def round_and_summarize(aware: QuantizationAware) -> list[WeightSummary]:
    """Ends a training with rounded weights, and describes the change by rounding and the bytes of each weight."""
    before = [weight.variable.numpy() for weight, _ in aware.plan]
    aware.apply_rounding()
    return summarize(aware.plan, before, [weight.variable.numpy() for weight, _ in aware.plan])


def recipe_of(aware: QuantizationAware) -> str:
    """The export recipe that fits the trained activations and embedding bits."""
    if aware.activation_bits is not None:
        return "static_wi8_ai8"
    rows = [
        stored_bits(w.granularity, bits) for w, bits in aware.plan if w.granularity is not None and w.is_table and bits
    ]
    packed = min(rows, default=STORED_BITS)
    return "dynamic_wi8_afp32" if packed == STORED_BITS else f"dynamic_wi8_afp32_emb{packed}"


def _in_words(scores: Mapping[str, Any], metric: str, title: str) -> str:
    """The main score of some splits, as text."""
    return ", ".join(f"{name} {title} {part[metric]:.4f}" for name, part in scores.items())
