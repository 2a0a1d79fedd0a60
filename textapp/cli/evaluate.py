"""`textapp evaluate`: scores a run or a bundle on examples of its task."""

from pathlib import Path
from typing import Annotated

import typer

from textapp.cli.arguments import LabelColumn, Repair, Scheme, TagColumn, TextColumn, TokenColumn, check_readable
from textapp.cli.opened import open_model
from textapp.cli.output import print_json, say, say_table


def evaluate(
    model: Annotated[Path, typer.Argument(metavar="RUN_OR_BUNDLE", help="Run folder or bundle.")],
    data: Annotated[str, typer.Option(help="Labelled texts or tagged sentences, in any form that training reads.")],
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    token_column: TokenColumn = None,
    tag_column: TagColumn = None,
    scheme: Scheme = None,
    repair: Repair = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the scores as JSON on stdout.")] = False,
) -> None:
    """Score a run or a bundle on labelled texts or tagged sentences."""
    check_readable(data)
    opened = open_model(model)
    task, predictor = opened.task, opened.predictor
    options = task.check_options(
        {
            "text_column": text_column,
            "label_column": label_column,
            "token_column": token_column,
            "tag_column": tag_column,
            "scheme": scheme,
            "repair": repair,
        }
    )
    examples = opened.read(data, options)
    say(str(examples))
    say(f"{predictor.unknown_share(task.questions(examples)):.1%} of tokens unknown")
    task.report_unseen(data, examples, predictor.targets, say)
    scores = opened.score(examples)
    for header, rows in task.score_tables(scores):
        say_table(header, rows)
    say(task.describe_scores(scores))
    if as_json:
        print_json(scores)
