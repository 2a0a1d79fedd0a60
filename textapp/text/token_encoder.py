"""Converts tokens to the ids that a model reads: of words, of their characters, of their shapes."""

from collections.abc import Sequence
from dataclasses import dataclass

from textapp.text.vocabulary import PAD_ID, Vocabulary
from textapp.text.word_form import WordForm
from textapp.text.word_shape import word_shape

Ids = list[int] | list[list[int]]
"""For n tokens n numbers, or n lists of L numbers."""


@dataclass(frozen=True)
class TokenEncoder:
    """Turns tokens into ids.

    Attributes:
        form: Converts a token to the word to look up, and to its spelling.
        vocabulary: The words.
        characters: The characters; None for a model that does not read characters.
        max_characters: L, the number of characters of a token that the model reads; the rest is cut off.
        shapes: Whether the model reads the shape of each token; see `word_shape`.

    Example:
        >>> encoder = TokenEncoder(WordForm(), Vocabulary.build({"paris": 2}), Vocabulary.build({"P": 2, "a": 2}), 3)
        >>> encoder.encode(["Paris", "Pa"])
        {'token_ids': [2, 1], 'char_ids': [[2, 3, 1], [2, 3, 0]]}
    """

    form: WordForm
    vocabulary: Vocabulary
    characters: Vocabulary | None
    max_characters: int
    shapes: bool = False

    @property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        """The inputs of the model: for each name the shape of what it reads of one token."""
        inputs: dict[str, tuple[int, ...]] = {"token_ids": ()}
        if self.characters is not None:
            inputs["char_ids"] = (self.max_characters,)
        if self.shapes:
            inputs["shape_ids"] = ()
        return inputs

    def encode(self, tokens: Sequence[str]) -> dict[str, Ids]:
        """Returns the inputs of the model for n tokens.

        Returns:
            `token_ids`: n ids of words. `char_ids`, for a model with characters: n lists of L ids, 0 after the last
            character. `shape_ids`, for a model with shapes: n numbers of `word_shape`.
        """
        ids: dict[str, Ids] = {"token_ids": self.vocabulary.encode(map(self.form.word, tokens))}
        spellings = [self.form.spelling(token) for token in tokens] if self.characters or self.shapes else []
        if self.characters is not None:
            ids["char_ids"] = [self._padded(self.characters, spelling) for spelling in spellings]
        if self.shapes:
            ids["shape_ids"] = [word_shape(spelling) for spelling in spellings]
        return ids

    def _padded(self, characters: Vocabulary, spelling: str) -> list[int]:
        """Returns the ids of the first L characters of a token, padded to L."""
        ids = characters.encode(spelling[: self.max_characters])
        return ids + [PAD_ID] * (self.max_characters - len(ids))
