"""Scores of predicted tags: precision, recall and F1 of entities, and the accuracy of tags.

An entity is a hit only if its type, its first token and its last token are all right. Predictions are read strictly: a
predicted entity is a B tag and the following I tags of its type; other I tags are not part of an entity. Accuracy over
tokens is a different score, because most tokens are `O`. It is never called F1.

This file needs no library, so that the base install can score a bundle. Its scores equal those of seqeval with
`mode="strict"` and `scheme=IOB2` exactly; a test compares the two.

Reference: seqeval (https://github.com/chakki-works/seqeval); Tjong Kim Sang and De Meulder, "Introduction to the
CoNLL-2003 Shared Task" (2003), section 2.5.
"""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from textapp.data.tagged import PLAIN, TaggedExamples
from textapp.errors import InputError, list_names, quoted
from textapp.text.characters import counted
from textapp.text.tag_schemes import OUTSIDE, Span, find_breaks, is_tag, read_spans
from textapp.text.tag_set import FILE_SCHEME, TagSet


@dataclass(frozen=True)
class EntityScore:
    """How well a tagger finds the entities of one type, or of all types. A quotient with divisor 0 is 0.

    Args:
        precision: Share of the predicted entities that are right.
        recall: Share of the true entities that are found.
        f1: Harmonic mean of the two.
        support: Number of true entities.
    """

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class EntityScores:
    """The scores of a tagger.

    Args:
        micro: Over the entities of all types together; its `f1` is what papers report as F1.
        by_type: Over the entities of each type that has true or predicted entities, sorted by name; "_" is the name of
            entities without a type.
        token_accuracy: Share of the tokens whose tag is right.
    """

    micro: EntityScore
    by_type: dict[str, EntityScore]
    token_accuracy: float

    def to_dict(self) -> dict[str, Any]:
        """Returns the scores for JSON; `count` is the number of true entities."""
        types = {
            name: {"entity_f1": score.f1, "precision": score.precision, "recall": score.recall, "count": score.support}
            for name, score in {"": self.micro, **self.by_type}.items()
        }
        return {**types.pop(""), "token_accuracy": self.token_accuracy, "types": types}


def tag_scores(true: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], tag_set: TagSet) -> dict[str, Any]:
    """Scores predicted tags. `textapp evaluate` prints this dictionary as JSON.

    Args:
        true: The true tags of each sentence: valid IOB2 where `tag_set` has a scheme, any strings where it has none.
        predicted: The predicted tags of each sentence.
        tag_set: The tags of the model. Only its scheme matters here: types that it lacks count as missed.

    Returns:
        For spans `entity_f1`, `precision`, `recall`, `count` (true entities), `token_accuracy`, and the first four of
        each type in `types`; for plain tags `accuracy` and `count` (tokens).

    Raises:
        InputError: True tags break a rule of IOB2.
        ValueError: The two differ in length, hold no token, or a prediction is no tag of IOB2.
    """
    if tag_set.scheme is None:
        return {"accuracy": token_accuracy(true, predicted), "count": sum(map(len, true))}
    return entity_scores(true, predicted).to_dict()


def describe_scores(scores: dict[str, Any]) -> str:
    """Returns the scores of `tag_scores` as one line of text."""
    if "accuracy" in scores:
        return f"accuracy {scores['accuracy']:.4f} on {counted(scores['count'], 'token')}"
    return (
        f"entity F1 {scores['entity_f1']:.4f} (precision {scores['precision']:.4f}, recall {scores['recall']:.4f}) "
        f"on {counted(scores['count'], 'entity')}; token accuracy {scores['token_accuracy']:.4f}"
    )


