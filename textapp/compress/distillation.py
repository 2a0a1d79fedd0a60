"""The whole training of a student: teachers and files in, a run folder out.

`keras.distillation.Distiller` is not used. It runs the teacher inside each training step, on the very tensor that the
student is given; but here each model cuts texts in its own way and has its own vocabulary, and a teacher may be a file.
With soft labels on disk a teacher reads each text once, not once an epoch, an ensemble costs a student no time, and the
student is a plain model with a loss of its own, which `fit` resumes as any other.
"""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from textapp import __version__
from textapp.compress.config import DistillConfig
from textapp.compress.distillation_data import SoftExamples, known_to_all
from textapp.compress.distillation_loss import DistillationLoss, LabelAccuracy
from textapp.compress.matching import MatchingStudent
from textapp.compress.soft_labels import SoftLabels, Teacher, mean_probabilities, write_soft_labels
from textapp.compress.student_preparation import StudentFiles
from textapp.compress.teacher_states import Question, TeacherStates, ask_for_states
from textapp.compress.teachers import RunTeacher, check_teachers, open_runs, sources
from textapp.data.pipeline import evaluation_batches
from textapp.data.readers import Examples
from textapp.files import replacing, write_json
from textapp.training import run
from textapp.training.adversarial import with_adversary
from textapp.training.optimizer import optimizer_of
from textapp.training.pretrained import check_settings
from textapp.training.sentiment import build_model, classifier_metrics, fit_classifier
from textapp.training.strategy import choose_strategy, describe, precision

PROBE = 32  # validation texts whose gradients TensorBoard shows


def distill(
    config: DistillConfig,
    out: str | os.PathLike[str],
    *,
    teachers: Sequence[Teacher],
    train: str | os.PathLike[str],
    valid: str | os.PathLike[str] | None = None,
    test: str | os.PathLike[str] | None = None,
    unlabelled: Sequence[str | os.PathLike[str]] = (),
    answers: str | os.PathLike[str] | None = None,
    force: bool = False,
    report: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
) -> dict[str, Any]:
    """Trains a student on what its teachers say; called again after a crash, it goes on where it was.

    The student learns the labelled texts, the unlabelled ones, new ones made from the labelled (`augment`), and those
    of teachers that are files; never a text of a held-out split. Its vocabulary is that of all of them. With
    `attention_weight` or `hidden_weight` it also learns from the insides of teachers that are runs
    (`textapp.compress.matching`), which then read the texts once more.

    Args:
        config: The settings.
        out: The run folder to make: that of `textapp train sentiment`, and in it what the teachers said of all texts,
            validation texts included: `soft_labels.jsonl.gz`, which may teach other students in the teachers' place.
        teachers: One or more; several teach the mean of their probabilities.
        train: Labelled examples, in any form that `textapp.data.readers` reads.
        valid: Examples for early stopping; by default a stratified share of `train`.
        test: Examples to score the student on at the very end, once.
        unlabelled: Files of more texts, see `textapp.compress.transfer.unlabelled_texts`.
        answers: What the same teachers have said of the same texts before: the file in the folder of another student.
            They are then not asked again, nor for their insides where that folder has what this student needs.
        force: Whether a run that is there already is deleted first.
        report: Is given each line of progress.

    Returns:
        What `metrics.json` says: what `train_sentiment` does (without `vectors`), and in `distillation` the teachers
        (`path`, `sha256`, `parameters`, `valid_accuracy`), together `parameters` and `valid_accuracy`, and `kept`, the
        student's share of that; null where a teacher does not know it.

    Raises:
        InputError: A file or a setting is wrong, the teachers' labels are others, or `out` holds a finished or another
            run.
    """
    check_settings(config, None)
    folder = Path(out)
    check_teachers(config, teachers)
    command = {
        "settings": config.student.to_dict(),
        "distillation": config.distillation,
        **sources(folder, teachers, train=train, valid=valid, test=test, unlabelled=unlabelled),
    }
    with run.reserved(folder, command, force):
        return _distill(config, folder, command, teachers, answers, force, report)


