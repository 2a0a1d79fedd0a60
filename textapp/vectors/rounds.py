"""A training of word vectors in shards: what a round hands to the next one, and the average of the shards.

All shards start from one vocabulary and one set of random vectors. In a round each shard trains on its own part of the
corpus; then the average of all is the start of the next round. A row is weighted by how often it was trained: a word by
its count in the shard, an n-gram by the counts of the words that have it. A word that only one shard has keeps the
vector of that shard.

Reference: Zinkevich et al. 2010, Parallelized Stochastic Gradient Descent. McDonald et al. 2010, Distributed Training
Strategies for the Structured Perceptron (iterative parameter mixing, and weights). Ji et al. 2016, Parallelizing Word2Vec
in Shared and Distributed Memory.
"""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from textapp.errors import InputError, excerpt

if TYPE_CHECKING:
    from textapp.vectors.word_vectors import WordVectors

_ROWS = 1 << 16  # of a table at a time, so that no whole table is copied
_TOLERANCE = 0.05  # of the corpus' words; counts of other engines may differ a little


@dataclasses.dataclass(frozen=True, eq=False)
class RoundState:
    """Where a training in shards is, and what its next round needs besides the vectors.

    Attributes:
        number: Rounds trained so far, from 1.
        rounds: Rounds of the whole training.
        shards: Number of shards.
        shard: Which of them the vectors are of, from 1; 0 for the average of all.
        num_words: Occurrences of the vocabulary in the whole corpus, by its counts.
        settings: The settings of the training, as JSON values.
        losses: The loss at the end of each round.
        inputs: Adagrad's accumulator of each row of the input table, float32 `(V + buckets,)`.
        outputs: The same of the output table, float32 `(V,)`.
    """

    number: int
    rounds: int
    shards: int
    shard: int
    num_words: int
    settings: Mapping[str, Any]
    losses: tuple[float, ...]
    inputs: np.ndarray = dataclasses.field(repr=False)
    outputs: np.ndarray = dataclasses.field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the accumulators, as JSON values."""
        names = [field.name for field in dataclasses.fields(self)[:-2]]
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_dict(cls, values: Any, inputs: np.ndarray, outputs: np.ndarray) -> "RoundState":
        """The reverse of `to_dict`. Raises `InputError` if a value is missing or has another type."""
        names = [field.name for field in dataclasses.fields(cls)[:-2]]
        if (
            not isinstance(values, dict)
            or sorted(values) != sorted(names)
            or not all(type(values[name]) is int for name in names[:5])
            or not isinstance(values["settings"], dict)
            or not isinstance(values["losses"], list)
            or not all(type(loss) is float for loss in values["losses"])
        ):
            raise InputError(f"the state of a round is damaged. Received: {excerpt(str(values))}")
        return cls(**{**values, "losses": tuple(values["losses"])}, inputs=inputs, outputs=outputs)

    def differing(self, other: "RoundState") -> list[str]:
        """In what another state is not of the same round of the same training."""
        names = [name for name in ("number", "rounds", "shards", "num_words") if getattr(self, name) != getattr(other, name)]
        return [
            *("round" if name == "number" else name for name in names),
            *(key for key in {**self.settings, **other.settings} if self.settings.get(key) != other.settings.get(key)),
        ]


def average_vectors(paths: Sequence[str | os.PathLike[str]]) -> "WordVectors":
    """Averages the shards of a round, each row weighted by its count in each shard.

    At most two of them are in memory at a time. The order of `paths` does not matter.

    Args:
        paths: The vectors of all shards, `.npz`.

    Returns:
        The averages, with the sums of the counts; before the last round with the state for the next one.

    Raises:
        InputError: A file is no result of a shard, a shard is missing or given twice, or the files are of different
            rounds, settings or vocabularies, or of parts that are not the whole corpus.
    """
    from textapp.vectors.formats import read_vectors

    places: dict[int, str] = {}
    for path in paths:  # in the order of the shards, so that rounding is always the same
        state = read_state(path)
        if state.shard in places:
            raise InputError(f"{os.fspath(path)}: is shard {state.shard}, as {places[state.shard]} is; give each once")
        places[state.shard] = os.fspath(path)
        if len(places) == 1:
            first = state
        elif differing := first.differing(state):
            raise InputError(f"{os.fspath(path)}: has another {differing[0]} than {next(iter(places.values()))}")
    if missing := sorted({*range(1, first.shards + 1)} - {*places}):
        raise InputError(f"{os.fspath(paths[0])}: is one of {first.shards} shards; shard {missing[0]} is missing")
    mean: _Mean | None = None
    losses = []
    for shard in sorted(places):
        vectors = read_vectors(places[shard])
        assert vectors.training is not None  # as read above
        losses.append(vectors.training.losses[-1])
        mean = mean or _Mean(vectors, places[shard])
        mean.add(vectors, places[shard])
        del vectors
    assert mean is not None
    state = dataclasses.replace(
        first,
        shard=0,
        losses=(*first.losses[:-1], float(np.mean(losses))),
        inputs=mean.rows["input_squares"],
        outputs=mean.rows["output_squares"],
    )
    found = int(mean.counts.sum())
    if abs(found - first.num_words) > _TOLERANCE * first.num_words:
        raise InputError(
            f"{os.fspath(paths[0])}: the shards have {found:,} of the {first.num_words:,} words that were counted; each "
            "`vectors train --shard` must get the whole corpus, and the counts must be those of it"
        )
    return mean.result(state)


def read_state(path: str | os.PathLike[str]) -> RoundState:
    """Reads the state of a shard's result. Raises `InputError` if the file is none."""
    from textapp.data.lines import open_stream
    from textapp.vectors.numpy_format import read_round

    with open_stream(path) as stream:
        state = read_round(stream, path)
    if state is None or not state.shard:
        what = "the average of a round" if state else "no result of `vectors train --shard`"
        raise InputError(f"{os.fspath(path)}: is {what}; give the results of all shards of a round")
    return state


