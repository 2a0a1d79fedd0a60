"""A sentence whose tokens are tagged, as the readers of all formats yield it."""

from collections.abc import Sequence
from typing import NamedTuple


class TaggedSentence(NamedTuple):
    """Tokens, a tag for each, and where they stand.

    Attributes:
        tokens: the tokens; none where a row of a file has an empty text.
        tags: their tags, equally many.
        file: the file that holds the tags.
        lines: the line of each token there, from 1; the sentence's own line where it has no token.
        opens_document: whether a document begins here.
    """

    tokens: list[str]
    tags: list[str]
    file: str
    lines: Sequence[int]
    opens_document: bool = False

    def place(self, position: int = 0) -> str:
        """Returns where a token stands, for messages: `eng.train:17`. Behind the last one stands the last one."""
        return f"{self.file}:{self.lines[min(position, len(self.lines) - 1)]}"
