"""Arguments that several commands share, and checks of texts and files from the command line."""

import functools
import inspect
import os
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from textapp.data.readers import check_exists
from textapp.errors import InputError
from textapp.settings import Config, as_text
from textapp.task import names, task

Out = Annotated[Path, typer.Option(help="Run folder to make.")]
Vectors = Annotated[
    str | None,
    typer.Option(help="Word vectors to start from: word2vec, fastText, GloVe or .npz, each also gzipped."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override a setting; repeatable.",
        autocompletion=lambda ctx, incomplete: _settings_from(ctx.info_name, incomplete),
    ),
]
Force = Annotated[bool, typer.Option(help="Delete an existing run when the new one starts.")]
Callbacks = Annotated[
    list[str] | None,
    typer.Option(
        "--callbacks",
        metavar="MODULE:FUNCTION",
        help="Function that gets the run folder and returns Keras callbacks, for example those of an experiment "
        "tracker; modules in the current folder are found; repeatable.",
    ),
]
Track = Annotated[
    str | None,
    typer.Option(
        metavar="wandb|mlflow",
        autocompletion=lambda incomplete: [name for name in ("wandb", "mlflow") if name.startswith(incomplete)],
        help="Experiment tracker that gets settings, scores of each epoch and final scores (extra tracking).",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the metrics as JSON on stdout.")]


def _settings_from(command: str | None, incomplete: str) -> list[str]:
    """The settings of `--set` that a text may become, for the shell: names with `=`, or the values after it."""
    config = next(
        (task(name).config for name in names() if command in (task(name).model_noun, task(name).short_name)), None
    )
    configs = [config] if config else [task(name).student_config for name in names()]
    known = {name: setting for one in configs for name, setting in one.settings().items()}
    name, equals, _ = incomplete.partition("=")
    if not equals:
        return [f"{one}=" for one in known if one.startswith(incomplete)]
    values = [as_text(value) for value in typing.get_args(known[name].kind)] if name in known else []
    values = ["true", "false"] if name in known and known[name].kind is bool else values
    return [shown for value in values if (shown := f"{name}={value}").startswith(incomplete)]


READ_OPTIONS: dict[str, Any] = {
    "text_column": Annotated[
        str | None,
        typer.Option(help="Column of the texts, for labelled texts; by default the run's, or from the header."),
    ],
    "label_column": Annotated[
        str | None, typer.Option(help="Column of the labels; by default the run's, or from the header.")
    ],
    "token_column": Annotated[
        str | None,
        typer.Option(help="Column of the tokens, for tagged sentences; by default the run's, or the first."),
    ],
    "tag_column": Annotated[str | None, typer.Option(help="Column of the tags; by default the run's, or the last.")],
    "scheme": Annotated[
        str | None, typer.Option(help="Scheme of the tags, such as IOB2 or IOBES; by default the run's, or guessed.")
    ],
    "overlapping": Annotated[
        str | None,
        typer.Option(metavar="longest|innermost", help="Which of overlapping spans to keep; by default refused."),
    ],
    "repair": Annotated[
        bool | None, typer.Option("--repair", help="Repair broken tag sequences instead of refusing them.")
    ],
}
"""The options for reading a file of examples, of all tasks; see `Task.read_options`."""

Teachers = Annotated[
    list[Path],
    typer.Argument(
        metavar="TEACHER...",
        help="Runs, bundles, or files of soft targets (soft_targets.jsonl.gz of a student), all of one task. The "
        "probabilities of several teachers are averaged.",
    ),
]
Unlabelled = Annotated[
    list[str] | None,
    typer.Option(help="More texts for the teachers to label: one a line, a table, or a tar of .txt files; repeatable."),
]


def reads_examples(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Adds some of `READ_OPTIONS` to a command. It receives their values as one argument, `columns`."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(**arguments: Any) -> None:
            columns = {name: arguments.pop(name) for name in names}
            command(**arguments, columns=columns)

        _set_parameters(run, command, {name: READ_OPTIONS[name] for name in names}, without="columns")
        return run

    return decorate


FREQUENT = (
    *("text_column", "label_column", "token_column", "tag_column"),
    *("epochs", "batch_size", "learning_rate", "max_tokens", "seed"),
)
"""The settings that are options of their own: those that most users change."""

_METAVARS = {int: "N", float: "X"}


def takes_frequent_settings(config: type[Config]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Adds the settings of `FREQUENT` that a config has to a command as options. It gets them in `settings`.

    Raises:
        InputError: A setting is given by its option and by `--set` too.
    """
    known = config.settings()
    options = {
        name: Annotated[
            str | None, typer.Option(metavar=_METAVARS.get(known[name].kind, "NAME"), help=known[name].meaning)
        ]
        for name in FREQUENT
        if name in known
    }

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(settings: list[str] | None = None, **arguments: Any) -> None:
            settings = list(settings or [])
            given = {setting.partition("=")[0].strip() for setting in settings}
            for name in options:
                value = arguments.pop(name)
                if value is None:
                    continue
                option = f"--{name.replace('_', '-')}"
                if name in given:
                    raise InputError(f"{option} {value}: --set gives {name} too; give one of them")
                settings.append(f"{name}={value}")
            command(settings=settings, **arguments)

        _set_parameters(run, command, options)
        return run

    return decorate


def _set_parameters(
    run: Callable[..., None], command: Callable[..., None], more: dict[str, Any], without: str | None = None
) -> None:
    """Gives a function the parameters of a command, without one of them, and more options that have no default."""
    kind = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        parameter.replace(kind=kind)
        for parameter in inspect.signature(command).parameters.values()
        if parameter.name != without
    ]
    parameters += [inspect.Parameter(name, kind, default=None, annotation=option) for name, option in more.items()]
    run.__dict__["__signature__"] = inspect.Signature(parameters)
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}


def settings_help(config: Config) -> str:
    """The settings of a command with their defaults, for the end of its help."""
    values = ", ".join(f"{name}={as_text(value)}" for name, value in config.to_dict().items())
    return f"Settings of --set and their defaults: {values}."


def student_settings_help() -> str:
    """The settings of a student, of any task, for the end of a command's help."""
    configs = [(task(name).student_config.settings(), task(name).config.settings()) for name in names()]
    more = dict.fromkeys(name for student, own in configs for name in student if name not in own)
    return f"Settings of --set: those of `textapp train`, with the defaults of a small model, and {', '.join(more)}."


def check_confidence(value: float | None) -> None:
    """Raises `InputError` unless a value of `--min-confidence` is a probability."""
    if value is not None and not 0 <= value <= 1:  # NaN too
        raise InputError(f"--min-confidence {value:g}: must be a probability, from 0 to 1")


def as_utf8(argument: str) -> str:
    """Decodes an argument as UTF-8 even if the locale (`LANG=C`) does not; invalid bytes become U+FFFD."""
    if argument.isascii() or not any("\udc80" <= character <= "\udcff" for character in argument):
        return argument
    return os.fsencode(argument).decode("utf-8", "replace")


def check_readable(*paths: str | None) -> None:
    """Raises `InputError` for the first file that does not exist, before the seconds that TensorFlow takes to load."""
    for path in paths:
        if path is not None:
            check_exists(path)
