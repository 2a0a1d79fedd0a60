"""Linear support vector machines over the features of texts, and how many texts are fitted in a bounded time.

They are the baseline of a classifier, judge labels that may be wrong, and stand as n-grams beside an encoder.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.svm import LinearSVC

# What a fit may cost, in units of the time that the n-grams of a code point take for each class: 0.1 microseconds.
MOST_WORK_WITH_CHARACTERS = 120_000_000
MOST_WORK = 800_000_000
WORK_OF_COUNTING = 20  # units that the n-grams of a code point take to be counted
NEVER = -10.0  # margin of a class without a training text; those of a fitted class are about -1 to 1

Weigh = Callable[[Any, np.ndarray], np.ndarray]


class LinearMachines(NamedTuple):
    """Linear support vector machines, one for each class against the rest; of two classes, for the second.

    Attributes:
        coefficients: float64 `(K, F)`, K classes.
        intercepts: float64 `(K,)`.
        classes: The number of classes, C.
        absent: The classes without a training text, int64; their margin is `NEVER`.
    """

    coefficients: np.ndarray
    intercepts: np.ndarray
    classes: int
    absent: np.ndarray

    def margins(self, features: Any) -> np.ndarray:
        """The margins of texts with these features, sparse `(M, F)`: float64 `(M, C)`, positive for a text's class."""
        values = np.asarray(features @ self.coefficients.T) + self.intercepts
        return values if values.shape[1] == self.classes else np.concatenate([-values, values], axis=1)


def linear_machines(
    matrix: Any, targets: np.ndarray, classes: int, seed: int, weigh: Weigh | None = None
) -> LinearMachines:
    """Fits a machine for each class against the rest.

    Args:
        matrix: The features of each text, sparse `(N, F)`.
        targets: The class of each text, `(N,)`, or which labels it has, `(N, C)`.
        classes: C. A training that starts from a run may have no text of some of its classes.
        seed: Seed of the order in which the solver visits texts.
        weigh: Gives the factors `(F,)` of the features, from them and from which texts have a class, `(N,)`. None for
            features as they are.
    """
    coefficients, intercepts = np.zeros((classes, matrix.shape[1])), np.zeros(classes)
    if targets.ndim == 2:
        for label, column in enumerate(targets.T):
            if 0 < column.sum() < len(column):
                coefficients[label], intercepts[label] = _fitted(matrix, column, seed, weigh)
            else:  # all texts have the label, or none
                intercepts[label] = 2 * column[0] - 1
        return LinearMachines(coefficients, intercepts, classes, np.zeros(0, np.int64))
    present = np.unique(targets)
    absent = np.setdiff1d(np.arange(classes), present)
    intercepts[absent] = NEVER
    if len(present) == 1:
        intercepts[present] = -NEVER
        return LinearMachines(coefficients, intercepts, classes, absent)
    both = len(present) == 2  # one machine for the second
    if weigh is None:
        machine = _machine(seed).fit(matrix, targets)
        found, biases = machine.coef_, machine.intercept_
    else:
        machines = [_fitted(matrix, targets == label, seed, weigh) for label in present[both:]]
        found, biases = (np.stack(parts) for parts in zip(*machines, strict=True))
    if len(present) == classes:
        return LinearMachines(found, biases, classes, absent)
    coefficients[present] = np.concatenate([-found, found]) if both else found
    intercepts[present] = np.concatenate([-biases, biases]) if both else biases
    return LinearMachines(coefficients, intercepts, classes, absent)


def affords_characters(code_points: int, classes: int, most_work: int = MOST_WORK_WITH_CHARACTERS) -> bool:
    """Whether n-grams of characters take no more than the time `most_work`, for texts of so many code points in all."""
    return code_points * (WORK_OF_COUNTING + classes) <= most_work


def sample(lengths: np.ndarray, targets: np.ndarray, most_work: int, classes: int, seed: int) -> np.ndarray:
    """Chooses texts that a fit to `classes` classes takes the time `most_work` for; all if they fit.

    Returns:
        Numbers of texts, sorted; one text of each class at least.
    """
    most = most_work // (WORK_OF_COUNTING + classes)
    if lengths.sum() <= most:
        return np.arange(len(lengths))
    order = np.random.default_rng(seed).permutation(len(lengths))
    shuffled = targets[order]
    first = np.unique(shuffled.argmax(axis=0) if targets.ndim == 2 else np.unique(shuffled, return_index=True)[1])
    order = np.concatenate([order[first], np.delete(order, first)])
    fitting = int(np.searchsorted(np.cumsum(lengths[order]), most, side="right"))
    return np.sort(order[: max(len(first), fitting)])


def _fitted(matrix: Any, positive: np.ndarray, seed: int, weigh: Weigh | None) -> tuple[np.ndarray, float]:
    """The coefficients `(F,)` and the intercept of the machine that tells some texts from the others."""
    factors = np.ones(matrix.shape[1]) if weigh is None else weigh(matrix, positive)
    weighed = sparse.csr_matrix((matrix.data * factors[matrix.indices], matrix.indices, matrix.indptr), matrix.shape)
    machine = _machine(seed).fit(weighed, positive)
    return machine.coef_[0] * factors, float(machine.intercept_[0])


def _machine(seed: int) -> LinearSVC:
    """The linear support vector machine; its tolerance is that of liblinear, as scikit-learn's takes longer."""
    return LinearSVC(C=1.0, dual=True, tol=0.1, random_state=seed)
