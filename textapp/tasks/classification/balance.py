"""Classes of different sizes: their weights in the loss, the score that chooses the epoch, and warnings."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from textapp.data.readers import Examples, names_of
from textapp.errors import list_some, quoted
from textapp.task import Report
from textapp.tasks.classification.config import ClassificationConfig
from textapp.text.labels import similar_labels

_BETA = 0.999  # of the effective number: from some thousand texts on, more give a label no less weight
# Classes are skewed where the largest has that many times the texts of the smallest. Measured on training texts of
# TREC, SST-2, customer reviews and AG News, thinned to ratios of 3 to 100, with a perceptron over n-grams (25 sets, 4
# seeds): the epoch of the best validation macro F1 has 0.8 points more of macro F1 on other texts than the epoch of the
# best accuracy, and 0.3 points more accuracy. Below 3 both scores see all classes.
SKEW = 3


def class_weights(kind: Literal["none", "balanced", "effective"], counts: NDArray[np.integer]) -> NDArray[np.float64]:
    r"""The weight of a training text by its class.

    With $n_c$ texts of class c, `balanced` weights are proportional to $1 / n_c$, `effective` ones to
    $(1 - \beta) / (1 - \beta^{n_c})$ with $\beta = 0.999$: for few texts the two are almost equal, for thousands the
    effective weights differ no more. The mean weight of a training text is 1, so that the learning rate and the other
    losses keep their meaning. (Cui et al. let the weights of the classes have the mean 1.)

    Args:
        kind: `none` for weights of 1.
        counts: How many training texts each class has, `(..., C)`.

    Returns:
        float64 `(..., C)`; 0 for a class without texts.

    Reference:
        King and Zeng 2001, Logistic Regression in Rare Events Data (`balanced`, as in scikit-learn); Cui et al. 2019,
        Class-Balanced Loss Based on Effective Number of Samples.

    Example:
        >>> class_weights("balanced", np.array([30, 10])).round(3).tolist()
        [0.667, 2.0]
    """
    if kind == "none":
        return np.ones(counts.shape)
    sizes = counts.astype(np.float64) if kind == "balanced" else (1 - _BETA**counts) / (1 - _BETA)
    weights = np.divide(1, sizes, out=np.zeros(counts.shape), where=counts > 0)
    return weights * (counts.sum(axis=-1, keepdims=True) / (counts * weights).sum(axis=-1, keepdims=True))


def is_skewed(counts: NDArray[np.integer]) -> bool:
    """Whether classes with these numbers of training texts, `(C,)`, differ so much that accuracy hides the rare ones.

    Example:
        >>> is_skewed(np.array([500, 500, 300])), is_skewed(np.array([990, 10]))
        (False, True)
    """
    return bool(counts.max() >= SKEW * counts.min())


def report_labels(
    config: ClassificationConfig,
    names: Sequence[str],
    target_counts: Mapping[str, NDArray[np.integer]],
    monitor: str,
    report: Report,
) -> None:
    """Warns of labels that look the same, of labels with hardly an example, and of skewed classes.

    Args:
        config: The settings.
        names: The labels, C of them.
        target_counts: Of `train` and `valid`, see `EncodedRows.target_counts`.
        monitor: The score that chooses the epoch.
        report: Receives each line.
    """
    train, valid = (one if one.ndim == 1 else one[:, 1] for one in (target_counts["train"], target_counts["valid"]))
    if groups := similar_labels(names):
        sizes = dict(zip(names, train.tolist(), strict=True))
        shown = [" and ".join(f"{quoted(name)} {sizes[name]:,}" for name in alike) for alike in groups]
        report(
            "warning: labels that differ in case, spaces, underscores or .0 alone, with their training texts: "
            f"{list_some(shown, ' groups')}; if they mean the same, write them the same way"
        )
    for name in _where(names, train == 1):
        report(f"warning: {name} only one training text, which teaches little; give more, or leave the label out")
    for name in _where(names, (train > 1) & (valid == 0)):
        report(f"warning: {name} no text in valid, so it has no part in the choice of the best epoch; give some")
    if is_skewed(train) and (advice := _advice_on_skew(config, monitor)):
        first, last = (f"{quoted(names[at])} has {train[at]:,}" for at in (int(train.argmax()), int(train.argmin())))
        report(f"warning: skewed classes: {first} training texts, {last}; {advice}")


def report_unpredicted(
    config: ClassificationConfig, examples: Examples, predicted: Collection[str], report: Report
) -> None:
    """Warns of labels of validation examples that the model predicts for none of them."""
    never = sorted({name for label in examples.labels for name in names_of(label)} - set(predicted))
    if never:
        more = " or --set class_weights=balanced" if _lacks_weights(config) else ""
        shown = list_some(list(map(quoted, never)), " labels")
        report(f"warning: the model predicts no text of valid as {shown}; try more training texts of such labels{more}")


def _where(names: Sequence[str], chosen: NDArray[np.bool_]) -> Iterator[str]:
    """Yields the chosen labels as the start of a sentence, up to the verb; nothing if none is chosen."""
    found = [quoted(name) for name, one in zip(names, chosen.tolist(), strict=True) if one]
    if len(found) == 1:
        yield f"the label {found[0]} has"
    elif found:
        yield f"each of the {len(found):,} labels {list_some(found, ' labels')} has"


def _advice_on_skew(config: ClassificationConfig, monitor: str) -> str:
    """What is done about skewed classes without a setting, and what to try; empty if settings say all of it."""
    advice = []
    if config.monitor == "auto" and monitor == "macro_f1":
        advice.append("the best epoch is the one with the best macro F1 (--set monitor=accuracy: the best accuracy)")
    if _lacks_weights(config):
        advice.append("to give rare labels more weight, try --set class_weights=balanced")
    return "; ".join(advice)


def _lacks_weights(config: ClassificationConfig) -> bool:
    """Whether the settings could have class weights, and have none; a student has no such setting."""
    return "class_weights" in config.settings() and config.loss.class_weights == "none"
