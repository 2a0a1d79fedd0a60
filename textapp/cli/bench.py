"""`textapp bench`: how fast and how large a bundle is on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from textapp.cli.native_log import native_log_hidden
from textapp.cli.output import print_json, say_table


def bench(
    bundle: Annotated[Path, typer.Argument(help="Bundle.")],
    data: Annotated[str, typer.Option(help="Labelled texts to time, in any form that training reads.")],
    count: Annotated[int, typer.Option(min=1, help="How many of the texts to time.")] = 1000,
    threads: Annotated[int, typer.Option(min=1, help="Threads a call may use.")] = 1,
    text_column: Annotated[str | None, typer.Option(help="Text column, where the header does not tell.")] = None,
    label_column: Annotated[str | None, typer.Option(help="Label column, likewise.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON on stdout.")] = False,
) -> None:
    """Time a bundle over real texts: text to label and the model alone, memory, bytes."""
    from itertools import islice

    from textapp.data.readers import iterate_examples
    from textapp.runtime import load
    from textapp.runtime.latency import measure_latency

    with native_log_hidden():
        predictor = load(bundle, threads)
    texts = [text for text, _ in islice(iterate_examples(data, text_column, label_column), count)]
    figures = measure_latency(predictor, texts).to_dict()
    say_table(
        ("", "p50", "p95"),
        [
            ("text to label, ms", f"{figures['text_to_label_ms_p50']:.3f}", f"{figures['text_to_label_ms_p95']:.3f}"),
            ("model alone, ms", f"{figures['model_ms_p50']:.3f}", f"{figures['model_ms_p95']:.3f}"),
            ("peak memory, MB", f"{figures['peak_memory_mb']:.1f}", ""),
            ("model file, bytes", f"{figures['model_bytes']:,}", ""),
        ],
    )
    if as_json:
        print_json(figures)
