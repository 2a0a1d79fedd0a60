"""Precision, recall and F1 of predicted entities, and the accuracy of predicted tags.

An entity counts as found only if its type, its first and its last token are all right. Predictions are read strictly: a
predicted entity begins with a B tag, and I tags that no B opens are no entity. Accuracy over tokens, most of which are
`O`, is another figure and is never called F1.

Reference: seqeval, `mode="strict"`, `scheme=IOB2` (https://github.com/chakki-works/seqeval), which does the counting;
Tjong Kim Sang and De Meulder, "Introduction to the CoNLL-2003 Shared Task" (2003), section 2.5.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seqeval.metrics.v1 import precision_recall_fscore_support
from seqeval.scheme import IOB2, Entities

from textapp.errors import InputError
from textapp.text.tag_schemes import OUTSIDE, find_breaks, is_tag

SCHEME = "IOB2"
"""The scheme of all tags here."""


@dataclass(frozen=True)
class EntityScore:
    """How well entities are found, those of one type or all. What would be divided by zero is 0.

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
        by_type: Over the entities of each type that occurs among the true or the predicted ones, sorted by name;
            "_" stands for entities without a type.
        token_accuracy: Share of the tokens whose tag is right.
    """

    micro: EntityScore
    by_type: dict[str, EntityScore]
    token_accuracy: float

    def to_dict(self) -> dict[str, Any]:
        """Returns the scores as JSON holds them: `count` is the number of true entities."""
        types = {
            name: {"entity_f1": score.f1, "precision": score.precision, "recall": score.recall, "count": score.support}
            for name, score in {"": self.micro, **self.by_type}.items()
        }
        return {**types.pop(""), "token_accuracy": self.token_accuracy, "types": types}


def entity_scores(true: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> EntityScores:
    """Compares predicted tags with the true ones, both in IOB2.

    Args:
        true: The tags of each sentence, sound ones.
        predicted: The predicted tags of each sentence, as many; they may break the scheme's rules.

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
        if breaks := find_breaks(tags, SCHEME):
            raise InputError(f"true tags, sentence {index + 1}: {breaks[0]}; convert or mend them when they are read")
    unknown = next((tag for tags in predicted for tag in tags if not is_tag(tag, SCHEME)), None)
    if unknown is not None:
        raise ValueError(f"`predicted` must hold tags of {SCHEME}. Received: {unknown!r}")
    types = sorted({tag[2:] for tags in (*true, *predicted) for tag in tags if tag != OUTSIDE})
    number = {name: str(at) for at, name in enumerate(types)}
    true_lists, predicted_lists = (_numbered(tags, number) for tags in (true, predicted))
    true_entities, predicted_entities = Entities(true_lists, IOB2), Entities(predicted_lists, IOB2)
    by_type, micro = (
        precision_recall_fscore_support(
            true_lists,
            predicted_lists,
            average=average,
            scheme=IOB2,
            zero_division=0,
            entities_true=true_entities,  # or they would be read anew for each average
            entities_pred=predicted_entities,
        )
        for average in (None, "micro")
    )
    names = [types[int(at)] or "_" for at in sorted(true_entities.unique_tags | predicted_entities.unique_tags)]
    scores = {name: _score(*columns) for name, columns in zip(names, zip(*by_type, strict=True), strict=True)}
    return EntityScores(
        micro=_score(*micro),
        by_type={name: scores[name] for name in sorted(scores)},
        token_accuracy=accuracy,
    )


def _numbered(sentences: Sequence[Sequence[str]], number: dict[str, str]) -> list[list[str]]:
    """Returns tags with numbers for types, as lists: seqeval would take hyphens off their ends, and tuples for one."""
    return [[tag if tag == OUTSIDE else f"{tag[0]}-{number[tag[2:]]}" for tag in tags] for tags in sentences]


def token_accuracy(true: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> float:
    """Returns the share of tokens whose predicted tag is the true one; tags may be of any kind.

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


def _score(precision: Any, recall: Any, f1: Any, support: Any) -> EntityScore:
    """Returns a score of NumPy's numbers."""
    return EntityScore(float(precision), float(recall), float(f1), int(support))
