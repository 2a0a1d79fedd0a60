"""Classification on the device: from text to label."""

import abc
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from heapq import nlargest
from itertools import repeat
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from textapp.runtime.bundle_format import Fields, parse_names
from textapp.runtime.native import BeyondCoreError, NativeModel, Scored
from textapp.runtime.predictor import ColumnType, Inputs, Outputs, Predictor, Score, check_texts
from textapp.text.labels import TEMPERATURE_RULE, Decision, ExclusiveLabels, Labels, is_temperature
from textapp.text.normalization import LONGEST_CHUNK
from textapp.text.token_encoder import TokenEncoder
from textapp.text.tokenizer import Token, Tokenizer

LABELS = "labels.txt"
FIELDS: Fields = {"temperature": (is_temperature, TEMPERATURE_RULE)}
"""The rules of the fields that only this task has in bundle.json."""

_MARGIN = 4 * LONGEST_CHUNK  # tokens: more than one normalized chunk can have, even with one token per code point
_CHARACTERS = 8  # tokenized at first for each token: more than texts have on average

PredictionType = TypeVar("PredictionType")
_Item = TypeVar("_Item")


class TokenWeight(NamedTuple):
    """A token of a text, how much the model attended to it, and what it contributes.

    Attributes:
        text: the token as the bundle's tokenizer gives it: normalized, and in lower case if the tokenizer says so.
        start: position of its first code point in the original text.
        end: position after its last code point.
        weight: attention weight from 0 to 1; the weights of a text sum to 1. None for a model without attention.
        contributions: predicted label -> its probability minus the probability without the token, from -1 to 1. None
            without `explain=True`.
    """

    text: str
    start: int
    end: int
    weight: float | None
    contributions: dict[str, float] | None = None

    def to_dict(self) -> dict[str, Any]:
        """The token as JSON values."""
        text, start, end, weight, contributions = self
        values = {"text": text, "start": start, "end": end, "weight": weight}
        return values if contributions is None else {**values, "contributions": contributions}


@dataclass(frozen=True, slots=True)
class Prediction:
    """The prediction of a model for one text.

    Attributes:
        label: the most probable label; None if its probability is less than the least that was asked for.
        probs: label -> probability, in the order of labels.txt.
        tokens: the tokens that the model read; empty for a text without tokens.
        truncated: whether the text had more tokens than the model's largest length, and was cut there.
    """

    label: str | None
    probs: dict[str, float]
    tokens: tuple[TokenWeight, ...]
    truncated: bool

    @property
    def guess(self) -> str:
        """The most probable label, however small its probability is."""
        return max(self.probs, key=self.probs.__getitem__)

    @property
    def confidence(self) -> float:
        """The probability of the most probable label."""
        return max(self.probs.values())

    def to_dict(self) -> dict[str, Any]:
        """The prediction as JSON values. A prediction without a label also has its `guess`."""
        return {
            "label": self.label,
            **({"guess": self.guess} if self.label is None else {}),
            "probs": self.probs,
            "tokens": [token.to_dict() for token in self.tokens],
            "truncated": self.truncated,
        }

    def _repr_html_(self) -> str:
        """The prediction in a notebook: the label, and the text with its attention or its contributions."""
        from textapp.runtime.notebook import labels_html  # only notebooks need it

        return labels_html([self.guess], self.probs, self.tokens, self.truncated, is_sure=self.label is not None)


