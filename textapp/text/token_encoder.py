"""Tokens to ids, the one way for every task and its bundles: words, and what else a model reads of each token."""

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
        form: What a token is looked up by; None where tokens are looked up as they are, which leaves their spelling
            unknown: `characters` and `shapes` need a form.
        vocabulary: The words.
        characters: The characters; None for a model that does not look into its tokens.
        max_characters: L; longer words lose their end, for the characters alone.
        shapes: Whether the model is told the shape of each token; see `word_shape`.

    Example:
        >>> encoder = TokenEncoder(WordForm(), Vocabulary.build({"paris": 2}), Vocabulary.build({"P": 2, "a": 2}), 3)
        >>> encoder.encode(["Paris", "Pa"])
        {'token_ids': [2, 1], 'char_ids': [[2, 3, 1], [2, 3, 0]]}
    """

    form: WordForm | None
    vocabulary: Vocabulary
    characters: Vocabulary | None = None
    max_characters: int = 0
    shapes: bool = False

    def __post_init__(self) -> None:
        """Checks that what reads a spelling knows it."""
        if self.form is None and (self.characters is not None or self.shapes):
            raise ValueError("`characters` and `shapes` need a `form`. Received: form=None")

    @property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        """What a model reads of each token: the name of an input and its shape behind the tokens."""
        inputs: dict[str, tuple[int, ...]] = {"token_ids": ()}
        if self.characters is not None:
            inputs["char_ids"] = (self.max_characters,)
        if self.shapes:
            inputs["shape_ids"] = ()
        return inputs

    def encode(self, tokens: Sequence[str]) -> dict[str, Ids]:
        """Each token as the model reads it.

        Returns:
            By the name of an input: the ids of words; with characters theirs, L of each token, 0 behind its last; with
            shapes those of `word_shape`.
        """
        form = self.form
        if form is None:
            return {"token_ids": self.vocabulary.encode(tokens)}
        ids: dict[str, Ids] = {"token_ids": self.vocabulary.encode(map(form.word, tokens))}
        spellings = [form.spelling(token) for token in tokens] if self.characters or self.shapes else []
        if self.characters is not None:
            ids["char_ids"] = [self._padded(self.characters, spelling) for spelling in spellings]
        if self.shapes:
            ids["shape_ids"] = [word_shape(spelling) for spelling in spellings]
        return ids

    def _padded(self, characters: Vocabulary, spelling: str) -> list[int]:
        """The ids of a token's first L characters, and padding."""
        ids = characters.encode(spelling[: self.max_characters])
        return ids + [PAD_ID] * (self.max_characters - len(ids))
