"""The whole training of a student of any task, from teachers and files to a run folder.

It does not use `keras.distillation.Distiller`, which runs the teacher inside each training step on the student's input
tensor. Here each model has its own tokenizer and vocabulary, and a teacher may be a file. With soft targets on disk a
teacher reads each text only once, not once per epoch. An ensemble costs no more training time. And the student is a
plain model with a loss, so `fit` resumes it like any other model.
"""

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
import numpy as np

from textapp.compress.soft_loss import SoftLoss, soft_rows
from textapp.compress.soft_targets import (
    SoftTargets,
    Teacher,
    all_have_answer,
    mean_probabilities,
    units_of,
    write_soft_targets,
)
from textapp.compress.teachers import RunTeacher, check_shared, open_runs, sources
from textapp.compress.transfer import Transfer
from textapp.data.batches import first_rows
from textapp.data.rows import EncodedRows, encode_rows
from textapp.errors import InputError
from textapp.files import replacing
from textapp.task import Files, Report, Task, task
from textapp.text.characters import counted
from textapp.training import run, run_folder
from textapp.training.adversarial import with_adversary
from textapp.training.ngram_model import with_ngram_model
from textapp.training.prepare import Prepared, training_batches, with_held_out
from textapp.training.pretrained import check_settings, describe_embedding_training
from textapp.training.scores import describe_result, held_out_metrics
from textapp.training.strategy import StrategyName, choose_strategy, describe, precision
from textapp.training.train import build_model, compile_model, fit_model, named_files
from textapp.training.vocabularies import build_encoder
from textapp.training.workers import as_worker

PROBE = 32  # validation rows whose gradients TensorBoard shows


@as_worker
def distill(
    task_name: str,
    config: Any,
    out: str | os.PathLike[str],
    *,
    teachers: Sequence[Any],
    train: str | os.PathLike[str],
    valid: str | os.PathLike[str] | None = None,
    test: str | os.PathLike[str] | None = None,
    vectors: str | os.PathLike[str] | None = None,
    unlabelled: Sequence[str | os.PathLike[str]] = (),
    soft_targets_from: str | os.PathLike[str] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    strategy: StrategyName = "auto",
    force: bool = False,
    report: Report = lambda line: print(line, file=sys.stderr, flush=True),
) -> dict[str, Any]:
    """Trains a student on its teachers' probabilities. The same call resumes a training that was killed.

    The student learns from labelled texts, unlabelled texts, new texts made from labelled ones (if the task does that),
    and the texts of teachers that are files, but never from texts of a held-out split. Its vocabulary comes from all of
    these except the new texts.

    Args:
        task_name: The task.
        config: The settings, of the task's `student_config`.
        out: The run folder to make, as for `train`. It also gets `soft_targets.jsonl.gz`: the teachers' probabilities
            of all texts including validation texts, which other students can use instead of the teachers.
        teachers: From `textapp.compress.teachers.open_teachers`. With several, the student learns their mean.
        train: Training examples, in any form that the task reads.
        valid: Examples for early stopping; by default a share of `train`.
        test: Examples to score the student once, after the training.
        vectors: Word vectors to start from, as for `train`.
        unlabelled: Files of more texts, see `textapp.data.unlabelled.unlabelled_texts`.
        soft_targets_from: The file `soft_targets.jsonl.gz` of another student with the same teachers and texts. The
            teachers then do not run again.
        callbacks: As for `train`.
        strategy: The devices that train, see `textapp.training.strategy.choose_strategy`.
        force: Whether an existing run is deleted first.
        report: Receives each line of progress.

    Returns:
        The content of `metrics.json`: as for `train`, and `distillation` with the teachers (`path`, `sha256`,
        `parameters` and their validation score, such as `valid_accuracy`), the sum of their `parameters`, the
        validation score of their mean, and `kept`, the student's share of that score. A value is null if a teacher
        lacks it.

    Raises:
        InputError: A file or a setting is wrong, the teachers have other targets, or `out` holds a finished or another
            run.
    """
    found, folder = task(task_name), Path(out)
    files = Files(train, valid, test, vectors)
    check_settings(config, vectors)
    _check_augment(config, teachers)
    command = {
        "task": found.name,
        **split_settings(found, config),
        **sources(folder, teachers, named_files(files), unlabelled),
    }
    with run_folder.reserved(folder, command, force):
        began = time.monotonic()
        keras.utils.set_random_seed(config.training.seed)

        student = StudentData.read(found, config, files, unlabelled, teachers, report)
        steps = student.data.batches.steps_per_epoch
        devices = choose_strategy(strategy)
        with devices.scope(), precision(config.training.mixed_precision):
            model = build_model(found, config, student.data)
            trained = with_adversary(model, config.training.adversarial)
            loss = student_loss(found, config, model, student.data.target_counts)
            compile_model(trained, found, config, config.training.epochs * steps, loss, model)
        if soft_targets_from is None:
            open_runs(teachers)
        # Files, settings and teachers are valid: only now delete an old run.
        run_folder.begin(folder, command, force)

        soft = _soft_targets(folder, teachers, student, soft_targets_from, report)
        data, valid_rows = student.with_soft_targets(soft)
        data = with_ngram_model(config, student.train, data, report)
        teaching = _teaching(found, teachers, student, soft)
        if data.pretrained is not None:
            report(f"word vectors: {describe_embedding_training(config.training)}")
        size = f"{model.count_params():,} parameters, {counted(steps, 'step')} an epoch"
        report(f"training on {describe(devices)}: {size}")
        probe = first_rows(valid_rows, _spread(len(valid_rows)))
        model, history = fit_model(
            found, config, folder, data, trained, model, valid_rows, report, probe=probe, callbacks=callbacks
        )
        metrics = held_out_metrics(found, config, model, data, folder, report)
        if data.pretrained is not None:
            metrics["vectors"] = data.pretrained.summary
        name = found.main_score(data.targets)
        teaching = add_retention(teaching, name, metrics["valid"][name])
        if teaching["kept"] is not None:
            best = teaching[f"valid_{name}"]
            report(f"valid: teachers {best:.4f}, of which the student keeps {teaching['kept']:.1%}")
        report(f"\n{describe_result(found, data, metrics)}")
        return run.finish(folder, {**metrics, "distillation": teaching}, history, began)


