"""`textapp`: the commands and their exit codes."""

import os
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
from textapp.cli.output import say
from textapp.cli.signals import StopSignals
from textapp.compress.config import QuantizeConfig

app = typer.Typer(
    name="textapp",
    help="Text models from raw text to the phone: train, export to TFLite, predict without TensorFlow.",
    no_args_is_help=True,
    add_completion=False,
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


def _print_version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Does nothing: `_print_version` prints the version."""


def main() -> None:
    """Runs a command.

    Exit codes: 0 done, 1 a defect of textapp (with its traceback) or a closed pipe, 2 wrong input, 130 Ctrl-C, 143
    SIGTERM, 129 SIGHUP.
    """
    _open_closed_streams()
    with StopSignals() as stop:
        try:
            app()
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
