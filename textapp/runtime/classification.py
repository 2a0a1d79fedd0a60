"""From text to label: the device's half of classification."""

import abc
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from textapp.runtime.bundle_format import Fields, parse_names
from textapp.runtime.predictor import Inputs, Predictor, Score, check_texts
from textapp.text.labels import Labels
from textapp.text.normalization import LONGEST_CHUNK
from textapp.text.token_encoder import TokenEncoder
from textapp.text.tokenizer import Tokenizer

LABELS = "labels.txt"
FIELDS: Fields = {}
"""The rules of what bundle.json says for this task alone."""

_MARGIN = 4 * LONGEST_CHUNK  # tokens: more than one normalized chunk can hold, each of its code points a token
_CHARACTERS = 8  # tokenized at first per token that is wanted: more than texts have on average

PredictionType = TypeVar("PredictionType")
_Item = TypeVar("_Item")


class TokenWeight(NamedTuple):
    """A token of a text, and how much the model attended to it.

    Attributes:
        text: the token as the bundle's tokenizer gives it: normalized, and in lower case where the tokenizer says so.
        start: where it begins in the text that was given, in code points.
        end: where it ends, exclusive, in code points.
        weight: attention weight from 0 to 1, all of a text's summing to 1; None for a model without attention.
    """

    text: str
    start: int
    end: int
    weight: float | None


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says of one text.

    Attributes:
        label: the most probable label.
        probs: label -> probability, in the order of labels.txt.
        tokens: the tokens that the model read; none for a text without any.
        truncated: whether the text had more tokens than the model's largest length, and was cut there.
    """

    label: str
    probs: dict[str, float]
    tokens: tuple[TokenWeight, ...]
    truncated: bool

    def to_dict(self) -> dict[str, Any]:
        """The prediction as JSON values."""
        return {
            "label": self.label,
            "probs": self.probs,
            "tokens": [token._asdict() for token in self.tokens],
            "truncated": self.truncated,
        }


class TextPredictor(Predictor, Generic[PredictionType]):
    """Says something of whole texts. Of a long text little more is tokenized than the model reads."""

    targets: Labels

    @property
    def result(self) -> str:
        """What a text is turned into."""
        return result(self.targets)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, by number."""
        return self.targets.names

    def predict(self, texts: Iterable[str]) -> list[PredictionType]:
        """Predicts each text, with probabilities and the attention to each token.

        Args:
            texts: strings, of any length and content.

        Returns:
            One prediction per text, in their order.

        Example:
            classifier = load("export/bundles/reviews")
            for prediction in classifier.predict(["Très bon café ☕", ""]):
                print(prediction.label, max(prediction.tokens, key=lambda token: token.weight, default=None))
        """
        return [self._predict(text) for text in check_texts(texts)]

    def decide(self, items: Iterable[Any]) -> Iterator[Any]:
        """Yields what is decided of each text: a label, or a tuple of labels."""
        return (self.decision(self.probs(self._logits(text))) for text in check_texts(items))

    def quick(self, text: str) -> Any:
        """What is decided of a text, without its tokens."""
        return self.decision(self.probs(self._logits(text)))

    def pieces(self, text: str) -> list[Inputs]:
        """The ids of a text's tokens, at most `max_tokens` of them."""
        tokens, _ = _first(self.tokenizer.words, text, self.max_tokens)
        return [self.encode(tokens)]

    def tokens(self, item: str) -> list[str]:
        """The tokens of a text that the model reads."""
        return _first(self.tokenizer.words, item, self.max_tokens)[0]

    def probabilities(self, items: Sequence[str]) -> NDArray[np.float64]:
        """The probability of each label for each text, `(N, C)`."""
        rows = [self.probs(self._logits(text)) for text in check_texts(items)]
        return np.array(rows).reshape(-1, len(self.labels))

    @abc.abstractmethod
    def probs(self, logits: NDArray[np.float32]) -> list[float]:
        """The probability of each label, of logits `(C,)`."""

    @abc.abstractmethod
    def decision(self, probs: Sequence[float]) -> Any:
        """What is decided of a text with these probabilities."""

    @abc.abstractmethod
    def prediction(self, probs: list[float], tokens: tuple[TokenWeight, ...], truncated: bool) -> PredictionType:
        """The prediction of a text with these probabilities."""

    def _logits(self, text: str) -> NDArray[np.float32]:
        """The logits of a text, `(C,)`."""
        return self.score(self.pieces(text)[0]).logits

    def _predict(self, text: str) -> PredictionType:
        """The prediction for one text."""
        tokens, truncated = _first(self.tokenizer.tokenize, text, self.max_tokens)
        logits, weights = self.score(self.encode([token.text for token in tokens]))
        weighed = tuple(
            TokenWeight(token.text, token.start, token.end, weight)
            for token, weight in zip(tokens, repeat(None) if weights is None else weights.tolist(), strict=False)
        )
        return self.prediction(self.probs(logits), weighed, truncated)


