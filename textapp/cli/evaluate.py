"""`textapp evaluate`: scores a run or a bundle on examples of its task."""

from pathlib import Path
from typing import Annotated, Any

import typer

from textapp.cli.arguments import READ_OPTIONS, check_readable, reads_examples
from textapp.cli.opened import open_model
from textapp.cli.output import print_json, say, say_table


@reads_examples(*READ_OPTIONS)
def evaluate(
    model: Annotated[Path, typer.Argument(metavar="RUN_OR_BUNDLE", help="Run folder or bundle.")],
    columns: dict[str, Any],
    data: Annotated[str, typer.Option(help="Labelled texts or tagged sentences, in any form that training reads.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the scores as JSON on stdout.")] = False,
) -> None:
    """Score a run or a bundle on labelled texts or tagged sentences."""
    check_readable(data)
    opened = open_model(model)
    task, predictor = opened.task, opened.predictor
    examples = opened.read(data, task.check_options(columns))
    say(str(examples))
    say(f"{predictor.unknown_share(task.questions(examples)):.1%} of tokens unknown")
    task.report_unseen(data, examples, predictor.targets, say)
    scores = opened.score(examples)
    for header, rows in task.score_tables(scores):
        say_table(header, rows)
    say(task.describe_scores(scores))
    if as_json:
        print_json(scores)
