"""The whole training of a tagger that is a student: teachers and files in, a run folder out."""

import itertools
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from textapp import __version__
from textapp.compress.config import DistillTaggerConfig
from textapp.compress.soft_tags import read_soft_tags, write_soft_tags
from textapp.compress.tagger_data import TaughtSentences, TransferSentences
from textapp.compress.tagger_loss import TagDistillationLoss
from textapp.compress.tagger_teachers import TaggerTeacher, main_score, mean_marginals
from textapp.compress.teachers import open_runs, sources
from textapp.data.pipeline import evaluation_batches
from textapp.files import named_errors, replacing, write_json
from textapp.layers import CRFLoss
from textapp.layers.token_loss import TokenLoss
from textapp.tasks.tagging.scores import tag_scores
from textapp.training import run
from textapp.training.adversarial import with_adversary
from textapp.training.ner import build_model, fit_tagger, tagger_metrics
from textapp.training.ner_run import TASK
from textapp.training.optimizer import optimizer_of
from textapp.training.pretrained import check_settings
from textapp.training.strategy import choose_strategy, describe, precision
from textapp.training.tag_preparation import PreparedTags


def distill_tagger(
    config: DistillTaggerConfig,
    out: str | os.PathLike[str],
    *,
    teachers: Sequence[TaggerTeacher],
    train: str | os.PathLike[str],
    valid: str | os.PathLike[str] | None = None,
    test: str | os.PathLike[str] | None = None,
    unlabelled: Sequence[str | os.PathLike[str]] = (),
    answers: str | os.PathLike[str] | None = None,
    force: bool = False,
    report: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
) -> dict[str, Any]:
    """Trains a student on the marginals of its teachers; called again after a crash, it goes on where it was.

    The student learns the labelled sentences and the unlabelled ones. Vocabulary, characters and sizes are its own; the
    tags, and what the tokens of a text are, are its teachers'.

    Args:
        config: The settings.
        out: The run folder to make: that of `textapp train ner`, and in it what the teachers said of all sentences,
            those of the validation split included: `soft_tags.npz`, see `textapp.compress.soft_tags`.
        teachers: One or more; several teach the mean of their marginals.
        train: Tagged sentences, in any form that `textapp.data.tagged` reads.
        valid: Sentences for early stopping; by default a share of `train`.
        test: Sentences to score the student on at the very end, once.
        unlabelled: Files of texts, see `textapp.compress.transfer.unlabelled_texts`.
        answers: What the same teachers have said of the same sentences before: the file in the folder of another
            student. They are then not asked again.
        force: Whether a run that is there already is deleted first.
        report: Is given each line of progress.

    Returns:
        What `metrics.json` says: what `train_ner` does (without `vectors`), and in `distillation` the teachers (`path`,
        `sha256`, `parameters`, `valid_entity_f1`), together `parameters` and `valid_entity_f1`, and `kept`, the
        student's share of that. Of tags that stand for themselves it is `valid_accuracy`.

    Raises:
        InputError: A file or a setting is wrong, the teachers have other tags or cut texts otherwise, or `out` holds a
            finished or another run.
    """
    check_settings(config, None)
    folder = Path(out)
    command = {
        "task": TASK,
        "settings": config.student.to_dict(),
        "distillation": config.distillation,
        **sources(folder, teachers, train=train, valid=valid, test=test, unlabelled=unlabelled),
    }
    with run.reserved(folder, command, force):
        return _distill(config, folder, command, teachers, answers, force, report)


