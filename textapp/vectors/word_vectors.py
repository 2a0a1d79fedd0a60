"""Words and their vectors: lookup, nearest neighbours, analogies."""

import difflib
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from textapp.errors import InputError, quoted
from textapp.vectors.rounds import RoundState
from textapp.vectors.subwords import SubwordVectors

_SUGGESTED_FROM = 30_000  # spelling is compared with the most frequent words only: more would take seconds


class WordVectors:
    """Distinct words and a vector for each, immutable.

    Args:
        words: The words, the most frequent first if that is known. No word is empty, repeated, or holds a line break or
            half a surrogate pair.
        vectors: float32 `(V, E)`, finite; float64 is converted. With subwords these are the composed vectors. A
            contiguous float32 array is kept without a copy.
        counts: Occurrences of each word in the corpus, int64 `(V,)`.
        outputs: Output (context) vectors, float32 `(V, E)`, which further training needs.
        subwords: The n-grams' vectors, which give an unseen word a vector.
        tokenizer: Settings of the corpus' tokenizer, from `textapp.text.tokenizer.Tokenizer.to_dict`.
        training: For a round of a training in shards, what the next round needs.

    Raises:
        InputError: An argument breaks a rule.

    Example:
        >>> vectors = WordVectors(["好", "gut", "schlecht"], [[1.0, 0.0], [0.9, 0.1], [-1.0, 0.2]])
        >>> vectors["gut"].tolist()
        [0.8999999761581421, 0.10000000149011612]
        >>> [word for word, cosine in vectors.neighbors("好", k=1)]
        ['gut']
    """

    def __init__(
        self,
        words: Iterable[str],
        vectors: Any,
        counts: Any = None,
        outputs: Any = None,
        subwords: SubwordVectors | None = None,
        tokenizer: Mapping[str, Any] | None = None,
        training: RoundState | None = None,
    ):
        self.words: tuple[str, ...] = tuple(words)
        self.vectors: np.ndarray = _matrix(vectors, "vectors", len(self.words))
        self.outputs: np.ndarray | None = None if outputs is None else _matrix(outputs, "outputs", len(self.words))
        self.counts: np.ndarray | None = None if counts is None else _counts(counts, len(self.words))
        self.subwords = subwords
        self.tokenizer: dict[str, Any] | None = None if tokenizer is None else dict(tokenizer)
        self.training = training
        for name, other in (("outputs", self.outputs), ("subwords", None if subwords is None else subwords.vectors)):
            if other is not None and other.shape[1] != self.dim:
                raise InputError(
                    f"word vectors: `{name}` must have {self.dim} columns, as `vectors` have. "
                    f"Received: shape={other.shape}"
                )
        self._index = {word: row for row, word in enumerate(self.words)}
        _check_words(self.words, self._index)

    def __len__(self) -> int:
        return len(self.words)

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._index

    def __repr__(self) -> str:
        return f"WordVectors({len(self):,} words of {self.dim} dimensions)"

    @property
    def dim(self) -> int:
        """Length of a vector, `E`."""
        return self.vectors.shape[1]

    def index(self, word: str) -> int | None:
        """Returns the row of a word, or None if it is not in `words`."""
        return self._index.get(word)

    def __getitem__(self, word: str) -> np.ndarray:
        """Returns a word's vector, float32 `(E,)`. With subwords, an unseen word gets one from its n-grams.

        Raises:
            InputError: The word is unknown; the message names words of similar spelling.
        """
        row = self._index.get(word)
        if row is not None:
            return self.vectors[row]
        if self.subwords is not None:
            vectors, known = self.subwords.unseen([word])
            if known[0]:
                return vectors[0]
        similar = ", ".join(self._similar_spellings(word))
        raise InputError(
            f"no vector for the word {quoted(word)}" + (f"; words of similar spelling: {similar}" if similar else "")
        )

    def lookup(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Looks up many words at once.

        Returns:
            vectors, float32 `(N, E)`, zero for unknown words, and known, bool `(N,)`, whether each word has a vector,
            which may be one from n-grams. Use `word in self` if only words seen in training count.
        """
        rows = np.fromiter((self._index.get(word, -1) for word in words), np.int64, len(words))
        known = rows >= 0
        matrix = np.zeros((len(words), self.dim), np.float32)
        matrix[known] = self.vectors[rows[known]]
        unseen = np.flatnonzero(~known)
        if self.subwords is not None and len(unseen):
            matrix[unseen], known[unseen] = self.subwords.unseen([words[i] for i in unseen.tolist()])
        return matrix, known

    def input_rows(self) -> np.ndarray:
        """Returns the rows that were trained, float32 `(V, E)`; with subwords `(V + buckets, E)`."""
        if self.subwords is None:
            return self.vectors
        return np.concatenate([self.subwords.word_rows(self.words, self.vectors), self.subwords.vectors])

    @functools.cached_property
    def norms(self) -> np.ndarray:
        """Euclidean norms of the vectors, float32 `(V,)`."""
        return _frozen(np.sqrt(np.einsum("ve,ve->v", self.vectors, self.vectors)))

    @functools.cached_property
    def unit_vectors(self) -> np.ndarray:
        """The vectors scaled to norm 1, float32 `(V, E)`; zero vectors stay zero. They need as much memory again."""
        return _frozen(self.vectors / np.where(self.norms > 0, self.norms, 1)[:, None])

    def neighbors(self, query: Any, k: int = 10, exclude: Iterable[str] = ()) -> list[tuple[str, float]]:
        """Finds the nearest words by cosine similarity.

        Args:
            query: A word, which is not its own neighbor, or a vector `(E,)`.
            k: Number of neighbors; there are fewer if the vocabulary has fewer words.
            exclude: Words to leave out.

        Returns:
            Pairs of word and cosine similarity, the nearest first; equally near words in the order of `words`.

        Raises:
            InputError: The word is unknown, the vector has another length, is zero or not finite, or `k` is not
                positive.
        """
        if k < 1:
            raise InputError(f"`k` must be positive. Received: k={k}")
        excluded = set(exclude)
        if isinstance(query, str):
            excluded.add(query)
            vector, name = self[query], f"the vector of {quoted(query)}"
        else:
            vector, name = np.asarray(query, np.float32), "the query vector"
        if vector.shape != (self.dim,):
            raise InputError(f"{name} must have the shape ({self.dim},). Received: shape={vector.shape}")
        norm = float(np.linalg.norm(vector))
        if not 0 < norm < np.inf:
            raise InputError(f"{name} must be finite and not zero, otherwise it has no neighbors")
        scores = self.vectors @ (vector / norm)
        scores /= np.where(self.norms > 0, self.norms, 1)
        rows = [row for row in map(self._index.get, excluded) if row is not None]
        scores[rows] = -np.inf
        k = min(k, len(self) - len(rows))
        return [(self.words[row], float(scores[row])) for row in _largest(scores, k)]

    def analogy(self, a: str, b: str, c: str, k: int = 1) -> list[tuple[str, float]]:
        """Finds the words nearest to b - a + c (3CosAdd): `b` is to `a` as the answer is to `c`.

        The three vectors are scaled to norm 1 first. The three words themselves are excluded.

        Reference: Mikolov et al. 2013, Linguistic Regularities in Continuous Space Word Representations.

        Raises:
            InputError: A word is unknown, or `k` is not positive.
        """
        unit_a, unit_b, unit_c = (_unit(self[word]) for word in (a, b, c))
        return self.neighbors(unit_b - unit_a + unit_c, k, exclude=(a, b, c))

    def _similar_spellings(self, word: str) -> list[str]:
        """Up to three words of other case or similar spelling."""
        recased = (word.lower(), word.capitalize(), word.upper(), word.strip())
        frequent = [
            other
            for other in self.words[:_SUGGESTED_FROM]
            if abs(len(other) - len(word)) <= 2 and not set(word[:2]).isdisjoint(other[:2])
        ]
        found = [*filter(self._index.__contains__, recased), *difflib.get_close_matches(word, frequent, 3, 0.7)]
        return list(dict.fromkeys(found))[:3]


def _matrix(values: Any, name: str, rows: int) -> np.ndarray:
    """Returns a finite, read-only float32 matrix; a copy only if the type differs."""
    with np.errstate(over="ignore"):  # overflows to infinity, which is refused below
        matrix = np.ascontiguousarray(values, np.float32)
    if matrix.ndim != 2 or len(matrix) != rows or not matrix.size:
        raise InputError(
            f"word vectors: `{name}` must have a row for each of the {rows:,} words, and a column. "
            f"Received: shape={np.shape(values)}"
        )
    if not (
        np.isfinite(matrix.min()) and np.isfinite(matrix.max())
    ):  # both return NaN if there is one, and need no memory
        row = next(row for row, vector in enumerate(matrix) if not np.isfinite(vector).all())
        raise InputError(f"word vectors: `{name}` must be finite. Received: NaN or infinity in row {row}")
    return _frozen(matrix)


def _counts(values: Any, rows: int) -> np.ndarray:
    """Returns counts as read-only int64."""
    counts = np.asarray(values)
    if counts.shape != (rows,) or not np.issubdtype(counts.dtype, np.integer) or counts.min() < 0:
        raise InputError(
            f"word vectors: `counts` must be {rows:,} whole numbers, none negative. "
            f"Received: shape={counts.shape}, dtype={counts.dtype}"
        )
    return _frozen(counts.astype(np.int64, copy=False))


def _frozen(array: np.ndarray) -> np.ndarray:
    """Returns a read-only view."""
    view = array.view()
    view.flags.writeable = False
    return view


def _unit(vector: np.ndarray) -> np.ndarray:
    """Scales a vector to norm 1; zero stays zero."""
    norm = np.linalg.norm(vector)
    return vector / norm if norm > 0 else vector


def _largest(scores: np.ndarray, k: int) -> np.ndarray:
    """Returns the indices of the `k` largest scores, the largest first, equal ones from left to right."""
    if k <= 0:
        return np.zeros(0, np.int64)
    least = np.partition(scores, -k)[-k]
    indices = np.flatnonzero(scores >= least)
    return indices[np.argsort(-scores[indices], kind="stable")][:k]


def _check_words(words: Sequence[str], index: Mapping[str, int]) -> None:
    """Raises `InputError` that names the first word that breaks a rule."""
    try:
        "".join(words).encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"word vectors: a word holds half a surrogate pair, which no file can hold ({error})"
        ) from error
    for row, word in enumerate(words):
        if not word or "\n" in word or "\r" in word:
            raise InputError(f"word vectors: word {row} is empty or holds a line break. Received: {quoted(word)}")
        if index[word] != row:
            raise InputError(
                f"word vectors: the words must differ. Received: {quoted(word)} as words {row} and {index[word]}"
            )
