"""A training of word vectors in shards: what a round hands to the next one, and the average of the shards.

All shards start from one vocabulary and one set of random vectors. In a round each shard trains on its own part of the
corpus and moves the rows of its tables: words, n-grams and context vectors. The start of the next round is the start of
this one plus the mean of the moves. Two things come from the rows themselves. Let `a_k` be what shard k added to
Adagrad's accumulator of a row, the sum of its squared gradients, which grows with the occurrences of the word in this
round of the shard.

- The weight of shard k is `g_k = a_k / sum(a)`. So a word that only one shard had moves as far as that shard moved it.
- The mean move is multiplied by `n ** 0.5`, where `n = 1 / sum(g ** 2)` is the effective number of shards that trained
  the row. One process would make all the moves, n times the mean; but each of them also corrects the ones before it,
  which shards cannot see, so that the sum of all moves goes too far (it diverged) and the plain mean not far enough.

The accumulator grows by the weighted mean of `a_k`, not by the sum: the rate of a row that n shards train falls as if
it was trained n times less often, which again is what the mean needs.

Reference: McDonald et al. 2010, Distributed Training Strategies for the Structured Perceptron (iterative parameter
mixing, with weights). Zinkevich et al. 2010, Parallelized Stochastic Gradient Descent (one average at the end). Ji et
al. 2016, Parallelizing Word2Vec in Shared and Distributed Memory (rates that grow with the number of machines).
"""

import dataclasses
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from textapp.data.lines import open_stream
from textapp.errors import InputError
from textapp.vectors.formats import holds_vectors, read_vectors
from textapp.vectors.numpy_format import read_round
from textapp.vectors.rounds import RoundState
from textapp.vectors.subwords import SubwordVectors
from textapp.vectors.word_vectors import WordVectors

POWER = 0.5  # of the effective number of shards, by which a mean move is multiplied
_ROWS = 1 << 16  # of a table at a time
_TOLERANCE = 0.05  # of the corpus' words; counts of other engines may differ a little


def average_vectors(paths: Sequence[str | os.PathLike[str]], init: str | os.PathLike[str] | None = None) -> WordVectors:
    """Averages the moves of all shards in a round; see the top of this file.

    Besides the result there is one shard in memory at a time. The order of `paths` does not matter.

    Args:
        paths: The vectors of all shards, `.npz`.
        init: What the shards started from, the average of the round before; None after the first round, which starts
            from random vectors.

    Returns:
        The averages, with the sums of the counts; before the last round with the state for the next one.

    Raises:
        InputError: A file is no result of a shard, a shard is missing or given twice, or the files are of different
            rounds, settings or vocabularies, or of parts that are not the whole corpus.
    """
    places: dict[int, str] = {}
    for path in paths:
        state = read_state(path)
        if state.shard in places:
            raise InputError(f"{os.fspath(path)}: is shard {state.shard}, as {places[state.shard]} is; give each once")
        if not places:
            first = state
        elif differing := first.differing(state):
            raise InputError(f"{os.fspath(path)}: has another {differing[0]} than {next(iter(places.values()))}")
        places[state.shard] = os.fspath(path)
    if missing := sorted({*range(1, first.shards + 1)} - {*places}):
        raise InputError(f"{os.fspath(paths[0])}: is one of {first.shards} shards; shard {missing[0]} is missing")
    mean: _Mean | None = None
    losses = []
    for shard in sorted(places):  # in this order, so that rounding is always the same
        vectors = read_vectors(places[shard])
        assert vectors.training is not None  # as read above
        losses.append(vectors.training.losses[-1])
        mean = mean or _Mean(vectors, places[shard], _start(init, vectors, first))
        mean.add(vectors, places[shard])
        del vectors
    assert mean is not None
    found = int(mean.counts.sum())
    if abs(found - first.num_words) > _TOLERANCE * first.num_words:
        raise InputError(
            f"{os.fspath(paths[0])}: the shards have {found:,} of the {first.num_words:,} words that were counted; "
            "each `vectors train --shard` must get the whole corpus, and the counts must be those of it"
        )
    return mean.result(first, float(np.mean(losses)))


def read_state(path: str | os.PathLike[str]) -> RoundState:
    """Reads the state of a shard's result. Raises `InputError` if the file is none."""
    with open_stream(path) as stream:
        state = read_round(stream, path)
    if state is None or not state.shard:
        what = "the average of a round" if state else "no result of `vectors train --shard`"
        raise InputError(f"{os.fspath(path)}: is {what}; give the results of all shards of a round")
    return state


def is_average(path: Path) -> bool:
    """Whether a file is the average of a round that is not the last: what the average of a later round may replace."""
    if path.suffix != ".npz" or not holds_vectors(path):
        return False
    with open_stream(path) as stream:
        state = read_round(stream, path)
    return state is not None and not state.shard


