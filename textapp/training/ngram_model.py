"""Fits a linear model over n-grams beside the encoder, and chooses the weights of both on the validation split.

An encoder needs thousands of texts to learn what a few words or pairs of words say at once to a linear model. A linear
model does not know similar words and long contexts. Their errors differ, so both together can be better than each alone
(`results/any_data.md` compares them with a linear model). On a device the linear model is a sum of some hundred rows.

Reference: Wang and Manning 2012, Baselines and Bigrams; Cheng et al. 2016, Wide & Deep Learning; Weinberger et al.
2009, Feature Hashing for Large Scale Multitask Learning.
"""

import dataclasses
import itertools
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import minimize

from textapp.config import ModelConfig
from textapp.data.rows import UNLABELLED, EncodedRows
from textapp.runtime.ngram_model import MOST_COLUMNS, NgramModel
from textapp.task import Report, Task
from textapp.tasks.linear_machines import MOST_WORK, affords_characters, linear_machines, sample
from textapp.text.characters import counted
from textapp.text.ngrams import NgramHash
from textapp.training.class_offsets import class_offsets
from textapp.training.prepare import NgramModels, Prepared

LARGEST_INT8 = 127
MARGIN_OF_OTHERS = -1.0  # of a text for a class that it does not have, about
MOST_CHARACTER_ROWS = 2**16  # more changed nothing on other training texts: a language has few n-grams of letters
SMOOTHING = 1.0  # texts with and without a class that each n-gram is said to have been in besides
# Where words are characters: with 200, 1,000 and 4,000 labels of two sets of reviews, 1 to 4 characters have 82.4,
# 86.1, 86.2 and 85.8 % of other training texts right (means of two samples; no command repeats these trials).
CHARACTERS_ALONE = 3
FOLDS = 5
FEWEST_A_FOLD = 2  # texts of a class, on average
# Of other training texts of five data sets, offsets make 0.6 % more right with 200 labels and 0.2 % with 1,000 (means
# of six samples, no command repeats these trials), and 1.8 and 0.9 % where they gain most. For more texts five fits
# would take long and gain less.
MOST_CROSS_VALIDATED = 4_000
SMALLEST_SHARE = 0.05  # of the texts: of rarer classes the frequency of an n-gram is not known well
# The weights that few texts may not be far from, and as many texts as say so. An encoder's logits of validation texts
# are too good, because these texts chose its epoch. Of other training texts of five data sets, with 200 and 1,000
# labels, 50 of these texts have 71.6 % right, 100 71.7, 200 71.8, 400 and 1,600 71.9, 5,000 71.7, and the best weights
# 72.1 (means, one seed; no command repeats these trials).
_PRIOR = 400
_EXPECTED = (0.0, 2.0)
# Standard errors by which an encoder must be better than the linear model for these weights to be refuted. The epoch
# was the best of some dozens on the same texts, so less may be chance. Of 2,000 generated texts whose word order
# decides, 99.3 % are right without the expected weights, 98.4 with them; on seven samples of real texts they stay (no
# command repeats these trials).
_REFUTED = 3.0


def with_ngram_model(
    config: ModelConfig,
    rows: EncodedRows | None,
    data: Prepared,
    report: Report,
    known: NgramModel | None = None,
    with_final: bool = True,
) -> Prepared:
    """Fits the linear model of the settings to the training split.

    Validation texts choose the epoch and the weights. A linear model needs no such choice, so the one of the run can
    learn from them too, unless the settings say otherwise. The weights and the validation scores are those of a model
    that has not learned them.

    Args:
        config: The settings.
        rows: The training split with its true targets; None if it is not in memory.
        data: The data of the training.
        report: Receives each line of progress.
        known: The linear model of the run that the training starts from, or None.
        with_final: Whether there will be a run, which needs the model that knows the validation texts too.

    Returns:
        The data with the models in `ngrams`, if the settings have one.
    """
    if config.beside is None:
        return data
    if rows is None:
        report("n-grams: left out, because stream=true does not hold the training texts in memory")
        return data
    began = time.monotonic()
    classes, valid = len(data.targets.names), data.held_out["valid"]
    model = fitted(config, [rows], classes, known)
    with_valid = config.beside.ngram_valid and with_final
    final = fitted(config, [rows, valid], classes, known) if with_valid else model
    size = f"{model.table.size:,} bytes"
    also = f", and at the end to the {counted(len(valid), 'validation text')} too" if with_valid else ""
    took = time.monotonic() - began
    report(f"n-grams: a linear model of {size} beside the encoder, fitted in {took:.1f} s{also}")
    alone = "; the score on valid is that of n-grams of the training texts alone" if with_valid else ""
    report(f"n-grams: the scores of the epochs are those of the encoder alone{alone}")
    return dataclasses.replace(data, ngrams=NgramModels(model, final))


