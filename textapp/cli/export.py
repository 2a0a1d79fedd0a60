"""`textapp export`: a run in, a checked TFLite bundle out."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from textapp.cli.native_log import native_log_hidden
from textapp.cli.opened import task_of
from textapp.cli.output import print_json, say, say_table
from textapp.errors import InputError
from textapp.files import check_writable

FIGURES = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "entity_f1": "entity F1",
    "precision": "precision",
    "recall": "recall",
}


def export(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    out: Annotated[Path, typer.Option(help="Bundle folder to make.")],
    recipe: Annotated[
        Literal[
            "float32",
            "float16",
            "dynamic_wi8_afp32",
            "dynamic_wi8_afp32_emb4",
            "dynamic_wi8_afp32_emb2",
            "static_wi8_ai8",
        ]
        | None,
        typer.Option(
            help="How the weights are stored; dynamic_wi8_afp32 is int8, _emb4 and _emb2 pack embedding rows to 4 and "
            "2 bits; static_wi8_ai8 also computes in int8, for chips without floats. By default dynamic_wi8_afp32, or "
            "what the run was quantized for."
        ),
    ] = None,
    lowering: Annotated[
        Literal["fused", "unrolled"] | None,
        typer.Option(
            help="fused: small file; unrolled: faster, no variable tensors, 1 to 2 kB a step. By default fused, or "
            "what the run was quantized for."
        ),
    ] = None,
    lengths: Annotated[
        str | None,
        typer.Option(
            help="Text lengths in tokens, such as 16,64,128; the runtime takes the shortest that fits. "
            "By default powers of two up to the run's max_tokens."
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="Labelled texts or tagged sentences for the scores before and after; by default the run's validation "
            "sample."
        ),
    ] = None,
    text_column: Annotated[str | None, typer.Option(help="Text column, where the header does not tell.")] = None,
    label_column: Annotated[str | None, typer.Option(help="Label column, likewise.")] = None,
    token_column: Annotated[
        str | None,
        typer.Option(help="Of tagged sentences: column of the tokens, where it is not that of the training."),
    ] = None,
    tag_column: Annotated[str | None, typer.Option(help="Column of the tags, likewise.")] = None,
    force: Annotated[bool, typer.Option(help="Replace a bundle that is there already.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print bundle.json on stdout.")] = False,
) -> None:
    """Convert a run to a bundle that predicts without TensorFlow."""
    chosen = None if lengths is None else read_lengths(lengths)
    settings: Any = {"recipe": recipe, "lowering": lowering, "lengths": chosen, "overwrite": force}
    check_writable(out.parent)
    with native_log_hidden():
        if task_of(run) == "ner":
            from textapp.export.run import export_tagger_run
            from textapp.training.ner_run import NerRun

            tagged = None if data is None else NerRun.load(run).read(data, token_column, tag_column)
            description = export_tagger_run(run, out, examples=tagged, **settings)
        else:
            from textapp.data.readers import read_examples
            from textapp.export.run import export_run

            examples = None if data is None else read_examples(data, text_column, label_column)
            description = export_run(run, out, examples=examples, **settings)
    metrics, checks = description["metrics"], description["checks"]
    figures = [name for name in FIGURES if name in metrics["before"]]
    say_table(
        ("", *(FIGURES[name] for name in figures)),
        [(name, *(f"{metrics[name][figure]:.4f}" for figure in figures)) for name in ("before", "after")],
    )
    counted = "tokens" if description["task"] == "tagging" else "texts"
    say(f"label agreement {metrics['label_agreement']:.4f} on {metrics['count']:,} {counted}")
    _say_other_rounding(description, run)
    _say_what_is_longer(description, run)
    say(f"checks passed: {', '.join(checks)}")
    say(f"bundle: {out} ({(out / 'model.tflite').stat().st_size:,} bytes of model)")
    if as_json:
        print_json(description)


def _say_other_rounding(description: dict[str, Any], run: Path) -> None:
    """Says that a run was quantized for another file than was made of it."""
    from textapp.export.run import quantized_for

    own, chosen = quantized_for(run), (description["recipe"], description["lowering"])
    if own is not None and own != chosen:
        say(f"note: the run was quantized for {' '.join(own)}; {' '.join(chosen)} stores its weights otherwise")


def _say_what_is_longer(description: dict[str, Any], run: Path) -> None:
    """Says what becomes of texts that the run reads whole, but no signature."""
    from textapp.training.run import read_command

    longest, trained = max(description["lengths"]), read_command(run)["settings"]["max_tokens"]
    if longest < trained:
        fate = "are read in windows, so tags may differ" if description["task"] == "tagging" else "lose their end"
        say(f"note: texts of more than {longest} tokens {fate}; the run reads {trained}")


def read_lengths(text: str) -> list[int]:
    """Reads `16,64`. Raises `InputError` where it is none."""
    try:
        lengths = [int(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(f"--lengths {text}: must be whole numbers with commas between") from error
    if sorted(set(lengths)) != lengths or lengths[0] < 1:
        raise InputError(f"--lengths {text}: must be 1 or more and increase")
    return lengths
