"""From text to result, whatever the task: what predictors over bundles and over runs have in common."""

import abc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from textapp.text.token_encoder import TokenEncoder
from textapp.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from textapp.runtime.bundle import Bundle
    from textapp.runtime.model import DeviceModel

Inputs = Mapping[str, NDArray[np.int32]]
"""Tokens as a model reads them, by the name of its inputs: `token_ids` `(n,)` and what `TokenEncoder.inputs` names."""


class Outputs(NamedTuple):
    """What a model gives for the tokens of one text.

    Attributes:
        logits: float32 `(C,)` of the text, or `(n, K)` of its n tokens.
        attention_weights: float32 `(n,)`; None for a model without attention.
    """

    logits: NDArray[np.float32]
    attention_weights: NDArray[np.float32] | None = None


Score = Callable[[Inputs], Outputs]
"""A model: from the ids of at most `max_tokens` tokens to its outputs."""


class Predictor(abc.ABC):
    """Predicts from texts. Any string can be predicted: an empty one, one of NULs or lone surrogates, a megabyte.

    A predictor may be shared by threads as far as `score` may; those of bundles take turns at the model.

    Args:
        tokenizer: cuts texts into tokens.
        encoder: tokens to ids.
        targets: what the model chooses from.
        max_tokens: how many tokens `score` reads at most.
        score: the model.

    Attributes:
        bundle: the bundle that it was loaded from; None for a run.
        model: the bundle's model; None for a run.
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
        self.model: DeviceModel | None = None

    @property
    @abc.abstractmethod
    def result(self) -> str:
        """What a text is turned into, in a word."""

    @abc.abstractmethod
    def predict(self, texts: Iterable[str]) -> Sequence[Any]:
        """Predicts each text, in their order; subclasses may take options."""

    @abc.abstractmethod
    def decide(self, items: Iterable[Any]) -> Iterator[Any]:
        """Yields the decision about each item of labelled data alone, for evaluation; items may be a stream."""

    @abc.abstractmethod
    def quick(self, text: str) -> Any:
        """What an application asks of one text at least: the path whose time is measured."""

    @abc.abstractmethod
    def pieces(self, text: str) -> list[Inputs]:
        """What the model reads of a text, a call each."""

    @abc.abstractmethod
    def tokens(self, item: Any) -> Sequence[str]:
        """The tokens of an item of labelled data, as the model knows them."""

    @abc.abstractmethod
    def probabilities(self, items: Sequence[Any]) -> NDArray[np.float64]:
        """Probabilities of items, as `textapp.task.Task.items` gives them: `(N, C)`, or `(tokens of all, K)`."""

    def unknown_share(self, items: Iterable[Any]) -> float:
        """The share of tokens of items of labelled data whose words are not in the vocabulary."""
        form = self.encoder.form
        rows = map(self.tokens, items)
        return self.encoder.vocabulary.oov_rate(rows if form is None else (map(form.word, row) for row in rows))

    def encode(self, tokens: Sequence[str]) -> Inputs:
        """Tokens as the model reads them."""
        if isinstance(tokens, str):
            raise TypeError("`tokens` must be a list of strings. Received: one string; cut it into tokens first")
        shapes = self.encoder.inputs
        ids = self.encoder.encode(tokens)
        return {name: np.array(ids[name], np.int32).reshape(len(tokens), *shape) for name, shape in shapes.items()}


def check_texts(texts: Iterable[str]) -> Iterator[str]:
    """Iterates over texts. One string in place of a list would be read as a text per character.

    Raises:
        TypeError: `texts` is one string, or holds something else than strings.
    """
    if isinstance(texts, str):
        raise TypeError("`texts` must be a list of strings. Received: one string; put it in a list")
    return map(_check_text, texts, count())


def _check_text(text: object, index: int) -> str:
    """`text`, which must be a string."""
    if not isinstance(text, str):
        raise TypeError(f"`texts` must hold strings. Received: {type(text).__name__} at index {index}")
    return text