def fitted(
    config: ModelConfig, parts: Sequence[EncodedRows], classes: int, known: NgramModel | None = None
) -> NgramModel:
    """Fits a linear model to rows with targets, and rounds it to int8.

    An n-gram of a text counts `idf / sqrt(n)`, with n distinct rows in the text and idf the inverse document frequency.
    Both kinds weigh the same, although there are about ten times as many n-grams of characters. See also `naive_bayes`.

    Args:
        config: The settings, with a linear model.
        parts: The texts; the targets are `(N,)` or `(N, C)`. Unlabelled texts are not used.
        classes: The number of labels, C.
        known: A linear model of the first labels, or None. If it has the same hash, the result is the sum of both, so
            that the texts of neither are lost.
    """
    seed, targets = config.training.seed, np.concatenate([part.targets for part in parts])
    lengths = np.concatenate([_code_points(part) for part in parts])
    labelled = np.flatnonzero((targets.reshape(len(targets), -1) != UNLABELLED).all(axis=1))
    lengths = lengths[labelled]
    chosen = labelled[sample(lengths, targets[labelled], MOST_WORK, classes, seed)]
    with_characters = affords_characters(int(lengths.sum()), classes)
    hashed = _hash(config, with_characters, known)
    places = [(part, number) for part in parts for number in range(len(part))]
    found = [hashed(part.row(number)) for part, number in map(places.__getitem__, chosen.tolist())]
    counts = (hashed.rows, hashed.character_rows)
    matrix, idf = _features(found, counts)
    machines = linear_machines(matrix, targets[chosen], classes, seed, naive_bayes)
    # Of a class without a text, which a run to start from may know, the encoder alone should judge.
    machines.intercepts[machines.absent] = MARGIN_OF_OTHERS
    weights, bias, projection = machines.coefficients.T * idf[:, None], machines.intercepts, None
    if targets.ndim == 1 and len(chosen) <= MOST_CROSS_VALIDATED and classes <= MOST_COLUMNS:
        bias = bias + _offsets(found, counts, targets[chosen], classes, seed)[-len(bias) :]
    if known is not None and known.hashed == hashed:
        others, their_bias = _expanded(known, classes)
        columns = slice(classes - weights.shape[1], None)  # of two classes, the second alone
        weights, bias = weights + others[:, columns], bias + their_bias[columns]
    if len(bias) == 1 < classes:  # one machine for two classes
        bias, projection = np.concatenate([-bias, bias]), np.array([[-1.0, 1.0]])
    elif classes > MOST_COLUMNS:
        codes = _codes(classes, seed)
        weights, projection = weights @ codes, codes.T
        if known is None:
            projection, bias = _refitted(matrix @ (machines.coefficients.T @ codes), targets[chosen], classes, seed)
    return _rounded(hashed, weights, bias, projection)


