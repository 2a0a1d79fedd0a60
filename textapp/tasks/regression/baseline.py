"""The baseline of a regressor: ridge regression over TF-IDF n-grams of words and characters."""

import numpy as np
from scipy import sparse
from sklearn.linear_model import Ridge

from textapp.answers import Baseline
from textapp.data.readers import Examples
from textapp.data.rows import EncodedRows
from textapp.tasks.classification.baseline import CHUNK, ngrams, texts_of
from textapp.tasks.linear_machines import MOST_WORK, sample
from textapp.text.characters import counted
from textapp.text.estimates import Numbers
from textapp.text.tokenizer import Tokenizer

TITLE = "ridge regression over n-grams"
PENALTY = 1.0  # of features of length 1, as TF-IDF makes them


def ridge(train: Examples, rows: EncodedRows, targets: Numbers, tokenizer: Tokenizer, seed: int) -> Baseline:
    """Fits the baseline to all texts, or in a bounded time to a random part of large data.

    Args:
        train: The training texts.
        rows: The same texts, encoded: the texts to use and their standardized numbers, `(N, C)`.
        targets: The numbers. Of intervals it knows nothing: both ends are the number itself, until validation texts
            move them apart.
        tokenizer: Cuts texts into words.
        seed: Seed of the sample.
    """
    texts, columns = texts_of(train, rows), len(targets.columns)
    lengths = np.fromiter(map(len, texts), np.int64)
    features = ngrams(int(lengths.sum()), columns, tokenizer)
    chosen = sample(lengths, rows.targets[:, :columns], MOST_WORK, columns, seed)
    known = [texts[number] for number in chosen.tolist()]
    matrix = sparse.hstack([kind.fit(known) for kind in features], "csr")
    machine = Ridge(PENALTY).fit(matrix, rows.targets[chosen, :columns].astype(np.float64))

    def decoded(examples: Examples, rows: EncodedRows) -> np.ndarray:
        others = texts_of(examples, rows)
        found = []
        for start in range(0, len(others), CHUNK):
            part = others[start : start + CHUNK]
            numbers = machine.predict(sparse.hstack([kind.weights(part) for kind in features], "csr"))
            found.append(numbers.reshape(len(part), columns))
        return np.tile(np.concatenate(found), len(targets) // columns)

    kinds = "words and characters" if len(features) > 1 else "words"
    share = counted(len(texts), "text") if len(chosen) == len(texts) else f"{len(chosen):,} of {len(texts):,} texts"
    return Baseline(TITLE, f"{kinds} of {share}", decoded)