@dataclasses.dataclass(frozen=True)
class StudentData:
    """A student's files, read, split, counted and encoded. Teachers have not run yet.

    Attributes:
        task: The task.
        config: The settings.
        transfer: The items to learn.
        train: The same items, encoded, with true targets.
        valid_items: The items of the validation split for the teachers, one per row.
        data: Everything else that a training needs; its batches have no soft targets yet.
    """

    task: Task[Any, Any, Any]
    config: Any
    transfer: Transfer
    train: EncodedRows
    valid_items: list[Any]
    data: Prepared

    @classmethod
    def read(
        cls,
        task: Task[Any, Any, Any],
        config: Any,
        files: Files,
        unlabelled: Sequence[Any],
        teachers: Sequence[Teacher],
        report: Report,
    ) -> "StudentData":
        """Reads the files.

        The soft targets of a student's run can replace its teachers: with them as the only teacher, the result is the
        same.

        Raises:
            InputError: A file breaks a rule, or the teachers have other targets or know none of the texts.
        """
        check_shared(config, teachers)
        seed = config.training.seed if config.distillation.split_seed is None else config.distillation.split_seed
        train, held_out = task.read_splits(config, files, seed, report)
        targets = task.teacher_targets(config, train, [(one.name, one.targets) for one in teachers], report)
        for teacher in teachers:
            fraction = config.data.valid_fraction
            knows = isinstance(teacher, RunTeacher) and teacher.trained_on_validation(str(files.train), fraction, seed)
            if files.valid is None and knows:
                report(
                    f"warning: {teacher.name} was trained on validation texts, as it split {train.source} differently: "
                    "its score is too high; use teachers with the same --valid file"
                )
        tokenizer = task.tokenizer(config)
        transfer = Transfer.read(task, config, train, held_out.values(), targets, tokenizer, unlabelled, teachers)
        counts = transfer.rows.tokens.counts(transfer.originals)
        encoder, pretrained = build_encoder(task, config, counts, files.vectors, report)
        rows = encode_rows(transfer.rows, encoder)
        kinds = (f"{count:,} {kind.replace('_', ' ')}" for kind, count in transfer.kinds().items())
        report(f"transfer set: {', '.join(kinds)}")
        data = with_held_out(
            task,
            config,
            train=rows,
            held_out=held_out,
            tokenizer=tokenizer,
            encoder=encoder,
            targets=targets,
            report=report,
            pretrained=pretrained,
        )
        data.counts["train"] |= transfer.kinds()
        valid_items = task.items(config, held_out["valid"], tokenizer, training=False)
        return cls(task, config, transfer, rows, valid_items, data)

    def teacher_items(self, teachers: Sequence[Teacher]) -> list[Any]:
        """All items for the teachers: validation split, then transfer set."""
        known = [item for item in self.valid_items if all_have_answer(item, teachers)]
        return known + [
            item for item, is_known in zip(self.transfer.items, self.transfer.has_soft_targets, strict=True) if is_known
        ]

    def with_soft_targets(self, soft: SoftTargets) -> tuple[Prepared, EncodedRows]:
        """Adds the teachers' probabilities to the data.

        Returns:
            `data` with targets for `SoftLoss` in its batches, and the validation split with targets for `SoftLoss`.

        Raises:
            InputError: An item for the teachers is not among the soft targets.
        """
        missing = [
            item
            for item, is_known in zip(self.transfer.items, self.transfer.has_soft_targets, strict=True)
            if is_known and item not in soft
        ]
        if missing:
            raise InputError(
                f"{soft.name}: has other texts; the files have changed since: restore them, or use --force"
            )
        train = self.train.with_targets(soft_rows(self.train.targets, self._probs(soft, self.transfer.items)))
        valid = self.data.held_out["valid"]
        valid = valid.with_targets(soft_rows(valid.targets, self._probs(soft, self.valid_items)))
        digest = hashlib.sha256(train.digest() + valid.digest()).hexdigest()
        data = dataclasses.replace(
            self.data,
            batches=training_batches(self.config, train, self.data.widths),
            fingerprint=f"{self.data.fingerprint} {digest}",
        )
        return data, valid

    def _probs(self, soft: SoftTargets, items: Sequence[Any]) -> np.ndarray:
        """The probabilities of items, one row per unit: float32 `(units, C)`, 0 for items that the file lacks."""
        width = len(soft.targets.names)
        parts = [
            soft.probabilities([item]) if item in soft else np.zeros((units_of(self.task, item), width), np.float32)
            for item in items
        ]
        columns = [soft.targets.names.index(name) for name in self.data.targets.names]
        return np.concatenate(parts)[:, columns]