def naive_bayes(matrix: Any, positive: NDArray[Any]) -> NDArray[np.float64]:
    """Factors of features for telling a class from the others: features that are frequent in one of both get more.

    The factor is 1 + |log-count ratio|, without a change of the mean square of a text. With 200 and 1,000 labels of
    four data sets of 2 to 6 classes it has 0.5 % more of other training texts right than without (means of three
    samples). The ratio alone, which Wang and Manning propose for two classes, has as many as without. With 1,000, 4,000
    and 10,000 texts of 150 classes it has 3.6, 2.4 and 0.8 % less than without (one sample), so rare classes go
    without.

    Args:
        matrix: The features of each text, sparse `(N, F)`.
        positive: Which texts have the class, `(N,)`.

    Returns:
        float64 `(F,)`.
    """
    if not SMALLEST_SHARE <= positive.mean() <= 1 - SMALLEST_SHARE:
        return np.ones(matrix.shape[1])
    inside = np.repeat(positive.astype(bool), np.diff(matrix.indptr))
    of_class, of_others = (
        (np.bincount(matrix.indices[chosen], minlength=matrix.shape[1]) + SMOOTHING) / (count + 2 * SMOOTHING)
        for chosen, count in ((inside, positive.sum()), (~inside, len(positive) - positive.sum()))
    )
    factors = 1 + np.abs(np.log(of_class / of_others))
    squares = matrix.data**2
    largest = (squares * factors[matrix.indices] ** 2).sum()
    return np.asarray(factors * np.sqrt(squares.sum() / largest) if largest else factors)


def table_bytes(config: ModelConfig, classes: int, exclusive: bool) -> int:
    """The most bytes that the table of the settings has on a device; 0 without a linear model.

    Args:
        config: The settings.
        classes: The number of labels.
        exclusive: Whether a text has exactly one label.
    """
    if config.beside is None:
        return 0
    hashed = _hash(config, with_characters=True)
    columns = 1 if exclusive and classes == 2 else min(classes, MOST_COLUMNS)
    return (hashed.rows + hashed.character_rows) * columns


def with_ngrams(model: NgramModel | None, rows: EncodedRows, logits: NDArray[Any]) -> NDArray[Any]:
    """The logits of the encoder together with those of the linear model.

    Args:
        model: The linear model; None for an encoder alone.
        rows: The N texts.
        logits: Those of the encoder, `(N, C)`.
    """
    if model is None:
        return logits
    texts = (rows.row(number) for number in range(len(rows)))
    return np.stack([model.combined(values, words) for values, words in zip(logits, texts, strict=True)])


def weighted(
    task: Task[Any, Any, Any], models: NgramModels, rows: EncodedRows, logits: NDArray[np.floating]
) -> NgramModels:
    """The linear models with the best weights of encoder and n-grams on the validation split.

    Args:
        task: The task.
        models: The linear models.
        rows: The N texts of the validation split, with their true targets.
        logits: Those of the encoder, `(N, C)`.
    """
    own = np.stack([models.of_train.logits(rows.row(number)) for number in range(len(rows))])
    weights = best_weights(rows.targets, logits, own, task.exclusive)
    return NgramModels(*(dataclasses.replace(model, weights=weights) for model in models))


def best_weights(
    targets: NDArray[np.integer], encoder: NDArray[np.floating], ngrams: NDArray[np.floating], exclusive: bool
) -> tuple[float, float]:
    """Chooses the weights of both models with the least negative log-likelihood of the true labels.

    It is convex in the weights. A few texts say little: so the result is that of the texts and of 400 more, whose
    labels are as frequent as the linear model says alone, with a weight of 2, as the margins of a support vector
    machine are small. If the encoder is clearly better than the linear model, only the texts themselves count.

    Args:
        targets: The true classes `(N,)`, or which labels texts have, `(N, C)`.
        encoder: Logits `(N, C)` of the encoder. Rows with a value that is not finite are left out.
        ngrams: Logits `(N, C)` of the linear model.
        exclusive: Whether a text has exactly one label.

    Returns:
        Two weights, 0 or more.
    """
    finite = np.isfinite(encoder).all(axis=1)
    parts = np.stack([encoder[finite], ngrams[finite]]).astype(np.float64)
    truth = np.eye(parts.shape[2])[targets[finite]] if exclusive else targets[finite].astype(np.float64)
    count, prior = len(truth), _PRIOR
    if exclusive and _is_refuted(*(part.argmax(axis=1) == targets[finite] for part in parts)):
        prior = 0
    # The mean over texts of the soft targets: the true ones, and with the weight of the prior the expected ones.
    truth = (count * truth + prior * _probabilities(np.tensordot(_EXPECTED, parts, 1), exclusive)) / max(
        count + prior, 1
    )

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = np.tensordot(weights, parts, 1)
        slopes = np.tensordot(parts, _probabilities(logits, exclusive) - truth, 2)
        if exclusive:
            largest = logits.max(axis=1)
            total = (largest + np.log(np.exp(logits - largest[:, None]).sum(axis=1))).sum() - (truth * logits).sum()
        else:
            total = (np.logaddexp(0, logits) - truth * logits).sum()
        return float(total) / max(count, 1), slopes / max(count, 1)

    result = minimize(loss, _EXPECTED, jac=True, bounds=[(0, None)] * 2, method="L-BFGS-B")
    first, second = result.x.tolist()
    return float(first), float(second)


