"""Tokens to ids, as a tagger and its bundle know them: a word each, and the characters that spell it."""

from collections.abc import Iterable
from dataclasses import dataclass

from textapp.text.vocabulary import Vocabulary
from textapp.text.word_form import WordForm


@dataclass(frozen=True)
class TokenEncoder:
    """Turns tokens into ids.

    Attributes:
        form: What a token is looked up by.
        vocabulary: The words.
        characters: The characters; None for a model that does not look into its tokens.
        max_characters: Longer words lose their end, for the characters alone.

    Example:
        >>> encoder = TokenEncoder(WordForm(), Vocabulary.build({"paris": 2}), Vocabulary.build({"P": 2, "a": 2}), 3)
        >>> encoder.words(["Paris", "Zap"]), encoder.spellings(["Paris", "Zap"])
        ([2, 1], [[2, 3, 1], [1, 3, 1]])
    """

    form: WordForm
    vocabulary: Vocabulary
    characters: Vocabulary | None
    max_characters: int

    def words(self, tokens: Iterable[str]) -> list[int]:
        """The id of each token's word."""
        return self.vocabulary.encode(map(self.form.word, tokens))

    def spellings(self, tokens: Iterable[str]) -> list[list[int]] | None:
        """The ids of each token's first `max_characters` characters; None for a model that does not read them."""
        if self.characters is None:
            return None
        return [self.characters.encode(self.form.spelling(token)[: self.max_characters]) for token in tokens]
