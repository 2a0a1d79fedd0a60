"""The vocabularies of a training, from the counts of its tokens."""

from collections.abc import Mapping
from typing import Any, Protocol

from textapp.config import ModelConfig
from textapp.task import Report, Task
from textapp.text.token_encoder import TokenEncoder
from textapp.text.vocabulary import Vocabulary
from textapp.text.word_form import WordForm
from textapp.training.pretrained import Pretrained, read_pretrained


class Known(Protocol):
    """What a training starts from: a run, whose words, characters and targets stay, with their ids; new ones follow."""

    @property
    def encoder(self) -> TokenEncoder:
        """Converts tokens to ids."""

    @property
    def targets(self) -> Any:
        """The targets of the model."""


def word_form(task: Task[Any, Any, Any], config: ModelConfig) -> WordForm | None:
    """How tokens are normalized for the look-up; None if the tokenizer already returns normalized words."""
    words = config.words
    if not task.files_hold_tokens and not words.zero_digits and not words.read_characters:
        return None
    return WordForm(words.lowercase, words.zero_digits, config.data.normalization)


def build_encoder(
    task: Task[Any, Any, Any],
    config: ModelConfig,
    counts: Mapping[str, int],
    vectors: Any,
    report: Report,
    known: Known | None = None,
) -> tuple[TokenEncoder, Pretrained | None]:
    """Builds the vocabularies from the training split, and adds extra words from a file of vectors if given.

    `vocabulary_size` limits the words of the training split, not those of `known` or of the vectors.

    Args:
        task: The task.
        config: The settings.
        counts: Count of each token in the training split.
        vectors: File of word vectors to start from, or None.
        report: Receives each line of progress.
        known: The run that the training starts from, or None: its words come first.
    """
    words = config.words
    form = word_form(task, config)
    word_counts = dict(counts) if form is None else count_words(counts, form)
    vocabulary = Vocabulary.build(word_counts, words.vocabulary_size, words.min_count)
    if known is not None:
        vocabulary = known.encoder.vocabulary.extended(vocabulary.tokens)
    pretrained = None
    if vectors is not None:
        pretrained = read_pretrained(
            vectors,
            vocabulary,
            word_counts,
            report=report,
            tokenizer=task.tokenizer(config) if task.cuts_all(config) else None,
            form=form,
            extra_words=words.extra_words,
            embedding_dim=words.embedding_dim,
            seed=config.training.seed,
        )
        vocabulary = pretrained.vocabulary
    characters = None
    if words.characters:
        assert form is not None  # a model that reads characters has one
        spelled = count_characters(counts, form)
        characters = Vocabulary.build(spelled, words.character_vocabulary_size, words.min_count)
        if known is not None and known.encoder.characters is not None:
            characters = known.encoder.characters.extended(characters.tokens)
    return TokenEncoder(form, vocabulary, characters, words.max_characters, words.shapes), pretrained


def count_words(counts: Mapping[str, int], form: WordForm) -> dict[str, int]:
    """Counts words from the counts of tokens."""
    words: dict[str, int] = {}
    for token, count in counts.items():
        word = form.word(token)
        if word:  # normalization may leave nothing of a token
            words[word] = words.get(word, 0) + count
    return words


def count_characters(counts: Mapping[str, int], form: WordForm) -> dict[str, int]:
    """Counts characters from the counts of tokens, without line breaks."""
    characters: dict[str, int] = {}
    for token, count in counts.items():
        for character in form.spelling(token):
            if character not in "\n\r":
                characters[character] = characters.get(character, 0) + count
    return characters
