"""`textapp bench`: measures time and size of a bundle on this machine."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from textapp.cli.arguments import check_readable, reads_examples
from textapp.cli.native_log import native_log_hidden
from textapp.cli.output import print_json, say, say_table
from textapp.errors import InputError
from textapp.task import task

if TYPE_CHECKING:
    from textapp.runtime import Predictor


@reads_examples("text_column", "label_column", "token_column", "tag_column")
def bench(
    bundle: Annotated[Path, typer.Argument(help="Bundle.")],
    data: Annotated[str, typer.Option(help="Labelled texts or tagged sentences to time, as training reads them.")],
    columns: dict[str, Any],
    count: Annotated[int, typer.Option(min=1, help="Number of texts to time.")] = 1000,
    threads: Annotated[int, typer.Option(min=1, help="Threads that a call may use.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON on stdout.")] = False,
) -> None:
    """Time a bundle on real texts, in each engine: from text to result and the model only, with memory and bytes.

    For example: textapp bench export/bundles/reviews --data test.tsv
    """
    from textapp.runtime.latency import Latency, measure_latency

    check_readable(data)
    measured: dict[str, Latency] = {}
    for engine, predictor in _in_each_engine(bundle, threads):
        found = task(predictor.task)
        texts = found.read_texts(data, predictor.tokenizer, count, **found.check_options(columns))
        measured[engine] = measure_latency(predictor, texts)
    figures = list(measured.values())
    say_table(
        ("", *(f"{engine}, {percentile}" for engine in measured for percentile in ("p50", "p95"))),
        [
            (f"text to {figures[0].result}, ms", *(cell for one in figures for cell in _ms(one.ms_p50, one.ms_p95))),
            ("model alone, ms", *(cell for one in figures for cell in _ms(one.model_ms_p50, one.model_ms_p95))),
            ("peak memory, MB", *(cell for one in figures for cell in (_megabytes(one.peak_memory_mb), ""))),
            ("model file, bytes", f"{figures[0].model_bytes:,}", *[""] * (2 * len(figures) - 1)),
        ],
    )
    if as_json:
        engines = {engine: one.to_dict() for engine, one in measured.items()}
        print_json({**figures[0].to_dict(), "engine": next(iter(engines)), "engines": engines})


def _in_each_engine(bundle: Path, threads: int) -> "Iterator[tuple[str, Predictor]]":
    """Yields the bundle in each engine that runs it: first the core in C, whose memory is then without LiteRT's."""
    from textapp.runtime import load

    try:
        with native_log_hidden():
            predictor = load(bundle, threads, engine="native")
    except InputError as error:
        refusal = str(error)
    else:
        refusal = ""
        yield "native", predictor
    with native_log_hidden():
        predictor = load(bundle, threads, engine="litert")  # which refuses a broken bundle in its own words
    if refusal:
        say(f"note: not timed in the core in C: {refusal}")
    yield "litert", predictor


def _ms(*times: float) -> list[str]:
    """Milliseconds as cells."""
    return [f"{one:.3f}" for one in times]


def _megabytes(peak: float | None) -> str:
    """A peak of memory as a cell."""
    return "unknown" if peak is None else f"{peak:.1f}"
