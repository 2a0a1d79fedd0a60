"""The settings of a classifier and of a student classifier, and their presets."""

import dataclasses
from typing import Annotated, Any, Literal

from textapp.config import Encoder, ModelConfig, Ngrams, Training, Words
from textapp.settings import MOST, Range, Section, not_with
from textapp.task import command_with


@dataclasses.dataclass(frozen=True)
class Loss(Section):
    """How much each training text counts in the loss; see `losses.WeightedCrossentropy`."""

    class_weights: Annotated[
        Literal["none", "balanced", "effective"],
        "Weight of a label: balanced is inverse to its number of texts, effective to their effective number.",
    ] = "none"
    focal_gamma: Annotated[
        float, Range(0, 10), "Focal loss: how much less a text counts that the model is sure and right about; 0: none."
    ] = 0.0
    label_smoothing: Annotated[float, Range(0, 1, open_high=True), "Share of each target spread over all labels."] = 0.0

    @property
    def is_plain(self) -> bool:
        """Whether the loss is a plain cross-entropy."""
        return self == Loss()


@dataclasses.dataclass(frozen=True)
class ClassificationConfig(ModelConfig):
    """The settings of `textapp train classifier`: data, model and training."""

    text_column: Annotated[str | None, "Column of the texts; by default guessed from the header."] = None
    label_column: Annotated[str | None, "Column of the labels, likewise."] = None
    attention_units: Annotated[int, Range(1, MOST), "Width of the attention's hidden layer."] = 64
    loss: Loss = Loss()
    monitor: Annotated[
        Literal["auto", "accuracy", "macro_f1", "loss"],
        "Validation score that chooses the best epoch and stops early; auto: macro_f1 for skewed classes, or accuracy.",
    ] = "auto"
    ngrams: Ngrams = Ngrams()

    def unused(self) -> dict[str, str]:
        """See `Config`: n-grams are of texts in memory."""
        found = super().unused()
        if self.data.stream and self.ngrams.ngram_rows:
            found["ngram_rows"] = not_with("stream", True)
        return found

    @property
    def beside(self) -> Ngrams | None:
        """See `ModelConfig`."""
        return self.ngrams if self.ngrams.ngram_rows else None

    @classmethod
    def owner(cls, key: str) -> str | None:
        """See `Config`: the command of another task, or of students."""
        return command_with(key)


# Chosen on validation data: SST-2's dev split, shares of IMDb's and online_shopping_10_cats' training splits. For
# IMDb's adversarial training the share had only films that the rest lacks, because reviews of one film are similar.
PRESETS: dict[str, dict[str, Any]] = {
    "sentences": {
        "max_tokens": 64,
        "embedding_dim": 128,
        "word_dropout": 0.3,
        "embedding_dropout": 0.7,
        "dropout": 0.7,
        "epochs": 14,
        "patience": 5,
        "adversarial": 0.3,
    },
    "phrases": {
        "max_tokens": 64,
        "embedding_dim": 128,
        "word_dropout": 0.3,
        "embedding_dropout": 0.7,
        "dropout": 0.7,
        "epochs": 8,
        "adversarial": 0.3,
    },
    # 600 tokens hold 93 % of IMDb's reviews whole.
    "reviews": {"max_tokens": 600, "embedding_dropout": 0.5, "dropout": 0.5, "adversarial": 0.02, "epochs": 4},
    "chinese": {
        "tokenizer": "char",
        "vocabulary_size": 6_000,
        "max_tokens": 256,
        "embedding_dim": 128,
        "units": 128,
        "embedding_dropout": 0.5,
        "dropout": 0.5,
        "learning_rate": 2e-3,
        "batch_size": 128,
        "epochs": 5,
    },
    "tiny": {
        "max_tokens": 64,
        "units": 32,
        "embedding_dim": 32,
        "attention_units": 32,
        "word_dropout": 0.0,
        "embedding_dropout": 0.2,
        "dropout": 0.2,
        "learning_rate": 5e-3,
        "epochs": 5,
    },
}
PRESETS_HELP = {
    "sentences": "some thousand single sentences",
    "phrases": "many sentences and phrases",
    "reviews": "paragraphs and long reviews",
    "chinese": "Chinese or mixed text by characters",
    "tiny": "seconds to train, kilobytes to ship",
}


@dataclasses.dataclass(frozen=True)
class Distillation(Section):
    """The distillation of a classifier."""

    distillation_loss: Annotated[Literal["kl", "mse"], "Distance of probabilities at a temperature, or of logits."] = (
        "kl"
    )
    temperature: Annotated[float, Range(0, open_low=True), "kl: higher gives small probabilities more weight."] = 2.0
    alpha: Annotated[float, Range(0, 1), "Weight of the true labels; the rest is for the soft targets."] = 0.1
    augment: Annotated[int, Range(0, 1000), "Most new texts made from each labelled text."] = 0
    mask_rate: Annotated[float, Range(0, 1), "Share of the words of a new text that are masked."] = 0.1
    ngram_rate: Annotated[float, Range(0, 1), "Share of the new texts that are cut to an n-gram."] = 0.25
    split_seed: Annotated[
        int | None, Range(0, MOST), "Seed of the validation split taken from the training file; none: `seed`."
    ] = None

    def unused(self) -> dict[str, str]:
        """The settings of another loss, and of new texts if none are made."""
        found = {}
        if self.distillation_loss == "mse":
            found["temperature"] = not_with("distillation_loss", "mse")
        if not self.augment:
            found |= dict.fromkeys(("mask_rate", "ngram_rate"), not_with("augment", 0))
        return found


@dataclasses.dataclass(frozen=True)
class StudentConfig(ClassificationConfig):
    """The settings of `textapp distill` for a classifier: those of a small classifier, and of the distillation."""

    in_memory = "a student"
    # A student is compared with its teachers, and learns from their probabilities how much a label counts.
    decided = frozenset({"baseline", "class_weights", "focal_gamma", "label_smoothing"})

    words: Words = Words(vocabulary_size=4_000, embedding_dim=32, word_dropout=0.1, embedding_dropout=0.2)
    encoder: Encoder = Encoder(units=32, dropout=0.2)  # below 32 a fused LSTM stays float: 24 take more bytes
    training: Training = Training(learning_rate=5e-3, batch_size=128)
    attention_units: Annotated[int, Range(1, MOST), "Width of the attention's hidden layer."] = 32
    distillation: Distillation = Distillation()