def entity_scores(true: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> EntityScores:
    """Compares predicted tags with true tags, both in IOB2.

    Args:
        true: The tags of each sentence; they must follow the rules of IOB2.
        predicted: The predicted tags of each sentence, equally many; they may break those rules.

    Raises:
        InputError: True tags break a rule of IOB2.
        ValueError: The two differ in length, hold no token, or a prediction is no tag of IOB2.

    Example:
        >>> scores = entity_scores([["B-PER", "I-PER", "O", "B-LOC"]], [["B-PER", "O", "O", "B-LOC"]])
        >>> scores.micro
        EntityScore(precision=0.5, recall=0.5, f1=0.5, support=2)
        >>> scores.by_type["PER"].f1, scores.token_accuracy
        (0.0, 0.75)
    """
    accuracy = token_accuracy(true, predicted)
    for index, tags in enumerate(true):
        if breaks := find_breaks(tags, FILE_SCHEME):
            raise InputError(f"true tags, sentence {index + 1}: {breaks[0]}; convert or repair them when reading them")
    unknown = next((tag for tags in predicted for tag in tags if not is_tag(tag, FILE_SCHEME)), None)
    if unknown is not None:
        raise ValueError(f"`predicted` must hold tags of {FILE_SCHEME}. Received: {quoted(unknown)}")
    true_entities, predicted_entities = _entities(true), _entities(predicted)
    hits, found, wanted = map(_count_types, (true_entities & predicted_entities, predicted_entities, true_entities))
    return EntityScores(
        micro=_score(hits.total(), found.total(), wanted.total()),
        by_type={name: _score(hits[name], found[name], wanted[name]) for name in sorted(found | wanted)},
        token_accuracy=accuracy,
    )


def token_accuracy(true: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> float:
    """Returns the share of tokens whose predicted tag is the true one; tags may be any strings.

    Raises:
        ValueError: The two differ in length, or hold no token.
    """
    lengths = [len(tags) for tags in true], [len(tags) for tags in predicted]
    if lengths[0] != lengths[1]:
        raise ValueError("`true` and `predicted` must be equally long, and so must the sentences in them")
    if not any(lengths[0]):
        raise ValueError("`true` must hold at least one token. Received: none")
    right = sum(
        tag == guess
        for tags, guesses in zip(true, predicted, strict=True)
        for tag, guess in zip(tags, guesses, strict=True)
    )
    return right / sum(lengths[0])


def check_tags_known(examples: TaggedExamples, tag_set: TagSet, model: str = "the model") -> None:
    """Checks that a model can be scored on tagged sentences.

    Types of spans that the model lacks are allowed: they count as missed, and `unseen_tags` lists them.

    Args:
        examples: The sentences.
        tag_set: The tags of the model.
        model: Name of the model in messages.

    Raises:
        InputError: One of the two has spans and the other plain tags, or the model lacks all plain tags of `examples`.
    """
    of_spans = tag_set.scheme is not None
    kinds = ("plain tags", "spans")
    if of_spans == (examples.scheme == PLAIN):
        raise InputError(
            f"{examples.source}: holds {kinds[not of_spans]}, but {model} gives {kinds[of_spans]}; choose another "
            "tag column"
        )
    found = set(itertools.chain.from_iterable(examples.tags))
    if not of_spans and not found & set(tag_set.tags):
        raise InputError(
            f"{examples.source}: {model} knows none of the tags {list_names(sorted(found)[:5])}, but "
            f"{list_names(tag_set.tags[:5])} and the like; choose another tag column"
        )


def unseen_tags(examples: TaggedExamples, tag_set: TagSet) -> list[str]:
    """Returns the types of spans, or the plain tags, that occur in `examples` and that the model lacks, sorted."""
    found = set(itertools.chain.from_iterable(examples.tags))
    if tag_set.scheme is None:
        return sorted(found - set(tag_set.tags))
    return sorted({tag[2:] for tag in found - {OUTSIDE}} - tag_set.types)


def known_sentences(examples: TaggedExamples, tag_set: TagSet) -> TaggedExamples:
    """Returns the sentences of which the model has each type of span, or each plain tag."""
    lacking = set(unseen_tags(examples, tag_set))
    first = 0 if tag_set.scheme is None else len("B-")
    return examples.select(
        number for number, tags in enumerate(examples.tags) if lacking.isdisjoint(tag[first:] for tag in tags)
    )


def _entities(sentences: Sequence[Sequence[str]]) -> set[tuple[int, Span]]:
    """Returns the entities of all sentences, each with the number of its sentence.

    The lenient reader also yields spans whose first tag is an I; these are removed.
    """
    return {
        (number, span)
        for number, tags in enumerate(sentences)
        for span in read_spans(tags, FILE_SCHEME, repair=True)
        if tags[span.start].startswith("B")
    }


def _count_types(entities: set[tuple[int, Span]]) -> Counter[str]:
    """Returns the number of entities of each type."""
    return Counter(span.type or "_" for _, span in entities)


def _score(hits: int, found: int, wanted: int) -> EntityScore:
    """Returns the scores for numbers of correct, predicted and true entities."""
    precision = hits / found if found else 0.0
    recall = hits / wanted if wanted else 0.0
    f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
    return EntityScore(precision, recall, f1, wanted)
