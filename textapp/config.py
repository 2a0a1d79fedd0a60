"""The sections of settings that the models of all tasks share: data, words, encoder, training.

Each task has a config of these sections and more fields, in `textapp.tasks.<task>.config`. The defaults here suit text
classification; other tasks override some of them.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from textapp.errors import InputError
from textapp.settings import MOST, Config, Range, Section, as_text, not_with

LONGEST = 4096  # tokens: an LSTM learns nothing from longer texts, and each call of a bundle would take seconds
MOST_NGRAM_ROWS = 2**20
MOST_BIGRAM_ROWS = 250_000  # with more, the products in the hash of a pair would overflow int32
SPECIAL_ROWS = 3  # rows of the smallest table: padding, the unknown entry, and one word

_WITH_LAYERS = ("recurrent", "convolution", "transformer", "light_recurrence")
ENCODERS_OF = {
    "num_layers": _WITH_LAYERS,
    "units": _WITH_LAYERS,
    "cell": ("recurrent",),
    "bidirectional": ("recurrent", "light_recurrence"),
    "kernel_width": ("convolution",),
    "gated": ("convolution",),
    "heads": ("transformer",),
    "expansion": ("transformer",),
}
"""The encoders that use a setting, for settings that not all encoders use."""

PARTS = {
    "context_filters": ("context_width",),
    "characters": (
        *("character_vocabulary_size", "max_characters", "character_dim", "character_filters", "character_width"),
        "character_dropout",
    ),
    "shapes": ("shape_dim",),
    "bigrams": ("bigram_dim", "bigram_dropout"),
}
"""The settings that are only used if another one is not 0 or false."""

Size = Annotated[int, Range(1, MOST)]
Share = Range(0, 1, open_high=True)


@dataclasses.dataclass(frozen=True)
class Data(Section):
    """How the texts of a file are read and cut."""

    valid_fraction: Annotated[
        float,
        Range(0, 1, open_low=True, open_high=True),
        "Share of the training split that is held out if no validation file is given.",
    ] = 0.1
    tokenizer: Annotated[
        Literal["word", "char", "bert"],
        "What a token is: a word, a character, or a word by the rules of MediaPipe Tasks, for an app that uses those.",
    ] = "word"
    normalization: Annotated[Literal["none", "nfc", "nfkc"], "Unicode normal form of the texts."] = "nfkc"
    max_tokens: Annotated[int, Range(1, LONGEST), "Longest text in tokens; longer texts are cut."] = 128
    stream: Annotated[bool, "Read the training file again each epoch instead of holding it in memory."] = False

    def unused(self) -> dict[str, str]:
        """The normal form, which MediaPipe does not have."""
        return {"normalization": not_with("tokenizer", "bert")} if self.tokenizer == "bert" else {}


@dataclasses.dataclass(frozen=True)
class Words(Section):
    """What a model reads of each token."""

    lowercase: Annotated[bool, "Look words up in lower case; characters and shapes keep capitals."] = True
    zero_digits: Annotated[bool, "Look words up with 0 in place of each digit; characters keep it."] = False
    vocabulary_size: Annotated[int, Range(SPECIAL_ROWS, MOST), "Most words, padding and the unknown word included."] = (
        20_000
    )
    min_count: Annotated[int, Range(1, MOST), "Rarer words are unknown: a word seen once teaches little."] = 2
    extra_words: Annotated[
        int, Range(0, MOST), "Number of words of --vectors to add to the vocabulary, the most frequent ones."
    ] = 0
    embedding_dim: Annotated[int | None, Range(1, MOST), "Width of a word vector; none: the width of --vectors."] = 64
    embedding_rank: Annotated[
        int | None, Range(1, MOST), "The table as a product, V x rank times rank x embedding_dim; none: one table."
    ] = None
    context_filters: Annotated[
        int,
        Range(1, MOST, also=(0, "none")),
        "Filters of a convolution over each token and its neighbours; for text as characters.",
    ] = 0
    context_width: Annotated[int, Range(1, LONGEST), "Width of these filters in tokens, an odd number."] = 3
    characters: Annotated[bool, "Whether the model reads the characters of each word."] = False
    character_vocabulary_size: Annotated[
        int, Range(SPECIAL_ROWS, MOST), "Most characters, padding and the unknown character included."
    ] = 1_000
    max_characters: Annotated[int, Range(1, LONGEST), "Number of first characters of a word that are read."] = 20
    character_dim: Annotated[int, Range(1, MOST), "Width of a character's vector."] = 30
    character_filters: Annotated[int, Range(1, MOST), "Filters of the convolution over characters."] = 30
    character_width: Annotated[int, Range(1, LONGEST), "Width of these filters in characters, an odd number."] = 3
    shapes: Annotated[bool, "Whether the model reads which kinds of characters a word has."] = False
    shape_dim: Annotated[int, Range(1, MOST), "Width of a shape's vector."] = 8
    bigrams: Annotated[
        int,
        Range(2, MOST_BIGRAM_ROWS, also=(0, "none")),
        "Rows that pairs of neighbours are hashed to; for characters of large corpora.",
    ] = 0
    bigram_dim: Annotated[int, Range(1, MOST), "Width of a pair's vector."] = 32
    word_dropout: Annotated[float, Share, "Rate at which whole words are left out."] = 0.1
    embedding_dropout: Annotated[float, Share, "Dropout on the whole vector of a token."] = 0.4
    character_dropout: Annotated[float, Share, "Dropout on characters' vectors."] = 0.25
    bigram_dropout: Annotated[float, Share, "Rate at which whole pairs are left out."] = 0.2

    def check(self) -> None:
        """Raises `InputError` that names the first setting that contradicts another one."""
        for key in ("character_width", "context_width"):
            if getattr(self, key) % 2 == 0:
                raise InputError(f"setting {key}: must be odd; received {getattr(self, key)}")
        if self.embedding_rank and self.embedding_dim and self.embedding_rank >= self.embedding_dim:
            raise InputError(
                f"setting embedding_rank: must be below embedding_dim, {self.embedding_dim}, or it saves nothing; "
                f"received {self.embedding_rank}"
            )

    def unused(self) -> dict[str, str]:
        """The settings of parts that the model does not have."""
        absent = {part: value for part in PARTS if not (value := getattr(self, part))}
        return {name: not_with(part, value) for part, value in absent.items() for name in PARTS[part]}

    @property
    def read_characters(self) -> bool:
        """Whether the model reads characters or shapes too, so that tokens must keep their capitals."""
        return self.characters or self.shapes


@dataclasses.dataclass(frozen=True)
class Encoder(Section):
    """The layers that give each token its context."""

    encoder: Annotated[
        Literal["recurrent", "convolution", "transformer", "light_recurrence", "none"],
        "Kind of encoder; none: no context.",
    ] = "recurrent"
    num_layers: Annotated[int, Range(1, MOST), "Layers of the encoder."] = 1
    units: Annotated[int, Range(1, MOST), "Width of the encoder; of a recurrent encoder, in each direction."] = 64
    dropout: Annotated[float, Share, "Dropout between encoder layers and before the output layer."] = 0.4
    cell: Annotated[Literal["lstm", "gru", "rnn"], "recurrent: the cell."] = "lstm"
    bidirectional: Annotated[bool, "recurrent, light_recurrence: read from both ends; false: from the first token."] = (
        True
    )
    kernel_width: Annotated[int, Range(1, LONGEST), "convolution: width of a filter in tokens, an odd number."] = 3
    gated: Annotated[bool, "convolution: whether one half of the filters gates the other half."] = False
    heads: Annotated[int, Range(1, MOST), "transformer: heads of its attention."] = 4
    expansion: Annotated[int, Range(1, 64), "transformer: width of its inner layers, in units."] = 2

    def check(self) -> None:
        """Raises `InputError` that names the first setting that contradicts another one."""
        if self.kernel_width % 2 == 0:
            raise InputError(f"setting kernel_width: must be odd; received {self.kernel_width}")
        if self.encoder == "transformer" and self.units % (2 * self.heads):
            raise InputError(
                f"setting units: must be a multiple of twice the heads, {2 * self.heads}; received {self.units}"
            )

    def unused(self) -> dict[str, str]:
        """The settings of other encoders."""
        found = {}
        for name, owners in ENCODERS_OF.items():
            if self.encoder not in owners:
                shown = " and ".join(filter(None, (", ".join(owners[:-1]), owners[-1])))
                found[name] = f"not used by encoder={self.encoder}, only by {shown}"
        return found


@dataclasses.dataclass(frozen=True)
class Ngrams(Section):
    """A linear model over n-grams beside the encoder."""

    ngram_rows: Annotated[
        int,
        Range(256, MOST_NGRAM_ROWS, also=(0, "none")),
        "Rows that n-grams are hashed to, a power of two, for a linear model beside the encoder.",
    ] = 0
    ngram_order: Annotated[
        int | None, Range(1, 8), "Most words of an n-gram; none: 2, and 3 where words are characters."
    ] = None
    ngram_characters: Annotated[
        int, Range(2, 8, also=(0, "none")), "Most characters of an n-gram inside a word; not with tokenizer=char."
    ] = 5
    ngram_valid: Annotated[
        bool, "Fit the n-grams to the validation texts too, once these have chosen all else and have been scored."
    ] = True

    def check(self) -> None:
        """Raises `InputError` if the rows are no power of two."""
        if self.ngram_rows & (self.ngram_rows - 1):
            nearest = 2 ** round(math.log2(self.ngram_rows))
            raise InputError(
                f"setting ngram_rows: must be a power of two, such as {nearest}; received {self.ngram_rows}"
            )

    def unused(self) -> dict[str, str]:
        """The settings of n-grams if there are none."""
        names = () if self.ngram_rows else ("ngram_order", "ngram_characters", "ngram_valid")
        return dict.fromkeys(names, not_with("ngram_rows", 0))


@dataclasses.dataclass(frozen=True)
class Training(Section):
    """How a model is trained."""

    epochs: Annotated[int, Range(1, MOST), "Most passes over the training split."] = 10
    cycles: Annotated[
        int, Range(1, MOST), "Most rounds of so many epochs; another one begins only if the model still learns."
    ] = 1
    batch_size: Annotated[int, Range(1, MOST), "Texts a batch."] = 64
    learning_rate: Annotated[float, Range(0, open_low=True), "The highest learning rate, after the warm-up."] = 1e-3
    warmup: Annotated[float, Share, "Share of all steps in which the learning rate rises."] = 0.1
    weight_decay: Annotated[float, Range(0), "Decoupled (AdamW), on kernels and word vectors, not on biases."] = 1e-4
    clipnorm: Annotated[float, Range(0, open_low=True), "Largest norm of the gradient of all weights."] = 1.0
    adversarial: Annotated[
        float, Range(0), "Adversarial training: change of word vectors, as a share of their length; 0: none."
    ] = 0.0
    freeze_epochs: Annotated[
        int, Range(0, MOST), "Number of first epochs in which the word vectors of --vectors are frozen."
    ] = 0
    embedding_rate: Annotated[
        float, Range(0), "Share of the learning rate for word vectors after that; 0: frozen for the whole training."
    ] = 1.0
    patience: Annotated[int, Range(0, MOST), "Epochs without a better validation score before training stops."] = 3
    seed: Annotated[int, Range(0, MOST), "Seed of all random numbers."] = 0
    mixed_precision: Annotated[bool, "Compute in float16 on GPUs, in bfloat16 on TPUs and CPUs."] = False
    static_shapes: Annotated[bool, "One width per bucket and full batches, for XLA and TPUs."] = False
    jit_compile: Annotated[bool, "Compile with XLA; needs static_shapes."] = False
    baseline: Annotated[
        bool | Literal["crf"],
        "Also fit a quick model to compare with: linear; of a tagger the usual tag of each word, or crf over features.",
    ] = True

    def check(self) -> None:
        """Raises `InputError` that names the first setting that contradicts another one."""
        if not self.embedding_frozen and self.freeze_epochs > self.patience:
            raise InputError(
                f"setting freeze_epochs: with a patience of {self.patience}, training could stop before the word "
                f"vectors move; set patience={self.freeze_epochs} or more"
            )
        if self.jit_compile and not self.static_shapes:
            raise InputError("setting jit_compile: XLA compiles each new shape; set static_shapes=true too")

    @property
    def embedding_frozen(self) -> bool:
        """Whether the word vectors are frozen for the whole training."""
        return self.embedding_rate == 0 or self.freeze_epochs >= self.epochs


@dataclasses.dataclass(frozen=True)
class ModelConfig(Config):
    """The settings of a model of any task: the four sections. Each task adds more fields."""

    in_memory: ClassVar[str] = ""
    """Which models cannot have `stream`, for a message: `a tagger`. Empty if these models can."""

    tags_tokens: ClassVar[bool] = False
    """Whether the models tag tokens, so that a CRF can be their baseline."""

    data: Data = Data()
    words: Words = Words()
    encoder: Encoder = Encoder()
    training: Training = Training()

    @property
    def beside(self) -> Ngrams | None:
        """The settings of the linear model beside the encoder; None for a model without one."""
        return None

    def check(self) -> None:
        """Raises `InputError` that names the first setting that is out of range."""
        super().check()
        if self.data.stream and self.in_memory:
            raise InputError(f"setting stream: {self.in_memory} is trained from memory; leave it false")
        if self.training.baseline == "crf" and not self.tags_tokens:
            raise InputError("setting baseline: must be true or false, as only a tagger has crf; received crf")
        if self.data.tokenizer == "bert":
            fixed = {"lowercase": True, "zero_digits": False, "characters": False, "shapes": False}
            for name, value in fixed.items():
                if self.get(name) != value:
                    raise InputError(
                        f"setting {name}: must be {as_text(value)} with tokenizer=bert, whose words are those that "
                        f"MediaPipe looks up; received {as_text(self.get(name))}"
                    )


AnyConfig = TypeVar("AnyConfig", bound=Config)


def preset(kind: type[AnyConfig], presets: Mapping[str, Mapping[str, Any]], name: str | None) -> AnyConfig:
    """Returns the settings of a preset, or the defaults if `name` is None.

    Raises:
        InputError: The name is unknown; the message lists the presets.
    """
    if name is not None and name not in presets:
        raise InputError(f"--preset {name}: unknown; presets: {', '.join(presets)}")
    return kind.from_dict(presets[name] if name else {}, f"preset {name}")