class TextPredictor(Predictor, Generic[PredictionType]):
    """Predicts something about whole texts. It tokenizes little more of a long text than the model reads."""

    targets: Labels

    @property
    def result(self) -> str:
        """The word for what is predicted for a text."""
        return result(self.targets)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, by number."""
        return self.targets.names

    def predict(self, texts: Iterable[str], *, explain: bool = False, tokens: bool = True) -> list[PredictionType]:
        """Predicts each text, with probabilities and the attention to each token.

        Args:
            texts: strings, of any length and content.
            explain: whether to compute the contributions of each token, by leaving it out. This runs the model once
                more for each token.
            tokens: whether predictions have their tokens. Without them the core in C predicts many texts at once, and
                threads share them.

        Returns:
            One prediction per text, in their order.

        Example:
            classifier = load("export/bundles/reviews")
            for prediction in classifier.predict(["Très bon café ☕", ""]):
                print(prediction.label, max(prediction.tokens, key=lambda token: token.weight, default=None))
        """
        if not tokens and not explain:
            return list(self._without_tokens(check_texts(texts)))
        return [self._predict(text, explain) for text in check_texts(texts)]

    def decide(self, items: Iterable[Any]) -> Iterator[Any]:
        """Yields the decision about each text: a `Decision`, or a tuple of labels."""
        texts = check_texts(items)
        if self.core is None:
            return (self.decision(self.probs(self._logits(text))) for text in texts)
        return (self.decision(probs) for part in self.core.probabilities(texts) for probs in self._probs_of(part))

    def quick(self, text: str) -> Any:
        """The decision about a text, without its tokens."""
        if self.core is not None:
            with suppress(BeyondCoreError):
                return self.decision(self.core.label_probs(text))
        return self.decision(self.probs(self._logits(text)))

    def uncertainty(self, text: str) -> float | None:
        """See `Predictor`."""
        if self.core is not None:
            with suppress(BeyondCoreError):
                probs, read, _ = self.core.classify(text)
                return self.doubt(probs) if read.texts else None
        tokens = self.tokens(text)
        return self.doubt(self.probs(self.outputs(tokens).logits)) if tokens else None

    def recorded(self, text: str) -> tuple[Sequence[Token], NDArray[np.float32], dict[str, Any]]:
        """See `Predictor`."""
        tokens, _ = _first(self.tokenizer.tokenize, text, self.max_tokens)
        [prediction] = self.predict([text])
        fields: dict[str, Any] = prediction.to_dict()  # type: ignore[attr-defined] # each kind of prediction has it
        logits = self.outputs([token.text for token in tokens]).logits
        return tokens, logits, {name: fields[name] for name in ("label", "labels") if name in fields}

    def pieces(self, text: str) -> list[Inputs]:
        """The ids of a text's tokens, at most `max_tokens` of them."""
        return [self.encode(self.tokens(text))]

    def tokens(self, item: str) -> list[str]:
        """The tokens of a text that the model reads."""
        return _first(self.tokenizer.words, item, self.max_tokens)[0]

    def probabilities(self, items: Sequence[str]) -> NDArray[np.float64]:
        """The probability of each label for each text, `(N, C)`."""
        texts = check_texts(items)
        if self.core is None:
            rows = [self.probs(self._logits(text)) for text in texts]
        else:
            rows = [probs for part in self.core.probabilities(texts) for probs in self._probs_of(part)]
        return np.array(rows).reshape(-1, len(self.labels))

    @abc.abstractmethod
    def probs(self, logits: NDArray[np.float32]) -> list[float]:
        """The probability of each label, from logits `(C,)`."""

    @abc.abstractmethod
    def decision(self, probs: Sequence[float]) -> Any:
        """The decision about a text with these probabilities."""

    @abc.abstractmethod
    def doubt(self, probs: Sequence[float]) -> float:
        """How unsure the model is about a text with these probabilities, from 0 (sure) to 1."""

    @abc.abstractmethod
    def explained(self, probs: Sequence[float]) -> Sequence[int]:
        """The numbers of the labels to which tokens contribute, of a text with these probabilities."""

    @abc.abstractmethod
    def prediction(self, probs: list[float], tokens: tuple[TokenWeight, ...], truncated: bool) -> PredictionType:
        """The prediction of a text with these probabilities."""

    def outputs(self, tokens: Sequence[str]) -> Outputs:
        """The model's outputs for the tokens of a text, with those of its n-grams."""
        outputs = self.score(self.encode(tokens))
        if self.ngrams is None:
            return outputs
        return outputs._replace(logits=self.ngrams.combined(outputs.logits, self.encoder.words(tokens)))

    def _logits(self, text: str) -> NDArray[np.float32]:
        """The logits of a text, `(C,)`."""
        return self.outputs(self.tokens(text)).logits

    def _probs_of(self, part: Scored) -> Iterable[list[float]]:
        """The probability of each label, for each text of a part that the core has scored."""
        if part.probs is None:  # it has a text that the core cannot read
            return [self.probs(self._logits(text)) for text in part.texts]
        rows: list[list[float]] = part.probs.tolist()
        return rows

    def _logits_by_core(self, core: NativeModel, texts: Iterable[str]) -> Iterator[NDArray[np.float32]]:
        """Yields the logits of each text."""
        for part in core.probabilities(texts):
            yield from map(self._logits, part.texts) if part.logits is None else part.logits

    def _without_tokens(self, texts: Iterable[str]) -> Iterator[PredictionType]:
        """Yields the prediction of each text, without its tokens."""
        parts = map(Scored, ([text] for text in texts)) if self.core is None else self.core.probabilities(texts)
        for part in parts:
            if part.probs is None or part.truncated is None:
                for text in part.texts:
                    words, truncated = _first(self.tokenizer.words, text, self.max_tokens)
                    yield self.prediction(self.probs(self.outputs(words).logits), (), truncated)
            else:
                for probs, truncated in zip(part.probs.tolist(), part.truncated.tolist(), strict=True):
                    yield self.prediction(probs, (), truncated)

    def _predict(self, text: str, explain: bool) -> PredictionType:
        """The prediction for one text."""
        if self.core is not None and not explain:
            with suppress(BeyondCoreError):
                probs, read, truncated = self.core.classify(text)
                weights = read.weights if self.core.has_attention else repeat(None)
                tokens = tuple(map(TokenWeight, read.texts, read.starts, read.ends, weights))
                return self.prediction(probs, tokens, truncated)
        return self._predict_in_parts(text, explain)

    def _predict_in_parts(self, text: str, explain: bool) -> PredictionType:
        """The prediction for one text, by Python's tokenizer and `score`."""
        tokens, truncated = _first(self.tokenizer.tokenize, text, self.max_tokens)
        words = [token.text for token in tokens]
        logits, weights = self.outputs(words)
        probs = self.probs(logits)
        weighed = tuple(
            TokenWeight(token.text, token.start, token.end, weight, contributions)
            for token, weight, contributions in zip(
                tokens,
                repeat(None) if weights is None else weights.tolist(),
                self._contributions(words, probs) if explain else repeat(None),
                strict=False,
            )
        )
        return self.prediction(probs, weighed, truncated)

    def _contributions(self, words: list[str], probs: Sequence[float]) -> Iterator[dict[str, float]]:
        """Yields the contributions of each token of a text to labels that have these probabilities."""
        labels = self.explained(probs)
        for number in range(len(words)):
            others = self.probs(self.outputs(words[:number] + words[number + 1 :]).logits)
            yield {self.labels[label]: probs[label] - others[label] for label in labels}