class _Mean:
    """Running means of the rows of several shards, weighted by their counts."""

    def __init__(self, first: "WordVectors", path: str):
        self.first, self.path = first, path
        self.counts = np.zeros(len(first), np.int64)
        self.rows: dict[str, np.ndarray] = {}
        self._weights: dict[str, np.ndarray] = {}
        self._ngrams = first.subwords.subwords.flat_ids(first.words) if first.subwords else None

    def add(self, vectors: "WordVectors", path: str) -> None:
        """Adds a shard. Raises `InputError` if it has another vocabulary, or lacks what a shard has."""
        state, counts = vectors.training, vectors.counts
        if vectors.words != self.first.words:
            raise InputError(f"{path}: has another vocabulary than {self.path}; give all shards the same counts")
        if state is None or counts is None or vectors.outputs is None:
            raise InputError(f"{path}: has no counts or no context vectors; train the shard again")
        tables = {"outputs": vectors.outputs, "output_squares": state.outputs}
        of_ngrams = counts[:0]
        if vectors.subwords is not None and self._ngrams is not None:
            ids, offsets = self._ngrams
            weights = np.repeat(counts, np.diff(offsets)).astype(np.float64)
            of_ngrams = np.bincount(ids, weights, vectors.subwords.subwords.buckets)
            tables["inputs"] = vectors.subwords.word_rows(vectors.words, vectors.vectors)
            tables["ngrams"] = vectors.subwords.vectors
        else:
            tables["inputs"] = vectors.vectors
        tables["input_squares"] = state.inputs
        weights_of = {"ngrams": of_ngrams, "input_squares": np.concatenate([counts, of_ngrams])}
        for name, rows in tables.items():
            self._add(name, rows, weights_of.get(name, counts).astype(np.float64))
        self.counts += counts

    def _add(self, name: str, rows: np.ndarray, weights: np.ndarray) -> None:
        """Moves the means of a table towards a shard's rows: exact where all rows are equal."""
        if name not in self.rows:
            self.rows[name], self._weights[name] = rows.copy(), weights
            return
        mean = self.rows[name]
        total = self._weights[name] + weights
        # A row that no shard has trained is the same in all of them.
        share = np.divide(weights, total, out=np.zeros_like(total), where=total > 0).astype(np.float32)
        for start in range(0, len(mean), _ROWS):
            part = slice(start, start + _ROWS)
            mean[part] += (rows[part] - mean[part]) * (share[part] if rows.ndim == 1 else share[part, None])
        self._weights[name] = total

    def result(self, state: RoundState) -> "WordVectors":
        """The means, with the state of the round unless it was the last one."""
        from textapp.vectors.subwords import SubwordVectors
        from textapp.vectors.word_vectors import WordVectors

        rows, first, subwords = self.rows, self.first, None
        inputs = rows["inputs"]
        if first.subwords is not None:
            subwords = SubwordVectors(first.subwords.subwords, rows["ngrams"])
            inputs = subwords.compose(first.words, inputs)
        return WordVectors(
            first.words,
            inputs,
            counts=self.counts,
            outputs=rows["outputs"],
            subwords=subwords,
            tokenizer=first.tokenizer,
            training=state if state.number < state.rounds else None,
        )
