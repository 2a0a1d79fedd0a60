"""The baseline of a text classifier: a linear support vector machine over TF-IDF n-grams of words and characters.

Word order and similar words are unknown to it. But a few hundred texts are enough for it, it takes seconds, and on many
data sets it is hard to beat.

Reference: Wang and Manning, "Baselines and Bigrams: Simple, Good Sentiment and Topic Classification" (2012).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

from textapp.answers import Baseline
from textapp.data.readers import Examples
from textapp.data.rows import EncodedRows
from textapp.tasks.linear_machines import (
    MOST_WORK,
    MOST_WORK_WITH_CHARACTERS,
    affords_characters,
    linear_machines,
    sample,
)
from textapp.text.characters import counted, replace_surrogates
from textapp.text.tokenizer import Tokenizer

TITLE = "linear model over n-grams"
MOST_BUCKETS = 2**18  # n-grams of a kind are hashed to: text without spaces has millions of them, mostly rare
MOST_WEIGHTS = 15_000_000  # of a kind, buckets times classes: 120 MB
CHUNK = 500  # held-out texts whose n-grams are in memory at a time


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
