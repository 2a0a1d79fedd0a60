"""Chooses settings from training data, so that no preset is needed.

Each rule looks at a `Profile` of the training split and at the settings that are known already: those that the user
gave, which no rule changes, and those of the rules before it. So the same data give the same settings. Settings that
reading needs (columns, format, normalization, the validation share, `stream`) are never chosen.

The rules follow these scores on validation parts, in %: accuracy, for spans strict entity F1. Those with `±` are of
three seeds, from `results/accuracy.md` and `results/tagging.md`; others of one seed, so a point is noise. `rate` is
the learning rate, `d` dropout. What is not named is as in the defaults: 64 units, rate 0.001, batches of 64, d 0.4. All
are of an encoder alone, without n-grams beside it. No command repeats the trials of one seed.

| texts or sentences              | settings                                                  | score            |
|---------------------------------|-----------------------------------------------------------|------------------|
| 3,000 of reviews, 2 labels      | defaults, 10 epochs                                       | 83.0             |
|                                 | 128 units, d 0.5, 10 epochs                               | 82.3             |
|                                 | 128 units, d 0.5, rate 0.002, batches of 32, 8 epochs     | 81.5             |
|                                 | the same, and words seen once are known                   | 81.2             |
|                                 | 128 units, d 0.6, rate 0.002, adversary of 0.3, 10 epochs | 81.0             |
|                                 | preset `sentences`: d 0.7, adversary of 0.3, 14 epochs    | 80.0             |
| 6,900 of film reviews, 2 labels | defaults, 10 epochs                                       | 81.0             |
|                                 | 128 units, d 0.5, rate 0.002, batches of 32, 8 epochs     | 79.2             |
|                                 | 128 units, d 0.6, rate 0.002, adversary of 0.3, 7 epochs  | 81.0             |
|                                 | `sentences`; without its adversary                        | 81.3 ± 0.1; 81.2 |
|                                 | 64 units, d 0.6, adversary of 0.3, 10 epochs              | 80.9             |
| 4,800 questions, 6 labels       | 128 units, batches of 32, 12 epochs                       | 88.3             |
|                                 | 128 units, rate 0.002, batches of 32, d 0.3; d 0.5        | 87.3; 87.1       |
|                                 | defaults, 10 epochs                                       | 87.0             |
| 1,000 questions, 6 labels       | 128 units, batches of 16, 15 epochs                       | 78.6             |
| 200 questions, 6 labels         | 128 units, rate 0.002, batches of 32, 40 epochs           | 61.1             |
|                                 | the same, batches of 8, 30 epochs; 20 epochs              | 67.3; 64.3       |
|                                 | the same, 20 epochs, without words seen once              | 66.2             |
|                                 | batches of 8, 30 epochs                                   | 64.3             |
| 1,000 of reviews, 2 labels      | batches of 16, 15 epochs                                  | 76.3             |
| 200 of reviews, 2 labels        | 128 units, d 0.3, rate 0.002, batches of 8, 15 epochs     | 67.6             |
|                                 | batches of 8, 20 epochs                                   | 66.1             |
| 4,500 of news, 4 labels         | 128 units, batches of 32, 12 epochs                       | 85.1             |
| 15,000 intents, 150 labels      | 128 units, d 0.3, rate 0.002, batches of 32, 10 epochs    | 90.9             |
| 25,000 of film reviews, long    | preset `reviews`; without its adversary                   | 90.3 ± 0.5; 89.8 |
| 50,000 Chinese reviews          | preset `chinese`                                          | 92.5 ± 0.3       |
| 14,000 of news, names           | preset `english`                                          | 91.5 ± 0.2       |
| 5,400 of medicine, diseases     | preset `english`                                          | 83.9 ± 0.6       |
| 1,000 of news, names            | `english`, batches of 8, after 12 of 40 epochs            | 77.5             |
| 3,800 Chinese, names            | preset `chinese`; without context                         | 93.9 ± 0.2; 93.6 |
| 48,000 Chinese, names           | `chinese_large` and vectors; without pairs and vectors    | 93.6; 91.6       |
| 12,500, parts of speech         | preset `tags`                                             | 94.5 ± 0.1       |
"""