def common_columns(predictions: Sequence[Any]) -> dict[str, list[Any]]:
    """The columns of all models of whole texts: the probability of each label, and whether the text was cut."""
    return {
        "predicted_probs": [one.probs for one in predictions],
        "predicted_truncated": [one.truncated for one in predictions],
    }


def common_types(labels: Sequence[str]) -> dict[str, ColumnType]:
    """The types of `common_columns`."""
    return {"predicted_probs": dict.fromkeys(labels, "double"), "predicted_truncated": "boolean"}


class Classifier(TextPredictor[Prediction]):
    """Predicts the label of texts."""

    task = "classification"
    predict_options = ("min_confidence", "explain", "tokens")
    targets: ExclusiveLabels

    def predict(
        self, texts: Iterable[str], min_confidence: float = 0.0, *, explain: bool = False, tokens: bool = True
    ) -> list[Prediction]:
        """Predicts each text, with probabilities and the attention to each token.

        Args:
            texts: strings, of any length and content.
            min_confidence: probability from 0 to 1. A prediction whose most probable label has less has no label.
            explain: as in `TextPredictor.predict`. Tokens contribute to the most probable label.
            tokens: as in `TextPredictor.predict`.

        Returns:
            One prediction per text, in their order.

        Example:
            for prediction in load("export/bundles/intents").predict(["Quel temps ?"], min_confidence=0.7):
                print(prediction.label or f"I do not know, perhaps {prediction.guess}")
        """
        if not 0 <= min_confidence <= 1:
            raise ValueError(f"`min_confidence` must be from 0 to 1. Received: min_confidence={min_confidence}")
        predictions = super().predict(texts, explain=explain, tokens=tokens)
        if min_confidence == 0:
            return predictions
        return [one if one.confidence >= min_confidence else replace(one, label=None) for one in predictions]

    def columns(self, texts: Iterable[str], **options: Any) -> dict[str, list[Any]]:
        """See `Predictor`: label (null below `min_confidence`), probability of the most probable label, and all."""
        predictions = self.predict(texts, **options, tokens=False)
        return {
            "predicted_label": [one.label for one in predictions],
            "predicted_probability": [one.confidence for one in predictions],
            **common_columns(predictions),
        }

    def column_types(self, **options: Any) -> dict[str, ColumnType]:
        """See `Predictor`."""
        del options
        return {"predicted_label": "string", "predicted_probability": "double", **common_types(self.labels)}

    def quick(self, text: str) -> int:
        """The number of a text's label, without probabilities or tokens."""
        if self.core is not None:
            with suppress(BeyondCoreError):
                return self.core.best_label(text)
        return int(self._logits(text).argmax())

    def probabilities(self, items: Sequence[str]) -> NDArray[np.float64]:
        """The probability of each label for each text, `(N, C)`, without the temperature.

        Students learn from them, with a temperature of their own, from a bundle as from its run.
        """
        texts = check_texts(items)
        rows = map(self._logits, texts) if self.core is None else self._logits_by_core(self.core, texts)
        return np.array([_softmax(logits.tolist(), 1.0) for logits in rows]).reshape(-1, len(self.labels))

    def probs(self, logits: NDArray[np.float32]) -> list[float]:
        """The probability of each label."""
        return _softmax(logits.tolist(), self.targets.temperature)

    def decision(self, probs: Sequence[float]) -> Decision:
        """The most probable label."""
        confidence = max(probs)
        return Decision(self.labels[probs.index(confidence)], confidence)

    def doubt(self, probs: Sequence[float]) -> float:
        """1 minus the margin between the two most probable labels."""
        first, second = nlargest(2, probs)
        return 1 - (first - second)

    def explained(self, probs: Sequence[float]) -> Sequence[int]:
        """The most probable label."""
        return [probs.index(max(probs))]

    def prediction(self, probs: list[float], tokens: tuple[TokenWeight, ...], truncated: bool) -> Prediction:
        """The prediction of a text with these probabilities."""
        label = self.labels[probs.index(max(probs))]
        return Prediction(label, dict(zip(self.labels, probs, strict=True)), tokens, truncated)


