"""`textapp quantize`: trains a finished run further, so that its weights need few bits."""

from pathlib import Path
from shlex import quote
from typing import Annotated, Any, Literal

import typer

from textapp.cli.arguments import Callbacks, Track
from textapp.cli.early_checks import check_finished, check_run_place
from textapp.cli.local_cluster import Strategy, Timeout, TrainingWorkers, ran_in_workers
from textapp.cli.native_log import tensorflow_started
from textapp.cli.output import print_json, resumable, say, say_steps, say_table
from textapp.cli.tracked import tracked
from textapp.compress.config import QuantizeConfig
from textapp.errors import InputError

WIDTH = 80
"""Columns of a terminal."""


def quantize(
    run: Annotated[Path, typer.Argument(help="Finished run of a classifier, student or tagger.")],
    out: Annotated[Path, typer.Option(help="Run folder to make.")],
    bits: Annotated[int | None, typer.Option(help="Bits of matrices, 2 to 8 (8 by default); stored in int8.")] = None,
    embedding_bits: Annotated[
        int | None, typer.Option(help="Bits of embedding rows, 2 to 8 (8 by default); up to 4 bits are stored packed.")
    ] = None,
    lowering: Annotated[
        Literal["fused", "unrolled"] | None, typer.Option(help="How the run will be exported (fused by default).")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of training; 0 rounds without training.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting; repeatable.")
    ] = None,
    callbacks: Callbacks = None,
    track: Track = None,
    strategy: Strategy = "auto",
    workers: TrainingWorkers = None,
    timeout: Timeout = 120,
    force: Annotated[bool, typer.Option(help="Delete an existing run when the new one starts.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the metrics as JSON on stdout.")] = False,
) -> None:
    """Train a run further with rounded weights, to lose less in few bits. After a crash, the same command resumes.

    For example: textapp quantize run --out run4 --embedding-bits 4
    """
    options = {"bits": bits, "embedding_bits": embedding_bits, "lowering": lowering, "epochs": epochs}
    given = {name: value for name, value in options.items() if value is not None}
    config = QuantizeConfig.from_dict(given, "command line").override(settings or [])
    check_finished(run)
    if out.resolve() == run.resolve():
        raise InputError(f"{out}: is the run itself; choose another --out")
    check_run_place(out, force)
    if ran_in_workers(workers, timeout):
        return
    with resumable(force), tensorflow_started(), tracked(track, callbacks, out) as (made, finish):
        from textapp.compress.quantize import quantize as quantize_run

        metrics = quantize_run(config, run, out, callbacks=made, strategy=strategy, force=force, report=say)
        finish(metrics)
    _say_summary(metrics["quantization"])
    say("")
    recipe, lowered = metrics["quantization"]["recipe"], metrics["quantization"]["lowering"]
    bundle = quote(f"export/bundles/{out.name}")
    stored = f"--recipe {recipe} --lowering {lowered}"
    say_steps(("run", out), ("next", f"textapp export {quote(str(out))} --out {bundle} {stored}"))
    if as_json:
        print_json(metrics)


def _say_summary(quantization: dict[str, Any]) -> None:
    """Prints the bits (`2 in 8`: 2, stored in 8), bytes and rounding error of each weight, and the total bytes."""
    rows = [
        [
            f"{weight['layer']} {weight['weight']}",
            " x ".join(map(str, weight["shape"])),
            str(weight["bits"]) + ("" if weight["bits"] == weight["stored_bits"] else f" in {weight['stored_bits']}"),
            f"{weight['bytes']:,}",
            f"{weight['error']:.2%}",
        ]
        for weight in quantization["weights"]
    ]
    table = [["weight", "shape", "bits", "bytes", "error"], *rows, ["total", "", "", f"{quantization['bytes']:,}", ""]]
    room = WIDTH - sum(2 + max(map(len, column)) for column in list(zip(*table, strict=True))[1:])
    for row in table:  # the end of a name says more: the direction and the weight
        row[0] = row[0] if len(row[0]) <= room else f"…{row[0][1 - room :]}"
    say("")
    say_table(table[0], table[1:])
    for weight in quantization["weights"]:
        if weight["weight"] == "embeddings" and weight["bits"] > quantization["embedding_bits"]:
            say(f"note: the table of {weight['layer']} is so small that files keep it in float: it was not rounded")
