"""`textapp train`: labelled text in, a run folder out."""

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from textapp.cli.native_log import native_log_hidden
from textapp.cli.output import print_json, say
from textapp.config import PRESETS_HELP, sentiment_preset

app = typer.Typer(help="Train a model.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """Keeps `sentiment` a command of its own while it is the only one."""


@app.command(
    "sentiment", epilog="Presets: " + "; ".join(f"{name}: {text}" for name, text in PRESETS_HELP.items()) + "."
)
def sentiment(
    train: Annotated[
        str,
        typer.Option(
            help="Labelled texts: TSV, CSV, JSON lines, `label text` lines, a folder or tar of class folders "
            "(PATH#SUBSET), each also gzipped."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Run folder to make.")],
    valid: Annotated[str | None, typer.Option(help="Validation texts; by default a share of --train.")] = None,
    test: Annotated[str | None, typer.Option(help="Test texts, scored once at the end.")] = None,
    vectors: Annotated[
        str | None,
        typer.Option(help="Word vectors to start from: word2vec, fastText, GloVe or .npz, each also gzipped."),
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="Settings for a kind of text: " + ", ".join(PRESETS_HELP) + ".")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting; repeatable.")
    ] = None,
    force: Annotated[bool, typer.Option(help="Delete a run that is there already, once the new one starts.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the metrics as JSON on stdout.")] = False,
) -> None:
    """Train a BiLSTM + attention classifier. The same command goes on after a crash."""
    config = sentiment_preset(preset, vectors=vectors is not None).override(settings or [])
    with native_log_hidden():
        from textapp.training.sentiment import train_sentiment

        metrics = train_sentiment(
            config, out, train=train, valid=valid, test=test, vectors=vectors, force=force, report=say
        )
    say(f"run:   {out}")
    say(f"watch: tensorboard --logdir {quote(str(out / 'logs'))}")
    say(f"next:  textapp export {quote(str(out))} --out {quote(f'export/bundles/{out.name}')}")
    if as_json:
        print_json(metrics)
