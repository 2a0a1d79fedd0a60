"""What a tagger knows a token by: the word to look up, and the characters that spell it."""

import re
from dataclasses import asdict, dataclass
from typing import Any

from textapp.text.characters import LOWER_OF
from textapp.text.normalization import Form, normalize

_DIGIT = re.compile("[0-9]")


@dataclass(frozen=True)
class WordForm:
    """Turns a token, as a file or `Tokenizer(lowercase=False)` gives it, into what is looked up.

    Words are united where they mean the same, so that fewer are unknown; spellings keep what tells names and numbers.

    Args:
        lowercase: Whether words are in lower case.
        zero_digits: Whether each digit of a word reads 0: 1996 and 2026 are one word then.
        normalization: "none", "nfc" or "nfkc", for words and spellings.

    Example:
        >>> form = WordForm(zero_digits=True)
        >>> form.word("Ａirbus-320"), form.spelling("Ａirbus-320")
        ('airbus-000', 'Airbus-320')
    """

    lowercase: bool = True
    zero_digits: bool = False
    normalization: Form = "nfkc"

    def to_dict(self) -> dict[str, Any]:
        """The settings, as JSON holds them."""
        return asdict(self)

    def word(self, token: str) -> str:
        """Returns the word of a token; empty for one of nothing but characters that are never seen, as U+00AD."""
        word = self.spelling(token)
        if self.lowercase:
            word = word.translate(LOWER_OF)
        return _DIGIT.sub("0", word) if self.zero_digits else word

    def spelling(self, token: str) -> str:
        """Returns the characters of a token, capitals and digits included."""
        return normalize(token, self.normalization).text
