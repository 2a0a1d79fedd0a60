"""What a tagger makes of tagged sentences, one by one, for the page of one model. It needs only NumPy."""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textapp.data.tagged import TaggedExamples
from textapp.tasks.classification.scores import confusion_matrix
from textapp.tasks.examination import (
    MOST_CHARACTERS,
    SEARCHED,
    Confusion,
    Examination,
    Judged,
    percent,
    place_of,
    scored,
    spread,
    target_rows,
    trained_cell,
)
from textapp.tasks.intervals import (
    Difference,
    Interval,
    bootstrap,
    f1_of_counts,
    paired_bootstrap,
    share_of_counts,
)
from textapp.text.marked import Mark, Marked, type_colour, with_spans
from textapp.text.tag_schemes import OUTSIDE, Span, read_spans
from textapp.text.tag_set import FILE_SCHEME, TagSet

_NO_TYPE = "_"
_FIRST_LETTERS = "BSU"  # of tags that begin a span, in the schemes that a model learns
Tags = Sequence[Sequence[str]]


def intervals(examples: TaggedExamples, decisions: Tags, targets: TagSet) -> dict[str, Interval]:
    """Of the scores of `tag_scores`, by the bootstrap over sentences.

    A score of spans that divides by no span is not known, so it has no interval.
    """
    accuracy = bootstrap(_token_parts(examples.tags, decisions), share_of_counts(0, 1))
    if targets.scheme is None:
        return {"accuracy": accuracy}
    parts = _span_parts(examples.tags, decisions)
    _, predicted, true = parts.sum(axis=0)
    found = {}
    if predicted or true:
        found["entity_f1"] = bootstrap(parts, f1_of_counts)
    if predicted:
        found["precision"] = bootstrap(parts, share_of_counts(0, 1))
    if true:
        found["recall"] = bootstrap(parts, share_of_counts(0, 2))
    return {**found, "token_accuracy": accuracy}


def difference(examples: TaggedExamples, first: Tags, second: Tags, targets: TagSet) -> Difference:
    """Of the main score, with the paired bootstrap over sentences."""
    parts, score = (_token_parts, share_of_counts(0, 1)) if targets.scheme is None else (_span_parts, f1_of_counts)
    return paired_bootstrap(parts(examples.tags, first), parts(examples.tags, second), score)


def examine(
    titles: Mapping[str, str],
    examples: TaggedExamples,
    decisions: Tags,
    scores: Mapping[str, Any],
    predictor: Any,
    most: int,
    trained: Mapping[str, int],
) -> Examination:
    """See `Answers.examine`."""
    tags: TagSet = predictor.targets
    of_spans = tags.scheme is not None
    wrong = [
        number
        for number, pair in enumerate(zip(examples.tags, decisions, strict=True))
        if list(pair[0]) != list(pair[1])
    ]
    counts = {number: _mistakes(examples.tags[number], decisions[number], of_spans) for number in wrong}
    mistakes = sorted(wrong, key=lambda number: -counts[number])[:most]
    searched = spread(len(examples), SEARCHED) if most else range(0)
    sure = {number: _least_probability(predictor, examples.sentences[number]) for number in searched}
    unsure = sorted(sure, key=sure.__getitem__)[:most]
    types = _types(examples.tags, tags)
    space = "" if predictor.tokenizer.kind == "char" else " "
    judged = {
        number: _judged(examples, decisions, number, types, space, of_spans, sure.get(number))
        for number in {*mistakes, *unsure}
    }
    names, matrix = type_confusion(examples.tags, decisions, of_spans)
    found = intervals(examples, decisions, tags)
    return Examination(
        scores=tuple(scored({**titles, "token_accuracy": "token accuracy"}, scores, found)),
        header=("type" if of_spans else "tag", "precision, %", "recall, %", "F1, %", "spans" if of_spans else "tokens")
        + ((("spans" if of_spans else "tokens") + " in training",) if trained else ()),
        targets=_span_rows(scores, trained) if of_spans else target_rows(names, matrix, trained),
        confusion=Confusion(tuple(names), tuple(map(tuple, matrix.tolist())), "token"),
        wrong=len(wrong),
        mistakes=tuple(judged[number] for number in mistakes),
        unsure=tuple(judged[number] for number in unsure),
        searched=len(searched),
        order=f"those with the most wrong {'spans' if of_spans else 'tags'} first",
        errors=span_errors(examples.tags, decisions) if of_spans else {},
    )


