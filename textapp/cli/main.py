"""`textapp`: the commands and their exit codes."""

import os
import platform
import sys
from typing import Annotated

import typer

from textapp import __version__
from textapp.cli import (
    bench,
    compress,
    data,
    demo,
    distill,
    evaluate,
    export,
    predict,
    quantize,
    report,
    serve,
    settings,
    train,
    tune,
    vectors,
)
from textapp.cli.arguments import settings_help, student_settings_help
from textapp.cli.explanation import explanation
from textapp.cli.groups import Group
from textapp.cli.output import print_json, say
from textapp.cli.signals import StopSignals
from textapp.compress.config import QuantizeConfig
from textapp.errors import InputError

app = typer.Typer(
    cls=Group,
    name="textapp",
    help="Text models from raw text to the phone: train, export to TFLite, predict without TensorFlow.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help, in a third of the time
)
app.command("demo")(demo.demo)
app.add_typer(train.app, name="train")
app.command("settings")(settings.settings)
app.add_typer(data.app, name="data")
app.add_typer(tune.app, name="tune")
app.command("distill", epilog=student_settings_help())(distill.distill)
app.command("compress", epilog=student_settings_help())(compress.compress)
app.command("evaluate")(evaluate.evaluate)
app.command("quantize", epilog=settings_help(QuantizeConfig()))(quantize.quantize)
app.command("export")(export.export)
app.command("predict")(predict.predict)
app.command("serve")(serve.serve)
app.command("bench")(bench.bench)
app.command("report")(report.report)
app.add_typer(vectors.app, name="vectors")


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --version: as JSON, with the versions of Python and the engines.")
    ] = False,
) -> None:
    """Prints the version, if it is asked for."""
    if version:
        if as_json:
            print_json(_versions())
        else:
            print(__version__)
        raise typer.Exit()
    if as_json:
        raise InputError("--json: stands after a command, or with --version")
    if context.invoked_subcommand is None:
        raise InputError("no command; textapp --help lists them")


def _versions() -> dict[str, str | None]:
    """Versions of textapp, Python and the packages that compute; None of one that is not installed."""
    import importlib.metadata  # slow to load, for this rare use

    found: dict[str, str | None] = {"textapp": __version__, "python": platform.python_version()}
    for name in ("numpy", "ai-edge-litert", "keras", "tensorflow"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


def main() -> None:
    """Runs a command.

    Exit codes: 0 done, 1 a defect of textapp (with its traceback) or a closed pipe, 2 wrong input, 130 Ctrl-C, 143
    SIGTERM, 129 SIGHUP.
    """
    _open_closed_streams()
    with StopSignals() as stop:
        try:
            app(prog_name="textapp")  # also for `python -m textapp`
        except Exception as error:
            line = explanation(error)
            if stop.received is not None:  # an error that the stop caused
                return
            if line is None:
                raise
            sys.exit(_say(line))


def _open_closed_streams() -> None:
    """Opens the null device for each standard stream that the caller has closed (`2>&-`).

    Otherwise the next opened file would get its number, and text for the terminal would go into that file.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8", errors="backslashreplace"))


def _say(message: str) -> int:
    """Prints a message about wrong input in one line, and returns the exit code."""
    try:
        say(f"textapp: {' '.join(message.splitlines())}")
    except OSError:  # stderr cannot be written: only the exit code remains
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    return 2
