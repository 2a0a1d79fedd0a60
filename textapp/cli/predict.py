"""`textapp predict`: predicts texts with a run or a bundle."""

import contextlib
import functools
import io
import itertools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Annotated

import typer

from textapp.cli.arguments import as_utf8, check_confidence
from textapp.cli.line_predictor import (
    READ_BYTES,
    Answer,
    Answers,
    Block,
    LinePredictor,
    Request,
    blocks_of,
    read_blocks,
)
from textapp.cli.native_log import native_log_hidden
from textapp.cli.output import say
from textapp.data.lines import open_bytes
from textapp.errors import InputError, excerpt
from textapp.text.characters import counted

_TABLES = (".csv", ".tsv", ".json", ".jsonl", ".parquet", ".xlsx")

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
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Also show what each token contributes: the probability of the predicted label minus that of the text "
            "without the token; for classifiers.",
        ),
    ] = False,
    sort: Annotated[
        str | None,
        typer.Option(
            metavar="uncertainty",
            help="Print the lines of --file with the most uncertain first, to choose which to label; for classifiers. "
            "Uncertainty is 1 minus the margin between the two most probable labels; with several labels a text, that "
            "of the label closest to its threshold.",
        ),
    ] = None,
    top: Annotated[int | None, typer.Option(min=1, help="With --sort: the largest number of lines.")] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Skip lines that are not UTF-8, and count them at the end.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes that predict lines at the same time.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the predictions as JSON on stdout.")] = False,
) -> None:
    """Predict the label of each text, or its spans or tags.

    For example: textapp predict export/bundles/reviews 'Not bad at all'
    """
    if texts and file:
        raise InputError(f"--file {file}: give texts or a file, not both")
    check_confidence(min_confidence)
    _check_sort(sort, top, file)
    _check_lines(file)
    source = str(file or "standard input")
    request = Request(
        model, source, confidence, min_confidence, as_json, sys.stdout.isatty(), skip_bad, explain, sort is not None
    )
    with contextlib.ExitStack() as stack:
        stream = None if texts else stack.enter_context(_opened(file))
        answers: Answers
        size = READ_BYTES
        if workers == 1:
            stack.enter_context(native_log_hidden())
            predictor = LinePredictor(request)
            size = predictor.read_bytes

            def answers(blocks: Iterator[Block]) -> Iterator[Answer]:
                return itertools.chain.from_iterable(map(predictor.answers, blocks))

        else:
            from textapp.cli.workers import Workers

            descriptor = None if stream is None or sort else _descriptor(stream)
            answers = functools.partial(stack.enter_context(Workers(workers, request)).answers, descriptor=descriptor)
        blocks = blocks_of(map(as_utf8, texts or ())) if stream is None else read_blocks(stream, source, size)
        skipped: Sequence[int] = ()
        if sort is not None and stream is not None:
            from textapp.cli.sorting import SortedLines

            lines = SortedLines(stream, source, answers, top)
            blocks, skipped = lines.blocks(), lines.skipped
        skipped = [*skipped, *_print(answers(blocks), request)]
    if skipped:
        first = f"{source}:{skipped[0]}"
        say(f"note: skipped {counted(len(skipped), 'line')} of bytes that are not UTF-8; the first is {first}")


def _check_lines(file: Path | None) -> None:
    """Raises `InputError` if a file is a table by its suffix: its header and labels would be read as texts."""
    if file is not None and file.is_file() and Path(file.name.lower().removesuffix(".gz")).suffix in _TABLES:
        raise InputError(
            f"{file}: is a table by its suffix, and --file reads texts, one a line; write the column of its texts to a "
            "file such as texts.txt, with a space for each line break in a text; `textapp evaluate` reads tables with "
            "labels"
        )


def _check_sort(sort: str | None, top: int | None, file: Path | None) -> None:
    """Raises `InputError` unless `--sort` and `--top` have a meaning."""
    if sort not in (None, "uncertainty"):
        raise InputError(f"--sort {excerpt(str(sort))}: must be uncertainty")
    if sort is not None and file is None:
        raise InputError(f"--sort {sort}: needs --file, because it reads the texts a second time in another order")
    if top is not None and sort is None:
        raise InputError(f"--top {top}: needs --sort uncertainty")


def _print(answers: Iterator[Answer], request: Request) -> list[int]:
    """Prints each answer at once, and returns the numbers of the lines that were skipped.

    Raises:
        InputError: An answer has an error; the JSON object is completed before.
    """
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
    return skipped


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
