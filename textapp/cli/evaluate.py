"""`textapp evaluate`: scores of a run or a bundle on labelled texts or tagged sentences."""

from pathlib import Path
from typing import Annotated, Any

import typer

from textapp.cli.native_log import native_log_hidden
from textapp.cli.opened import task_of
from textapp.cli.output import print_json, say, say_table


def evaluate(
    model: Annotated[Path, typer.Argument(metavar="RUN_OR_BUNDLE", help="Run folder or bundle.")],
    data: Annotated[str, typer.Option(help="Labelled texts or tagged sentences, in any form that training reads.")],
    text_column: Annotated[str | None, typer.Option(help="Text column, where the header does not tell.")] = None,
    label_column: Annotated[str | None, typer.Option(help="Label column, likewise.")] = None,
    token_column: Annotated[
        str | None,
        typer.Option(help="Of tagged sentences: column of the tokens, where it is not that of the training."),
    ] = None,
    tag_column: Annotated[str | None, typer.Option(help="Column of the tags, likewise.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the scores as JSON on stdout.")] = False,
) -> None:
    """Score a run or a bundle on labelled texts or tagged sentences."""
    if task_of(model) == "ner":
        scores = _score_tags(model, data, token_column, tag_column)
    else:
        scores = _score_labels(model, data, text_column, label_column)
    if as_json:
        print_json(scores)


def _score_labels(model: Path, data: str, text_column: str | None, label_column: str | None) -> dict[str, Any]:
    """The scores of a classifier."""
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
    return scores


def _score_tags(model: Path, data: str, token_column: str | None, tag_column: str | None) -> dict[str, Any]:
    """The scores of a tagger."""
    with native_log_hidden():
        from textapp.training.ner_run import NerRun
        from textapp.training.tag_predictor import say_scores

        scores = NerRun.load(model).score(data, token_column, tag_column, report=say)
    if scores.get("types"):
        say_table(
            ("type", "precision", "recall", "entity F1", "count"),
            [
                (name, *(f"{part[key]:.4f}" for key in ("precision", "recall", "entity_f1")), f"{part['count']:,}")
                for name, part in scores["types"].items()
            ],
        )
    say(say_scores(scores))
    return scores
