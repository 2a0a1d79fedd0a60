"""`textapp export`: converts a run to a checked TFLite bundle."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from textapp.cli.arguments import READ_OPTIONS, check_readable, reads_examples
from textapp.cli.early_checks import check_bundle_place, check_finished
from textapp.cli.native_log import native_log_hidden, tensorflow_started
from textapp.cli.output import print_json, say, say_table
from textapp.errors import InputError, excerpt
from textapp.export.clients import CLIENTS, check_clients
from textapp.files import check_writable
from textapp.output_files import link_target
from textapp.task import Task, task
from textapp.text.characters import counted


@reads_examples(*READ_OPTIONS)
def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder; with --client also a bundle.")],
    out: Annotated[Path, typer.Option(help="Bundle folder to make; with --client, folder of what the app adds.")],
    columns: dict[str, Any],
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
            help="How the weights are stored: dynamic_wi8_afp32 is int8; _emb4 and _emb2 pack embedding rows to 4 and "
            "2 bits; static_wi8_ai8 also computes in int8, for chips without floats. By default the recipe that the "
            "run was quantized for, or dynamic_wi8_afp32."
        ),
    ] = None,
    lowering: Annotated[
        Literal["fused", "unrolled"] | None,
        typer.Option(
            help="fused: small file; unrolled: faster, no variable tensors, 1 to 2 kB a step. By default the lowering "
            "that the run was quantized for, or fused."
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
    client: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help=f"Write what an app adds: {', '.join(CLIENTS)}; repeatable, then each in a folder of its name.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option(help="Replace what an earlier export wrote there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print bundle.json on stdout.")] = False,
) -> None:
    """Convert a run to a bundle that predicts without TensorFlow, or to what an app on some platform adds.

    For example: textapp export run --out export/bundles/reviews
    """
    if not (run / "bundle.json").exists():
        check_finished(run)
    from textapp.export.verb import bundle_folder
    from textapp.export.verb import export as export_source

    clients = client or []
    check_clients(clients)
    chosen = None if lengths is None else read_lengths(lengths)
    check_readable(data)
    check_writable(link_target(out).parent)
    if bundle_folder(run) is not None:
        given = {"recipe": recipe, "lowering": lowering, "lengths": lengths, "data": data, **columns}
        if name := next((name for name, value in given.items() if value is not None), None):
            option = f"--{name.replace('_', '-')}"
            raise InputError(f"{option}: is for a run; {run} is a bundle, which is used as it is")
        with native_log_hidden():
            description = export_source(run, out, clients=clients, overwrite=force, report=say)
        _say_clients(out, clients)
        if as_json:
            print_json(description)
        return
    check_bundle_place(out, force)
    with tensorflow_started():
        from textapp.training.run import Run

        opened = Run.load(run)
        options = opened.task.check_options(columns)
        if options and data is None:
            raise InputError(f"--{next(iter(options)).replace('_', '-')}: says how --data is read, which is missing")
        examples = None if data is None else opened.task.read(data, opened.config, opened.targets, **options)
        description = export_source(
            opened,
            out,
            recipe=recipe,
            lowering=lowering,
            lengths=chosen,
            examples=examples,
            clients=clients,
            overwrite=force,
            report=say,
        )
    from textapp.runtime.clients import describe_clients

    found = task(description["task"])
    metrics, checks = description["metrics"], description["checks"]
    shown = [name for name in found.score_titles if name in metrics["before"]]
    say_table(
        ("", *(found.score_titles[name] for name in shown)),
        [(name, *(f"{metrics[name][key]:.4f}" for key in shown)) for name in ("before", "after")],
    )
    say(f"label agreement {metrics['label_agreement']:.4f} on {counted(metrics['count'], found.unit)}")
    _say_other_rounding(description, run)
    _say_what_is_longer(found, description["lengths"], opened.config.data.max_tokens)
    say(f"checks passed: {', '.join(checks)}")
    say(describe_clients(description["clients"]))
    if clients:
        _say_clients(out, clients)
    else:
        _say_bundle(out, description)
    if as_json:
        print_json(description)


def _say_bundle(out: Path, description: dict[str, Any]) -> None:
    """Prints where a bundle is, and its bytes."""
    sizes = [f"{(out / 'model.tflite').stat().st_size:,} bytes of model"]
    if description["ngrams"]:
        sizes.append(f"{(out / 'ngrams.bin').stat().st_size:,} of n-grams")
    say(f"bundle: {out} ({', '.join(sizes)})")


def _say_clients(out: Path, clients: list[str]) -> None:
    """Prints where the files of each client are, and their bytes."""
    from textapp.export.clients.output import LIST, written_files

    for client in clients:
        folder = out / client if len(clients) > 1 else out
        sizes = [(folder / name).stat().st_size for name in written_files(folder) if name != LIST]
        say(
            f"{client}: {folder} ({counted(len(sizes), 'file')}, {sum(sizes):,} bytes); its README.md says how to go on"
        )


def _say_other_rounding(description: dict[str, Any], run: Path) -> None:
    """Prints a note if the run was quantized for another recipe or lowering."""
    from textapp.export.run import quantized_for

    expected, chosen = quantized_for(run), (description["recipe"], description["lowering"])
    if expected is not None and expected != chosen:
        say(f"note: the run was quantized for {' '.join(expected)}; {' '.join(chosen)} stores its weights otherwise")


def _say_what_is_longer(found: Task[Any, Any, Any], lengths: list[int], trained: int) -> None:
    """Prints a note if the run reads longer texts than the longest signature."""
    longest = max(lengths)
    if longest < trained:
        effect = "are read in windows, so tags may differ" if found.unit == "token" else "lose their end"
        say(f"note: texts of more than {longest} tokens {effect}; the run reads {trained}")


def read_lengths(text: str) -> list[int]:
    """Reads `16,64`. Raises `InputError` if the text is not a list of increasing lengths."""
    try:
        lengths = [int(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(f"--lengths {excerpt(text)}: must be whole numbers with commas between") from error
    if sorted(set(lengths)) != lengths or lengths[0] < 1:
        raise InputError(f"--lengths {excerpt(text)}: must be 1 or more and increase")
    return lengths
