"""Chooses settings from training data, so that no preset is needed.

Each rule looks at a `Profile` of the training split and at the settings that are known already: those that the user
gave, which no rule changes, and those of the rules before it. So the same data give the same settings. Settings that
reading needs (columns, format, normalization, the validation share, `stream`) are never chosen.

TABLE
"""

import math
from collections.abc import Collection
from typing import Any

from textapp.config import LONGEST, PARTS, ModelConfig
from textapp.data.profile import Profile
from textapp.settings import as_text
from textapp.task import Report
from textapp.text.characters import counted


class Choices:
    """Settings that are chosen one after the other.

    Args:
        config: The settings to begin with.
        fixed: Names of the settings that stay.
    """

    def __init__(self, config: ModelConfig, fixed: Collection[str]):
        self._config = config
        # A setting of a part, such as `character_dim`, says that the model has the part.
        self._fixed = {*fixed, *(part for part, names in PARTS.items() if not {*names}.isdisjoint(fixed))}
        self._values: dict[str, Any] = {}
        self.reasons: dict[str, str] = {}

    def __getitem__(self, name: str) -> Any:
        """The value of a setting so far."""
        return self._values.get(name, self._config.get(name))

    def choose(self, reason: str, **values: Any) -> None:
        """Chooses the values of settings, except of those that stay."""
        for name, value in values.items():
            if name not in self._fixed:
                self._values[name] = value
                self.reasons[name] = reason

    def config(self) -> ModelConfig:
        """The settings with all choices. Raises `InputError` if one contradicts a setting that stays."""
        return self._config.replaced(**self._values)


def choose_settings(
    profile: Profile, config: ModelConfig, fixed: Collection[str], report: Report
) -> tuple[ModelConfig, dict[str, str]]:
    """Chooses all settings that have a rule and are not fixed.

    Args:
        profile: The measured properties of the training split.
        config: The settings to begin with.
        fixed: Names of the settings that stay as they are.
        report: Receives a line about the data, and one about each choice.

    Returns:
        The settings, and the reason of each one that was chosen.

    Raises:
        InputError: A choice contradicts a fixed setting.
    """
    choices = Choices(config, fixed)
    (_of_sentences if profile.per_token else _of_texts)(profile, choices)
    chosen = choices.config()
    unused = chosen.unused()
    reasons = {name: reason for name, reason in choices.reasons.items() if name not in unused}
    report(f"training data: {profile}")
    width = max((len(f"{name}={as_text(chosen.get(name))}") for name in reasons), default=0)
    for name, reason in reasons.items():
        report(f"chosen: {f'{name}={as_text(chosen.get(name))}':{width}}  {reason}")
    return chosen, reasons


def _of_texts(data: Profile, settings: Choices) -> None:
    """Chooses the settings of a model that labels texts."""
    characters = _tokens(data, settings)
    longest = data.long_characters if characters else data.long
    most = _rounded(longest, 64, 600)
    why = f"98 % of the texts have at most {longest:,} tokens"
    settings.choose(f"{why}; longer models take too long" if most < longest else why, max_tokens=most)
    paragraphs = not characters and data.tokens >= 100
    if paragraphs:
        _of_paragraphs(data, settings)
    else:
        _of_short_texts(data, settings)


def _of_short_texts(data: Profile, settings: Choices) -> None:
    """Chooses size, regularization and training of a model of short texts, or of texts as characters."""
    _width(128, "short texts: a wider model gains more than it takes", data, settings)
    if data.targets > 2:
        why = f"{counted(data.targets, 'label')} tell the model much"
        settings.choose(why, word_dropout=0.1, embedding_dropout=0.3, dropout=0.3)
    else:
        settings.choose("two labels tell little", word_dropout=0.2, embedding_dropout=0.5, dropout=0.5)
    _steps(data, settings)
    settings.choose("short texts: a recurrent model learns fast", learning_rate=_rate(2e-3, settings))


def _of_paragraphs(data: Profile, settings: Choices) -> None:
    """Chooses size, regularization and training of a model of long texts of words."""
    _width(64, f"texts of {data.tokens:.0f} tokens: a wider model gains little", data, settings)
    settings.choose("long texts", word_dropout=0.1, embedding_dropout=0.5, dropout=0.5, adversarial=0.02)
    _steps(data, settings)
    settings.choose("long texts: a lower rate", learning_rate=_rate(1e-3, settings))


def _steps(data: Profile, settings: Choices) -> None:
    """Chooses batches and epochs of a model of texts: with fewer steps it learns too little, with more by heart."""
    sizes = {1_000: 8, 3_000: 16, 20_000: 32, 40_000: 64, math.inf: 128}
    size = next(size for most, size in sizes.items() if data.count <= most)
    settings.choose(f"{counted(data.count, 'text')}: few need many small steps", batch_size=size)
    if data.targets > 20:
        epochs, why = 20, f"{data.targets:,} labels take long to tell apart"
    elif data.count <= 1_000:
        epochs, why = 20, "few texts: more passes"
    elif data.count > 20_000:
        epochs, why = 5, "many texts: few passes are enough"
    else:
        epochs, why = 10, "then the rate has fallen before the model knows the texts by heart"
    _passes(epochs, why, settings)


