"""The settings of a tagger and of a student tagger, and their presets."""

import dataclasses
from typing import Annotated, Any, ClassVar, Literal

from textapp.config import Encoder, ModelConfig, Training, Words
from textapp.errors import InputError
from textapp.settings import MOST, Range, Section
from textapp.task import command_with


@dataclasses.dataclass(frozen=True)
class TaggingConfig(ModelConfig):
    """The settings of `textapp train tagger`: data, model and training."""

    in_memory = "a tagger"
    tags_tokens = True
    earlier: ClassVar[dict[str, Any]] = {"split_apostrophes": False}

    words: Words = Words(
        vocabulary_size=30_000,
        embedding_dim=100,
        characters=True,
        word_dropout=0.05,
        embedding_dropout=0.5,
    )
    encoder: Encoder = Encoder(units=128, dropout=0.5)
    training: Training = Training(
        epochs=20,
        batch_size=16,
        learning_rate=2e-3,
        warmup=0.05,
        clipnorm=5.0,  # the loss is a sum over a sentence, so gradients are larger
        patience=5,
    )
    format: Annotated[
        Literal["columns", "conllu", "jsonl", "parquet", "slots", "table"] | None,
        "Format of the files; by default guessed.",
    ] = None
    token_column: Annotated[
        str | None, "Column of the tokens: a number from 0, or from the end such as -1; in CoNLL-U and tables a name."
    ] = None
    tag_column: Annotated[str | None, "Column of the tags, likewise."] = None
    scheme: Annotated[
        Literal["IOB1", "IOB2", "BIO", "IOBES", "BIOES", "BMES", "BILOU", "IO", "none"] | None,
        "Scheme of the files' tags: IO for types alone (PER, O), none for plain tags such as parts of speech; by "
        "default guessed.",
    ] = None
    overlapping: Annotated[
        Literal["longest", "innermost"] | None, "Which of overlapping spans to keep; none: refuse them."
    ] = None
    repair: Annotated[bool, "Repair broken tag sequences instead of refusing them."] = False
    retokenize: Annotated[
        bool, "Cut the tokens of files like texts, so that training reads the same tokens as a device."
    ] = True
    split_apostrophes: Annotated[
        bool, "Cut words at apostrophes, so that a span can end before one (Oslo's) or begin after it (l'Isère)."
    ] = True
    tag_scheme: Annotated[Literal["IOBES", "IOB2"], "Scheme that the model learns."] = "IOBES"
    crf: Annotated[bool, "Choose the tags of a sentence together; false: each separately."] = True

    def check(self) -> None:
        """Raises `InputError` that names the first setting that is out of range."""
        if self.data.tokenizer == "bert":
            raise InputError(
                "setting tokenizer: must be word or char for a tagger, as bert drops capitals; received bert"
            )
        super().check()

    @classmethod
    def owner(cls, key: str) -> str | None:
        """See `Config`: the command of another task, or of students."""
        return command_with(key)


PRESETS: dict[str, dict[str, Any]] = {
    "english": {"zero_digits": True, "word_dropout": 0.4, "character_filters": 60, "weight_decay": 0.01},
    "chinese": {
        "tokenizer": "char",
        "lowercase": False,
        "characters": False,
        "vocabulary_size": 6_000,
        "context_filters": 100,
        "word_dropout": 0.2,
        "weight_decay": 0.01,
        "adversarial": 0.3,
    },
    "chinese_large": {
        "tokenizer": "char",
        "lowercase": False,
        "characters": False,
        "vocabulary_size": 6_000,
        "bigrams": 50_000,
        "bigram_dropout": 0.4,
        "weight_decay": 0.01,
        "learning_rate": 3e-3,
        "batch_size": 64,
        "epochs": 10,
    },
    "tags": {"scheme": "none", "epochs": 10, "patience": 3},
    "tiny": {
        "units": 32,
        "embedding_dim": 32,
        "character_dim": 16,
        "character_filters": 16,
        "word_dropout": 0.0,
        "embedding_dropout": 0.2,
        "dropout": 0.2,
        "learning_rate": 1e-2,
        "epochs": 8,
    },
}
PRESETS_HELP = {
    "english": "entities or slots in text with spaces, by words and their characters",
    "chinese": "entities in text without spaces, by characters; some thousand sentences",
    "chinese_large": "the same for ten thousand sentences or more, by pairs of characters too",
    "tags": "a tag for each word, such as parts of speech",
    "tiny": "seconds to train, kilobytes to ship",
}


@dataclasses.dataclass(frozen=True)
class Distillation(Section):
    """The distillation of a tagger."""

    alpha: Annotated[float, Range(0, 1), "Weight of the true tags; the rest is for the teachers' marginals."] = 0.1
    split_seed: Annotated[
        int | None, Range(0, MOST), "Seed of the validation split taken from the training file; none: `seed`."
    ] = None


@dataclasses.dataclass(frozen=True)
class StudentConfig(TaggingConfig):
    """The settings of `textapp distill` for a tagger: those of a small tagger, and of the distillation."""

    decided = frozenset({"baseline"})  # a student is compared with its teachers

    words: Words = Words(
        vocabulary_size=4_000,
        embedding_dim=16,
        characters=True,
        character_dim=16,
        character_filters=24,
        word_dropout=0.1,
        embedding_dropout=0.1,
        character_dropout=0.0,
    )
    encoder: Encoder = Encoder(units=40, dropout=0.1)
    training: Training = dataclasses.replace(TaggingConfig().training, learning_rate=5e-3)
    distillation: Distillation = Distillation()
