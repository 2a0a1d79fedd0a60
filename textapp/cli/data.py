"""`textapp data check`: what is in a file of examples, and which labels in it may be wrong."""

import contextlib
import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from textapp.cli.arguments import READ_OPTIONS, AsJson, check_readable, reads_examples
from textapp.cli.groups import Group
from textapp.cli.native_log import native_log_hidden
from textapp.cli.opened import Opened, open_model
from textapp.cli.output import print_json, say
from textapp.errors import InputError
from textapp.files import check_writable, named_errors
from textapp.output_files import check_output, link_target, write_output
from textapp.settings import MOST
from textapp.task import Files, Task, names, task
from textapp.text.characters import counted, one_line, printable, shortened

if TYPE_CHECKING:
    from textapp.data.doubts import Confusion, Doubt
    from textapp.data.near_duplicates import Conflict
    from textapp.text.tokenizer import Tokenizer

app = typer.Typer(cls=Group, help="Examples: what is in a file, which labels may be wrong.", no_args_is_help=True)

Hint = contextlib.AbstractContextManager[None]
"""Adds a hint to the errors of its block."""

_COLUMNS = 80  # of a terminal
_ALIKE = 6  # examples of a conflict that are shown
_SUCH_AS = 2  # examples of a confusion that are shown
_WITHOUT = "without it"  # a label that a text lacks, or should lack
_FIELDS = (
    *("kind", "place", "given", "suggested", "given_probability", "suggested_probability"),
    *("group", "similarity", "text"),
)
"""The fields of a row of `--out`; the first one marks the file as one of this command."""


class _Found(NamedTuple):
    """What `--labels` found.

    Attributes:
        task: The task.
        examples: The examples.
        texts: The text of each.
        doubts: Labels that may be wrong, the most doubtful first.
        conflicts: The same texts with different labels.
        confusions: The doubts by their two labels.
    """

    task: Task[Any, Any, Any]
    examples: Any
    texts: list[str]
    doubts: "list[Doubt]"
    conflicts: "list[Conflict]"
    confusions: "list[Confusion]"


@app.callback()
def _data() -> None:
    """Does nothing: with it, `check` is a command of `data` though it is the only one."""