def split_settings(task: Task[Any, Any, Any], config: Any) -> dict[str, Any]:
    """Splits a student's settings for `config.json` into `settings`, as in any run, and `distillation`."""
    common = task.config.settings()
    return {
        "settings": {name: value for name, value in config.to_dict().items() if name in common},
        "distillation": {name: value for name, value in config.to_dict().items() if name not in common},
    }


def student_config(task: Task[Any, Any, Any], command: Mapping[str, Any], source: str) -> Any:
    """The inverse of `split_settings`. Unknown distillation settings of earlier versions are ignored."""
    known = task.student_config.settings()
    distillation = {name: value for name, value in command["distillation"].items() if name in known}
    return task.student_config.from_run({**command["settings"], **distillation}, source)


def student_loss(task: Task[Any, Any, Any], config: Any, model: keras.Model, target_counts: np.ndarray) -> SoftLoss:
    """Builds the loss of the settings."""
    return SoftLoss(
        task.loss(config, model, target_counts).call,
        task.soft_distance(config, model),
        config.distillation.alpha,
        per_token=task.unit == "token",
    )


def add_retention(teaching: Mapping[str, Any], name: str, score: float) -> dict[str, Any]:
    """The entry of `metrics.json` about the teachers, with the student's share of their score; see `distill`."""
    best = teaching[f"valid_{name}"]
    return {**teaching, "kept": score / best if best else None}


def _check_augment(config: Any, teachers: Sequence[Any]) -> None:
    """Raises `InputError` if new texts would be made for a teacher that is a file."""
    augment = getattr(config.distillation, "augment", 0)
    for teacher in teachers:
        if augment and isinstance(teacher, SoftTargets):
            raise InputError(f"setting augment: {teacher.name} is a file, which cannot label new texts; set augment=0")


def _soft_targets(
    folder: Path,
    teachers: Sequence[Teacher],
    student: StudentData,
    copied_from: str | os.PathLike[str] | None,
    report: Report,
) -> SoftTargets:
    """The probabilities of validation split and transfer set, computed unless an earlier process has done so."""
    path, found, targets = folder / run_folder.SOFT_TARGETS, student.task, student.data.targets
    if copied_from is not None and not path.exists():
        with replacing(path) as temporary:
            shutil.copyfile(copied_from, temporary)
    if not path.exists():
        items = student.teacher_items(teachers)
        write_soft_targets(
            path,
            folder / run_folder.SOFT_TARGETS_PART,
            found,
            items,
            lambda chunk: mean_probabilities(teachers, chunk, targets.names),
            targets.names,
            lambda done: report(f"soft targets: {done:,} of {len(items):,} texts"),
        )
    return SoftTargets.read(path, found, targets)


def _teaching(
    task: Task[Any, Any, Any], teachers: Sequence[Any], student: StudentData, soft: SoftTargets
) -> dict[str, Any]:
    """The entry of `metrics.json` about the teachers."""
    name = task.main_score(student.data.targets)
    key = f"valid_{name}"
    described = [
        {
            "path": teacher.name,
            "sha256": teacher.sha256,
            "parameters": teacher.parameters,
            key: _valid_score(student, teacher, name),
        }
        for teacher in teachers
    ]
    parameters = [teacher.parameters for teacher in teachers]
    together = described[0][key] if len(teachers) == 1 else _valid_score(student, soft, name)
    return {
        "teachers": described,
        "parameters": None if None in parameters else sum(filter(None, parameters)),
        key: together,
    }


def _valid_score(student: StudentData, teacher: Any, name: str) -> float | None:
    """The score of a teacher on the validation split; None if it cannot label one of the texts."""
    examples = student.data.examples["valid"]
    if isinstance(teacher, RunTeacher):
        return float(teacher.score(examples)[name])
    if not all(item in teacher for item in student.valid_items):
        return None
    probs = mean_probabilities([teacher], student.valid_items, student.data.targets.names)
    rows = student.data.held_out["valid"]
    return float(student.task.score_soft(examples, rows, probs, student.data.targets)[name])


def _spread(count: int) -> np.ndarray:
    """At most `PROBE` numbers below `count`, evenly spaced."""
    return np.linspace(0, count - 1, min(PROBE, count)).astype(np.int64)
