"""The baseline of a text classifier: a linear support vector machine over TF-IDF n-grams of words and characters.

Word order and similar words are unknown to it. But a few hundred texts are enough for it, it takes seconds, and on many
data sets it is hard to beat.

Reference: Wang and Manning, "Baselines and Bigrams: Simple, Good Sentiment and Topic Classification" (2012).
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.svm import LinearSVC

from textapp.data.readers import Examples
from textapp.data.rows import EncodedRows
from textapp.task import Baseline
from textapp.text.characters import counted, replace_surrogates
from textapp.text.tokenizer import Tokenizer

TITLE = "linear model over n-grams"
MOST_BUCKETS = 2**18  # n-grams of a kind are hashed to: text without spaces has millions of them, mostly rare
MOST_WEIGHTS = 15_000_000  # of a kind, buckets times classes: 120 MB
# What a fit may cost, in units of the time that the n-grams of a code point take for each class: 0.1 microseconds.
MOST_WORK_WITH_CHARACTERS = 120_000_000
MOST_WORK = 800_000_000
WORK_OF_COUNTING = 20  # units that the n-grams of a code point take to be counted
NEVER = -10.0  # margin of a class without a training text; those of a fitted class are about -1 to 1
CHUNK = 500  # held-out texts whose n-grams are in memory at a time
Weigh = Callable[[Any, np.ndarray], np.ndarray]


def linear_model(
    train: Examples,
    rows: EncodedRows,
    tokenizer: Tokenizer,
    classes: int,
    seed: int,
    most_work: int = MOST_WORK,
    most_work_with_characters: int = MOST_WORK_WITH_CHARACTERS,
) -> Baseline:
    """Fits the baseline to all texts, or in a bounded time to a part of large data.

    Above `most_work_with_characters` the n-grams are only those of words; above `most_work` the texts are a random
    sample, with a text of each class.

    Args:
        train: The training texts.
        rows: The same texts, encoded: the texts to use and their targets, `(N,)` or `(N, C)`.
        tokenizer: Cuts texts into words.
        classes: The number of classes, `C`.
        seed: Seed of the sample and of the fit.
        most_work: The most code points of all texts, times the work for each.
        most_work_with_characters: The same, with n-grams of characters.
    """
    texts, targets = _texts(train, rows), rows.targets
    lengths = np.fromiter(map(len, texts), np.int64)
    features = ngrams(int(lengths.sum()), classes, tokenizer, most_work_with_characters)
    chosen = sample(lengths, targets, most_work, classes, seed)
    known = [texts[number] for number in chosen.tolist()]
    matrix = sparse.hstack([kind.fit(known) for kind in features], "csr")
    machines = linear_machines(matrix, targets[chosen], classes, seed)

    def decoded(examples: Examples, rows: EncodedRows) -> np.ndarray:
        others = _texts(examples, rows)
        parts = (others[start : start + CHUNK] for start in range(0, len(others), CHUNK))
        return np.concatenate(
            [machines.margins(sparse.hstack([kind.weights(part) for kind in features], "csr")) for part in parts]
        )

    kinds = "words and characters" if len(features) > 1 else "words"
    share = counted(len(texts), "text") if len(chosen) == len(texts) else f"{len(chosen):,} of {len(texts):,} texts"
    return Baseline(TITLE, f"{kinds} of {share}", decoded)


class NGrams:
    """TF-IDF of one kind of n-grams, which are hashed to buckets.

    Buckets that no text of the fit has are left out, as a vocabulary would leave n-grams out.

    Args:
        buckets: The most buckets.
        **kind: Arguments of scikit-learn's `HashingVectorizer`: how texts are cut into n-grams.
    """

    def __init__(self, buckets: int, **kind: Any):
        self._counting = HashingVectorizer(n_features=buckets, alternate_sign=False, norm=None, **kind)
        self._weighting = TfidfTransformer(sublinear_tf=True)
        self._known = np.zeros(0, np.int64)

    def fit(self, texts: Sequence[str]) -> Any:
        """Counts the texts that have each bucket, and returns the weights of the texts, sparse `(N, F)`."""
        counts = self._counting.transform(texts)
        self._known = np.flatnonzero(counts.getnnz(axis=0))
        return self._weighting.fit_transform(counts[:, self._known])

    def weights(self, texts: Sequence[str]) -> Any:
        """The weights of other texts, sparse `(M, F)`."""
        return self._weighting.transform(self._counting.transform(texts)[:, self._known])


def _texts(examples: Examples, rows: EncodedRows) -> list[str]:
    """The text of each row. Lone surrogates, which JSON may hold, cannot be hashed."""
    return [replace_surrogates(examples.texts[number]) for number in rows.sources.tolist()]


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


def ngrams(
    code_points: int, classes: int, tokenizer: Tokenizer, most_work_with_characters: int = MOST_WORK_WITH_CHARACTERS
) -> list[NGrams]:
    """The kinds of n-grams for texts of so many code points in all: those of words, and of characters if time allows.

    Args:
        code_points: The length of all texts.
        classes: The number of classes.
        tokenizer: Cuts texts into words.
        most_work_with_characters: The most code points, times the work for each, with n-grams of characters.
    """
    buckets = min(MOST_BUCKETS, 2 ** max(1, (MOST_WEIGHTS // classes).bit_length() - 1))
    found = [NGrams(buckets, tokenizer=tokenizer.words, token_pattern=None, lowercase=False, ngram_range=(1, 2))]
    if affords_characters(code_points, classes, most_work_with_characters):
        found.append(NGrams(buckets, analyzer="char_wb", ngram_range=(2, 5)))
    return found


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
