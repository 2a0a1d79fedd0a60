"""Arguments that several commands have, and what is done with texts and files given on the command line."""

import os
from pathlib import Path
from typing import Annotated

import typer

from textapp.data.readers import file_of
from textapp.files import named_errors

Out = Annotated[Path, typer.Option(help="Run folder to make.")]
Vectors = Annotated[
    str | None,
    typer.Option(help="Word vectors to start from: word2vec, fastText, GloVe or .npz, each also gzipped."),
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting; repeatable.")
]
Force = Annotated[bool, typer.Option(help="Delete a run that is there already, once the new one starts.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the metrics as JSON on stdout.")]

TextColumn = Annotated[
    str | None, typer.Option(help="Of labelled texts: text column; by default a run's own, or the header tells.")
]
LabelColumn = Annotated[str | None, typer.Option(help="Label column, likewise.")]
TokenColumn = Annotated[
    str | None, typer.Option(help="Of tagged sentences: column of the tokens; by default a run's own, or the first.")
]
TagColumn = Annotated[str | None, typer.Option(help="Column of the tags; by default a run's own, or the last.")]
Scheme = Annotated[
    str | None, typer.Option(help="Scheme of the tags, as IOB2 or IOBES; by default a run's own, or guessed.")
]
Repair = Annotated[bool, typer.Option("--repair", help="Repair broken tag sequences, not refuse them.")]

Teachers = Annotated[
    list[Path],
    typer.Argument(
        metavar="TEACHER...",
        help="Runs, bundles, or files of soft targets (soft_targets.jsonl.gz of a student), all of one task. Several "
        "teach together.",
    ),
]
Unlabelled = Annotated[
    list[str] | None,
    typer.Option(help="More texts for the teachers to label: one a line, a table, or a tar of .txt files; repeatable."),
]


def as_utf8(argument: str) -> str:
    """An argument decoded as UTF-8 where the locale (`LANG=C`) is of another mind; what is no UTF-8 becomes U+FFFD."""
    if argument.isascii() or not any("\udc80" <= character <= "\udcff" for character in argument):
        return argument
    return os.fsencode(argument).decode("utf-8", "replace")


def check_readable(*paths: str | None) -> None:
    """Raises `InputError` for the first file that is not there: TensorFlow, which reads it, takes seconds to load."""
    for path in paths:
        if path is not None:
            file = file_of(path)
            with named_errors(path):
                Path(file).stat()
