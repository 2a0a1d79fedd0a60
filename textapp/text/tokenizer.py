"""Tokenizers `word` and `char`, with offsets into the original text.

The rule, to the letter, for whoever writes it in another language:

1. Normalize the text (`textapp.text.normalization`).
2. Where `lowercase` is set, replace each code point by `LOWER` (`textapp.text.characters`).
3. Replace each code point by the letter of its class (`textapp.text.characters`).
4. The tokens are the matches of the regular expression `WORD_GRAMMAR` (or `CHAR_GRAMMAR`) in the string of letters, one
   after the other. What no match covers is white space and controls.

`token_pattern` gives the same grammar as one regular expression over explicit code-point ranges. It needs neither
lookaround nor a library's tables, and its first match is its longest, so that backtracking engines (Python, JavaScript)
and automata (RE2) find the same tokens.
"""

import functools
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, NamedTuple, get_args

from textapp.errors import InputError
from textapp.text.characters import CLASS_OF, CLASSES, LOWER_OF, parse_ranges
from textapp.text.normalization import FORMS, Form, normalize

Kind = Literal["word", "char"]
KINDS: tuple[Kind, ...] = get_args(Kind)

WORD_GRAMMAR = "(?:L[LM]*(?:QL[LM]*)*|D[DM]*(?:PD[DM]*)*)+|[^S]M*"
"""Over the classes of `textapp.text.characters`: a word or number, made of letters, digits and their marks, with single
apostrophes between letters and single points between digits (don't, 3.5, mp3); or else any character with its marks."""

CHAR_GRAMMAR = "[^S]"
"""Every code point by itself."""

_GRAMMARS = {"word": re.compile(WORD_GRAMMAR), "char": re.compile(CHAR_GRAMMAR)}
# The same on ASCII text itself, which has neither marks nor anything to normalize: several times faster.
_ASCII_GRAMMARS = {
    "word": re.compile(r"(?:[A-Za-z]+(?:'[A-Za-z]+)*|[0-9]+(?:[.,][0-9]+)*)+|[!-~]"),
    "char": re.compile("[!-~]"),
}


class Token(NamedTuple):
    """A token and where it stands.

    Attributes:
        text: the token as the vocabulary knows it: normalized, in lower case where the tokenizer says so.
        start: offset of its first code point in the original text.
        end: offset behind its last one, so that original[start:end] is what the author wrote.
    """

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Tokenizer:
    """Cuts a text into words, numbers and symbols, or into characters.

    `word` keeps contractions (don't), decimals (3.5) and mixtures (mp3, 80s) whole, as the word boundaries of UAX #29.
    Scripts written without spaces (Han, kana, Thai, ...) give a token a character; all punctuation, symbols and emoji
    give a token each. Nothing is special about markup. Tokens hold neither white space nor controls.

    Offsets survive normalization: dropped characters inside a token lie within its offsets, those around it do not; the
    tokens of one character that normalization expands (½ to 1⁄2) all have that character's offsets.

    Args:
        kind: "word" or "char".
        lowercase: whether tokens are in lower case; on by default, because it leaves fewer words unknown.
        normalization: "none", "nfc" or "nfkc"; the default unites full-width and half-width forms, which Chinese and
            Japanese texts mix, ligatures and composed characters.

    Raises:
        InputError: where an argument is none of these.

    Example:
        >>> Tokenizer().words("Don’t miss ３．５ stars：très 好吃！")
        ["don't", 'miss', '3.5', 'stars', ':', 'très', '好', '吃', '!']
        >>> Tokenizer().tokenize("Cafe\N{COMBINING ACUTE ACCENT}!")
        [Token(text='café', start=0, end=5), Token(text='!', start=5, end=6)]

    Reference: Unicode Standard Annex #29, Unicode Text Segmentation, rules WB5 to WB13.
    """

    kind: Kind = "word"
    lowercase: bool = True
    normalization: Form = "nfkc"

    def __post_init__(self):
        for name, allowed in (("kind", KINDS), ("lowercase", (True, False)), ("normalization", FORMS)):
            value = getattr(self, name)
            if type(value) is not type(allowed[0]) or value not in allowed:
                names = ", ".join(map(repr, allowed))
                raise InputError(f"tokenizer: `{name}` must be one of {names}. Received: {name}={value!r}")

    def tokenize(self, text: str) -> list[Token]:
        """Returns the tokens of `text` in order, with their offsets. An empty text has none."""
        if text.isascii():
            matches = _ASCII_GRAMMARS[self.kind].finditer(text.lower() if self.lowercase else text)
            return [Token(match[0], *match.span()) for match in matches]
        text, starts, ends = normalize(text, self.normalization)
        spans, text = self._spans(text)
        return [Token(text[start:end], starts[start], ends[end - 1]) for start, end in spans]

    def words(self, text: str) -> list[str]:
        """Returns the texts of the tokens alone: as `tokenize`, but faster."""
        if text.isascii():
            return _ASCII_GRAMMARS[self.kind].findall(text.lower() if self.lowercase else text)
        spans, text = self._spans(normalize(text, self.normalization).text)
        return [text[start:end] for start, end in spans]

    def to_dict(self) -> dict[str, Any]:
        """Returns the settings, as JSON holds them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> "Tokenizer":
        """Makes a tokenizer from `to_dict`'s settings, all of which must be there.

        Raises:
            InputError: where a setting is missing, unknown or of a wrong value.
        """
        names = [field.name for field in fields(cls)]
        if not isinstance(settings, Mapping) or set(settings) != set(names):
            raise InputError(f"tokenizer: the settings must be {', '.join(names)}. Received: {settings!r}")
        return cls(**settings)

    def _spans(self, text: str) -> tuple[list[tuple[int, int]], str]:
        """The tokens' places in a normalized text, and that text in lower case where the tokenizer says so."""
        if self.lowercase:
            text = text.translate(LOWER_OF)
        return [match.span() for match in _GRAMMARS[self.kind].finditer(text.translate(CLASS_OF))], text


@functools.cache
def token_pattern(kind: Kind = "word") -> str:
    r"""Writes the grammar as a regular expression over code points, of literal characters and ranges alone.

    It is to be applied to the normalized text. Code points are written `\x{HEX}`, as RE2, PCRE, Java and Kotlin read
    them; for JavaScript with the flag `u` write `\u{HEX}`, for Python `\UHEX` with eight digits.
    """
    grammar = WORD_GRAMMAR if kind == "word" else CHAR_GRAMMAR
    ranges = {
        letter: "".join(rf"\x{{{first:X}}}-\x{{{last:X}}}" for first, last in parse_ranges(table))
        for letter, table in CLASSES.items()
    }
    # A class stands inside brackets already, or gets its own.
    return re.sub(
        r"\[(\^?)([A-Z]+)\]|([A-Z])",
        lambda match: f"[{match[1] or ''}{''.join(ranges[letter] for letter in match[2] or match[3])}]",
        grammar,
    )
