"""The base class of all predictors, for every task, for bundles and for runs."""

import abc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textapp.text.token_encoder import TokenEncoder
from textapp.text.tokenizer import Token, Tokenizer

if TYPE_CHECKING:
    from textapp.runtime.bundle import Bundle
    from textapp.runtime.model import DeviceModel
    from textapp.runtime.native import NativeModel
    from textapp.runtime.ngram_model import NgramModel

Inputs = Mapping[str, NDArray[np.int32]]
"""Input name -> the ids of n tokens: `token_ids` `(n,)`, and the other inputs of `TokenEncoder.inputs`."""


class Outputs(NamedTuple):
    """The outputs of a model for the tokens of one text.

    Attributes:
        logits: float32 `(C,)` of the text, or `(n, K)` of its n tokens.
        attention_weights: float32 `(n,)`; None for a model without attention.
    """

    logits: NDArray[np.float32]
    attention_weights: NDArray[np.float32] | None = None


PREDICT_OPTIONS = {
    "confidence": "which always gives probabilities",
    "min_confidence": "only of a classifier that gives one label",
    "explain": "only of a model that labels whole texts",
}
"""The options of predictors, and what to know of one that does not take them."""

ColumnType = str | list[Any] | dict[str, Any]
"""The type of a column: "string", "double", "long" or "boolean", as Spark calls them; a list of one type is an array of
it; a dictionary is a structure with these fields. Strings may be null."""

Score = Callable[[Inputs], Outputs]
"""A model: from the ids of at most `max_tokens` tokens to its outputs."""


class Predictor(abc.ABC):
    """Predicts from texts. Any string is accepted: empty, of NULs or lone surrogates, or of a megabyte.

    Threads may share a predictor if they may share `score`. Threads that share a bundle's predictor run at the same
    time with the core in C, and in turn with LiteRT.

    Args:
        tokenizer: cuts texts into tokens.
        encoder: turns tokens into ids.
        targets: the labels or tags that the model chooses from.
        max_tokens: largest number of tokens that `score` reads.
        score: the model.

    Attributes:
        bundle: the bundle that the predictor was loaded from; None for a run.
        model: the bundle's model; None for a run.
        core: the bundle in the core in C, which predicts whole texts; None where Python and `score` do so.
        ngrams: the linear model of n-grams beside the model; None for a model alone.
    """

    task: ClassVar[str]
    """Name of the task."""

    predict_options: ClassVar[tuple[str, ...]] = ()
    """Names of the options that `predict` takes besides the texts."""

    def __init__(self, tokenizer: Tokenizer, encoder: TokenEncoder, targets: Any, max_tokens: int, score: Score):
        self.tokenizer = tokenizer
        self.encoder = encoder
        self.targets = targets
        self.max_tokens = max_tokens
        self.score = score
        self.bundle: Bundle | None = None
        self.model: DeviceModel | NativeModel | None = None
        self.core: NativeModel | None = None
        self.ngrams: NgramModel | None = None

    @property
    @abc.abstractmethod
    def result(self) -> str:
        """The word for what is predicted for a text."""

    @abc.abstractmethod
    def predict(self, texts: Iterable[str]) -> Sequence[Any]:
        """Predicts each text, in order; subclasses may take options."""

    @abc.abstractmethod
    def columns(self, texts: Iterable[str], **options: Any) -> dict[str, list[Any]]:
        """Predicts texts as columns of a table: name -> a value for each text, of the types of `column_types`.

        Args:
            texts: strings, of any length and content.
            options: `min_confidence` or `confidence`, as `predict` takes them.
        """

    @abc.abstractmethod
    def column_types(self, **options: Any) -> dict[str, ColumnType]:
        """The type of each of `columns`, with the same options."""

    @abc.abstractmethod
    def decide(self, items: Iterable[Any]) -> Iterator[Any]:
        """Yields only the decision about each item of labelled data, for evaluation; items may be a stream."""

    @abc.abstractmethod
    def quick(self, text: str) -> Any:
        """The smallest useful result for one text. Its time is measured as the latency."""

    @abc.abstractmethod
    def pieces(self, text: str) -> list[Inputs]:
        """The inputs of the model for a text, one item for each call."""

    @abc.abstractmethod
    def tokens(self, item: Any) -> Sequence[str]:
        """The tokens of an item of labelled data, as the model reads them."""

    @abc.abstractmethod
    def probabilities(self, items: Sequence[Any]) -> NDArray[np.float64]:
        """Probabilities of items, as `textapp.task.Task.items` gives them: `(N, C)`, or `(tokens of all, K)`."""

    @abc.abstractmethod
    def recorded(self, text: str) -> tuple[Sequence[Token], NDArray[np.float32], dict[str, Any]]:
        """What selftest.json holds of a text: the tokens that the model reads, its logits, and fields of the result."""

    def uncertainty(self, text: str) -> float | None:
        """How unsure the model is about a text, from 0 (sure) to 1; None for a text without tokens.

        Only models that label whole texts have it.
        """
        del text
        raise NotImplementedError(f"a model of {self.task} has no probability of a whole text")

    def unknown_share(self, items: Iterable[Any]) -> float:
        """The share of tokens of items of labelled data whose words are not in the vocabulary."""
        form = self.encoder.form
        rows = map(self.tokens, items)
        return self.encoder.vocabulary.oov_rate(rows if form is None else (map(form.word, row) for row in rows))

    def encode(self, tokens: Sequence[str]) -> Inputs:
        """Tokens as the model reads them. A token that occurs several times is encoded once."""
        if isinstance(tokens, str):
            raise TypeError("`tokens` must be a list of strings. Received: one string; cut it into tokens first")
        places: dict[str, int] = {}
        rows = [places.setdefault(token, len(places)) for token in tokens]
        ids = self.encoder.encode(list(places))
        inputs = {
            name: np.array(ids[name], np.int32).reshape(len(places), *shape)
            for name, shape in self.encoder.inputs.items()
        }
        return inputs if len(places) == len(rows) else {name: ids[rows] for name, ids in inputs.items()}


def check_texts(texts: Iterable[str]) -> Iterator[str]:
    """Iterates over texts. It refuses a single string, which would be read as one text for each character.

    Raises:
        TypeError: `texts` is one string, or an item is not a string.
    """
    if isinstance(texts, str):
        raise TypeError("`texts` must be a list of strings. Received: one string; put it in a list")
    return map(_check_text, texts, count())


def _check_text(text: object, index: int) -> str:
    """`text`, which must be a string."""
    if not isinstance(text, str):
        raise TypeError(f"`texts` must hold strings. Received: {type(text).__name__} at index {index}")
    return text
