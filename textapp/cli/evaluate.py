"""`textapp evaluate`: scores a run or a bundle on examples of its task."""

from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import Annotated, Any

import typer

from textapp.cli.arguments import READ_OPTIONS, check_confidence, check_readable, reads_examples
from textapp.cli.opened import open_model
from textapp.cli.output import print_json, say, say_table
from textapp.errors import InputError
from textapp.text.characters import counted, printable

_ANSWERS = {
    "min_confidence": "min. confidence",
    "coverage": "answered",
    "selective_accuracy": "right of these",
    "in_scope_accuracy": "answered right",
    "out_of_scope_recall": "out-of-scope recall",
}
"""The titles of the scores of `Task.score_answers`."""


@reads_examples(*READ_OPTIONS)
def evaluate(
    model: Annotated[Path, typer.Argument(metavar="RUN_OR_BUNDLE", help="Run folder or bundle.")],
    columns: dict[str, Any],
    data: Annotated[str, typer.Option(help="Labelled texts or tagged sentences, in any form that training reads.")],
    min_confidence: Annotated[
        list[float] | None,
        typer.Option(
            metavar="P",
            help="Also score the model as `textapp predict --min-confidence P` answers: the share of texts with a "
            "label, and the accuracy of these labels; for classifiers; repeatable.",
        ),
    ] = None,
    out_of_scope: Annotated[
        str | None,
        typer.Option(
            metavar="LABEL",
            help="Label in --data of the texts that no label of the model fits; they should get none. Needs "
            "--min-confidence or --precision.",
        ),
    ] = None,
    precision: Annotated[
        float | None,
        typer.Option(
            metavar="P",
            help="Also find the least --min-confidence from which on a share of P of the answers is right, for all "
            "labels and for each; for classifiers. Choose it on validation texts: on test texts it would fit too well.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the scores as JSON on stdout.")] = False,
) -> None:
    """Score a run or a bundle on labelled texts or tagged sentences.

    For example: textapp evaluate export/bundles/reviews --data test.tsv
    """
    check_readable(data)
    for least in min_confidence or ():
        check_confidence(least)
    if precision is not None and not 0 < precision <= 1:  # NaN too
        raise InputError(f"--precision {precision:g}: must be a share, above 0 and at most 1")
    if out_of_scope is not None and not min_confidence and precision is None:
        raise InputError(
            "--out-of-scope: says which texts should get no label, so it needs --min-confidence or --precision"
        )
    opened = open_model(model).unbiased(data, say)
    task, predictor, outside = opened.task, opened.predictor, None
    if min_confidence:
        opened.check_option("min_confidence")
    if precision is not None:
        opened.check_option("min_confidence", "precision")
    options = task.check_options(columns)
    if out_of_scope is None:
        examples = opened.read(data, options)
    else:
        examples, outside = opened.read_scope(data, options, out_of_scope)
    say(str(examples))
    if outside is not None:
        say(f"{counted(len(outside), 'text')} out of scope")
    say(f"{predictor.unknown_share(task.questions(examples)):.1%} of tokens unknown")
    task.report_unseen(data, examples, predictor.targets, say)
    decisions = opened.decisions(examples)
    scores = opened.score(examples, decisions)
    for header, rows in task.score_tables(scores):
        say_table(header, rows)
    say(task.describe_scores(scores))
    others = [] if outside is None else list(predictor.decide(task.questions(outside)))
    if min_confidence:
        answers = [task.score_answers(examples, decisions, others, least) for least in min_confidence]
        say_table([_ANSWERS[name] for name in answers[0]], [list(map(_cell, row.values())) for row in answers])
        scores["answers"] = answers
    if precision is not None:
        scores["thresholds"] = thresholds = task.precision_thresholds(examples, decisions, others, precision)
        _say_thresholds(model, thresholds)
    if as_json:
        print_json(scores)


def _say_thresholds(model: Path, thresholds: Mapping[str, Any]) -> None:
    """Prints the result of `Task.precision_thresholds`, and the command that uses it."""
    overall = thresholds["overall"]
    rows = []
    for name, row in [("all labels", overall), *thresholds["labels"].items()]:
        least, *others = row.values()
        rows.append([printable(name), "-" if least is None else str(least), *map(_cell, others)])
    say_table(["label", "min. confidence", "precision", "recall", "answered"], rows)
    if (least := overall["min_confidence"]) is None:
        say(f"no --min-confidence gives answers of which {thresholds['precision']:g} are right")
    else:
        say(f"next:  textapp predict {quote(str(model))} --min-confidence {least}")


def _cell(score: float | None) -> str:
    """A score as a cell of a table."""
    return "-" if score is None else f"{score:.4f}"