def type_confusion(true: Tags, predicted: Tags, of_spans: bool) -> tuple[list[str], NDArray[np.int64]]:
    """The types that occur, and the tokens by true type (row) and predicted type, int64 `(C, C)`.

    A token inside a span counts as the type of the span, any other as `O`. Where a span begins and ends does not count
    here; entity F1 counts it. Plain tags are as they are.
    """
    rows = [
        [_type(tag) if of_spans else tag for tag in itertools.chain.from_iterable(part)] for part in (true, predicted)
    ]
    names = sorted({*rows[0], *rows[1]}, key=lambda name: (name != OUTSIDE, name))
    index = {name: number for number, name in enumerate(names)}
    numbers, guesses = ([index[name] for name in row] for row in rows)
    return names, confusion_matrix(numbers, guesses, len(names))


def span_errors(true: Tags, predicted: Tags) -> dict[str, int]:
    """How often each kind of error occurs; each true and each predicted span has at most one.

    Reference: Chinchor and Sundheim 1993, MUC-5 Evaluation Metrics (correct, incorrect, partial, missing, spurious).

    Example:
        >>> span_errors([["B-LOC", "I-LOC", "O", "B-PER"]], [["B-LOC", "O", "B-ORG", "O"]])
        {'right': 0, 'wrong type': 0, 'wrong border': 1, 'wrong type and border': 0, 'missed': 1, 'spurious': 1}
    """
    counts: Counter[str] = Counter()
    for tags, guesses in zip(true, predicted, strict=True):
        wanted, found = set(_strict_spans(tags)), set(_strict_spans(guesses))
        counts["right"] += len(wanted & found)
        rest = sorted(found - wanted)
        for span in sorted(wanted - found):
            other = _best_overlap(span, rest)
            if other is None:
                counts["missed"] += 1
                continue
            rest.remove(other)
            borders, types = span[:2] == other[:2], span.type == other.type
            counts["wrong type" if borders else "wrong border" if types else "wrong type and border"] += 1
        counts["spurious"] += len(rest)
    kinds = ("right", "wrong type", "wrong border", "wrong type and border", "missed", "spurious")
    return {kind: counts[kind] for kind in kinds}


def sentence_with_tags(
    tokens: Sequence[str],
    tags: Sequence[str],
    space: str,
    types: Sequence[str],
    of_spans: bool,
    only: Sequence[int] | None = None,
) -> Marked:
    """A sentence as a text with its spans; for plain tags with the tags of the tokens at the positions of `only`."""
    ends = list(itertools.accumulate(len(token) + len(space) for token in tokens))
    places = [(end - len(token) - len(space), end - len(space)) for token, end in zip(tokens, ends, strict=True)]
    text = space.join(tokens)
    if of_spans:
        found = read_spans(tags, FILE_SCHEME, repair=True)
        rows = [(span.type, places[span.start][0], places[span.end - 1][1], None) for span in found]
        return with_spans(text, rows, types).first(MOST_CHARACTERS)
    chosen = range(len(tokens)) if only is None else only
    marks = (Mark(*places[number], type_colour(tags[number], types), 1.0, tags[number]) for number in chosen)
    return Marked(text, tuple(marks)).first(MOST_CHARACTERS)