@app.command("check")
@reads_examples(*READ_OPTIONS)
def check(
    data: Annotated[
        str, typer.Argument(metavar="FILE", help="Labelled texts or tagged sentences, in any form that training reads.")
    ],
    columns: dict[str, Any],
    task_name: Annotated[
        str | None,
        typer.Option("--task", help=f"Task of the file: {', '.join(names())}; by default the model's, or the first."),
    ] = None,
    labels: Annotated[bool, typer.Option("--labels", help="Find labels that may be wrong.")] = False,
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN_OR_BUNDLE",
            help="With --labels: a model whose probabilities count as much as those of the cross-validated linear "
            "model. It should not have been trained on the file, or it has learned the wrong labels too.",
        ),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="With --labels: how many of each kind to print.")] = 10,
    out: Annotated[
        Path | None, typer.Option(help="With --labels: file of all that was found, .tsv or .jsonl (JSON lines).")
    ] = None,
    force: Annotated[bool, typer.Option(help="Replace an earlier --out.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say what is in a file of examples, or find labels in it that may be wrong.

    For example: textapp data check reviews.csv --labels
    """
    check_readable(data)
    for option, value in (("--model", model), ("--out", out)):
        if value is not None and not labels:
            raise InputError(f"{option}: needs --labels")
    if out is not None:
        _check_out(out, data, force)
    opened = None if model is None else open_model(model)
    found = task(task_name or names()[0]) if opened is None else opened.task
    if task_name is not None and found is not task(task_name):
        raise InputError(f"--task {task_name}: {model} is a {found.model_noun}, of the task {found.name}")
    options = found.check_options(columns)
    hint = contextlib.nullcontext() if task_name or opened else _other_tasks_named(found)
    if labels:
        result = _labels(found, opened, data, options, top, hint)
    else:
        summary = _summary(found, data, options, hint)
    if out is not None:
        _write(out, force, _rows(result))
        say(f"wrote {out}")
    if as_json:
        print_json(_as_json(result) if labels else summary)


@contextlib.contextmanager
def _other_tasks_named(task: Task[Any, Any, Any]) -> Iterator[None]:
    """Adds to an error in a file that it may be one of another task."""
    try:
        yield
    except InputError as error:
        others = " and ".join(f"--task {name}" for name in names() if name != task.name)
        raise InputError(f"{error} (read as the file of a {task.model_noun}; {others} are for others)") from error


def _summary(task: Task[Any, Any, Any], data: str, options: Mapping[str, Any], hint: Hint) -> dict[str, Any]:
    """Prints what a training reports when it reads its files: what they hold, and which labels are too few or alike."""
    from textapp.data.rows import count_targets

    config, files = task.config().replaced(**options), Files(data)
    with hint:
        train, held_out = task.read_splits(config, files, config.training.seed, say)
    profile = task.profile(config, files, train, held_out)
    say(f"training data: {profile}")
    targets = task.targets(config, train, say)
    tokenizer = task.tokenizer(config)
    items = task.items(config, train, tokenizer, training=False)
    empty = len(train) - len(items)
    lengths = [profile.length(task.item_tokens(item, tokenizer, MOST)) for item in items] + [0] * empty
    median, long = statistics.median_high(lengths), profile.long_characters if profile.in_characters else profile.long
    unit = "characters" if profile.in_characters else "tokens"
    say(f"{unit} of a training text: median {median:,}, the longest has {max(lengths):,}")
    if empty:
        say(f"warning: {counted(empty, 'text')} without a token")
    target_counts = {}
    for name, part in {"train": train, **held_out}.items():
        if name != "train":
            task.check(part, targets, validation=True)
        rows = task.rows(config, part, targets, tokenizer, training=name == "train")
        target_counts[name] = count_targets(rows.targets, len(targets.names))
    task.report_targets(config, targets, target_counts, say)
    return {
        "source": data,
        "train": len(train),
        **{name: len(part) for name, part in held_out.items()},
        **task.describe_targets(targets),
        unit: {"median": median, "quantile_98": long, "longest": max(lengths), "texts_without": empty},
    }


def _labels(
    task: Task[Any, Any, Any], opened: Opened | None, data: str, options: dict[str, Any], top: int, hint: Hint
) -> _Found:
    """Finds and prints labels that may be wrong."""
    from textapp.data.doubts import confusions

    tokenizer: Tokenizer = task.tokenizer(task.config()) if opened is None else opened.predictor.tokenizer
    with hint:
        examples = task.read(data, **options) if opened is None else opened.read(data, options)
    say(str(examples))
    with native_log_hidden():
        doubts = task.doubts(examples, tokenizer, None if opened is None else opened.predictor, say)
    conflicts = task.conflicts(examples)
    found = _Found(task, examples, task.texts(examples, tokenizer), doubts, conflicts, confusions(doubts))
    _say_doubts(found, top)
    equal, similar = ([one for one in conflicts if (one.similarity is None) is wanted] for wanted in (True, False))
    _say_conflicts(found, equal, f"the same text with different {task.target_noun}s: {len(equal):,}", top)
    title = f"nearly the same text with different {task.target_noun}s: {len(similar):,}"
    _say_conflicts(found, similar, title, top)
    if not doubts and not conflicts:
        say(f"no {task.target_noun} was found that may be wrong")
    return found


def _say_doubts(found: _Found, top: int) -> None:
    """Prints the most doubtful labels and the most frequent confusions."""
    if not found.doubts:
        return
    count = len({doubt.number for doubt in found.doubts})
    share = f"{counted(count, 'text')} of {len(found.examples):,} ({count / len(found.examples):.1%})"
    say(f"\nanother label is more probable: {share}; the most doubtful first")
    for doubt in found.doubts[:top]:
        given, suggested = (
            f"{printable(name or _WITHOUT)} {prob:.2f}"
            for name, prob in ((doubt.given, doubt.given_probability), (doubt.suggested, doubt.suggested_probability))
        )
        _say_example(found, doubt.number, f"{given}, rather {suggested}")
    say(f"\nconfusions: {counted(len(found.confusions), 'pair')} of labels, the most frequent first")
    for pair in found.confusions[:top]:
        given, suggested = (printable(name or _WITHOUT) for name in (pair.given, pair.suggested))
        say(f"\n{given}, rather {suggested}: {counted(len(pair.numbers), 'text')}, such as")
        for number in pair.numbers[:_SUCH_AS]:
            _say_example(found, number)


def _say_conflicts(found: _Found, conflicts: "Sequence[Conflict]", title: str, top: int) -> None:
    """Prints groups of alike texts with different labels."""
    if not conflicts:
        return
    say(f"\n{title}")
    for conflict in conflicts[:top]:
        given = found.task.describe_conflict(found.examples, conflict)
        say("" if conflict.similarity is None else f"\nsimilarity {conflict.similarity:.2f}")
        for number, target in list(zip(conflict.numbers, given, strict=True))[:_ALIKE]:
            _say_example(found, number, printable(target))
        if len(conflict.numbers) > _ALIKE:
            say(f"  and {len(conflict.numbers) - _ALIKE:,} more")


def _say_example(found: _Found, number: int, note: str = "") -> None:
    """Prints the place of an example, and below it a note and the start of its text."""
    text = one_line(found.texts[number][: 2 * _COLUMNS])
    say(found.examples.location(number))
    say("  " + shortened(f"{note}: {text}" if note else text, _COLUMNS - 2))


def _rows(found: _Found) -> list[dict[str, Any]]:
    """All doubts and conflicts: a row for each example of them, without the fields that it does not have."""

    def row(kind: str, number: int, given: str | None, **more: Any) -> dict[str, Any]:
        place, text = found.examples.location(number), found.texts[number]
        return {"kind": kind, "place": place, "given": given, **more, "text": text}

    rows = [
        row(
            "doubtful",
            doubt.number,
            doubt.given,
            suggested=doubt.suggested,
            given_probability=doubt.given_probability,
            suggested_probability=doubt.suggested_probability,
        )
        for doubt in found.doubts
    ]
    for group, conflict in enumerate(found.conflicts, start=1):
        kind = "equal" if conflict.similarity is None else "similar"
        for number, given in zip(conflict.numbers, found.task.describe_conflict(found.examples, conflict), strict=True):
            rows.append(row(kind, number, given, group=group, similarity=conflict.similarity))
    return rows


def _as_json(found: _Found) -> dict[str, Any]:
    """All that was found, for `--json`."""
    pairs = [
        {
            "given": pair.given,
            "suggested": pair.suggested,
            "count": len(pair.numbers),
            "places": [found.examples.location(number) for number in pair.numbers],
        }
        for pair in found.confusions
    ]
    return {
        "source": found.examples.source,
        "count": len(found.examples),
        "found": _rows(found),
        "confusions": pairs,
    }


def _write(path: Path, force: bool, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes rows as TSV or JSON lines, by the suffix. In TSV, line breaks and tabs of a field become spaces."""
    if path.suffix == ".tsv":
        lines = ["\t".join(_FIELDS)]
        lines += ["\t".join(_cell(row.get(field)) for field in _FIELDS) for row in rows]
    else:
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    text = "".join(f"{line}\n" for line in lines)
    write_output(path, text.encode("utf-8", "backslashreplace").decode(), force and _is_own)


def _cell(value: object) -> str:
    """A field of a TSV row; empty for None."""
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else one_line(str(value))


def _check_out(path: Path, data: str, force: bool) -> None:
    """Raises `InputError` before the work if the results cannot be written to a file."""
    if path.resolve() == Path(data).resolve():
        raise InputError(f"--out {path}: is read by this command; choose another --out")
    if path.suffix not in (".tsv", ".jsonl"):
        raise InputError(f"--out {path}: must end in .tsv or .jsonl")
    check_writable(link_target(path).parent)
    check_output(path, force and _is_own)


def _is_own(path: Path) -> bool:
    """Whether a file has earlier results of this command, or nothing."""
    with named_errors(path), path.open("rb") as file:
        start = file.read(64)
    return not start or start.startswith((b"\t".join(field.encode() for field in _FIELDS)[:64], b'{"kind": "'))
