"""What `textapp distill` and `textapp quantize` were asked to do."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from textapp.config import LARGEST, NER_PRESETS, PRESETS, NerConfig, SentimentConfig
from textapp.errors import InputError
from textapp.settings import Config

MATCHING = ("attention_weight", "hidden_weight")
"""The settings of a student that learns from the insides of its teachers too, see `textapp.compress.matching`."""


@dataclasses.dataclass(frozen=True)
class DistillConfig(SentimentConfig):
    """`textapp distill`: the student's own settings, of `SentimentConfig`, and how its teachers teach it."""

    # A small student, by default
    vocabulary_size: int = 4_000
    embedding_dim: int | None = 32
    units: int = 32  # below 32 a fused LSTM stays float: 24 take more bytes
    attention_units: int = 32
    word_dropout: float = 0.1
    embedding_dropout: float = 0.2
    dropout: float = 0.2
    learning_rate: float = 5e-3
    batch_size: int = 128
    # Distillation
    distillation_loss: Literal["kl", "mse"] = "kl"  # of probabilities at a temperature, or of logits
    temperature: float = 2.0  # of kl: how much the small probabilities count
    alpha: float = 0.1  # weight of the true labels, low as Hinton et al. found best; the soft ones have the rest
    augment: int = 0  # new texts made from each labelled one, at most
    mask_rate: float = 0.1  # share of the words of a new text that are masked
    ngram_rate: float = 0.25  # share of the new texts of which only an n-gram is kept
    split_seed: int | None = None  # of the validation share of the training split; none: `seed`
    attention_weight: float = 0.0  # of a loss that draws attention to where the teachers' is; 0 leaves it out
    hidden_weight: float = 0.0  # of a loss that draws contexts to where they tell the teachers'; 0 leaves it out

    def check(self) -> None:
        """Raises `InputError` naming the first setting that is out of range."""
        super().check()
        if self.stream:
            raise InputError("setting stream: a student is trained from memory; leave it false")
        if not 0 < self.temperature < float("inf"):
            raise InputError(f"setting temperature: must be above 0; received {self.temperature}")
        _check_shares(self, "alpha", "mask_rate", "ngram_rate")
        if not 0 <= self.augment <= 1000:
            raise InputError(f"setting augment: must be from 0 to 1000; received {self.augment}")
        _check_split_seed(self.split_seed)
        for key in MATCHING:
            if not 0 <= getattr(self, key) < float("inf"):
                raise InputError(f"setting {key}: must be 0 or more; received {getattr(self, key)}")
        if self.adversarial and self.matching:
            raise InputError(f"setting adversarial: not together with {self.matching[0]}; set one of them to 0")

    def to_dict(self) -> dict[str, Any]:
        """JSON values that `from_dict` reads back; weights of 0 are left out, as runs of before know none."""
        return {key: value for key, value in super().to_dict().items() if value or key not in MATCHING}

    @property
    def matching(self) -> list[str]:
        """The settings of `MATCHING` that are not 0."""
        return [key for key in MATCHING if getattr(self, key)]

    @property
    def student(self) -> SentimentConfig:
        """The settings of the student alone, as a run's `config.json` holds them."""
        return _inherited(self, SentimentConfig)

    @property
    def distillation(self) -> dict[str, Any]:
        """The other ones."""
        return {key: value for key, value in self.to_dict().items() if key not in self.student.to_dict()}


def distill_preset(name: str | None) -> DistillConfig:
    """The settings of a student of one of `PRESETS`; without a name, the defaults. Raises as `sentiment_preset`."""
    return _preset(DistillConfig, PRESETS, name)


