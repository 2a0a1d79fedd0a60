"""`textapp predict`: predicts texts with a run or a bundle."""

import contextlib
import functools
import io
import itertools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Annotated, Any

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
    record_blocks,
)
from textapp.cli.native_log import native_log_hidden
from textapp.cli.output import say
from textapp.cli.shards import FileRequest, is_pattern, predict_file, predict_shards
from textapp.data.lines import open_bytes
from textapp.data.records import RECORD_FORMATS, record_format
from textapp.errors import InputError, excerpt
from textapp.text.characters import counted
from textapp.text.terminal import Screen

_NOTES = 5
"""Notes that are printed; the others are only counted, so that a large file gives no thousands of lines."""


def predict(
    model: Annotated[Path, typer.Argument(metavar="RUN_OR_BUNDLE", help="Run folder or bundle.")],
    texts: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT", help="Texts; by default from --file, or from standard input."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            help="Table with a column of texts (CSV, TSV, JSON lines, parquet, by its suffix), or file of texts, one a "
            "line; also gzipped. With --out also a folder of such files, or a pattern in quotation marks: "
            "'part-*.parquet'."
        ),
    ] = None,
    text_column: Annotated[
        str | None,
        typer.Option(help="Name of the text column of a table, or its number from 0 where the table has no header."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write the predictions to a file, beside the columns of --file: .jsonl, .csv, .tsv, also with .gz, or "
            ".parquet. For many files: a folder; files that are there already are skipped."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file --out if it is there.")] = False,
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
    workers: Annotated[
        int,
        typer.Option(
            min=1,
            max=256,
            help="Processes that predict lines, or files, at the same time; threads for files where the core in C runs "
            "the model.",
        ),
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the predictions as JSON on stdout.")] = False,
) -> None:
    """Predict the label of each text, or its spans or tags.

    For example: textapp predict export/bundles/reviews 'Not bad at all'
    """
    if texts and file:
        raise InputError(f"--file {file}: give texts or a file, not both")
    check_confidence(min_confidence)
    _check_sort(sort, top, file)
    is_table = file is not None and record_format(file) is not None
    _check_file(file, text_column, is_table, {"--sort": sort is not None, "--skip-bad": skip_bad})
    if out is not None:
        if file is None:
            raise InputError(f"--out {out}: needs --file; the predictions of other texts go to stdout")
        wrong = {"--explain": explain, "--sort": sort is not None, "--skip-bad": skip_bad}
        if given := [name for name, is_given in wrong.items() if is_given]:
            raise InputError(
                f"{given[0]}: has no meaning with --out, which writes the predictions of all rows in order"
            )
        _predict_files(model, file, text_column, out, force, confidence, min_confidence, workers, as_json)
        return
    if force:
        raise InputError("--force: needs --out")
    source = str(file or "standard input")
    request = Request(
        model, source, confidence, min_confidence, as_json, Screen.of(sys.stdout), skip_bad, explain, sort is not None
    )
    with contextlib.ExitStack() as stack:
        stream = None if texts or is_table else stack.enter_context(_opened(file))
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
        if stream is not None:
            blocks = read_blocks(stream, source, size)
        elif file is not None:
            blocks = record_blocks(file, text_column)
        else:
            blocks = blocks_of(map(as_utf8, texts or ()))
        skipped: Sequence[int] = ()
        if sort is not None and stream is not None:
            from textapp.cli.sorting import SortedLines

            lines = SortedLines(stream, source, answers, top)
            blocks, skipped = lines.blocks(), lines.skipped
        skipped = [*skipped, *_print(answers(blocks), request)]
    if skipped:
        first = f"{source}:{skipped[0]}"
        say(f"note: skipped {counted(len(skipped), 'line')} of bytes that are not UTF-8; the first is {first}")


def _check_file(file: Path | None, text_column: str | None, is_table: bool, of_lines: dict[str, bool]) -> None:
    """Raises `InputError` if an option has no meaning for the kind of `--file`."""
    if text_column is not None and file is None:
        raise InputError(f"--text-column {excerpt(text_column)}: needs --file with a table")
    if text_column is not None and not is_table and file is not None and not is_pattern(file):
        raise InputError(f"{file}: --text-column is for tables; its suffix must be one of {', '.join(RECORD_FORMATS)}")
    if file is not None and file.suffix.lower() in (".xlsx", ".xls", ".ods"):
        raise InputError(f"{file}: is a spreadsheet; save it as CSV in UTF-8")
    for option, is_given in of_lines.items():
        if is_given and is_table:
            raise InputError(f"{option}: reads files of texts, one a line, and {file} is a table by its suffix")


def _predict_files(
    model: Path,
    file: Path,
    text_column: str | None,
    out: Path,
    force: bool,
    confidence: bool,
    min_confidence: float | None,
    workers: int,
    as_json: bool,
) -> None:
    """Predicts whole files, for `--out`."""
    options: dict[str, Any] = {"confidence": True} if confidence else {}
    if min_confidence is not None:
        options["min_confidence"] = min_confidence
    if not is_pattern(file):
        with native_log_hidden():
            predict_file(FileRequest(model, options, text_column, workers, force), file, out, as_json)
        return
    if force:
        raise InputError(f"--force: replaces one file; delete the folder {out}, or choose another --out")
    predict_shards(FileRequest(model, options, text_column), file, out, workers, as_json)


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
    is_explained = False  # by a legend
    try:
        for answer in answers:
            if answer.legend and not is_explained:
                is_explained = True
                print(answer.legend, file=sys.stderr, flush=True)
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
