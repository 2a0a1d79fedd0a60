"""Multi-label classification on the device: from text to any number of labels."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textapp.errors import InputError
from textapp.runtime.bundle_format import Fields, parse_names
from textapp.runtime.classification import (
    LABELS,
    TextPredictor,
    TokenWeight,
    common_columns,
    common_types,
    file_names,
    logits_shape,
)
from textapp.runtime.predictor import ColumnType, Outputs, Score
from textapp.text.labels import IndependentLabels, Labels, are_thresholds
from textapp.text.token_encoder import TokenEncoder
from textapp.text.tokenizer import Tokenizer

__all__ = ["FIELDS", "MultilabelClassifier", "file_names", "logits_shape", "predictor", "read_targets", "result"]


FIELDS: Fields = {"thresholds": (are_thresholds, "a list of numbers from 0 to 1, one a label")}
"""The rules of the fields that only this task has in bundle.json."""


@dataclass(frozen=True, slots=True)
class MultilabelPrediction:
    """The prediction of a model for one text.

    Attributes:
        labels: the labels of the text, in the order of labels.txt; none, one or more. A text without tokens has none.
        probs: label -> probability, independent of the other labels, in the order of labels.txt.
        tokens: the tokens that the model read; empty for a text without tokens.
        truncated: whether the text had more tokens than the model's largest length, and was cut there.
    """

    labels: tuple[str, ...]
    probs: dict[str, float]
    tokens: tuple[TokenWeight, ...]
    truncated: bool

    def to_dict(self) -> dict[str, Any]:
        """The prediction as JSON values."""
        return {
            "labels": list(self.labels),
            "probs": self.probs,
            "tokens": [token.to_dict() for token in self.tokens],
            "truncated": self.truncated,
        }

    def _repr_html_(self) -> str:
        """The prediction in a notebook: the labels, and the text with its attention or its contributions."""
        from textapp.runtime.notebook import labels_html  # only notebooks need it

        return labels_html(self.labels, self.probs, self.tokens, self.truncated)


class MultilabelClassifier(TextPredictor[MultilabelPrediction]):
    """Predicts the labels of texts, any number of them.

    Example:
        classifier = load("export/bundles/topics")
        for prediction in classifier.predict(["Cheap, but it tastes of nothing"]):
            print(prediction.labels, prediction.probs)
    """

    task = "multilabel"
    predict_options = ("explain", "tokens")
    targets: IndependentLabels

    @property
    def result(self) -> str:
        """What a text is turned into."""
        return result(self.targets)

    def outputs(self, tokens: Sequence[str]) -> Outputs:
        """The model's outputs. Without tokens all probabilities are 0: the model knows only how frequent labels are."""
        outputs = super().outputs(tokens)
        if tokens:
            return outputs
        return outputs._replace(logits=np.full_like(outputs.logits, -np.inf))

    def columns(self, texts: Iterable[str], **options: Any) -> dict[str, list[Any]]:
        """See `Predictor`: the labels of each text, and the probability of each label."""
        predictions = self.predict(texts, **options, tokens=False)
        return {"predicted_labels": [list(one.labels) for one in predictions], **common_columns(predictions)}

    def column_types(self, **options: Any) -> dict[str, ColumnType]:
        """See `Predictor`."""
        del options
        return {"predicted_labels": ["string"], **common_types(self.labels)}

    def probs(self, logits: NDArray[np.float32]) -> list[float]:
        """The probability of each label, independent of the others."""
        return [0.5 * (1 + math.tanh(0.5 * logit)) for logit in logits.tolist()]

    def decision(self, probs: Sequence[float]) -> tuple[str, ...]:
        """The labels whose probabilities reach their thresholds."""
        return self.targets.chosen(probs)

    def doubt(self, probs: Sequence[float]) -> float:
        """1 minus the distance of the least sure probability from its threshold, divided by the largest distance."""
        rows = zip(probs, self.targets.thresholds, strict=True)
        return 1 - min(abs(prob - least) / ((1 - least if prob >= least else least) or 1.0) for prob, least in rows)

    def explained(self, probs: Sequence[float]) -> Sequence[int]:
        """The labels of the text; if it has none, the most probable one."""
        chosen = [self.labels.index(label) for label in self.decision(probs)]
        return chosen or [list(probs).index(max(probs))]

    def prediction(self, probs: list[float], tokens: tuple[TokenWeight, ...], truncated: bool) -> MultilabelPrediction:
        """The prediction of a text with these probabilities."""
        return MultilabelPrediction(self.decision(probs), dict(zip(self.labels, probs, strict=True)), tokens, truncated)


def result(targets: Labels) -> str:
    """The word for what is predicted for a text."""
    del targets
    return "labels"


def read_targets(description: Mapping[str, Any], files: Mapping[str, bytes], folder: Path) -> IndependentLabels:
    """Reads the labels and their thresholds. Raises `InputError` if their numbers differ."""
    names = parse_names(files[LABELS], folder / LABELS, "label")
    thresholds = description["thresholds"]
    if len(thresholds) != len(names):
        raise InputError(
            f'{folder / "bundle.json"}: "thresholds" must be {len(names)} numbers, one a label. '
            f"Received: {len(thresholds)}"
        )
    return IndependentLabels(names, tuple(map(float, thresholds)))


def predictor(
    tokenizer: Tokenizer,
    encoder: TokenEncoder,
    targets: IndependentLabels,
    description: Mapping[str, Any],
    files: Mapping[str, bytes],
    folder: Path,
    max_tokens: int,
    score: Score,
) -> MultilabelClassifier:
    """Makes a predictor from a model, bundle.json and the bundle's files."""
    del description, files, folder
    return MultilabelClassifier(tokenizer, encoder, targets, max_tokens, score)