def _of_sentences(data: Profile, settings: Choices) -> None:
    """Chooses the settings of a model that tags tokens."""
    characters = _tokens(data, settings)
    size = counted(data.count, "sentence")
    _width(128, "tags depend on the words around", data, settings, embedding_dim=100)
    settings.choose("a tagger learns its sentences by heart otherwise", embedding_dropout=0.5, dropout=0.5)
    large = data.count > 10_000
    if characters:
        _characters_to_tag(large, settings)
    else:
        _words_to_tag(data, settings)
    patience = 5 if data.spans else 3
    if data.count <= 2_000:
        settings.choose(f"{size}: few need many small steps", batch_size=8)
        _passes(40, f"{size}: more passes", settings, patience)
    elif large and characters:
        settings.choose(f"{size}: larger steps save time", batch_size=64)
        _passes(10, f"{size}: fewer passes are enough", settings, patience)
    else:
        settings.choose(f"{size}: small steps learn more", batch_size=16)
        if not data.spans:
            _passes(10, "each token has a tag to learn from", settings, patience)
        elif data.vectors and not characters:
            _passes(12, "word vectors shorten the training", settings, patience)
        else:
            _passes(20, "spans are rare, so they take many passes", settings, patience)
    rate = 3e-3 if settings["batch_size"] >= 64 else 2e-3
    settings.choose("larger batches allow larger steps", learning_rate=_rate(rate, settings))


def _characters_to_tag(large: bool, settings: Choices) -> None:
    """Chooses what a tagger reads of text without spaces."""
    settings.choose("a token is one character", characters=False, lowercase=False)
    settings.choose("rare characters are learned less by heart", weight_decay=0.01)
    if large:
        why = "many sentences teach pairs of characters"
        settings.choose(why, bigrams=50_000, bigram_dropout=0.4, word_dropout=0.05)
    else:
        settings.choose("a character says little without its neighbours", context_filters=100)
        settings.choose("too few sentences to know each character", word_dropout=0.2, adversarial=0.3)


def _words_to_tag(data: Profile, settings: Choices) -> None:
    """Chooses what a tagger reads of words."""
    settings.choose("prefixes, suffixes and capitals tell of unknown words", characters=True)
    if not data.spans:
        settings.choose("most words have one usual tag", word_dropout=0.05)
        return
    settings.choose("names are mostly unknown words, known by their letters", character_filters=60, weight_decay=0.01)
    if data.vectors:
        settings.choose("vectors know the words that are rare here", word_dropout=0.2, embedding_rate=0.3)
    else:
        settings.choose("unknown words are many, so the model must do without some", word_dropout=0.4)
        settings.choose("numbers differ, their forms do not", zero_digits=True)


def _tokens(data: Profile, settings: Choices) -> bool:
    """Chooses what a token is, and which tokens the vocabulary has. Returns whether tokens are characters."""
    if data.unspaced > 0.5:
        settings.choose(f"{data.unspaced:.0%} of the tokens are of scripts without spaces", tokenizer="char")
    else:
        settings.choose("words have spaces between them", tokenizer="word")
    characters = bool(settings["tokenizer"] == "char")
    if characters:
        settings.choose("more characters than most texts have", vocabulary_size=6_000)
    else:
        settings.choose("rarer words teach little", vocabulary_size=30_000 if data.per_token else 20_000)
    if data.vectors and not characters:
        settings.choose("words of the vectors that the training texts lack", extra_words=20_000)
    if data.once > 0.9:
        settings.choose(f"{data.once:.0%} of the words are seen once", min_count=1)
    else:
        settings.choose("words seen once teach what an unknown word is", min_count=2)
    return characters


def _width(units: int, why: str, data: Profile, settings: Choices, embedding_dim: int | None = None) -> None:
    """Chooses the width of the encoder and of the word vectors, which given vectors have already."""
    settings.choose(why, units=units)
    if data.vectors:
        settings.choose("the width of the given vectors", embedding_dim=None)
    else:
        settings.choose(why, embedding_dim=embedding_dim or units)


def _passes(epochs: int, why: str, settings: Choices, patience: int = 3) -> None:
    """Chooses the number of epochs, and the patience, which is not below the epochs with frozen vectors."""
    settings.choose(why, epochs=epochs)
    patience = max(patience, settings["epochs"] // 4, settings["freeze_epochs"])
    settings.choose("scores waver, more so in long trainings", patience=patience)


def _rate(rate: float, settings: Choices) -> float:
    """The learning rate: a transformer diverges with that of a recurrent encoder."""
    return min(rate, 1e-3) if settings["encoder"] == "transformer" else rate


def _rounded(length: int, low: int, high: int) -> int:
    """A length as a multiple of 32, within limits."""
    return min(max(-(-length // 32) * 32, low), high, LONGEST)
