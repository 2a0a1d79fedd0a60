"""From text to label: the predictor over a bundle."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, NamedTuple, TypeVar

from textapp.errors import InputError
from textapp.runtime.bundle import ClassifierBundle
from textapp.runtime.bundle_files import MODEL, VOCABULARY
from textapp.runtime.model import DeviceModel
from textapp.runtime.texts import strings
from textapp.text.normalization import LONGEST_CHUNK
from textapp.text.tokenizer import Token

_MARGIN = 4 * LONGEST_CHUNK  # tokens: more than one normalized chunk can hold, each of its code points a token
_CHARACTERS = 8  # tokenized at first per token that is wanted: more than texts have on average

_Item = TypeVar("_Item")


class TokenWeight(NamedTuple):
    """A token of a text, and how much the model attended to it.

    Attributes:
        text: the token as the vocabulary knows it, normalized and lower-cased as the bundle's tokenizer does.
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


class Predictor:
    """Predicts labels of texts from a bundle.

    Any string can be predicted: an empty one, one of NULs or lone surrogates, one of a megabyte. Of a long text little
    more is tokenized than the model reads. A predictor may be shared by threads; they take turns at the model.

    Args:
        bundle: from `read_bundle`.
        threads: positive integer, threads that LiteRT may use for one text.

    Raises:
        InputError: the model is not one that the bundle describes.
    """

    def __init__(self, bundle: ClassifierBundle, threads: int = 1):
        self.bundle = bundle
        self.labels = bundle.labels
        self.model = DeviceModel(
            bundle.model, bundle.signatures, len(bundle.labels), source=bundle.folder / MODEL, threads=threads
        )
        self.max_tokens = self.model.lengths[-1]
        self._check_model()

    def predict(self, texts: Iterable[str]) -> list[Prediction]:
        """Predicts each text, with probabilities and the attention to each token.

        Args:
            texts: strings, of any length and content.

        Returns:
            One prediction per text, in their order.

        Example:
            predictor = load("export/bundles/reviews")
            for prediction in predictor.predict(["Très bon café ☕", ""]):
                print(prediction.label, max(prediction.tokens, key=lambda token: token.weight, default=None))
        """
        return [self._predict(text) for text in strings(texts)]

    def label_index(self, text: str) -> int:
        """The index of a text's label: the fast path, without probabilities or tokens."""
        return int(self.model.run(self.encode(text)).logits.argmax())

    def label_indices(self, texts: Iterable[str]) -> Iterator[int]:
        """Yields the index of each text's label, for evaluation.

        Args:
            texts: strings; they may be a stream, and are read one at a time.
        """
        return map(self.label_index, strings(texts))

    def encode(self, text: str) -> list[int]:
        """The ids of a text's tokens, at most `max_tokens` of them."""
        tokens, _ = _first(self.bundle.tokenizer.words, text, self.max_tokens)
        return self.bundle.vocabulary.encode(tokens)

    def _predict(self, text: str) -> Prediction:
        """The prediction for one text."""
        tokens, truncated = _first(self.bundle.tokenizer.tokenize, text, self.max_tokens)
        logits, attention_weights = self.model.run(self.bundle.vocabulary.encode([token.text for token in tokens]))
        weights = None if attention_weights is None else attention_weights.tolist()
        return prediction_from(self.labels, tokens, logits.tolist(), weights, truncated)

    def _check_model(self) -> None:
        """Runs the model on the empty text and on the last id, so that a foreign model fails when it is loaded."""
        self.model.run([])
        vocabulary = self.bundle.vocabulary
        try:
            self.model.run([len(vocabulary) - 1])
        except InputError as error:
            path = self.bundle.folder / VOCABULARY
            raise InputError(f"{path}: the model fails on the last of {len(vocabulary)} tokens: {error}") from error


def prediction_from(
    labels: Sequence[str], tokens: Sequence[Token], logits: list[float], weights: list[float] | None, truncated: bool
) -> Prediction:
    """Puts a model's numbers for one text into words.

    Args:
        labels: the classes.
        tokens: what the model read.
        logits: a score per class.
        weights: an attention weight per token, padding behind them or not; None for a model without attention.
        truncated: whether the text had more tokens.
    """
    # Softmax in Python floats: for a handful of classes it takes a fraction of NumPy's time.
    largest = max(logits)
    powers = [math.exp(logit - largest) for logit in logits]
    total = sum(powers)
    return Prediction(
        label=labels[logits.index(largest)],
        probs={label: power / total for label, power in zip(labels, powers, strict=True)},
        tokens=tuple(
            TokenWeight(token.text, token.start, token.end, weight)
            for token, weight in zip(tokens, repeat(None) if weights is None else weights, strict=False)
        ),
        truncated=truncated,
    )


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
