"""`textapp distill`: trained models in, a small student of theirs out."""

from collections.abc import Callable, Sequence
from shlex import quote
from typing import Annotated, Any

import typer

from textapp.cli.native_log import native_log_hidden
from textapp.cli.opened import task_of
from textapp.cli.output import print_json, resumable, say
from textapp.cli.teachers import TeacherPaths, Unlabelled, of_classifiers, of_taggers
from textapp.cli.train import AsJson, Force, Out, Settings
from textapp.compress.config import DistillConfig, DistillTaggerConfig, distill_preset, distill_tagger_preset
from textapp.config import NER_PRESETS_HELP, PRESETS_HELP


def distill(
    teachers: TeacherPaths,
    out: Out,
    train: Annotated[
        str | None,
        typer.Option(help="Labelled texts or tagged sentences; by default the files of the first teacher, a run."),
    ] = None,
    valid: Annotated[str | None, typer.Option(help="Validation texts; by default likewise.")] = None,
    test: Annotated[str | None, typer.Option(help="Test texts, scored once at the end; by default likewise.")] = None,
    unlabelled: Unlabelled = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help=f"Settings of the student: {', '.join(PRESETS_HELP)}; of a tagger: {', '.join(NER_PRESETS_HELP)}; by "
            "default a small one."
        ),
    ] = None,
    settings: Settings = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Train a small classifier or tagger on what larger ones say. The same command goes on after a crash.

    Teachers of a tagger are runs of taggers: their tags, and how they cut texts, are the student's too.
    """
    files: dict[str, Any] = {"train": train, "valid": valid, "test": test}
    with resumable(force), native_log_hidden():
        opened: Sequence[Any]
        config: DistillConfig | DistillTaggerConfig
        train_student: Callable[..., dict[str, Any]]
        if task_of(teachers[0]) == "ner":
            from textapp.compress.tagger_distillation import distill_tagger as train_student

            opened, config, files = of_taggers(teachers, distill_tagger_preset(preset), files, words=preset is None)
        else:
            from textapp.compress.distillation import distill as train_student

            opened, config, files = of_classifiers(teachers, distill_preset(preset), files)
        metrics = train_student(
            config.override(settings or []),
            out,
            teachers=opened,
            **files,
            unlabelled=unlabelled or [],
            force=force,
            report=say,
        )
    say(f"run:   {out}")
    say(f"watch: tensorboard --logdir {quote(str(out / 'logs'))}")
    say(f"next:  textapp export {quote(str(out))} --out {quote(f'export/bundles/{out.name}')}")
    if as_json:
        print_json(metrics)