def _start(init: str | os.PathLike[str] | None, shard: WordVectors, state: RoundState) -> list["_Rows"]:
    """The tables at the start of a round. Raises `InputError` if `init` is not the average of the round before."""
    if init is None:
        if state.number > 1:
            raise InputError(f"round {state.number}: give what its shards started from, with --init")
        return _random_tables(shard, state)
    name, before = os.fspath(init), read_vectors(init)
    found = before.training
    wanted = dataclasses.replace(state, number=state.number - 1)
    if found is None or found.shard or found.differing(wanted):
        raise InputError(f"{name}: is not what the shards started from, the average after round {state.number - 1}")
    if before.words != shard.words:
        raise InputError(f"{name}: has another vocabulary than the shards")
    return _tables(before, name)


def _random_tables(shard: WordVectors, state: RoundState) -> list["_Rows"]:
    """The tables with which `Word2Vec` begins."""
    from textapp.vectors.word2vec import Word2Vec

    grams = shard.subwords.subwords if shard.subwords else None
    model = Word2Vec(
        len(shard),
        shard.dim,
        kind=state.settings["model"],
        ngrams=grams.flat_ids(shard.words) if grams else None,
        buckets=grams.buckets if grams else 0,
        seed=state.settings["seed"],
    )
    tables = (model.inputs_table, model.outputs_table)
    return [_Rows(table.vectors.numpy(), table.accumulator.numpy()) for table in tables]


def _tables(vectors: WordVectors, path: str) -> list["_Rows"]:
    """The input and the output table of a round or of a shard."""
    state = vectors.training
    if state is None or vectors.counts is None or vectors.outputs is None:
        raise InputError(f"{path}: has no counts or no context vectors; train the shard again")
    return [_Rows(vectors.input_rows(), state.inputs), _Rows(vectors.outputs, state.outputs)]


@dataclasses.dataclass(frozen=True, eq=False)
class _Rows:
    """A table: vectors, float32 `(R, E)`, and Adagrad's accumulators, float32 `(R,)`."""

    vectors: np.ndarray
    accumulator: np.ndarray


class _Mean:
    """The moves of the shards' rows, weighted by the squared gradients that each row got."""

    def __init__(self, first: WordVectors, path: str, start: list[_Rows]):
        self._words, self._path, self._start = first.words, path, start
        self._subwords, self._tokenizer = first.subwords, first.tokenizer
        self._moves = [np.zeros_like(table.vectors) for table in start]
        self._sums = [np.zeros(len(table.accumulator)) for table in start]
        self._squares = [np.zeros(len(table.accumulator)) for table in start]
        self._last: list[_Rows] = []
        self.counts = np.zeros(len(first), np.int64)

    def add(self, vectors: WordVectors, path: str) -> None:
        """Adds a shard. Raises `InputError` if it has another vocabulary, or lacks what a shard has."""
        if vectors.words != self._words:
            raise InputError(f"{path}: has another vocabulary than {self._path}; give all shards the same counts")
        self._last = _tables(vectors, path)
        assert vectors.counts is not None  # as `_tables` checks
        self.counts += vectors.counts
        for table, start, moves, sums, squares in zip(
            self._last, self._start, self._moves, self._sums, self._squares, strict=True
        ):
            grown = np.maximum(table.accumulator.astype(np.float64) - start.accumulator, 0)
            sums += grown
            squares += grown**2
            for part in _slices(len(moves)):
                weights = grown[part, None].astype(np.float32)
                moves[part] += weights * (table.vectors[part] - start.vectors[part])

    def result(self, state: RoundState, loss: float) -> WordVectors:
        """The rows after their mean moves, with the state of the round unless it was the last one."""
        if state.shards == 1:  # the shard itself, without rounding
            (inputs, outputs), subwords = self._last, self._subwords
        else:
            inputs, outputs = (self._moved(table) for table in range(2))
            subwords = self._subwords
            if subwords is not None:
                subwords = SubwordVectors(subwords.subwords, inputs.vectors[len(self._words) :])
        vectors = inputs.vectors[: len(self._words)]
        if subwords is not None:
            vectors = subwords.compose(self._words, vectors)
        after = dataclasses.replace(
            state,
            shard=0,
            losses=(*state.losses[:-1], loss),
            inputs=inputs.accumulator,
            outputs=outputs.accumulator,
        )
        return WordVectors(
            self._words,
            vectors,
            counts=self.counts,
            outputs=outputs.vectors,
            subwords=subwords,
            tokenizer=self._tokenizer,
            training=after if state.number < state.rounds else None,
        )

    def _moved(self, number: int) -> _Rows:
        """A table after the mean moves. The moves of the shards are turned into it."""
        start, moves = self._start[number], self._moves[number]
        sums, squares = self._sums[number], self._squares[number]
        trained = sums > 0
        effective = np.divide(sums**2, squares, out=np.ones_like(sums), where=squares > 0)
        scale = np.divide(effective**POWER, sums, out=np.zeros_like(sums), where=trained).astype(np.float32)
        for part in _slices(len(moves)):
            moves[part] *= scale[part, None]
            moves[part] += start.vectors[part]
        grown = np.divide(squares, sums, out=np.zeros_like(sums), where=trained)
        return _Rows(moves, (start.accumulator + grown).astype(np.float32))


def _slices(size: int) -> Iterator[slice]:
    """Parts of a table, so that no whole table is copied."""
    return (slice(start, start + _ROWS) for start in range(0, size, _ROWS))
