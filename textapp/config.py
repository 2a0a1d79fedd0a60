"""What a command was asked to do: one frozen dataclass a command, and its presets."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar

from textapp.errors import InputError
from textapp.settings import Config

LARGEST = 2**31 - 1  # of a whole number: what a tensor's shape and NumPy's seeds can hold
MOST_BIGRAM_ROWS = 250_000  # with more, the products that pairs are hashed by would leave int32
LONGEST = 4096  # tokens: an LSTM learns nothing beyond, and each call of an export would take seconds


@dataclasses.dataclass(frozen=True)
class SentimentConfig(Config):
    """`textapp train sentiment`: what to read, how to tokenize, which model, how to train it."""

    # Data
    text_column: str | None = None  # guessed from the header where not given
    label_column: str | None = None
    valid_fraction: float = 0.1  # taken from the training split where no validation file is given
    # Text
    tokenizer: Literal["word", "char"] = "word"
    lowercase: bool = True
    normalization: Literal["none", "nfc", "nfkc"] = "nfkc"
    vocabulary_size: int = 20_000  # padding and the unknown word included
    min_count: int = 2  # a word seen once teaches little and costs a row
    max_tokens: int = 128  # longer texts lose their end
    extra_words: int = 0  # the most frequent words of --vectors that the vocabulary takes beyond the training split's
    # Model
    cell: Literal["lstm", "gru", "rnn"] = "lstm"
    num_layers: int = 1
    units: int = 64
    embedding_dim: int | None = 64  # none: that of --vectors
    embedding_rank: int | None = None  # the table as a product, V x rank times rank x embedding_dim; none: of one piece
    attention_units: int = 64
    word_dropout: float = 0.1
    embedding_dropout: float = 0.4
    dropout: float = 0.4
    # Training
    epochs: int = 10
    batch_size: int = 64
    learning_rate: float = 1e-3  # the peak, after the warm-up
    warmup: float = 0.1  # share of all steps
    weight_decay: float = 1e-4  # decoupled (AdamW), on kernels and word vectors, not on biases
    clipnorm: float = 1.0  # of the whole gradient
    adversarial: float = (
        0.0  # share of their length by which words are moved against the model, which learns both; 0: not
    )
    freeze_epochs: int = 0  # in which the word vectors of --vectors stand still at first
    embedding_rate: float = 1.0  # share of the learning rate with which they then move; 0 freezes them for good
    patience: int = 3  # epochs without a better validation accuracy before training stops
    seed: int = 0
    mixed_precision: bool = False  # float16 compute on GPUs, bfloat16 on TPUs and CPUs
    static_shapes: bool = False  # one width a bucket and full batches, for XLA and TPUs
    jit_compile: bool = False  # XLA; wants static_shapes
    stream: bool = False  # read the training file anew each epoch instead of holding it in memory

    def check(self) -> None:
        """Raises `InputError` naming the first setting that is out of range."""
        _check_model(self, sizes=("attention_units", "embedding_rank"))
        if self.embedding_rank and self.embedding_dim and self.embedding_rank >= self.embedding_dim:
            raise InputError(
                f"setting embedding_rank: must be below embedding_dim, {self.embedding_dim}, or it saves nothing; "
                f"received {self.embedding_rank}"
            )

    @property
    def embedding_frozen(self) -> bool:
        """Whether the word vectors never move."""
        return self.embedding_rate == 0 or self.freeze_epochs >= self.epochs


# Chosen on validation data: SST-2's dev split, shares of IMDb's and online_shopping_10_cats' training splits; IMDb's
# adversarial training by films that the rest of the share lacks, as reviews of one film tell of each other.
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


def sentiment_preset(name: str | None, vectors: bool = False) -> SentimentConfig:
    """The settings of a preset; without a name, the defaults. For `vectors` from a file the dimension is left to them.

    Raises:
        InputError: The name is unknown; the message lists those that there are.
    """
    return _preset(SentimentConfig, PRESETS, name, vectors)


@dataclasses.dataclass(frozen=True)
class NerConfig(Config):
    """`textapp train ner`: what to read, how words are looked up, which tagger, how to train it."""

    # Data
    format: Literal["columns", "conllu", "jsonl", "slots"] | None = None  # guessed where not given
    token_column: str | None = None  # number from 0, or from the end as -1; in CoNLL-U a name
    tag_column: str | None = None
    scheme: Literal["IOB1", "IOB2", "BIO", "IOBES", "BIOES", "BMES", "BILOU", "none"] | None = None  # guessed
    repair: bool = False  # whether broken tag sequences are mended rather than refused
    valid_fraction: float = 0.1  # taken from the training split where no validation file is given
    # Text
    tokenizer: Literal["word", "char"] = "word"  # cuts texts that do not come as tokens
    retokenize: bool = True  # whether it cuts the tokens of files too, so that training sees what a device will see
    lowercase: bool = True  # words, never their characters
    zero_digits: bool = False  # each digit of a word reads 0; its characters keep it
    normalization: Literal["none", "nfc", "nfkc"] = "nfkc"
    vocabulary_size: int = 30_000  # padding and the unknown word included
    min_count: int = 2  # the words seen once teach what an unknown word is
    max_tokens: int = 128  # longer training sentences are cut between spans
    extra_words: int = 0  # the most frequent words of --vectors that the vocabulary takes beyond the training split's
    # Model
    tag_scheme: Literal["IOBES", "IOB2"] = "IOBES"  # that the model learns
    crf: bool = True  # tags are chosen together; false: each by itself
    context_filters: int = 0  # of a convolution over each token and its neighbours; for characters; 0: none
    context_width: int = 3  # tokens that one of them sees
    characters: bool = True  # whether the model looks into its words
    character_vocabulary_size: int = 1_000
    max_characters: int = 20  # of a word, its first
    character_dim: int = 30
    character_filters: int = 30
    character_width: int = 3
    shapes: bool = False  # whether it sees which kinds of characters a word has: serves models without characters
    shape_dim: int = 8
    bigrams: int = 0  # rows that pairs of neighbours are hashed to; for characters of large corpora; 0: no pairs
    bigram_dim: int = 32
    cell: Literal["lstm", "gru", "rnn"] = "lstm"
    num_layers: int = 1
    units: int = 128
    embedding_dim: int | None = 100  # none: that of --vectors
    word_dropout: float = 0.05
    embedding_dropout: float = 0.5
    character_dropout: float = 0.25
    bigram_dropout: float = 0.2  # of whole pairs
    dropout: float = 0.5
    # Training
    epochs: int = 20
    batch_size: int = 16
    learning_rate: float = 2e-3  # the peak, after the warm-up
    warmup: float = 0.05  # share of all steps
    weight_decay: float = 1e-4  # decoupled (AdamW), on kernels and word vectors, not on biases
    clipnorm: float = 5.0  # of the whole gradient, which is that of a sentence, not of a token
    adversarial: float = (
        0.0  # share of their length by which words are moved against the model, which learns both; 0: not
    )
    freeze_epochs: int = 0  # in which the word vectors of --vectors stand still at first
    embedding_rate: float = 1.0  # share of the learning rate with which they then move; 0 freezes them for good
    patience: int = 5  # epochs without a better validation F1 before training stops
    seed: int = 0
    mixed_precision: bool = False  # float16 compute on GPUs, bfloat16 on TPUs and CPUs
    static_shapes: bool = False  # one width a bucket and full batches, for XLA and TPUs
    jit_compile: bool = False  # XLA; wants static_shapes

    def check(self) -> None:
        """Raises `InputError` naming the first setting that is out of range."""
        characters = "character_vocabulary_size max_characters character_dim character_filters character_width"
        sizes = (*characters.split(), "context_width", "shape_dim", "bigram_dim")
        _check_model(self, sizes, dropouts=("character_dropout", "bigram_dropout"))
        if self.character_vocabulary_size < 3:
            raise InputError(
                "setting character_vocabulary_size: must be 3 or more, as padding and the unknown character take two; "
                f"received {self.character_vocabulary_size}"
            )
        for key in ("character_width", "context_width"):
            if getattr(self, key) % 2 == 0:
                raise InputError(f"setting {key}: must be odd; received {getattr(self, key)}")
        if not 0 <= self.context_filters <= LARGEST:
            raise InputError(
                f"setting context_filters: must be from 1 to {LARGEST}, or 0 for none; received {self.context_filters}"
            )
        if self.bigrams and not 2 <= self.bigrams <= MOST_BIGRAM_ROWS:
            raise InputError(
                f"setting bigrams: must be from 2 to {MOST_BIGRAM_ROWS}, or 0 for none; received {self.bigrams}"
            )
        for key in ("max_characters", "character_width", "context_width"):
            if getattr(self, key) > LONGEST:
                raise InputError(f"setting {key}: must be at most {LONGEST}; received {getattr(self, key)}")

    @property
    def embedding_frozen(self) -> bool:
        """Whether the word vectors never move."""
        return self.embedding_rate == 0 or self.freeze_epochs >= self.epochs


NER_PRESETS: dict[str, dict[str, Any]] = {
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
NER_PRESETS_HELP = {
    "english": "entities or slots in text with spaces, by words and their characters",
    "chinese": "entities in text without spaces, by characters; some thousand sentences",
    "chinese_large": "the same from ten thousand sentences on, by pairs of characters too",
    "tags": "a tag for each word, as parts of speech",
    "tiny": "seconds to train, kilobytes to ship",
}


def ner_preset(name: str | None, vectors: bool = False) -> NerConfig:
    """The settings of a preset, as `sentiment_preset`."""
    return _preset(NerConfig, NER_PRESETS, name, vectors)


ModelConfig = TypeVar("ModelConfig", SentimentConfig, NerConfig)


def _preset(
    kind: type[ModelConfig], presets: Mapping[str, Mapping[str, Any]], name: str | None, vectors: bool
) -> ModelConfig:
    """The settings of one of some presets."""
    if name is not None and name not in presets:
        raise InputError(f"--preset {name}: unknown; presets: {', '.join(presets)}")
    config = kind.from_dict(presets[name] if name else {}, f"preset {name}")
    return dataclasses.replace(config, embedding_dim=None) if vectors else config


def _check_model(config: SentimentConfig | NerConfig, sizes: Iterable[str] = (), dropouts: Iterable[str] = ()) -> None:
    """Checks what the settings of all trained models have in common.

    Args:
        config: The settings.
        sizes: Names of further settings that must be whole numbers from 1.
        dropouts: Names of further settings that must be from 0 to below 1.

    Raises:
        InputError: A setting is out of range; the message names it.
    """
    positive = "vocabulary_size min_count max_tokens num_layers units embedding_dim epochs batch_size"
    for key in (*positive.split(), *sizes):
        value = getattr(config, key)
        if value is not None and not 1 <= value <= LARGEST:
            raise InputError(f"setting {key}: must be from 1 to {LARGEST}; received {value}")
    if config.max_tokens > LONGEST:
        raise InputError(f"setting max_tokens: must be at most {LONGEST}; received {config.max_tokens}")
    if config.vocabulary_size < 3:
        raise InputError(
            f"setting vocabulary_size: must be 3 or more, as padding and the unknown word take two; "
            f"received {config.vocabulary_size}"
        )
    if not 0 < config.valid_fraction < 1:
        raise InputError(f"setting valid_fraction: must be above 0 and below 1; received {config.valid_fraction}")
    for key in ("word_dropout", "embedding_dropout", "dropout", "warmup", *dropouts):
        if not 0 <= getattr(config, key) < 1:
            raise InputError(f"setting {key}: must be at least 0 and below 1; received {getattr(config, key)}")
    for key in ("learning_rate", "clipnorm"):
        if not 0 < getattr(config, key) < float("inf"):
            raise InputError(f"setting {key}: must be above 0 and finite; received {getattr(config, key)}")
    for key in ("patience", "seed", "extra_words", "freeze_epochs"):
        if not 0 <= getattr(config, key) <= LARGEST:
            raise InputError(f"setting {key}: must be from 0 to {LARGEST}; received {getattr(config, key)}")
    for key in ("weight_decay", "adversarial", "embedding_rate"):
        if not 0 <= getattr(config, key) < float("inf"):
            raise InputError(f"setting {key}: must be 0 or more, and finite; received {getattr(config, key)}")
    if not config.embedding_frozen and config.freeze_epochs > config.patience:
        raise InputError(
            f"setting freeze_epochs: with a patience of {config.patience}, training could stop before the word "
            f"vectors move; set patience={config.freeze_epochs} or more"
        )
    if config.jit_compile and not config.static_shapes:
        raise InputError("setting jit_compile: XLA compiles each shape anew; set static_shapes=true as well")
