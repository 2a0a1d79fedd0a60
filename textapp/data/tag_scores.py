"""What is said of predicted tags: as JSON, and in words."""

import itertools
from collections.abc import Sequence
from typing import Any

from textapp.data.entity_scores import entity_scores, token_accuracy
from textapp.data.tagged import TaggedExamples
from textapp.errors import InputError
from textapp.text.tag_schemes import OUTSIDE
from textapp.text.tag_set import TagSet


def tag_scores(true: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], tag_set: TagSet) -> dict[str, Any]:
    """What `evaluate` says of tags: ready for JSON.

    Returns:
        Of spans `entity_f1`, `precision`, `recall`, `count` (true entities), `token_accuracy` and the first four by
        type in `types`; of tags that stand for themselves `accuracy` and `count` (tokens).
    """
    if tag_set.scheme is None:
        return {"accuracy": token_accuracy(true, predicted), "count": sum(map(len, true))}
    return entity_scores(true, predicted).to_dict()


def say_scores(scores: dict[str, Any]) -> str:
    """The same in a few words."""
    if "accuracy" in scores:
        return f"accuracy {scores['accuracy']:.4f} on {scores['count']:,} tokens"
    return (
        f"entity F1 {scores['entity_f1']:.4f} (precision {scores['precision']:.4f}, recall {scores['recall']:.4f}) "
        f"on {scores['count']:,} entities; token accuracy {scores['token_accuracy']:.4f}"
    )


def check_tags_known(examples: TaggedExamples, tag_set: TagSet) -> None:
    """Raises `InputError` where a model of tags that stand for themselves knows none of those of examples."""
    found = set(itertools.chain.from_iterable(examples.tags))
    if tag_set.scheme is None and not found & set(tag_set.tags):
        raise InputError(
            f"{examples.source}: the model knows none of the tags {', '.join(sorted(found)[:5])}, but "
            f"{', '.join(tag_set.tags[:5])} and the like; choose another tag column"
        )


def unseen_tags(examples: TaggedExamples, tag_set: TagSet) -> list[str]:
    """The types, or tags that stand for themselves, which examples have and a model cannot give."""
    found = {tag for tags in examples.tags for tag in tags if tag != OUTSIDE}
    if tag_set.scheme is None:
        return sorted(found - set(tag_set.tags))
    return sorted({tag[2:] for tag in found} - tag_set.types)