def result(targets: Labels) -> str:
    """The word for what is predicted for a text."""
    del targets
    return "label"


def file_names(description: Mapping[str, Any]) -> tuple[str, ...]:
    """The files that only bundles of this task have."""
    del description
    return (LABELS,)


def logits_shape(targets: Labels) -> Callable[[int], tuple[int, ...]]:
    """A function from the number of tokens to the shape of the model's logits."""
    return lambda _: (1, len(targets))


def read_targets(description: Mapping[str, Any], files: Mapping[str, bytes], folder: Path) -> ExclusiveLabels:
    """Reads the labels that the model chooses from, and the temperature of their probabilities."""
    names = parse_names(files[LABELS], folder / LABELS, "label")
    return ExclusiveLabels(names, float(description["temperature"]))


def predictor(
    tokenizer: Tokenizer,
    encoder: TokenEncoder,
    targets: ExclusiveLabels,
    description: Mapping[str, Any],
    files: Mapping[str, bytes],
    folder: Path,
    max_tokens: int,
    score: Score,
) -> Classifier:
    """Makes a predictor from a model, bundle.json and the bundle's files."""
    del description, files, folder
    return Classifier(tokenizer, encoder, targets, max_tokens, score)


def _softmax(logits: list[float], temperature: float) -> list[float]:
    """Probabilities in Python floats: for a few classes this takes a fraction of NumPy's time."""
    largest = max(logits)
    powers = [math.exp((logit - largest) / temperature) for logit in logits]
    total = sum(powers)
    return [power / total for power in powers]


def _first(tokenize: Callable[[str], list[_Item]], text: str, limit: int) -> tuple[list[_Item], bool]:
    """The first `limit` tokens of a text, and whether it has more.

    Tokenizes a prefix of the text, which grows until it has enough tokens. If the prefix ends inside a word, a number
    or a chunk that is normalized together, its last tokens are wrong: so its last `_MARGIN` tokens are not used.
    """
    size = _CHARACTERS * (limit + _MARGIN)
    tokens = tokenize(text[:size])
    while len(text) > size and len(tokens) < limit + _MARGIN:
        size *= 4
        tokens = tokenize(text[:size])
    return tokens[:limit], len(tokens) > limit