import math
from collections.abc import Collection, Mapping
from typing import Any

from textapp.config import PARTS, ModelConfig
from textapp.data.profile import Profile
from textapp.runtime.ngram_model import MOST_COLUMNS
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
        # A setting of a part, such as `character_dim`, says that a model that has the part keeps it.
        parts = (part for part, names in PARTS.items() if config.get(part) and not {*names}.isdisjoint(fixed))
        self._given, self._fixed = fixed, {*fixed, *parts}
        self._values: dict[str, Any] = {}
        self.reasons: dict[str, str] = {}

    def __getitem__(self, name: str) -> Any:
        """The value of a setting so far."""
        return self._values.get(name, self._config.get(name))

    def is_fixed(self, name: str) -> bool:
        """Whether a setting stays."""
        return name in self._fixed

    def choose(self, reason: str, **values: Any) -> None:
        """Chooses the values of settings, except of those that stay."""
        for name, value in values.items():
            if name not in self._fixed:
                self._values[name] = value
                self.reasons[name] = reason

    def config(self) -> ModelConfig:
        """The settings with all choices. Raises `InputError` if a setting that was given contradicts or lacks one."""
        chosen, defaults = self._config.replaced(**self._values), type(self._config)()
        chosen.check_used(name for name in self._given if self._config.get(name) != defaults.get(name))
        return chosen


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
        InputError: A choice contradicts a fixed setting, or a fixed setting has no effect with the choices.
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
    most = min(max(-(-longest // 32) * 32, 64), 600)  # 600 tokens hold 93 % of the film reviews whole
    held = f"98 % of the texts have at most {longest:,} tokens"
    settings.choose(held if most >= longest else f"{held}; more take too long", max_tokens=most)
    if characters:
        _of_characters(data, settings)
    elif data.tokens >= 100:
        _of_paragraphs(data, settings)
    else:
        _of_short_texts(data, settings)
    if settings["tokenizer"] == "bert":
        settings.choose("MediaPipe, which tokenizer=bert is for, computes no n-grams", ngram_rows=0)
    elif not settings["stream"]:
        _ngrams(data, settings)


def _ngrams(data: Profile, settings: Choices) -> None:
    """Chooses the linear model beside the encoder: so many rows that n-grams seldom share one, within 2.5 megabytes.

    N-grams of new texts then mostly find rows that no training text has, not those of other n-grams. With 2^14 rows 200
    and 1,000 news texts of 4 labels have 72.8 and 83.6 alone, with 2^18 rows 73.2 and 84.0 (means of two samples). For
    many labels a column a label is worth more than rows: 4,000 texts of 150 labels have 92.1 with 2^13 rows of words
    and as many of characters, and 91.9 with 2^18 and 2^16; 32 columns of the best matrix of this rank have 35.2.
    """
    columns = 1 if data.targets <= 2 else min(data.targets, MOST_COLUMNS)
    wanted = rows = 2**20 if data.count * data.tokens > 2**20 else 2**18
    while (rows + min(rows, 2**16)) * columns > 2_500_000:  # those of words and of characters
        rows //= 2
    why = "n-grams help the encoder, and seldom share a row of so many"
    settings.choose(why if rows == wanted else "n-grams help the encoder, as many as 2.5 MB hold", ngram_rows=rows)


def _of_short_texts(data: Profile, settings: Choices) -> None:
    """Chooses size, regularization and training for sentences of words."""
    texts, labels = counted(data.count, "text"), counted(data.targets, "label")
    few_texts, two, many = data.count <= 500, data.targets <= 2, data.targets > 20
    if two:
        _width(64, f"{labels}: a wider model gains nothing", data, settings)
    else:
        _width(128, f"{labels}: a wider model tells them apart", data, settings)
    dropout = 0.3 if many else 0.4
    why = f"{labels} tell much of a text" if many else f"{labels} tell little of a text"
    settings.choose(why, word_dropout=0.1, embedding_dropout=dropout, dropout=dropout)
    _batches({500: 8, 3_000: 16, 20_000: 64 if two else 32, 40_000: 64, math.inf: 128}, data, settings)
    if few_texts:
        _passes(30, f"{texts}: few need many passes", settings)
    elif many:
        _passes(20, f"{labels} take long to tell apart", settings)
    elif data.count > 20_000:
        _passes(5, f"{texts}: a few passes are enough", settings)
    else:
        _passes(10 if two else 12, "the rate falls before the texts are known by heart", settings)
    if few_texts or many:
        settings.choose("much to learn in few steps", learning_rate=_rate(2e-3, settings))
    else:
        settings.choose("larger steps learn the texts by heart", learning_rate=1e-3)
    _cycles(settings)


def _cycles(settings: Choices) -> None:
    """Chooses up to three rounds of the epochs, unless these are given.

    Where word order decides, an encoder learns long. With 5,800 generated texts of 2 labels, whose words say little
    alone, it has 96.6 after one round, 99.1 after two, 99.6 after three (validation texts, one seed). Real texts are
    learned by heart before: after one round, the training loss of six sets was 0.01 to 0.39, the validation loss 0.81
    to 1.95, and a second round had no better epoch on the three where one was tried (1,000 texts of customer reviews,
    film reviews and questions). No command repeats these trials. `still_learns` in `fit.py` tells the two apart.
    """
    if not settings.is_fixed("epochs"):
        settings.choose("more rounds only if the texts are not learned by heart then", cycles=3)


def _of_paragraphs(data: Profile, settings: Choices) -> None:
    """Chooses size, regularization and training for long texts of words."""
    why = f"texts of {data.tokens:.0f} tokens"
    _width(64, f"{why}: a wider model gains little", data, settings)
    settings.choose(why, word_dropout=0.1, embedding_dropout=0.5, dropout=0.5)
    if data.count > 3_000:
        settings.choose(f"{why}: a small adversary is enough", adversarial=0.02)
    _batches({500: 8, 3_000: 16, 40_000: 64, math.inf: 128}, data, settings)
    _long_passes(6, 4, data, settings)
    settings.choose(f"{why}: larger steps do harm", learning_rate=1e-3)


def _of_characters(data: Profile, settings: Choices) -> None:
    """Chooses size, regularization and training for texts whose tokens are characters."""
    _width(128, "characters say little alone, so the encoder does more", data, settings)
    settings.choose("most characters are known", word_dropout=0.1, embedding_dropout=0.5, dropout=0.5)
    _batches({500: 8, 3_000: 16, 40_000: 64, math.inf: 128}, data, settings)
    _long_passes(8, 5, data, settings)
    settings.choose("a recurrent encoder of characters learns fast", learning_rate=_rate(2e-3, settings))


def _batches(sizes: Mapping[float, int], data: Profile, settings: Choices) -> None:
    """Chooses the batch size of a model of texts, by the largest number of texts that a size is for."""
    size = next(size for most, size in sizes.items() if data.count <= most)
    settings.choose(f"{counted(data.count, 'text')}: few need many small steps", batch_size=size)


def _long_passes(most: int, fewest: int, data: Profile, settings: Choices) -> None:
    """Chooses the number of epochs over texts with many tokens, between that for some thousands and that for many."""
    texts = counted(data.count, "text")
    if data.count <= 500:
        _passes(20, f"{texts}: few need many passes", settings)
    elif data.count > 20_000:
        _passes(fewest, f"{texts}: a few passes are enough", settings)
    else:
        _passes(most, "the rate falls before the texts are known by heart", settings)


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
        epochs = 40 if data.count <= 500 else 20
        _passes(epochs, f"{size}: few need many passes", settings, patience)
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
    settings.choose("the rate that suits batches of this size", learning_rate=_rate(rate, settings))


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
    if data.in_characters:
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


def _passes(epochs: int, why: str, settings: Choices, patience: int = 4) -> None:
    """Chooses the number of epochs, and the patience, which is not below the epochs with frozen vectors."""
    settings.choose(why, epochs=epochs)
    patience = max(patience, settings["epochs"] // 4, settings["freeze_epochs"])
    settings.choose("scores waver, more so in long trainings", patience=patience)


def _rate(rate: float, settings: Choices) -> float:
    """The learning rate: that of a recurrent encoder is too high for a transformer."""
    return min(rate, 1e-3) if settings["encoder"] == "transformer" else rate
