"""Word vectors that a training starts from: read, put into its tables, and joined with what it learned."""

import json
from collections.abc import Callable, Sequence

import numpy as np

from textapp.errors import InputError, excerpt
from textapp.vectors.config import VectorsConfig
from textapp.vectors.corpus import WordSplitter
from textapp.vectors.formats import read_vectors
from textapp.vectors.subwords import Subwords, SubwordVectors
from textapp.vectors.token_cache import TokenCache
from textapp.vectors.word2vec import Word2Vec
from textapp.vectors.word_vectors import WordVectors

KNOWN_ACCUMULATOR = 300.0  # of rows trained before, so that they move less than new ones


def read_init(path: str, config: VectorsConfig, splitter: WordSplitter, report: Callable[[str], None]) -> WordVectors:
    """Reads the vectors to start from. Raises `InputError` if they contradict the settings."""
    init = read_vectors(path, report=report)
    if config.dim not in (None, init.dim):
        raise InputError(f"{path}: has vectors of {init.dim} dimensions; set dim to that, or leave it out")
    if init.tokenizer not in (None, splitter.to_dict()):
        raise InputError(f"{path}: its corpus was tokenized with other settings: {excerpt(json.dumps(init.tokenizer))}")
    wanted = Subwords(config.min_n, config.max_n, config.buckets) if config.subwords else None
    found = init.subwords.subwords if init.subwords else None
    if wanted != found:
        raise InputError(f"{path}: has {found or 'no subwords'}; set subwords, min_n, max_n and buckets accordingly")
    return init


def start_from(model: Word2Vec, init: WordVectors, cache: TokenCache) -> None:
    """Puts known vectors into the model's tables, with the accumulator of trained rows."""
    rows = _rows_of(init, cache)
    known = np.flatnonzero(rows >= 0)
    word_rows = init.subwords.word_rows(init.words, init.vectors) if init.subwords else init.vectors
    tables = [(model.inputs_table, word_rows), (model.outputs_table, init.outputs)]
    for table, values in tables:
        if values is None:  # a text file has no outputs; with good input vectors they are learned again soon
            continue
        vectors, accumulator = table.vectors.numpy(), table.accumulator.numpy()
        vectors[known], accumulator[known] = values[rows[known]], KNOWN_ACCUMULATOR
        if table is model.inputs_table and init.subwords:
            vectors[len(cache.words) :], accumulator[len(cache.words) :] = init.subwords.vectors, KNOWN_ACCUMULATOR
        table.vectors.assign(vectors)
        table.accumulator.assign(accumulator)


def result_of(
    model: Word2Vec, cache: TokenCache, splitter: WordSplitter, subwords: Subwords | None, init: WordVectors | None
) -> WordVectors:
    """The trained vectors with everything that further training needs, the most frequent words first.

    Counts are the sums over all trainings. If the initial vectors have no counts, their words keep their order and new
    words follow.
    """
    words: Sequence[str] = cache.words
    vectors, outputs, counts = model.vectors(), model.outputs_table.vectors.numpy(), cache.counts
    if init is not None:
        rows = _rows_of(init, cache)
        if init.counts is None:
            order = np.argsort(np.where(rows >= 0, rows, len(init)), kind="stable")
        else:
            counts = counts + np.where(rows >= 0, init.counts[rows], 0)
            order = np.argsort(-counts, kind="stable")
        words = [words[row] for row in order.tolist()]
        vectors, outputs, counts = vectors[order], outputs[order], counts[order]
    return WordVectors(
        words,
        vectors,
        counts=counts,
        outputs=outputs,
        subwords=SubwordVectors(subwords, model.ngram_vectors()) if subwords else None,
        tokenizer=splitter.to_dict(),
    )


def _rows_of(init: WordVectors, cache: TokenCache) -> np.ndarray:
    """The row of each of the corpus' words in the known vectors, int64 `(V,)`; -1 for new words."""
    return np.fromiter((init.index(word) if word in init else -1 for word in cache.words), np.int64, len(cache.words))
