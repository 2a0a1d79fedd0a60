"""`textapp predict`: labels of texts, with what the model attended to."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from textapp.cli.arguments import as_utf8
from textapp.cli.output import print_json, printable, say
from textapp.errors import InputError

if TYPE_CHECKING:
    from textapp.runtime import Prediction


def predict(
    model: Annotated[Path, typer.Argument(metavar="RUN_OR_BUNDLE", help="Run folder or bundle.")],
    texts: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT", help="Texts; by default those of --file, else of standard input."),
    ] = None,
    file: Annotated[Path | None, typer.Option(help="File of texts, one a line.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the predictions as JSON on stdout.")] = False,
) -> None:
    """Predict the label of each text."""
    from textapp.cli.opened import open_classifier

    if texts and file:
        raise InputError(f"--file {file}: give texts or a file, not both")
    classifier = open_classifier(model)
    lines = list(map(as_utf8, texts)) if texts else list(_lines(file))
    predictions = classifier.predict(lines)
    for number, prediction in enumerate(predictions, 1):
        if prediction.truncated:
            say(f"note: text {number} was cut to its first {classifier.max_tokens} tokens")
    if as_json:
        print_json({"predictions": [prediction.to_dict() for prediction in predictions]})
        return
    show(lines, predictions)


def show(texts: Sequence[str], predictions: "Sequence[Prediction]") -> None:
    """Prints a line a text on stdout: label, probability, and the text with its attention."""
    colours = sys.stdout.isatty()
    for text, prediction in zip(texts, predictions, strict=True):
        label, prob = printable(prediction.label), prediction.probs[prediction.label]
        line = f"{label}\t{prob:.3f}\t{marked(text, prediction, colours)}\n"
        sys.stdout.buffer.write(line.encode("utf-8", "backslashreplace"))
    sys.stdout.flush()


def marked(text: str, prediction: "Prediction", colours: bool) -> str:
    """The text that the model read, on one line; on a terminal its tokens are the redder the more they weigh."""
    shown, end = "", 0
    heaviest = max((token.weight or 0.0 for token in prediction.tokens), default=0.0)
    for token in prediction.tokens:
        shown += _printable(text[end : token.start])
        surface = _printable(text[token.start : token.end])
        red = round(5 * token.weight / heaviest) if colours and heaviest and token.weight else 0
        shown += f"\x1b[48;5;{16 + 36 * red}m{surface}\x1b[0m" if red else surface  # the 6 reds of the 256 colours
        end = token.end
    return shown + ("…" if prediction.truncated else _printable(text[end:]))


def _printable(text: str) -> str:
    """Control characters as spaces: a text must not move the cursor or recolour the terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


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
