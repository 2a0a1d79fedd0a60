"""`textapp predict`: predicts texts with a run or a bundle."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from textapp.cli.arguments import as_utf8
from textapp.cli.native_log import native_log_hidden
from textapp.cli.opened import open_model
from textapp.cli.output import print_json, print_line, say
from textapp.errors import InputError


def predict(
    model: Annotated[Path, typer.Argument(metavar="RUN_OR_BUNDLE", help="Run folder or bundle.")],
    texts: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT", help="Texts; by default from --file, or from standard input."),
    ] = None,
    file: Annotated[Path | None, typer.Option(help="File of texts, one a line.")] = None,
    confidence: Annotated[
        bool, typer.Option("--confidence", help="Also give the probability of each span; for taggers.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the predictions as JSON on stdout.")] = False,
) -> None:
    """Predict the label of each text, or its spans or tags."""
    if texts and file:
        raise InputError(f"--file {file}: give texts or a file, not both")
    opened = open_model(model)
    task, predictor = opened.task, opened.predictor
    options: dict[str, Any] = {"confidence": True} if confidence else {}
    for name in options:
        if name not in predictor.predict_options:
            raise InputError(f"--{name}: is no option of a {task.model_noun}, which always gives probabilities")
    lines = list(map(as_utf8, texts)) if texts else list(_lines(file))
    with native_log_hidden():
        predictions = predictor.predict(lines, **options)
    for note in task.prediction_notes(predictions, predictor.max_tokens):
        say(f"note: {note}")
    if as_json:
        print_json({"predictions": [prediction.to_dict() for prediction in predictions]})
        return
    for line in task.prediction_lines(lines, predictions, predictor.targets, colours=sys.stdout.isatty()):
        print_line(line)
    sys.stdout.flush()


def _lines(file: Path | None) -> Iterator[str]:
    """The texts of a file or of standard input, one a line."""
    from textapp.files import decode_utf8, read_bytes

    if file is None and sys.stdin.isatty():
        say("reading texts from the terminal, one a line; end with Ctrl-D")
    content = read_bytes(file) if file else sys.stdin.buffer.read()
    source = file or "standard input"
    if not content:
        raise InputError(f"{source}: no text in it")
    for line in decode_utf8(content, source).removeprefix("\ufeff").removesuffix("\n").split("\n"):
        yield line.removesuffix("\r")
