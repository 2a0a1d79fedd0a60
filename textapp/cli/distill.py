"""`textapp distill`: trains a small student of trained models."""

from typing import Annotated, Any

import typer

from textapp.cli.arguments import (
    AsJson,
    Callbacks,
    Force,
    Out,
    Settings,
    Teachers,
    Track,
    Unlabelled,
    Vectors,
    check_readable,
)
from textapp.cli.early_checks import check_run_place, check_teachers
from textapp.cli.local_cluster import Strategy, Timeout, TrainingWorkers, ran_in_workers
from textapp.cli.native_log import tensorflow_started
from textapp.cli.output import print_json, resumable, say
from textapp.cli.tracked import tracked
from textapp.cli.train import say_next


def distill(
    teachers: Teachers,
    out: Out,
    train: Annotated[
        str | None,
        typer.Option(help="Labelled texts or tagged sentences; by default the file of the first teacher, a run."),
    ] = None,
    valid: Annotated[
        str | None, typer.Option(help="Validation examples; by default the file of the first teacher.")
    ] = None,
    test: Annotated[
        str | None,
        typer.Option(help="Test examples, scored once at the end; by default the file of the first teacher."),
    ] = None,
    vectors: Vectors = None,
    unlabelled: Unlabelled = None,
    preset: Annotated[
        str | None,
        typer.Option(help="Preset for the student, as for textapp train; by default a small model."),
    ] = None,
    settings: Settings = None,
    callbacks: Callbacks = None,
    track: Track = None,
    strategy: Strategy = "auto",
    workers: TrainingWorkers = None,
    timeout: Timeout = 120,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Train a small model on the predictions of larger ones. After a crash, the same command resumes the training.

    If the predictions depend on how texts are cut into tokens, as for taggers, a student cuts them as its teachers do.

    For example: textapp distill run --out student
    """
    files: dict[str, Any] = {"train": train, "valid": valid, "test": test}
    check_readable(train, valid, test, vectors, *(unlabelled or []))
    check_teachers(teachers)
    check_run_place(out, force)
    if ran_in_workers(workers, timeout):
        return
    with resumable(force), tensorflow_started(), tracked(track, callbacks, out) as (made, finish):
        from textapp.compress.distill import distill as train_student
        from textapp.compress.teachers import open_teachers, student_settings

        task, opened = open_teachers(teachers)
        config, files = student_settings(task, opened, preset, files)
        if vectors is not None:
            config = config.replaced(embedding_dim=None, embedding_rank=None)
        metrics = train_student(
            task.name,
            config.override(settings or []),
            out,
            teachers=opened,
            **files,
            vectors=vectors,
            unlabelled=unlabelled or [],
            callbacks=made,
            strategy=strategy,
            force=force,
            report=say,
        )
        finish(metrics)
    say_next(out)
    if as_json:
        print_json(metrics)
