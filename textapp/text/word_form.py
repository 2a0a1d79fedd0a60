"""Two forms of a token: the word to look up in a vocabulary, and the spelling for characters and shapes."""

import re
from dataclasses import asdict, dataclass
from typing import Any

from textapp.text.characters import LOWER_OF
from textapp.text.normalization import Form, normalize
from textapp.text.tokenizer import Tokenizer

_DIGIT = re.compile("[0-9]")


@dataclass(frozen=True)
class WordForm:
    """Converts a token of a file, or of `Tokenizer(lowercase=False)`, to its word and its spelling.

    Several spellings have one word, so that fewer words are unknown. The spelling keeps capitals and digits, which help
    to find names and numbers.

    Args:
        lowercase: Whether words are in lower case.
        zero_digits: Whether 0 replaces each digit of a word, so that 1996 and 2026 are one word.
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
        """The settings for JSON."""
        return asdict(self)

    def word(self, token: str) -> str:
        """Returns the word of a token; it is empty if the token has only invisible characters, such as U+00AD."""
        word = self.spelling(token)
        if self.lowercase:
            word = word.translate(LOWER_OF)
        return _DIGIT.sub("0", word) if self.zero_digits else word

    def spelling(self, token: str) -> str:
        """Returns the normalized token with its capitals and digits."""
        return normalize(token, self.normalization).text


def lookup_words(text: str, tokenizer: Tokenizer | None, form: WordForm | None) -> list[str]:
    """Returns the words that a model looks up for a text.

    An embedding's row for the word `w` is used only if `lookup_words(w, ...) == [w]`.

    Args:
        text: The text, or the token of a file.
        tokenizer: Cuts texts into tokens; None if `text` is one token.
        form: Converts tokens to words; None if tokens are looked up unchanged.

    Example:
        >>> lookup_words("New York 2026", Tokenizer(lowercase=False), WordForm(zero_digits=True))
        ['new', 'york', '0000']
    """
    tokens = [text] if tokenizer is None else tokenizer.words(text)
    return tokens if form is None else [form.word(token) for token in tokens]