def _distill(
    config: DistillConfig,
    folder: Path,
    command: dict[str, Any],
    teachers: Sequence[Teacher],
    answers: str | os.PathLike[str] | None,
    force: bool,
    report: Callable[[str], None],
) -> dict[str, Any]:
    """Trains into a folder that is this process's alone."""
    began = time.monotonic()
    keras.utils.set_random_seed(config.seed)

    files = StudentFiles.read(config, command, teachers, report)
    question = _question(config, files, teachers)
    steps = -(-len(files.examples) // config.batch_size)
    strategy = choose_strategy()
    with strategy.scope(), precision(config.mixed_precision):
        student = build_model(config, len(files.vocabulary), len(files.labels))
        if question is None:
            model = with_adversary(student, config.adversarial)
        else:
            model = MatchingStudent(student, question.width, config.attention_weight, config.hidden_weight)
        compile_student(model, config, total_steps=config.epochs * steps)
    if answers is None:
        open_runs(teachers)
    # Only now, when files, settings and teachers have proved good, may an old run go.
    run.clear(folder, keep_progress=not force)
    write_json(folder / run.CONFIG, {**command, "textapp_version": __version__})

    if answers is not None and not (folder / run.SOFT_LABELS).exists():
        with replacing(folder / run.SOFT_LABELS) as temporary:
            shutil.copyfile(answers, temporary)
    soft = _soft_labels(folder, teachers, files, report)
    states = None if question is None else _states(folder, question, files, answers, report)
    data, taught_valid = files.taught(soft, states)
    teaching = _teaching(teachers, files.held_out["valid"], soft, files.labels)
    report(f"training on {describe(strategy)}: {student.count_params():,} parameters, {steps:,} steps an epoch")
    validation = evaluation_batches(taught_valid, config.batch_size, data.widths, config.static_shapes)
    student, history = fit_classifier(model, config, folder, data, validation, student, _probe(taught_valid))
    metrics = classifier_metrics(student, data, report)
    teaching = with_kept(teaching, metrics["valid"]["accuracy"])
    if teaching["kept"] is not None:
        report(f"valid: teachers {teaching['valid_accuracy']:.4f}, of which the student keeps {teaching['kept']:.1%}")
    return run.finish(folder, {**metrics, "distillation": teaching}, history, began)


def compile_student(
    model: keras.Model, config: DistillConfig, total_steps: int, core: keras.Model | None = None
) -> None:
    """Gives a model the optimizer, the loss and the metric that the settings describe; see `compile_model`."""
    loss = DistillationLoss(
        config.distillation_loss, config.temperature, config.alpha, reduction="mean_with_sample_weight"
    )
    optimizer = optimizer_of(config, core or model, total_steps)
    model.compile(optimizer, loss, weighted_metrics=[LabelAccuracy("accuracy")], jit_compile=config.jit_compile)


def with_kept(teaching: dict[str, Any], accuracy: float) -> dict[str, Any]:
    """What `metrics.json` says of the teachers, with the share of their accuracy that a student has; see `distill`."""
    of_teachers = teaching["valid_accuracy"]
    return {**teaching, "kept": accuracy / of_teachers if of_teachers else None}


def _soft_labels(
    folder: Path, teachers: Sequence[Teacher], files: StudentFiles, report: Callable[[str], None]
) -> SoftLabels:
    """What the teachers say of validation and transfer set: asked for, unless a killed process has done so."""
    path = folder / run.SOFT_LABELS
    if not path.exists():

        def texts() -> Iterator[str]:
            yield from (text for text in files.held_out["valid"].texts if known_to_all(text, teachers))
            yield from (item.text for item in files.transfer if known_to_all(item.text, teachers))

        write_soft_labels(
            path,
            folder / run.SOFT_LABELS_PART,
            texts(),
            lambda chunk: mean_probabilities(teachers, chunk, files.labels),
            files.labels,
            lambda done: report(f"soft labels: {done:,} texts"),
        )
    return SoftLabels.read(path, files.labels)


def _question(config: DistillConfig, files: StudentFiles, teachers: Sequence[Teacher]) -> Question | None:
    """What the teachers are asked of their insides; None where the student does not learn from these."""
    if not config.matching:
        return None
    runs = [teacher for teacher in teachers if isinstance(teacher, RunTeacher)]  # all are, see `check_teachers`
    attention, contexts = config.attention_weight > 0, config.hidden_weight > 0
    return Question(runs, files.tokenizer, config.max_tokens, attention=attention, contexts=contexts)


def _states(
    folder: Path,
    question: Question,
    files: StudentFiles,
    answers: str | os.PathLike[str] | None,
    report: Callable[[str], None],
) -> TeacherStates:
    """What the insides of the teachers say of the transfer set."""

    def texts() -> Iterator[str]:
        return (item.text for item in files.transfer)  # a run knows any text: these are the rows

    lengths = np.diff(files.rows.tokenized.offsets)
    return ask_for_states(folder, question, texts, files.rows.keys, lengths, answers, report)


def _teaching(teachers: Sequence[Teacher], valid: Examples, soft: SoftLabels, labels: Sequence[str]) -> dict[str, Any]:
    """What `metrics.json` says of the teachers."""
    parameters = [teacher.parameters for teacher in teachers]
    return {
        "teachers": [
            {
                "path": teacher.name,
                "sha256": teacher.sha256,
                "parameters": teacher.parameters,
                "valid_accuracy": _accuracy(teacher, valid, labels),
            }
            for teacher in teachers
        ],
        "parameters": None if None in parameters else sum(filter(None, parameters)),
        "valid_accuracy": _accuracy(soft, valid, labels),
    }


def _accuracy(teacher: Teacher, examples: Examples, labels: Sequence[str]) -> float | None:
    """The accuracy of a teacher; None where it has no answer for a text."""
    if not all(text in teacher for text in examples.texts):
        return None
    chosen = mean_probabilities([teacher], examples.texts, labels).argmax(axis=1)
    return float(np.mean([labels[index] == label for index, label in zip(chosen, examples.labels, strict=True)]))


def _probe(examples: SoftExamples) -> tuple[Any, Any]:
    """Some validation texts, evenly spaced, with their targets."""
    rows = np.linspace(0, len(examples) - 1, min(PROBE, len(examples))).astype(np.int64)
    inputs, said = examples.gather()(rows, [None, None])
    return inputs, said
