"""`textapp evaluate`: scores of a run or a bundle on labelled texts."""

from pathlib import Path
from typing import Annotated

import typer

from textapp.cli.output import print_json, say


def evaluate(
    model: Annotated[Path, typer.Argument(metavar="RUN_OR_BUNDLE", help="Run folder or bundle.")],
    data: Annotated[str, typer.Option(help="Labelled texts, in any form that training reads.")],
    text_column: Annotated[str | None, typer.Option(help="Text column, where the header does not tell.")] = None,
    label_column: Annotated[str | None, typer.Option(help="Label column, likewise.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the scores as JSON on stdout.")] = False,
) -> None:
    """Score a run or a bundle on labelled texts."""
    from textapp.cli.opened import open_classifier
    from textapp.data.readers import check_labels, read_examples
    from textapp.data.scores import accuracy, confusion_matrix, macro_f1

    classifier = open_classifier(model)
    examples = read_examples(data, text_column, label_column)
    say(str(examples))
    check_labels(examples, classifier.labels)
    index = {label: number for number, label in enumerate(classifier.labels)}
    matrix = confusion_matrix(
        [index[label] for label in examples.labels], list(classifier.label_indices(examples.texts)), len(index)
    )
    scores = {"accuracy": accuracy(matrix), "macro_f1": macro_f1(matrix), "count": len(examples)}
    say(f"accuracy {scores['accuracy']:.4f}  macro F1 {scores['macro_f1']:.4f}  on {len(examples):,} texts")
    if as_json:
        print_json(scores)