def _distill(
    config: DistillTaggerConfig,
    folder: Path,
    command: dict[str, Any],
    teachers: Sequence[TaggerTeacher],
    answers: str | os.PathLike[str] | None,
    force: bool,
    report: Callable[[str], None],
) -> dict[str, Any]:
    """Trains into a folder that is this process's alone."""
    began = time.monotonic()
    keras.utils.set_random_seed(config.seed)

    transfer = TransferSentences.read(config, command, teachers, report)
    data = transfer.data
    steps = data.batches.steps_per_epoch
    strategy = choose_strategy()
    with strategy.scope(), precision(config.mixed_precision):
        model = build_model(config, data)
        trained = with_adversary(model, config.adversarial)
        compile_student(trained, config, total_steps=config.epochs * steps)
    if answers is None:
        open_runs(teachers)
    # Only now, when files, settings and teachers have proved good, may an old run go.
    run.clear(folder, keep_progress=not force)
    write_json(folder / run.CONFIG, {**command, "textapp_version": __version__})

    if answers is not None and not (folder / run.SOFT_TAGS).exists():
        with replacing(folder / run.SOFT_TAGS) as temporary:
            shutil.copyfile(answers, temporary)
    marginals = _soft_tags(folder, teachers, transfer, report)
    data, taught_valid = transfer.taught(config, marginals)
    teaching = _teaching(teachers, data, taught_valid)
    report(f"training on {describe(strategy)}: {model.count_params():,} parameters, {steps:,} steps an epoch")
    validation = evaluation_batches(taught_valid, config.batch_size, data.widths, config.static_shapes)
    model, history = fit_tagger(trained, config, folder, data, validation, model)
    metrics = tagger_metrics(model, data, report)
    teaching = with_kept(teaching, data, main_score(metrics["valid"]))
    if teaching["kept"] is not None:
        report(f"valid: teachers {teaching[_score_name(data)]:.4f}, of which the student keeps {teaching['kept']:.1%}")
    return run.finish(folder, {**metrics, "distillation": teaching}, history, began)


def compile_student(
    model: keras.Model, config: DistillTaggerConfig, total_steps: int, core: keras.Model | None = None
) -> None:
    """Gives a model the optimizer and the loss that the settings describe; see `textapp.training.ner.compile_model`."""
    core = core or model
    own = CRFLoss(core.get_layer("crf")) if config.crf else TokenLoss()
    loss = TagDistillationLoss(own, config.alpha, reduction="mean_with_sample_weight")
    model.compile(optimizer_of(config, core, total_steps), loss, jit_compile=config.jit_compile)


def with_kept(teaching: dict[str, Any], data: PreparedTags, score: float) -> dict[str, Any]:
    """What `metrics.json` says of the teachers, with the share of their score that a student has."""
    of_teachers = teaching[_score_name(data)]
    return {**teaching, "kept": score / of_teachers if of_teachers else None}


def _soft_tags(
    folder: Path, teachers: Sequence[TaggerTeacher], transfer: TransferSentences, report: Callable[[str], None]
) -> np.ndarray:
    """What the teachers say of validation and transfer set: asked for, unless a killed process has done so."""
    path, part, tags = folder / run.SOFT_TAGS, folder / run.SOFT_TAGS_PART, transfer.data.tag_set.tags
    if not path.exists():
        write_soft_tags(
            path,
            part,
            transfer.asked,
            lambda chunk: mean_marginals(teachers, chunk, tags),
            tags,
            lambda done: report(f"soft tags: {done:,} of {len(transfer.asked):,} sentences"),
        )
    with named_errors(part):
        part.unlink(missing_ok=True)  # also what a process killed at this very place has left
    return read_soft_tags(path, transfer.asked, tags)


def _teaching(teachers: Sequence[TaggerTeacher], data: PreparedTags, taught: TaughtSentences) -> dict[str, Any]:
    """What `metrics.json` says of the teachers."""
    valid, name = data.examples["valid"], _score_name(data)
    said = [
        {
            "path": teacher.name,
            "sha256": teacher.sha256,
            "parameters": teacher.parameters,
            name: teacher.score(valid),
        }
        for teacher in teachers
    ]
    parameters = [teacher.parameters for teacher in teachers]
    return {
        "teachers": said,
        "parameters": None if None in parameters else sum(filter(None, parameters)),
        name: said[0][name] if len(said) == 1 else _score_together(data, taught),
    }


def _score_name(data: PreparedTags) -> str:
    """What the validation score is called."""
    return "valid_accuracy" if data.tag_set.scheme is None else "valid_entity_f1"


def _score_together(data: PreparedTags, taught: TaughtSentences) -> float:
    """The score of the marginals: of each token's most probable tag, broken sequences mended as ever."""
    best = taught.marginals.argmax(axis=1)
    offsets, firsts = taught.sentences.offsets, taught.sentences.firsts
    tags = [data.tag_set.decode(best[start:end]) for start, end in itertools.pairwise(offsets)]
    if firsts is not None:
        tags = [data.tag_set.of_tokens(*pieces) for pieces in zip(tags, firsts, strict=True)]
    valid = data.examples["valid"]
    return main_score(tag_scores(valid.tags, tags, data.tag_set))