def _is_refuted(encoder: NDArray[np.bool_], ngrams: NDArray[np.bool_]) -> bool:
    """Whether the encoder labels clearly more texts right, by those that one of the two alone labels right.

    Reference: McNemar 1947, Note on the sampling error of the difference between correlated proportions.
    """
    more, less = int((encoder & ~ngrams).sum()), int((ngrams & ~encoder).sum())
    return more - less > _REFUTED * (more + less) ** 0.5


def _hash(config: ModelConfig, with_characters: bool, known: NgramModel | None = None) -> NgramHash:
    """The hash of the settings. An order that they leave open is that of a known model, if there is one."""
    settings, in_words = config.beside, config.data.tokenizer != "char"
    assert settings is not None  # else there is nothing to fit
    characters = settings.ngram_characters if in_words and with_characters else 0
    usual = 2 if in_words else CHARACTERS_ALONE
    order = settings.ngram_order or (usual if known is None else known.hashed.order)
    rows = min(settings.ngram_rows, MOST_CHARACTER_ROWS) if characters else 0
    return NgramHash(order, settings.ngram_rows, characters, rows)


def _code_points(rows: EncodedRows) -> NDArray[np.int64]:
    """The code points of each text, with a space after each word, `(N,)`."""
    lengths = np.array([len(word) + 1 for word in rows.words], np.int64)
    return np.asarray(np.add.reduceat(lengths[rows.index - 1], rows.offsets[:-1]))


def _probabilities(logits: NDArray[np.float64], exclusive: bool) -> NDArray[np.float64]:
    """Probabilities of labels: a softmax if they are exclusive, otherwise sigmoids."""
    if not exclusive:
        return 0.5 * (1 + np.tanh(0.5 * logits))
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _features(
    found: Sequence[tuple[list[int], ...]], counts: Sequence[int], idf: NDArray[np.float64] | None = None
) -> tuple[sparse.csr_matrix, NDArray[np.float64]]:
    """Weighs the rows of each text by `idf / sqrt(n)`, each kind with a mean square of 1 a text.

    Args:
        found: The rows of each text, by kind.
        counts: The number of rows of each kind, F in all; a kind of 0 rows is left out.
        idf: That of other texts, `(F,)`, 0 for rows that they lack, which do not count in n; None for that of these.

    Returns:
        The features, sparse `(N, F)`, and the idf, `(F,)`.
    """
    parts, known, start = [], [], 0
    for kind, count in enumerate(counts):
        if count:
            part = None if idf is None else idf[start : start + count]
            values, part = _weighted([one[kind] for one in found], count, part)
            parts.append(values)
            known.append(part)
            start += count
    return sparse.hstack(parts, "csr"), np.concatenate(known)


