"""`textapp tune`: searches settings within a budget of minutes and trains the best ones; a command for each task."""

import math
from collections.abc import Callable
from typing import Annotated, Any

import typer

from textapp.cli.arguments import Out, Settings, Vectors, check_readable, settings_help
from textapp.cli.groups import Group
from textapp.cli.native_log import tensorflow_started
from textapp.cli.output import print_json, resumable, say, say_table
from textapp.cli.train import names_of, say_next
from textapp.errors import InputError
from textapp.search.space import search_space
from textapp.settings import MOST
from textapp.task import Task, names, task

app = typer.Typer(
    cls=Group, help="Search good settings, and train the best.", no_args_is_help=True, rich_markup_mode=None
)


def _command(found: Task[Any, Any, Any]) -> Callable[..., None]:
    """The command that searches settings for a model of a task."""

    def tune(
        train: Annotated[str, typer.Option(help=f"{found.files_help[0].upper()}{found.files_help[1:]}.")],
        minutes: Annotated[float, typer.Option(min=0, help="Budget for the search and the run, in minutes.")],
        out: Out,
        valid: Annotated[
            str | None, typer.Option(help="Validation examples, which choose; by default a share of --train.")
        ] = None,
        test: Annotated[str | None, typer.Option(help="Test examples; only the run is scored on them.")] = None,
        vectors: Vectors = None,
        preset: Annotated[
            str | None,
            typer.Option(
                help=f"Settings to start from: {', '.join(found.presets_help)}. By default they are chosen from the "
                "training examples, as `textapp train` does."
            ),
        ] = None,
        settings: Settings = None,
        seed: Annotated[int, typer.Option(min=0, max=MOST, help="Seed of the proposed settings.")] = 0,
        force: Annotated[bool, typer.Option(help="Replace an existing search, and then an existing run.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")] = False,
    ) -> None:
        config = found.preset(preset, vectors=vectors is not None).override(settings or [], automatic=preset is None)
        check_readable(train, valid, test, vectors)
        if not 0 < minutes < math.inf:
            raise InputError(f"--minutes {minutes:g}: must be a number above 0")
        with resumable(force), tensorflow_started():
            from textapp.search.tune import tune as search
            from textapp.search.tuning_report import table

            result = search(
                found.name,
                config,
                out,
                minutes=minutes,
                train=train,
                valid=valid,
                test=test,
                vectors=vectors,
                fixed=names_of(settings or []),
                automatic=preset is None,
                seed=seed,
                force=force,
                report=say,
            )
        if result is None:  # another process of the search trains the run
            return
        say_table(*table(result))
        folder = out.with_name(f"{out.name}.tuning")
        say(f"table: {folder / 'tune.md'}; picture: {folder / 'tune.png'}")
        say_next(out)
        if as_json:
            print_json(result)

    return tune


for _task in map(task, names()):
    _start = _task.config()
    _help = (
        f"Search settings for a {_task.model_noun} on validation data, and train a run with the best ones. After a "
        "crash, the same command resumes the search. Started several times, also on machines that share a disk, it "
        "searches with all of them.\n\n"
        f"For example: textapp tune {_task.model_noun} --train train.tsv --minutes 30 --out run"
    )
    _searched = ", ".join(f"{name} ({kind})" for name, kind in search_space(_start).items())
    _end = (
        f"Searched, unless --set fixes it: {_searched}. The values of the start point are tried too.\n\n"
        f"{settings_help(_start)}"
    )
    app.command(_task.model_noun, help=_help, epilog=_end)(_command(_task))
