"""`textapp bench`: how fast and how large a bundle is on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from textapp.cli.native_log import native_log_hidden
from textapp.cli.output import print_json, say_table

if TYPE_CHECKING:
    from textapp.text.tokenizer import Tokenizer


def bench(
    bundle: Annotated[Path, typer.Argument(help="Bundle.")],
    data: Annotated[str, typer.Option(help="Labelled texts or tagged sentences to time, as training reads them.")],
    count: Annotated[int, typer.Option(min=1, help="How many of the texts to time.")] = 1000,
    threads: Annotated[int, typer.Option(min=1, help="Threads a call may use.")] = 1,
    text_column: Annotated[str | None, typer.Option(help="Text column, where the header does not tell.")] = None,
    label_column: Annotated[str | None, typer.Option(help="Label column, likewise.")] = None,
    token_column: Annotated[str | None, typer.Option(help="Of tagged sentences: column of the tokens.")] = None,
    tag_column: Annotated[str | None, typer.Option(help="Column of the tags, likewise.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON on stdout.")] = False,
) -> None:
    """Time a bundle over real texts: text to label or spans and the model alone, memory, bytes."""
    from itertools import islice

    from textapp.data.readers import iterate_examples
    from textapp.runtime import BundleTagger, load
    from textapp.runtime.latency import measure_latency, measure_tag_latency

    with native_log_hidden():
        predictor = load(bundle, threads)
    if isinstance(predictor, BundleTagger):
        texts = _texts_of_tokens(data, token_column, tag_column, predictor.tokenizer)[:count]
        figures, result = measure_tag_latency(predictor, texts).to_dict(), "spans"
    else:
        texts = [text for text, _ in islice(iterate_examples(data, text_column, label_column), count)]
        figures, result = measure_latency(predictor, texts).to_dict(), "label"
    p50, p95 = (f"{figures[f'text_to_{result}_ms_{part}']:.3f}" for part in ("p50", "p95"))
    peak = figures["peak_memory_mb"]
    say_table(
        ("", "p50", "p95"),
        [
            (f"text to {result}, ms", p50, p95),
            ("model alone, ms", f"{figures['model_ms_p50']:.3f}", f"{figures['model_ms_p95']:.3f}"),
            ("peak memory, MB", "unknown" if peak is None else f"{peak:.1f}", ""),
            ("model file, bytes", f"{figures['model_bytes']:,}", ""),
        ],
    )
    if as_json:
        print_json(figures)


def _texts_of_tokens(data: str, token_column: str | None, tag_column: str | None, tokenizer: "Tokenizer") -> list[str]:
    """Tagged sentences as texts: their tokens with spaces between them, or without where a token is a character."""
    from textapp.data.tagged import read_tagged

    sentences = read_tagged(data, token_column, tag_column, repair=True, tokenizer=tokenizer).sentences
    return [("" if tokenizer.kind == "char" else " ").join(tokens) for tokens in sentences]
