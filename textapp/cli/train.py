"""`textapp train`: labelled texts or tagged sentences in, a run folder out."""

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from textapp.cli.arguments import check_readable
from textapp.cli.native_log import native_log_hidden
from textapp.cli.output import print_json, resumable, say
from textapp.config import NER_PRESETS_HELP, PRESETS_HELP, ner_preset, sentiment_preset

app = typer.Typer(help="Train a model.", no_args_is_help=True, rich_markup_mode=None)


Out = Annotated[Path, typer.Option(help="Run folder to make.")]
Vectors = Annotated[
    str | None,
    typer.Option(help="Word vectors to start from: word2vec, fastText, GloVe or .npz, each also gzipped."),
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting; repeatable.")
]
Force = Annotated[bool, typer.Option(help="Delete a run that is there already, once the new one starts.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the metrics as JSON on stdout.")]


def _presets(helps: dict[str, str]) -> str:
    """Presets for the end of a command's help."""
    return "Presets: " + "; ".join(f"{name}: {text}" for name, text in helps.items()) + "."


@app.command("sentiment", epilog=_presets(PRESETS_HELP))
def sentiment(
    train: Annotated[
        str,
        typer.Option(
            help="Labelled texts: TSV, CSV, JSON lines, `label text` lines, a folder or tar of class folders "
            "(PATH#SUBSET), each also gzipped."
        ),
    ],
    out: Out,
    valid: Annotated[str | None, typer.Option(help="Validation texts; by default a share of --train.")] = None,
    test: Annotated[str | None, typer.Option(help="Test texts, scored once at the end.")] = None,
    vectors: Vectors = None,
    preset: Annotated[
        str | None, typer.Option(help="Settings for a kind of text: " + ", ".join(PRESETS_HELP) + ".")
    ] = None,
    settings: Settings = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Train a BiLSTM + attention classifier. The same command goes on after a crash."""
    config = sentiment_preset(preset, vectors=vectors is not None).override(settings or [])
    check_readable(train, valid, test, vectors)
    with resumable(force), native_log_hidden():
        from textapp.training.sentiment import train_sentiment

        metrics = train_sentiment(
            config, out, train=train, valid=valid, test=test, vectors=vectors, force=force, report=say
        )
    _say_where(out)
    if as_json:
        print_json(metrics)


@app.command("ner", epilog=_presets(NER_PRESETS_HELP))
def ner(
    train: Annotated[
        str,
        typer.Option(
            help="Tagged sentences: CoNLL columns, CoNLL-U, JSON lines with spans, a folder of slots (seq.in, seq.out, "
            "label), each also gzipped."
        ),
    ],
    out: Out,
    valid: Annotated[str | None, typer.Option(help="Validation sentences; by default a share of --train.")] = None,
    test: Annotated[str | None, typer.Option(help="Test sentences, scored once at the end.")] = None,
    vectors: Vectors = None,
    preset: Annotated[
        str | None, typer.Option(help="Settings for a kind of text: " + ", ".join(NER_PRESETS_HELP) + ".")
    ] = None,
    settings: Settings = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Train a BiLSTM-CRF that tags entities, slots or parts of speech. The same command goes on after a crash."""
    config = ner_preset(preset, vectors=vectors is not None).override(settings or [])
    check_readable(train, valid, test, vectors)
    with resumable(force), native_log_hidden():
        from textapp.training.ner import train_ner

        metrics = train_ner(config, out, train=train, valid=valid, test=test, vectors=vectors, force=force, report=say)
    _say_where(out)
    if as_json:
        print_json(metrics)


def _say_where(out: Path) -> None:
    """Says what was made, where its progress can be seen, and what comes next."""
    say(f"run:   {out}")
    say(f"watch: tensorboard --logdir {quote(str(out / 'logs'))}")
    say(f"next:  textapp export {quote(str(out))} --out {quote(f'export/bundles/{out.name}')}")
