"""`textapp train`: trains a model and writes a run folder; there is a command for each task."""

from collections.abc import Callable, Sequence
from pathlib import Path
from shlex import quote
from typing import Annotated, Any

import typer

from textapp.cli.arguments import (
    AsJson,
    Callbacks,
    Force,
    Out,
    Settings,
    Track,
    Vectors,
    check_readable,
    settings_help,
    takes_frequent_settings,
)
from textapp.cli.early_checks import check_finished, check_run_place
from textapp.cli.groups import Group
from textapp.cli.local_cluster import Strategy, Timeout, TrainingWorkers, ran_in_workers
from textapp.cli.native_log import tensorflow_started
from textapp.cli.output import print_json, resumable, say, say_steps
from textapp.cli.tracked import tracked
from textapp.errors import InputError
from textapp.task import Task, names, task

app = typer.Typer(cls=Group, help="Train a model.", no_args_is_help=True, rich_markup_mode=None)


def _command(found: Task[Any, Any, Any]) -> Callable[..., None]:
    """The command that trains a model of a task."""

    @takes_frequent_settings(found.config)
    def train(
        train: Annotated[str, typer.Option(help=f"{found.files_help[0].upper()}{found.files_help[1:]}.")],
        out: Out,
        valid: Annotated[str | None, typer.Option(help="Validation examples; by default a share of --train.")] = None,
        test: Annotated[str | None, typer.Option(help="Test examples, scored once at the end.")] = None,
        vectors: Vectors = None,
        init: Annotated[
            Path | None,
            typer.Option(
                metavar="RUN",
                help="Finished run to start from: its weights, words, labels or tags, and settings; new ones follow. "
                "Its test file is the default of --test.",
            ),
        ] = None,
        preset: Annotated[
            str | None,
            typer.Option(
                autocompletion=lambda incomplete: [one for one in found.presets_help if one.startswith(incomplete)],
                help=f"Fixed settings for a kind of text: {', '.join(found.presets_help)}. By default settings are "
                "chosen from the training examples, and printed with their reasons.",
            ),
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
        if init is not None and preset is not None:
            raise InputError("--preset: the settings are those of the run of --init; --set changes single ones")
        config = found.preset(preset, vectors=vectors is not None)
        if init is None:
            config = config.override(settings or [], automatic=preset is None)
        check_readable(train, valid, test, vectors)
        if init is not None:
            check_finished(init)
        check_run_place(out, force)
        if ran_in_workers(workers, timeout):
            return
        with resumable(force), tensorflow_started(), tracked(track, callbacks, out) as (made, finish):
            from textapp.training.initial import InitialRun
            from textapp.training.train import train as train_model

            initial = None if init is None else InitialRun.open(found, init)
            if initial is not None:
                config = initial.config().override(settings or [])
            metrics = train_model(
                found.name,
                config,
                out,
                train=train,
                valid=valid,
                test=test,
                vectors=vectors,
                init=initial,
                fixed=names_of(settings or []) if preset is None and init is None else None,
                callbacks=made,
                strategy=strategy,
                force=force,
                report=say,
            )
            finish(metrics)
        say_next(out)
        if as_json:
            print_json(metrics)

    return train


def names_of(settings: Sequence[str]) -> list[str]:
    """The names in `KEY=VALUE` settings."""
    return [setting.partition("=")[0].strip() for setting in settings]


def say_next(out: Path) -> None:
    """Prints the run folder, the command that shows its progress, and the next command."""
    say_steps(
        ("run", out),
        ("watch", f"tensorboard --logdir {quote(str(out / 'logs'))}"),
        ("next", f"textapp export {quote(str(out))} --out {quote(f'export/bundles/{out.name}')}"),
    )


for _task in map(task, names()):
    _help = f"Train a {_task.model_noun}, which {_task.does}. After a crash, the same command resumes the training."
    _help += f"\n\nFor example: textapp train {_task.model_noun} --train train.tsv --test test.tsv --out run"
    _presets = "Presets: " + "; ".join(f"{name}: {text}" for name, text in _task.presets_help.items()) + "."
    _end = f"{_presets}\n\n{settings_help(_task.config())}"
    app.command(_task.model_noun, help=_help, epilog=_end)(_command(_task))
    app.command(_task.short_name, help=f"Short for {_task.model_noun}.", epilog=_end, hidden=True)(_command(_task))
