"""Regression on the device: from text to one number or several."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textapp.errors import InputError
from textapp.runtime.bundle_format import Fields, parse_names
from textapp.runtime.classification import LABELS, TextPredictor, TokenWeight, file_names, logits_shape
from textapp.runtime.predictor import ColumnType, Score
from textapp.text.estimates import SCALING, Estimate, Numbers, numbers_of
from textapp.text.token_encoder import TokenEncoder
from textapp.text.tokenizer import Token, Tokenizer

__all__ = ["FIELDS", "Regressor", "file_names", "logits_shape", "predictor", "read_targets", "result"]

FIELDS: Fields = SCALING
"""The rules of the fields that only this task has in bundle.json."""


@dataclass(frozen=True, slots=True)
class NumberPrediction:
    """The prediction of a model for one text.

    Attributes:
        values: name -> number, in the units of the training texts.
        intervals: name -> the lower and the upper end of the interval of the number; empty for a model without
            quantiles.
        tokens: the tokens that the model read; empty for a text without tokens. Contributions are those to each number:
            the number minus the number without the token.
        truncated: whether the text had more tokens than the model's largest length, and was cut there.
    """

    values: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    tokens: tuple[TokenWeight, ...]
    truncated: bool

    @property
    def value(self) -> float:
        """The first number, which is the only one for most models."""
        return next(iter(self.values.values()))

    @property
    def interval(self) -> tuple[float, float] | None:
        """The interval of the first number; None for a model without quantiles."""
        return next(iter(self.intervals.values()), None)

    def to_dict(self) -> dict[str, Any]:
        """The prediction as JSON values; without intervals it has no `intervals`."""
        intervals = {name: list(ends) for name, ends in self.intervals.items()}
        return {
            "values": self.values,
            **({"intervals": intervals} if intervals else {}),
            "tokens": [token.to_dict() for token in self.tokens],
            "truncated": self.truncated,
        }

    def _repr_html_(self) -> str:
        """The prediction in a notebook: the numbers, and the text with its attention or its contributions."""
        from textapp.runtime.notebook import numbers_html  # only notebooks need it

        return numbers_html(self.values, self.intervals, self.tokens, self.truncated)


class Regressor(TextPredictor[NumberPrediction]):
    """Estimates numbers of texts.

    Example:
        regressor = load("export/bundles/stars")
        for prediction in regressor.predict(["Cheap, but it tastes of nothing"]):
            print(prediction.value, prediction.interval)
    """

    task = "regression"
    predict_options = ("explain", "tokens")
    targets: Numbers  # type: ignore[assignment]

    def columns(self, texts: Iterable[str], **options: Any) -> dict[str, list[Any]]:
        """See `Predictor`: each number, and the two ends of its interval if there are quantiles."""
        predictions = self.predict(texts, **options, tokens=False)
        found: dict[str, list[Any]] = {}
        for name in self.targets.columns:
            found[f"predicted_{name}"] = [one.values[name] for one in predictions]
            if self.targets.quantiles is not None:
                for number, end in enumerate(("low", "high")):
                    found[f"predicted_{name}_{end}"] = [one.intervals[name][number] for one in predictions]
        return {**found, "predicted_truncated": [one.truncated for one in predictions]}

    def column_types(self, **options: Any) -> dict[str, ColumnType]:
        """See `Predictor`."""
        del options
        ends = ("",) if self.targets.quantiles is None else ("", "_low", "_high")
        numbers = {f"predicted_{name}{end}": "double" for name in self.targets.columns for end in ends}
        return {**numbers, "predicted_truncated": "boolean"}

    def recorded(self, text: str) -> tuple[Sequence[Token], NDArray[np.float32], dict[str, Any]]:
        """See `Predictor`: with all numbers that the logits mean."""
        tokens, logits, _ = super().recorded(text)
        return tokens, logits, {"numbers": self.probs(logits)}

    def uncertainty(self, text: str) -> float | None:
        """See `Predictor`. Raises `InputError` for a model without intervals."""
        if self.targets.quantiles is None:
            raise InputError("a regressor is more or less sure only with intervals; train it with loss=quantile")
        return super().uncertainty(text)

    def probs(self, logits: NDArray[np.float32]) -> list[float]:
        """The number of each output, in the units of the training texts."""
        return self.targets.decode(logits.tolist())

    def decision(self, probs: Sequence[float]) -> Estimate:
        """The estimate of these numbers."""
        return self.targets.estimate(probs)

    def doubt(self, probs: Sequence[float]) -> float:
        """From the width w of the widest interval, in standard deviations of the training texts: `w / (1 + w)`."""
        estimate = self.decision(probs)
        widths = zip(estimate.lows, estimate.highs, self.targets.scales, strict=False)
        width = max(((high - low) / scale for low, high, scale in widths), default=0.0)
        return width / (1 + width)

    def explained(self, probs: Sequence[float]) -> Sequence[int]:
        """The numbers themselves, without their intervals."""
        del probs
        return range(len(self.targets.columns))

    def prediction(self, probs: list[float], tokens: tuple[TokenWeight, ...], truncated: bool) -> NumberPrediction:
        """The prediction of a text with these numbers."""
        estimate, names = self.decision(probs), self.targets.columns
        ends = zip(names, zip(estimate.lows, estimate.highs, strict=True), strict=False)
        return NumberPrediction(dict(zip(names, estimate.values, strict=True)), dict(ends), tokens, truncated)


def result(targets: Any) -> str:
    """The word for what is predicted for a text."""
    return "number" if len(targets.columns) == 1 else "numbers"


def read_targets(description: Mapping[str, Any], files: Mapping[str, bytes], folder: Path) -> Numbers:
    """Reads the names of the outputs and their scaling. Raises `InputError` if they do not fit."""
    names = parse_names(files[LABELS], folder / LABELS, "output", least=1)
    found = numbers_of(names, description)
    if found is None:
        raise InputError(
            f'{folder / "bundle.json"}: "quantiles", "offsets" and "scales" do not fit the {len(names)} outputs in '
            f"{LABELS}: with quantiles, three outputs a number; one offset and one scale an output"
        )
    return found


def predictor(
    tokenizer: Tokenizer,
    encoder: TokenEncoder,
    targets: Numbers,
    description: Mapping[str, Any],
    files: Mapping[str, bytes],
    folder: Path,
    max_tokens: int,
    score: Score,
) -> Regressor:
    """Makes a predictor from a model, bundle.json and the bundle's files."""
    del description, files, folder
    return Regressor(tokenizer, encoder, targets, max_tokens, score)
