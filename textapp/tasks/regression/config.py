"""The settings of a regressor and of a student regressor."""

import dataclasses
from typing import Annotated, Any, Literal

from textapp.config import Encoder, Training, Words
from textapp.settings import MOST, Range, Section
from textapp.tasks.classification.config import PRESETS as OF_CLASSES
from textapp.tasks.classification.config import ClassificationConfig, Distillation


@dataclasses.dataclass(frozen=True)
class NumberLoss(Section):
    """What the model learns about numbers; see `losses.StandardizedLoss`."""

    loss: Annotated[
        Literal["mse", "mae", "huber", "quantile"],
        "mse: the mean of the number; mae: its median; huber: between both; quantile: its median and an interval.",
    ] = "mse"
    huber_delta: Annotated[
        float, Range(0, open_low=True), "huber: errors above it, in standard deviations, count as with mae."
    ] = 1.0
    low_quantile: Annotated[
        float, Range(0, 0.5, open_low=True, open_high=True), "quantile: share of numbers below the interval."
    ] = 0.05
    high_quantile: Annotated[
        float, Range(0.5, 1, open_low=True, open_high=True), "quantile: share of numbers below its upper end."
    ] = 0.95

    @property
    def quantiles(self) -> tuple[float, float] | None:
        """The quantiles of the ends of intervals; None without intervals."""
        return (self.low_quantile, self.high_quantile) if self.loss == "quantile" else None

    def unused(self) -> dict[str, str]:
        """The settings of other losses."""
        owners = {"huber_delta": "huber", "low_quantile": "quantile", "high_quantile": "quantile"}
        return {
            name: f"not used by loss={self.loss}, only by {owner}"
            for name, owner in owners.items()
            if owner != self.loss
        }


_NO_NGRAMS = frozenset({"ngram_rows", "ngram_order", "ngram_characters", "ngram_valid"})
_Monitor = Annotated[
    Literal["auto", "pearson", "spearman", "loss"],
    "Validation score that chooses the best epoch and stops early; auto: loss.",
]


@dataclasses.dataclass(frozen=True)
class RegressionConfig(ClassificationConfig):
    """The settings of `textapp train regressor`: those of a classifier, with another loss and without n-grams."""

    in_memory = "a regressor"
    decided = _NO_NGRAMS

    label_column: Annotated[str | None, "Column of the numbers, likewise; of several numbers the columns, as a,b."] = (
        None
    )
    loss: NumberLoss = NumberLoss()  # type: ignore[assignment]
    monitor: _Monitor = "auto"  # type: ignore[assignment]


@dataclasses.dataclass(frozen=True)
class RegressionStudentConfig(RegressionConfig):
    """The settings of `textapp distill` for a regressor: those of a small regressor, and of the distillation."""

    in_memory = "a student"
    # Numbers have one distance, and a student is compared with its teachers.
    decided = _NO_NGRAMS | {"baseline", "distillation_loss", "temperature"}

    words: Words = Words(vocabulary_size=4_000, embedding_dim=32, word_dropout=0.1, embedding_dropout=0.2)
    encoder: Encoder = Encoder(units=32, dropout=0.2)
    training: Training = Training(learning_rate=5e-3, batch_size=128)
    attention_units: Annotated[int, Range(1, MOST), "Width of the attention's hidden layer."] = 32
    distillation: Distillation = dataclasses.field(default_factory=Distillation)


PRESETS: dict[str, dict[str, Any]] = OF_CLASSES
"""The settings of classifiers: they are about the texts."""
