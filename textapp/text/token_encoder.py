"""Converts tokens to the ids that a model reads: words, characters and shapes, for every task and bundle."""

from collections.abc import Sequence
from dataclasses import dataclass

from textapp.text.vocabulary import PAD_ID, Vocabulary
from textapp.text.word_form import WordForm
from textapp.text.word_shape import word_shape

Ids = list[int] | list[list[int]]
"""For n tokens: n numbers, or n lists of L numbers."""


@dataclass(frozen=True)
class TokenEncoder:
    """Turns tokens into ids.

    Attributes:
        form: Converts tokens to words and spellings; None if tokens are looked up unchanged. `characters` and `shapes`
            need a form.
        vocabulary: The words.
        characters: The characters; None for a model that reads no characters.
        max_characters: L; only the first L characters of a word are read.
        shapes: Whether the model reads the shape of each token; see `word_shape`.

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
        """Checks that there is a form if the model reads characters or shapes."""
        if self.form is None and (self.characters is not None or self.shapes):
            raise ValueError("`characters` and `shapes` need a `form`. Received: form=None")

    @property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        """The inputs of the model: name -> shape after the axis of tokens."""
        inputs: dict[str, tuple[int, ...]] = {"token_ids": ()}
        if self.characters is not None:
            inputs["char_ids"] = (self.max_characters,)
        if self.shapes:
            inputs["shape_ids"] = ()
        return inputs

    def words(self, tokens: Sequence[str]) -> list[str]:
        """Tokens as they are looked up in the vocabulary."""
        return list(tokens) if self.form is None else list(map(self.form.word, tokens))

    def encode(self, tokens: Sequence[str]) -> dict[str, Ids]:
        """Converts tokens to ids.

        Returns:
            Input name -> ids: `token_ids`, the ids of words; with characters `char_ids`, L for each token, padded with
            0; with shapes `shape_ids`, from `word_shape`.
        """
        ids: dict[str, Ids] = {"token_ids": self.vocabulary.encode(self.words(tokens))}
        form = self.form
        if form is None:
            return ids
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
