"""`textapp.export`: from a run to a bundle, and from a run or a bundle to what an app adds."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textapp.errors import InputError
from textapp.export.card import CARD
from textapp.export.clients import CLIENTS, check_clients, check_predictor, client_module
from textapp.export.clients.output import copy_bundle, exported_files, write_clients
from textapp.export.clients.source import Source, no_report
from textapp.files import read_object, temporary_folder
from textapp.output_files import replacing_folder
from textapp.runtime.loading import load
from textapp.task import Report

if TYPE_CHECKING:
    from textapp.export.conversion import Recipe
    from textapp.export.lowering import Lowering
    from textapp.training.run import Run


def export(
    run: "str | os.PathLike[str] | Run",
    folder: str | os.PathLike[str],
    *,
    recipe: "Recipe | None" = None,
    lowering: "Lowering | None" = None,
    lengths: Sequence[int] | None = None,
    examples: Any = None,
    clients: Sequence[str] = (),
    overwrite: bool = False,
    report: Report = no_report,
) -> dict[str, Any]:
    """Exports a run as a bundle, or as what apps on some platforms add.

    Args:
        run: The run folder, or the run that was loaded from it. With `clients` also a bundle folder: the bundle is
            then used as it is, without TensorFlow.
        folder: Where the bundle goes. With `clients`, where the files of the client go, or the folders of several,
            each under the name of its client.
        recipe: How weights are stored; see `convert`. By default the recipe that the run was quantized for, or
            `dynamic_wi8_afp32`. Only for a run, as the next three.
        lowering: How recurrent layers run; see `lower`. By default the lowering that the run was quantized for, or
            `fused`.
        lengths: Input lengths in tokens; by default powers of two and the longest length of the training.
        examples: Examples of the task to check and score the file on; by default the run's sample of its validation
            split.
        clients: Names of clients; see `textapp export --help`.
        overwrite: Whether what an earlier export wrote to `folder` may be replaced.
        report: Receives a line about what one should know of a client.

    Returns:
        The content of `bundle.json`.

    Raises:
        InputError: The run or the bundle is broken, an argument does not fit it, or the converted file fails a check.

    Example:
        textapp.export("run", "bundle")
        textapp.export("bundle", "my-app/textapp", clients=["c"])
    """
    check_clients(clients)
    options = {"recipe": recipe, "lowering": lowering, "lengths": lengths, "examples": examples}
    bundle = bundle_folder(run)
    if bundle is not None:
        _check_bundle_options(bundle, options, clients)
    elif not clients:
        return _export_run(run, Path(folder), overwrite=overwrite, **options)
    for client in clients:
        client_module(client)  # before the work: it may need a package that is missing
    with (
        replacing_folder(folder, exported_files, overwrite) as temporary,
        temporary_folder() as scratch,
    ):
        made = scratch / "bundle"
        if bundle is not None:
            copy_bundle(bundle, made)
            check_predictor(clients, lambda: load(made, engine="litert"))
            source = Source(made, report=report)
        else:
            from textapp.training.predictor import run_predictor
            from textapp.training.run import Run

            trained = run if isinstance(run, Run) else Run.load(run)
            check_predictor(clients, lambda: run_predictor(trained))
            _export_run(trained, made, **options)
            (made / CARD).unlink()  # an app needs no card, and a client has a README.md of its own
            source = Source(made, trained, report)
        write_clients(source, clients, temporary)
        return read_object(made / "bundle.json")


def bundle_folder(source: Any) -> Path | None:
    """The folder if the source of an export is a bundle's; None for a run, or for anything else."""
    if not isinstance(source, str | os.PathLike):
        return None
    folder = Path(source)
    return folder if (folder / "bundle.json").is_file() and not (folder / "config.json").exists() else None


def _export_run(run: Any, folder: Path, **options: Any) -> dict[str, Any]:
    """Makes the bundle of a run. Only this needs TensorFlow."""
    from textapp.export.run import export as export_run

    return export_run(run, folder, **options)


def _check_bundle_options(bundle: Path, options: dict[str, Any], clients: Sequence[str]) -> None:
    """Raises `InputError` for an argument that only makes sense for a run."""
    if not clients:
        raise InputError(f"{bundle}: is a bundle already; name a client for what an app adds (--client), or give a run")
    for name, value in options.items():
        if value is not None:
            raise InputError(f"{bundle}: is a bundle, which is used as it is; {name} is only for a run")
    for client in clients:
        if CLIENTS[client].needs_run:
            raise InputError(f"{bundle}: is a bundle; client {client} needs the run that the bundle was made of")
