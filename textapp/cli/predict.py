"""`textapp predict`: labels of texts with what the model attended to, or the spans and tags in them."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from textapp.cli.arguments import as_utf8
from textapp.cli.output import print_json, printable, say
from textapp.errors import InputError

if TYPE_CHECKING:
    from textapp.runtime import Prediction, TaggedToken, Tagging


_COLOURS = (117, 156, 222, 218, 183, 229)  # light ones of the 256, for a span's background by its type


def predict(
    model: Annotated[Path, typer.Argument(metavar="RUN_OR_BUNDLE", help="Run folder or bundle.")],
    texts: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT", help="Texts; by default those of --file, else of standard input."),
    ] = None,
    file: Annotated[Path | None, typer.Option(help="File of texts, one a line.")] = None,
    confidence: Annotated[
        bool, typer.Option("--confidence", help="Of a tagger: the probability of each span.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the predictions as JSON on stdout.")] = False,
) -> None:
    """Predict the label of each text, or its spans or tags."""
    from textapp.cli.opened import open_model

    if texts and file:
        raise InputError(f"--file {file}: give texts or a file, not both")
    opened = open_model(model)
    from textapp.runtime import Tagger

    lines = list(map(as_utf8, texts)) if texts else list(_lines(file))
    if isinstance(opened, Tagger):
        taggings = opened.predict(lines, confidence)
        if as_json:
            print_json({"predictions": [tagging.to_dict() for tagging in taggings]})
        else:
            show_taggings(
                lines, taggings, types=None if opened.tag_set.scheme is None else sorted(opened.tag_set.types)
            )
        return
    if confidence:
        raise InputError("--confidence: is of taggers; a classifier always says how sure it is")
    predictions = opened.predict(lines)
    for number, prediction in enumerate(predictions, 1):
        if prediction.truncated:
            say(f"note: text {number} was cut to its first {opened.max_tokens} tokens")
    if as_json:
        print_json({"predictions": [prediction.to_dict() for prediction in predictions]})
        return
    show(lines, predictions)


def show(texts: Sequence[str], predictions: "Sequence[Prediction]", heaviest: int = 0) -> None:
    """Prints a line a text on stdout: label, probability, and the text with its attention.

    Args:
        texts: What was predicted.
        predictions: What came of it.
        heaviest: How many tokens to name behind the text, with their attention weights.
    """
    colours = sys.stdout.isatty()
    for text, prediction in zip(texts, predictions, strict=True):
        label, prob = printable(prediction.label), prediction.probs[prediction.label]
        line = f"{label}\t{prob:.3f}\t{marked(text, prediction, colours)}"
        if heaviest:
            tokens = sorted(prediction.tokens, key=lambda token: -(token.weight or 0.0))[:heaviest]
            line += "\t" + ", ".join(f"{_printable(token.text)} {token.weight or 0.0:.2f}" for token in tokens)
        _print_line(line)
    sys.stdout.flush()


def show_taggings(texts: Sequence[str], taggings: "Sequence[Tagging]", types: Sequence[str] | None) -> None:
    """Prints a line a text on stdout: with its spans marked, or with `types=None` its tokens and their tags."""
    colours = sys.stdout.isatty()
    for text, tagging in zip(texts, taggings, strict=True):
        if types is None:
            _print_line(" ".join(_tagged(token, colours) for token in tagging.tokens))
        else:
            _print_line(marked_spans(text, tagging, types if colours else None))
    sys.stdout.flush()


def marked_spans(text: str, tagging: "Tagging", coloured: Sequence[str] | None = None) -> str:
    """A text on one line with its spans marked: `[Barack Obama PER 0.98] was in [Hawaii LOC 0.91].`, say.

    Args:
        text: What was tagged.
        tagging: Its spans; their confidence is shown where it is known.
        coloured: All types, each to have a colour of a terminal; by default brackets mark the spans. Those of the text,
            and spaces of a type, are preceded by a backslash then, as backslashes are: marks can be told from text.
    """
    shown, end = "", 0
    for span in tagging.spans:
        before, surface = _printable(text[end : span.start]), _printable(span.text)
        notes = [span.type or "_", *([] if span.confidence is None else [f"{span.confidence:.2f}"])]
        if coloured is None:
            marks = [_escaped(surface, "[]"), *(_escaped(note, "[] ") for note in notes)]
            shown += f"{_escaped(before, '[]')}[{' '.join(marks)}]"
        else:
            colour = _COLOURS[coloured.index(span.type) % len(_COLOURS)]
            shown += f"{before}\x1b[30;48;5;{colour}m{surface} \x1b[1m{printable(' '.join(notes))}\x1b[0m"
        end = span.end
    rest = _printable(text[end:])
    return shown + (_escaped(rest, "[]") if coloured is None else rest)


def _tagged(token: "TaggedToken", colours: bool) -> str:
    """A token and its tag: `film/NOUN`; a slash or space of either is preceded by a backslash."""
    notes = [token.tag, *([] if token.confidence is None else [f"{token.confidence:.2f}"])]
    tag = "".join(f"/{_escaped(note, '/ ')}" for note in notes)
    return _escaped(token.text, "/ ") + (f"\x1b[2m{tag}\x1b[0m" if colours else tag)


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


def _escaped(text: str, marks: str) -> str:
    """A printable text in which the characters of `marks`, and backslashes, stand behind a backslash."""
    return "".join(f"\\{one}" if one == "\\" or one in marks else printable(one) for one in text)


def _print_line(line: str) -> None:
    """Writes a line as UTF-8 whatever the locale; lone surrogates as escapes."""
    sys.stdout.buffer.write(f"{line}\n".encode("utf-8", "backslashreplace"))


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
