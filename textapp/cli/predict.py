"""`textapp predict`: predicts texts with a run or a bundle."""

import contextlib
import io
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Annotated

import typer

from textapp.cli.arguments import as_utf8, check_confidence
from textapp.cli.line_predictor import Answer, LinePredictor, Request, blocks_of, read_blocks
from textapp.cli.native_log import native_log_hidden
from textapp.cli.output import say
from textapp.data.lines import open_bytes
from textapp.errors import InputError
from textapp.text.characters import counted

_NOTES = 5
"""Notes that are printed; the others are only counted, so that a large file gives no thousands of lines."""


def predict(
    model: Annotated[Path, typer.Argument(metavar="RUN_OR_BUNDLE", help="Run folder or bundle.")],
    texts: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT", help="Texts; by default from --file, or from standard input."),
    ] = None,
    file: Annotated[Path | None, typer.Option(help="File of texts, one a line; also gzipped.")] = None,
    confidence: Annotated[
        bool, typer.Option("--confidence", help="Also give the probability of each span; for taggers.")
    ] = False,
    min_confidence: Annotated[
        float | None,
        typer.Option(
            metavar="P",
            help="Give no label (?, in JSON null) where the most probable one has a probability below P; for "
            "classifiers. `textapp evaluate --min-confidence` shows what a P does.",
        ),
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Skip lines that are not UTF-8, and count them at the end.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes that predict lines at the same time.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the predictions as JSON on stdout.")] = False,
) -> None:
    """Predict the label of each text, or its spans or tags."""
    if texts and file:
        raise InputError(f"--file {file}: give texts or a file, not both")
    check_confidence(min_confidence)
    source = str(file or "standard input")
    request = Request(model, source, confidence, min_confidence, as_json, sys.stdout.isatty(), skip_bad)
    with contextlib.ExitStack() as stack:
        stream = None if texts else stack.enter_context(_opened(file))
        blocks = blocks_of(map(as_utf8, texts or ())) if stream is None else read_blocks(stream, source)
        if workers == 1:
            stack.enter_context(native_log_hidden())
            predictor = LinePredictor(request)
            answers: Iterator[Answer] = itertools.chain.from_iterable(map(predictor.answers, blocks))
        else:
            from textapp.cli.workers import Workers

            descriptor = None if stream is None else _descriptor(stream)
            answers = stack.enter_context(Workers(workers, request)).answers(blocks, descriptor)
        _print(answers, request)


def _print(answers: Iterator[Answer], request: Request) -> None:
    """Prints each answer at once. Raises `InputError` for an answer's error, after the JSON object is complete."""
    start, end = (b'{"predictions": [', b"]}\n") if request.as_json else (b"", b"")
    before = start
    skipped: list[int] = []
    notes = 0
    try:
        for answer in answers:
            for note in answer.notes:
                notes += 1
                if notes <= _NOTES:
                    say(f"note: {note}")
            if answer.output:
                _write(before + answer.output)
                before = request.separator
            skipped += answer.skipped
            if answer.error is not None:
                raise InputError(answer.error)
    except InputError:
        if before != start:
            _write(end)
        _say_more(notes)
        raise
    _write(end if before != start else start + end)
    _say_more(notes)
    if skipped:
        first = f"{request.source}:{skipped[0]}"
        say(f"note: skipped {counted(len(skipped), 'line')} of bytes that are not UTF-8; the first is {first}")


def _say_more(notes: int) -> None:
    """Says how many notes were not printed, if any were not."""
    if notes > _NOTES:
        say(f"note: {counted(notes - _NOTES, 'more note')} like these; --json marks each such text")


def _write(content: bytes) -> None:
    """Writes to stdout at once, so that a reader need not wait for a full buffer."""
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def _opened(file: Path | None) -> contextlib.AbstractContextManager[IO[bytes]]:
    """Opens a file, gzipped or not, or standard input."""
    if file is not None:
        return open_bytes(file)
    if sys.stdin.isatty():
        say("reading texts from the terminal, one a line; end with Ctrl-D")
    return contextlib.nullcontext(sys.stdin.buffer)


def _descriptor(stream: IO[bytes]) -> int | None:
    """The file descriptor of a stream; None for a stream in memory and for gzip data."""
    try:
        return stream.fileno()
    except io.UnsupportedOperation:
        return None