def _judged(
    examples: TaggedExamples,
    decisions: Tags,
    number: int,
    types: Sequence[str],
    space: str,
    of_spans: bool,
    sure: float | None,
) -> Judged:
    """A sentence: true above, predicted below where it differs."""
    tokens, true, predicted = examples.sentences[number], examples.tags[number], decisions[number]
    right = list(true) == list(predicted)
    only = (
        None if right else [place for place, pair in enumerate(zip(true, predicted, strict=True)) if len({*pair}) > 1]
    )
    lines = [("predicted", predicted)] if right else [("true", true), ("predicted", predicted)]
    return Judged(
        place=place_of(examples.source, examples.location(number)),
        right=right,
        true="",
        predicted="",
        confidence=sure,
        of="least sure tag",
        lines=tuple((name, sentence_with_tags(tokens, tags, space, types, of_spans, only)) for name, tags in lines),
    )


def _least_probability(predictor: Any, sentence: Sequence[str]) -> float:
    """The probability of the least probable of the best tags of a sentence."""
    probs = predictor.probabilities([predictor.tokens(sentence)])
    return float(probs.max(axis=1).min()) if len(probs) else 1.0


def _types(true: Tags, tags: TagSet) -> list[str]:
    """All types of spans, or all plain tags, of the model and of the data."""
    of_data = set(itertools.chain.from_iterable(true))
    if tags.scheme is None:
        return sorted({*tags.tags, *of_data})
    return sorted({*tags.types, *(tag[2:] for tag in of_data if tag != OUTSIDE)})


def _type(tag: str) -> str:
    """The type of a tag of a span; `_` without a type."""
    return tag if tag == OUTSIDE else tag[2:] or _NO_TYPE


def _strict_spans(tags: Sequence[str]) -> list[Span]:
    """The spans that begin with a B tag, as `entity_scores` reads them."""
    return [span for span in read_spans(tags, FILE_SCHEME, repair=True) if tags[span.start].startswith("B")]


def _best_overlap(span: Span, others: Sequence[Span]) -> Span | None:
    """The span that shares the most tokens with another one, the one of its type first; None if none does."""
    shared = [
        (min(span.end, other.end) - max(span.start, other.start), other.type == span.type, other) for other in others
    ]
    best = max(shared, key=lambda row: row[:2], default=None)
    return best[2] if best is not None and best[0] > 0 else None


def _mistakes(true: Sequence[str], predicted: Sequence[str], of_spans: bool) -> int:
    """The number of spans, or of plain tags, of a sentence that are wrong or missed."""
    if of_spans:
        return len(set(_strict_spans(true)) ^ set(_strict_spans(predicted)))
    return sum(tag != guess for tag, guess in zip(true, predicted, strict=True))


def _span_parts(true: Tags, predicted: Tags) -> NDArray[np.int64]:
    """The spans of each sentence that are right, predicted and true, `(N, 3)`."""
    rows = []
    for tags, guesses in zip(true, predicted, strict=True):
        wanted, found = set(_strict_spans(tags)), set(_strict_spans(guesses))
        rows.append((len(wanted & found), len(found), len(wanted)))
    return np.array(rows, np.int64)


def _token_parts(true: Tags, predicted: Tags) -> NDArray[np.int64]:
    """The tokens of each sentence that are right, and all, `(N, 2)`."""
    rows = (
        (sum(tag == guess for tag, guess in zip(tags, guesses, strict=True)), len(tags))
        for tags, guesses in zip(true, predicted, strict=True)
    )
    return np.array(list(rows), np.int64)


def _span_rows(scores: Mapping[str, Any], trained: Mapping[str, int]) -> list[tuple[str, ...]]:
    """The scores of each type of span."""
    spans: Counter[str] = Counter()
    for tag, count in trained.items():
        if tag[0] in _FIRST_LETTERS:
            spans[_type(tag)] += count
    rows: list[tuple[str, ...]] = []
    for name, part in scores["types"].items():
        cells = (percent(part[key]) for key in ("precision", "recall", "entity_f1"))
        rows.append((name, *cells, f"{part['count']:,}", *trained_cell(name, spans)))
    return rows
