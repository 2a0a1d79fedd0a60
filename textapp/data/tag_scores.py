"""What is said of predicted tags: as JSON, and in words."""

import itertools
from collections.abc import Sequence
from typing import Any

from textapp.data.entity_scores import entity_scores, token_accuracy
from textapp.data.tagged import NO_SCHEME, TaggedExamples
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


def check_tags_known(examples: TaggedExamples, tag_set: TagSet, model: str = "the model") -> None:
    """Raises `InputError` where examples have tags of another kind than a model, or, of tags, none that it knows.

    Types of spans that it does not know are missed spans, and warned of. Messages call it `model`.
    """
    of_spans = tag_set.scheme is not None
    kinds = ("tags that stand for themselves", "spans")
    if of_spans == (examples.scheme == NO_SCHEME):
        raise InputError(
            f"{examples.source}: holds {kinds[not of_spans]}, but {model} gives {kinds[of_spans]}; choose another "
            "tag column"
        )
    found = set(itertools.chain.from_iterable(examples.tags))
    if not of_spans and not found & set(tag_set.tags):
        raise InputError(
            f"{examples.source}: {model} knows none of the tags {', '.join(sorted(found)[:5])}, but "
            f"{', '.join(tag_set.tags[:5])} and the like; choose another tag column"
        )


def unseen_tags(examples: TaggedExamples, tag_set: TagSet) -> list[str]:
    """The types, or tags that stand for themselves, which examples have and a model cannot give."""
    found = {tag for tags in examples.tags for tag in tags if tag != OUTSIDE}
    if tag_set.scheme is None:
        return sorted(found - set(tag_set.tags))
    return sorted({tag[2:] for tag in found} - tag_set.types)
