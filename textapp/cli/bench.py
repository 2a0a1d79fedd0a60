"""`textapp bench`: measures time and size of a bundle on this machine."""

from pathlib import Path
from typing import Annotated, Any

import typer

from textapp.cli.arguments import check_readable, reads_examples
from textapp.cli.native_log import native_log_hidden
from textapp.cli.output import print_json, say_table
from textapp.task import task


@reads_examples("text_column", "label_column", "token_column", "tag_column")
def bench(
    bundle: Annotated[Path, typer.Argument(help="Bundle.")],
    data: Annotated[str, typer.Option(help="Labelled texts or tagged sentences to time, as training reads them.")],
    columns: dict[str, Any],
    count: Annotated[int, typer.Option(min=1, help="Number of texts to time.")] = 1000,
    threads: Annotated[int, typer.Option(min=1, help="Threads that a call may use.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON on stdout.")] = False,
) -> None:
    """Time a bundle on real texts: from text to result and the model only, with memory and bytes."""
    from textapp.runtime import load
    from textapp.runtime.latency import measure_latency

    check_readable(data)
    with native_log_hidden():
        predictor = load(bundle, threads)
    found = task(predictor.task)
    texts = found.read_texts(data, predictor.tokenizer, count, **found.check_options(columns))
    latency = measure_latency(predictor, texts)
    peak = latency.peak_memory_mb
    say_table(
        ("", "p50", "p95"),
        [
            (f"text to {latency.result}, ms", f"{latency.ms_p50:.3f}", f"{latency.ms_p95:.3f}"),
            ("model alone, ms", f"{latency.model_ms_p50:.3f}", f"{latency.model_ms_p95:.3f}"),
            ("peak memory, MB", "unknown" if peak is None else f"{peak:.1f}", ""),
            ("model file, bytes", f"{latency.model_bytes:,}", ""),
        ],
    )
    if as_json:
        print_json(latency.to_dict())
