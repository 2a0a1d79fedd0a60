"""Finds labels that may be wrong, by the linear model of the baseline and cross-validation.

Each text is judged by a model that was fitted to the other texts alone. A model that has learned a wrong label would
find it right. Texts that are the same but for case and punctuation are in one fold, for the same reason.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from textapp.data.doubts import Doubt, exclusive_doubts, independent_doubts, mean_probabilities
from textapp.data.readers import Examples, names_of
from textapp.data.splits import overlap_key
from textapp.errors import InputError
from textapp.task import Report
from textapp.tasks.classification.baseline import TITLE, ngrams
from textapp.tasks.classification.temperature import best_temperature
from textapp.tasks.linear_machines import MOST_WORK, linear_machines, sample
from textapp.text.characters import counted, replace_surrogates
from textapp.text.tokenizer import Tokenizer

FOLDS = 5
SEED = 1


def label_doubts(
    examples: Examples, exclusive: bool, tokenizer: Tokenizer, predictor: Any, report: Report
) -> list[Doubt]:
    """Finds labels that are less probable than others; see `textapp.data.doubts`.

    Texts without a token are not judged, and neither are labels that fewer than two different texts have.

    Args:
        examples: Labelled texts.
        exclusive: Whether each text has exactly one label, rather than any number.
        tokenizer: Cuts texts into words.
        predictor: A model whose probabilities count as much as those of the linear model; None for none.
        report: Receives each line of progress.

    Raises:
        InputError: Fewer than two labels can be judged.
    """
    judged = [number for number, text in enumerate(examples.texts) if tokenizer.words(text)]
    _report_left_out(len(examples) - len(judged), "text", "without a token", report)
    keys = {number: overlap_key(examples.texts[number]) for number in judged}
    firsts = {key: number for number, key in reversed(keys.items())}  # of equal texts only the first counts
    counts = Counter(name for number in firsts.values() for name in names_of(examples.labels[number]))
    names = sorted(name for name, count in counts.items() if count > 1)
    found = {name for number in judged for name in names_of(examples.labels[number])}
    _report_left_out(len(found) - len(names), "label", "that only one text has", report)
    if len(names) < (2 if exclusive else 1):
        raise InputError(f"{examples.source}: labels are compared, so two of them must have two different texts each")
    if exclusive:
        known = frozenset(names)
        judged = [number for number in judged if examples.labels[number] in known]
    targets = _targets([examples.labels[number] for number in judged], names, exclusive)
    texts = [replace_surrogates(examples.texts[number]) for number in judged]
    folds = assigned_folds([keys[number] for number in judged], targets)
    margins = held_out_margins(texts, targets, len(names), folds, tokenizer, report)
    parts = [tempered(margins, targets)]
    if predictor is not None:
        places = [predictor.labels.index(name) for name in names]
        of_model = [list(predictor.predict([text])[0].probs.values()) for text in texts]
        report(f"model: probabilities of {counted(len(texts), 'text')}")
        parts.append(np.array(of_model)[:, places])
    find = exclusive_doubts if exclusive else independent_doubts
    doubts = find(targets, mean_probabilities(parts, exclusive), names)
    return [doubt._replace(number=judged[doubt.number]) for doubt in doubts]


def assigned_folds(keys: Sequence[str], targets: NDArray[Any]) -> NDArray[np.int64]:
    """Assigns each text to one of `FOLDS` folds, which have the same proportions of classes.

    A text with several labels counts for the rarest one.

    Args:
        keys: Equal for texts that must be in the same fold.
        targets: The class of each text, `(N,)`, or which labels it has, `(N, C)`.
    """
    strata = targets
    if targets.ndim == 2:
        counts = np.where(targets, targets.sum(axis=0), len(targets) + 1)
        strata = np.where(targets.any(axis=1), counts.argmin(axis=1), -1)
    distinct, firsts, groups = np.unique(np.array(keys, object), return_index=True, return_inverse=True)
    order = np.random.default_rng(SEED).permutation(len(distinct))
    order = order[np.argsort(strata[firsts][order], kind="stable")]
    folds = np.empty(len(distinct), np.int64)
    folds[order] = np.arange(len(distinct)) % FOLDS  # neighbours differ, so that a class of two is in two folds
    return folds[groups]


def held_out_margins(
    texts: Sequence[str],
    targets: NDArray[Any],
    classes: int,
    folds: NDArray[np.int64],
    tokenizer: Tokenizer,
    report: Report,
) -> NDArray[np.float64]:
    """The margins of each text by a linear model that was fitted to the texts of other folds, `(N, C)`.

    The n-grams are weighted over all texts; no label has a part in that. So a text of n-grams that the others lack has
    small margins. With 5 % of the labels of TREC's questions changed, 45 of the first 50 doubts are changed labels;
    with weights from the other folds alone 35 (means of 3 seeds).
    """
    lengths = np.fromiter(map(len, texts), np.int64)
    kinds = ngrams(int(lengths.sum()), classes, tokenizer)
    matrix = sparse.hstack([kind.fit(texts) for kind in kinds], "csr")
    margins = np.empty((len(texts), classes))
    for fold in range(FOLDS):
        others, held_out = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        if len(held_out):
            chosen = others[sample(lengths[others], targets[others], MOST_WORK // 2, classes, SEED)]
            margins[held_out] = linear_machines(matrix[chosen], targets[chosen], classes, SEED).margins(
                matrix[held_out]
            )
            report(f"{TITLE}, part {fold + 1} of {FOLDS}: fitted to {counted(len(chosen), 'text')}")
    return margins


def tempered(margins: NDArray[np.float64], targets: NDArray[Any]) -> NDArray[np.float64]:
    """Turns margins `(N, C)` to probabilities `(N, C)` with the one temperature that fits the labels best."""
    if targets.ndim == 2:
        pairs = np.stack([np.zeros(margins.size), margins.ravel()], axis=1)
        temperature = best_temperature(targets.ravel().astype(np.int64), pairs)
        return np.asarray(1 / (1 + np.exp(-margins / temperature)))
    powers = np.exp((margins - margins.max(axis=1, keepdims=True)) / best_temperature(targets, margins))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _targets(labels: Sequence[Any], names: Sequence[str], exclusive: bool) -> NDArray[Any]:
    """The class of each text, `(N,)`, or which labels it has, `(N, C)`; labels that are not in `names` are left out."""
    if exclusive:
        numbers = {name: number for number, name in enumerate(names)}
        return np.array([numbers[label] for label in labels], np.int64)
    return np.array([[name in some for name in names] for some in map(set, labels)], bool)


def _report_left_out(count: int, noun: str, which: str, report: Report) -> None:
    """Reports what is not judged."""
    if count:
        report(f"not judged: {counted(count, noun)} {which}")
