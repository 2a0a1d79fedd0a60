"""`textapp evaluate`: scores of a run or a bundle on labelled texts or tagged sentences."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from textapp.cli.native_log import native_log_hidden
from textapp.cli.opened import task_of
from textapp.cli.output import print_json, say, say_table

if TYPE_CHECKING:
    from textapp.cli.opened import Classifier
    from textapp.runtime import Tagger


def evaluate(
    model: Annotated[Path, typer.Argument(metavar="RUN_OR_BUNDLE", help="Run folder or bundle.")],
    data: Annotated[str, typer.Option(help="Labelled texts or tagged sentences, in any form that training reads.")],
    text_column: Annotated[str | None, typer.Option(help="Text column, where the header does not tell.")] = None,
    label_column: Annotated[str | None, typer.Option(help="Label column, likewise.")] = None,
    token_column: Annotated[
        str | None,
        typer.Option(help="Of tagged sentences: column of the tokens; by default a run's own, or the first."),
    ] = None,
    tag_column: Annotated[
        str | None, typer.Option(help="Column of the tags; by default a run's own, or the last.")
    ] = None,
    scheme: Annotated[
        str | None, typer.Option(help="Scheme of the tags, as IOB2 or IOBES; by default a run's own, or guessed.")
    ] = None,
    repair: Annotated[bool, typer.Option("--repair", help="Mend broken tag sequences, not refuse them.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the scores as JSON on stdout.")] = False,
) -> None:
    """Score a run or a bundle on labelled texts or tagged sentences."""
    if task_of(model) == "ner":  # a run knows how its files were read
        scores = _score_run(model, data, token_column, tag_column, repair, scheme)
    else:
        from textapp.cli.opened import open_model

        opened = open_model(model)
        from textapp.runtime import Tagger

        if isinstance(opened, Tagger):
            scores = _score_tags(opened, data, token_column, tag_column, repair, scheme)
        else:
            scores = _score_labels(opened, data, text_column, label_column)
    if as_json:
        print_json(scores)


def _score_labels(
    classifier: "Classifier", data: str, text_column: str | None, label_column: str | None
) -> dict[str, Any]:
    """The scores of a classifier."""
    from textapp.cli.scoring import label_scores
    from textapp.data.readers import read_examples

    examples = read_examples(data, text_column, label_column)
    say(str(examples))
    scores = label_scores(classifier, examples)
    say(f"accuracy {scores['accuracy']:.4f}  macro F1 {scores['macro_f1']:.4f}  on {len(examples):,} texts")
    return scores


def _score_run(
    model: Path, data: str, token_column: str | None, tag_column: str | None, repair: bool, scheme: str | None
) -> dict[str, Any]:
    """The scores of a tagger's run."""
    with native_log_hidden():
        from textapp.training.ner_run import NerRun

        scores = NerRun.load(model).score(data, token_column, tag_column, repair, scheme, report=say)
    _say_tag_scores(scores)
    return scores


def _score_tags(
    tagger: "Tagger", data: str, token_column: str | None, tag_column: str | None, repair: bool, scheme: str | None
) -> dict[str, Any]:
    """The scores of a tagger's bundle."""
    from textapp.cli.scoring import read_for, tagger_scores
    from textapp.tasks.tagging.scores import unseen_tags

    examples, form = read_for(tagger, data, token_column, tag_column, repair, scheme), tagger.encoder.form
    say(str(examples))
    unknown = tagger.encoder.vocabulary.oov_rate(map(form.word, tagger.known(tokens)) for tokens in examples.sentences)
    say(f"{unknown:.1%} of tokens unknown")
    if unseen := unseen_tags(examples, tagger.tag_set):
        say(f"warning: the model does not know and will miss: {', '.join(unseen)}")
    scores = tagger_scores(tagger, examples)
    _say_tag_scores(scores)
    return scores


def _say_tag_scores(scores: dict[str, Any]) -> None:
    """Prints a tagger's scores for people."""
    from textapp.tasks.tagging.scores import describe_scores

    if scores.get("types"):
        say_table(
            ("type", "precision", "recall", "entity F1", "count"),
            [
                (name, *(f"{part[key]:.4f}" for key in ("precision", "recall", "entity_f1")), f"{part['count']:,}")
                for name, part in scores["types"].items()
            ],
        )
    say(describe_scores(scores))
