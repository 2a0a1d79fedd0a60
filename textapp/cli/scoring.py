"""Scores of whatever predicts, on labelled texts or tagged sentences."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textapp.cli.opened import Classifier
    from textapp.data.readers import Examples
    from textapp.data.tagged import TaggedExamples
    from textapp.runtime import Tagger


def label_scores(classifier: "Classifier", examples: "Examples") -> dict[str, Any]:
    """`accuracy`, `macro_f1` and `count` of a classifier. Raises `InputError` where it does not know a label."""
    from textapp.data.readers import check_labels
    from textapp.tasks.classification.scores import accuracy, confusion_matrix, macro_f1

    check_labels(examples, classifier.labels)
    index = {label: number for number, label in enumerate(classifier.labels)}
    matrix = confusion_matrix(
        [index[label] for label in examples.labels], list(classifier.label_indices(examples.texts)), len(index)
    )
    return {"accuracy": accuracy(matrix), "macro_f1": macro_f1(matrix), "count": len(examples)}


def read_for(
    tagger: "Tagger",
    data: str,
    token_column: str | None,
    tag_column: str | None,
    repair: bool,
    scheme: str | None = None,
) -> "TaggedExamples":
    """Tagged sentences as a tagger wants them; without a scheme, that of the file is guessed.

    Raises:
        InputError: The tags are of another kind than the tagger's own, or the file breaks a rule.
    """
    from textapp.data.tagged import PLAIN, ReadOptions, read_tagged
    from textapp.tasks.tagging.scores import check_tags_known

    defaults = ReadOptions(scheme=PLAIN if tagger.tag_set.scheme is None else None)
    examples = read_tagged(
        data, token_column, tag_column, scheme, repair=repair, tokenizer=tagger.tokenizer, defaults=defaults
    )
    check_tags_known(examples, tagger.tag_set)
    return examples


def tagger_scores(tagger: "Tagger", examples: "TaggedExamples") -> dict[str, Any]:
    """What `textapp.tasks.tagging.scores.tag_scores` says of a tagger."""
    from textapp.tasks.tagging.scores import tag_scores

    return tag_scores(examples.tags, list(tagger.tag(examples.sentences)), tagger.tag_set)