def _weighted(
    rows: list[list[int]], count: int, idf: NDArray[np.float64] | None
) -> tuple[sparse.csr_matrix, NDArray[np.float64]]:
    """The features of one kind, sparse `(N, count)`, and the idf, `(count,)`."""
    if idf is not None:
        rows = [[row for row in one if idf[row]] for one in rows]
    sizes = np.array([len(one) for one in rows], np.int64)
    indices = np.fromiter((row for one in rows for row in one), np.int64, int(sizes.sum()))
    if idf is None:
        texts = np.bincount(indices, minlength=count)
        idf = np.where(texts > 0, np.log((1 + len(rows)) / (1 + texts)) + 1, 0)
        idf /= np.sqrt(np.mean(idf[indices] ** 2)) if len(indices) else 1.0
    values = idf[indices] / np.sqrt(np.repeat(sizes, sizes))
    return sparse.csr_matrix((values, indices, np.concatenate([[0], np.cumsum(sizes)])), (len(rows), count)), idf


def _offsets(
    found: Sequence[tuple[list[int], ...]],
    counts: Sequence[int],
    targets: NDArray[np.integer],
    classes: int,
    seed: int,
) -> NDArray[np.float64]:
    """What the margins of each class lack, `(C,)`, by those of each fifth of the texts that the others give.

    Rare classes are left as they are. Of two classes, whose margins are opposite, the offsets are opposite too.
    """
    offsets = np.zeros(classes)
    common = np.flatnonzero(np.bincount(targets, minlength=classes) >= FEWEST_A_FOLD * FOLDS)
    if len(common) < 2:
        return offsets
    folds = np.random.default_rng(seed).permutation(len(targets)) % FOLDS
    margins = np.empty((len(targets), classes))
    for fold in range(FOLDS):
        outside = folds == fold
        inside_rows, outside_rows = (list(itertools.compress(found, chosen)) for chosen in (~outside, outside))
        matrix, idf = _features(inside_rows, counts)
        machines = linear_machines(matrix, targets[~outside], classes, seed, naive_bayes)
        margins[outside] = machines.margins(_features(outside_rows, counts, idf)[0])
    judged = np.isin(targets, common)
    offsets[common] = class_offsets(margins[judged][:, common], np.searchsorted(common, targets[judged]))
    return offsets


def _expanded(model: NgramModel, classes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The weights `(F, C)` and the bias `(C,)` of a model of the first of `classes` labels; other labels have none."""
    scales = np.repeat(model.scales.astype(np.float64), (model.hashed.rows, model.hashed.character_rows), axis=0)
    weights = model.table * scales
    weights = weights if model.projection is None else weights @ model.projection
    more = ((0, classes - model.classes),)
    bias = np.pad(model.bias.astype(np.float64), more, constant_values=MARGIN_OF_OTHERS)
    return np.pad(weights, ((0, 0), *more)), bias


def _codes(classes: int, seed: int) -> NDArray[np.float64]:
    """A random code for each class, `(C, MOST_COLUMNS)`: vectors of length 1, of which no two are near."""
    basis, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(classes, classes)))
    codes = basis[:, :MOST_COLUMNS]
    return np.asarray(codes / np.linalg.norm(codes, axis=1, keepdims=True))


def _refitted(
    values: NDArray[np.float64], targets: NDArray[np.integer], classes: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The projection `(K, C)` and the bias `(C,)` that tell classes best from K numbers of each text, `(N, K)`."""
    scale = np.sqrt(np.mean(np.square(values).sum(axis=1)))
    machines = linear_machines(sparse.csr_matrix(values / scale), targets, classes, seed)
    machines.intercepts[machines.absent] = MARGIN_OF_OTHERS
    return machines.coefficients.T / scale, machines.intercepts


def _rounded(
    hashed: NgramHash, weights: NDArray[np.float64], bias: NDArray[np.float64], projection: NDArray[np.float64] | None
) -> NgramModel:
    """Rounds weights `(F, K)` to int8, with a scale for each column and kind."""
    parts = (weights[: hashed.rows], weights[hashed.rows :])
    scales = np.array([np.abs(part).max(axis=0, initial=0) / LARGEST_INT8 for part in parts])
    integers = [np.rint(part / np.where(scale > 0, scale, 1)) for part, scale in zip(parts, scales, strict=True)]
    return NgramModel(
        hashed,
        np.concatenate(integers).astype(np.int8),
        scales.astype(np.float32),
        bias.astype(np.float32),
        None if projection is None else projection.astype(np.float32),
    )