@dataclasses.dataclass(frozen=True)
class QuantizeConfig(Config):
    """`textapp quantize`: how many bits, for which file, how a finished run trains on; all else is the run's own."""

    # Rounding
    bits: int = 8  # of matrices; files store them in int8, fewer are for research
    embedding_bits: int = 8  # of embedding rows; 4 and less are packed
    activation_bits: int = 0  # 8 for a file that computes in int8; 0 for float activations
    lowering: Literal["fused", "unrolled"] = "fused"  # how the run will be exported: scales differ
    # Training
    epochs: int = 5  # 0 rounds the run without training
    learning_rate: float = 1e-4  # the peak: a tenth of what most runs were trained with, as they have learned all
    warmup: float = 0.1  # share of all steps
    delay: float = 0.0  # share of all steps before the rounding begins
    freeze: float = 1.0  # share of all steps after which ranges stand still; 1 for never
    patience: int = 5  # epochs without a better validation score before training stops

    def check(self) -> None:
        """Raises `InputError` naming the first setting that is out of range."""
        for key in ("bits", "embedding_bits"):
            if not 2 <= getattr(self, key) <= 8:
                raise InputError(f"setting {key}: must be from 2 to 8; received {getattr(self, key)}")
        if self.activation_bits not in (0, 8):
            raise InputError(f"setting activation_bits: must be 0 (float) or 8; received {self.activation_bits}")
        if self.activation_bits and self.embedding_bits != 8:
            raise InputError(
                "setting activation_bits: a file that computes in int8 has tables of int8; set embedding_bits=8. "
                f"Received: embedding_bits={self.embedding_bits}"
            )
        for key in ("epochs", "patience"):
            if not 0 <= getattr(self, key) <= LARGEST:
                raise InputError(f"setting {key}: must be from 0 to {LARGEST}; received {getattr(self, key)}")
        if not 0 < self.learning_rate < float("inf"):
            raise InputError(f"setting learning_rate: must be above 0; received {self.learning_rate}")
        if not 0 <= self.warmup < 1:
            raise InputError(f"setting warmup: must be at least 0 and below 1; received {self.warmup}")
        if not 0 <= self.delay < self.freeze <= 1:
            raise InputError(
                f"settings delay and freeze: must be from 0 to 1, delay below freeze; received {self.delay} and "
                f"{self.freeze}"
            )


@dataclasses.dataclass(frozen=True)
class DistillTaggerConfig(NerConfig):
    """`textapp distill` of taggers: the student's own settings, of `NerConfig`, and how its teachers teach it."""

    # A small student, by default
    vocabulary_size: int = 4_000
    embedding_dim: int | None = 16
    character_dim: int = 16
    character_filters: int = 24
    units: int = 40
    word_dropout: float = 0.1
    embedding_dropout: float = 0.1
    character_dropout: float = 0.0
    dropout: float = 0.1
    learning_rate: float = 5e-3
    # Distillation
    alpha: float = 0.1  # weight of the true tags; the teachers' marginals have the rest
    split_seed: int | None = None  # of the validation share of the training split; none: `seed`

    def check(self) -> None:
        """Raises `InputError` naming the first setting that is out of range."""
        super().check()
        _check_shares(self, "alpha")
        _check_split_seed(self.split_seed)

    @property
    def student(self) -> NerConfig:
        """The settings of the student alone, as a run's `config.json` holds them."""
        return _inherited(self, NerConfig)

    @property
    def distillation(self) -> dict[str, Any]:
        """The other ones."""
        return {key: value for key, value in self.to_dict().items() if key not in self.student.to_dict()}


def distill_tagger_preset(name: str | None) -> DistillTaggerConfig:
    """The settings of a student of one of `NER_PRESETS`; without a name, the defaults. Raises as `ner_preset`."""
    return _preset(DistillTaggerConfig, NER_PRESETS, name)


Student = TypeVar("Student", DistillConfig, DistillTaggerConfig)
Alone = TypeVar("Alone", SentimentConfig, NerConfig)


def _preset(kind: type[Student], presets: Mapping[str, Mapping[str, Any]], name: str | None) -> Student:
    """The settings of one of some presets."""
    if name is not None and name not in presets:
        raise InputError(f"--preset {name}: unknown; presets: {', '.join(presets)}")
    return kind.from_dict(presets[name] if name else {}, f"preset {name}")


def _inherited(config: Config, kind: type[Alone]) -> Alone:
    """The part of some settings that `kind`, from which theirs are derived, has too."""
    return kind(**{field.name: getattr(config, field.name) for field in dataclasses.fields(kind)})


def _check_shares(config: Config, *keys: str) -> None:
    """Raises `InputError` where a setting is not from 0 to 1."""
    for key in keys:
        if not 0 <= getattr(config, key) <= 1:
            raise InputError(f"setting {key}: must be from 0 to 1; received {getattr(config, key)}")


def _check_split_seed(seed: int | None) -> None:
    """Raises `InputError` where it is none."""
    if seed is not None and not 0 <= seed <= LARGEST:
        raise InputError(f"setting split_seed: must be from 0 to {LARGEST}; received {seed}")
