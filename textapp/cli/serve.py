"""`textapp serve`: predictions of bundles over HTTP."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from textapp.cli.native_log import native_log_hidden
from textapp.cli.opened import is_bundle
from textapp.cli.output import print_json, say
from textapp.errors import InputError


def serve(
    bundles: Annotated[
        list[str],
        typer.Argument(
            metavar="BUNDLE...", help="Bundles. The name of a model is that of its folder, or NAME of NAME=BUNDLE."
        ),
    ],
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 for a free one, which is printed.")] = 8000,
    threads: Annotated[
        int | None, typer.Option(min=1, max=256, help="Threads that predict; by default one a processor.")
    ] = None,
    max_body: Annotated[int, typer.Option(metavar="BYTES", help="The most bytes of a request.")] = 1 << 20,
    max_texts: Annotated[int, typer.Option(metavar="N", help="The most texts of a request.")] = 256,
    rate: Annotated[
        float | None, typer.Option(metavar="N", help="The most requests a second of a client; by default any number.")
    ] = None,
    queue: Annotated[int, typer.Option(metavar="N", help="The most requests that wait for a thread.")] = 100,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(metavar="ORIGIN", help="Origin whose pages may use the server, or '*'; repeatable."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the address and the models as JSON on stdout, once it listens.")
    ] = False,
) -> None:
    """Answer requests for predictions over HTTP, without TensorFlow.

    POST {"texts": [...]} to /predict, or with several bundles to /models/NAME/predict. The page of the model is at /,
    a description at /docs, metrics at /metrics.

    For example: textapp serve export/bundles/reviews
    """
    folders = _folders(bundles)
    from textapp.runtime import load
    from textapp.runtime.native import processors
    from textapp.serve.app import create_app
    from textapp.serve.limits import Limits
    from textapp.serve.server import listen, run, url

    limits = Limits(max_body, max_texts, rate, queue)
    with listen(host, port) as listener:
        with native_log_hidden():
            models = {name: load(folder, threads=1) for name, folder in folders.items()}
        app = create_app(models, limits, threads=threads or processors(), origins=allow_origin or [])

        def ready() -> None:
            say(f"serving {', '.join(models)} at {url(listener)}; Ctrl-C ends")
            if as_json:
                print_json({"url": url(listener), "models": list(models)})

        run(app, listener, ready)


def _folders(bundles: Sequence[str]) -> dict[str, Path]:
    """The folder of each model by its name. Raises `InputError` if one is no bundle, or two have the same name."""
    folders: dict[str, Path] = {}
    for bundle in bundles:
        name, equals, path = bundle.partition("=")
        is_named = bool(equals) and not Path(bundle).exists()
        folder = Path(path if is_named else bundle)
        name = name if is_named else folder.resolve().name
        if not is_bundle(folder):
            if (folder / "config.json").exists():
                raise InputError(f"{folder}: is a run, and the server takes bundles: textapp export RUN --out BUNDLE")
            what = "no bundle (there is no bundle.json in it)" if folder.exists() else "no such folder"
            raise InputError(f"{folder}: {what}")
        if not name or "/" in name:
            raise InputError(f"{bundle}: the name of a model must have a character, and no slash")
        if name in folders:
            raise InputError(f"{folder}: another model is called {name} too; name it: NAME={folder}")
        folders[name] = folder
    return folders