class Classifier(TextPredictor[Prediction]):
    """Predicts the label of texts."""

    task = "classification"

    def quick(self, text: str) -> int:
        """The number of a text's label, without probabilities or tokens."""
        return int(self._logits(text).argmax())

    def decide(self, items: Iterable[Any]) -> Iterator[str]:
        """Yields the label of each text."""
        return (self.labels[self.quick(text)] for text in check_texts(items))

    def probs(self, logits: NDArray[np.float32]) -> list[float]:
        """The probability of each label."""
        return _softmax(logits.tolist())

    def decision(self, probs: Sequence[float]) -> str:
        """The most probable label."""
        return self.labels[probs.index(max(probs))]

    def prediction(self, probs: list[float], tokens: tuple[TokenWeight, ...], truncated: bool) -> Prediction:
        """The prediction of a text with these probabilities."""
        return Prediction(self.decision(probs), dict(zip(self.labels, probs, strict=True)), tokens, truncated)


def result(targets: Labels) -> str:
    """What a text is turned into, in a word."""
    del targets
    return "label"


def file_names(description: Mapping[str, Any]) -> tuple[str, ...]:
    """The files of a bundle of this task, besides those of every task."""
    del description
    return (LABELS,)


def logits_shape(targets: Labels) -> Callable[[int], tuple[int, ...]]:
    """The shape of the model's logits by the number of tokens."""
    return lambda _: (1, len(targets))


def read_targets(description: Mapping[str, Any], files: Mapping[str, bytes], folder: Path) -> Labels:
    """What the model chooses from, of a bundle's files."""
    del description
    return Labels(parse_names(files[LABELS], folder / LABELS, "label"))


def predictor(
    tokenizer: Tokenizer,
    encoder: TokenEncoder,
    targets: Labels,
    description: Mapping[str, Any],
    files: Mapping[str, bytes],
    folder: Path,
    max_tokens: int,
    score: Score,
) -> Classifier:
    """A predictor over a model, with what bundle.json and the bundle's files say of this task."""
    del description, files, folder
    return Classifier(tokenizer, encoder, targets, max_tokens, score)


def _softmax(logits: list[float]) -> list[float]:
    """Probabilities, in Python floats: for a handful of classes it takes a fraction of NumPy's time."""
    largest = max(logits)
    powers = [math.exp(logit - largest) for logit in logits]
    total = sum(powers)
    return [power / total for power in powers]


def _first(tokenize: Callable[[str], list[_Item]], text: str, limit: int) -> tuple[list[_Item], bool]:
    """The first `limit` tokens of a text, and whether it has more.

    Tokenizes a prefix that grows until it holds enough tokens. Where its end falls into a word, a number or a chunk
    that is normalized together, the last tokens differ from those of the whole text: `_MARGIN` of them are not used.
    """
    size = _CHARACTERS * (limit + _MARGIN)
    tokens = tokenize(text[:size])
    while len(text) > size and len(tokens) < limit + _MARGIN:
        size *= 4
        tokens = tokenize(text[:size])
    return tokens[:limit], len(tokens) > limit
