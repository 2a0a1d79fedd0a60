"""Tokenizers `word`, `char` and `bert`, with offsets into the original text.

The exact rule of `word` and `char`, for an implementation in another language (`textapp.text.bert` has that of `bert`):

0. Where `line_breaks` is set, replace each match of `LINE_BREAK` by as many spaces as it has characters.
1. Normalize the text (`textapp.text.normalization`).
2. Where `lowercase` is set, replace each code point by `LOWER` (`textapp.text.characters`).
3. Replace each code point by the letter of its class (`textapp.text.characters`).
4. The tokens are the successive matches of the regular expression `WORD_GRAMMAR` (`SPLIT_GRAMMAR` where
   `split_apostrophes` is set, or `CHAR_GRAMMAR`) in the string of letters. Only white space and controls are in no
   match.

`token_pattern` returns a grammar as one regular expression over explicit code-point ranges. It needs neither
lookaround nor the tables of a library, and its first match is its longest, so that backtracking engines (Python,
JavaScript) and automata (RE2) find the same tokens.
"""

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, NamedTuple, get_args

from textapp.errors import InputError, quoted
from textapp.text import bert
from textapp.text.characters import CLASS_OF, CLASSES, LOWER_OF, parse_ranges, replace_surrogates
from textapp.text.normalization import FORMS, Form, Normalized, is_boundary, normalize, unchanged
from textapp.text.vocabulary import UNKNOWN

Kind = Literal["word", "char", "bert"]
KINDS: tuple[Kind, ...] = get_args(Kind)

WORD_GRAMMAR = "(?:L[LM]*(?:QL[LM]*)*|D[DM]*(?:PD[DM]*)*)+|[^S]M*"
"""A token, over the classes of `textapp.text.characters`: a word or number of letters, digits and their marks, with
single apostrophes between letters and single points between digits (don't, 3.5, mp3); or another character with its
marks."""

SPLIT_GRAMMAR = "(?:L[LM]*|D[DM]*(?:PD[DM]*)*)+|[^S]M*"
"""The same, but an apostrophe is always a token of its own (don ' t)."""

CHAR_GRAMMAR = "[^S]"
"""A token is one code point."""


LINE_BREAK = r"<[bB][rR][ \t\n\v\f\r]*/?>"
"""An HTML line break, such as `<br />`. Reviews and other texts of the web are full of them."""

_LINE_BREAK = re.compile(LINE_BREAK)


class _Rules(NamedTuple):
    """How a kind of tokenizer cuts a text.

    Attributes:
        grammar: The grammar over classes.
        classes: The table of each class, and the class of each code point.
        class_of: Maps code points to classes.
        lower_of: Maps code points to lower-case code points.
        ascii_grammar: The same grammar for ASCII text, over code points: ASCII has no marks and needs no normalization,
            so this is several times faster.
    """

    grammar: str
    classes: Mapping[str, str]
    class_of: Mapping[int, str]
    lower_of: Mapping[int, int]
    ascii_grammar: re.Pattern[str]


_RULES = {
    "word": _Rules(
        WORD_GRAMMAR,
        CLASSES,
        CLASS_OF,
        LOWER_OF,
        re.compile(r"(?:[A-Za-z]+(?:'[A-Za-z]+)*|[0-9]+(?:[.,][0-9]+)*)+|[!-~]"),
    ),
    "split": _Rules(
        SPLIT_GRAMMAR,
        CLASSES,
        CLASS_OF,
        LOWER_OF,
        re.compile(r"(?:[A-Za-z]+|[0-9]+(?:[.,][0-9]+)*)+|[!-~]"),
    ),
    "char": _Rules(CHAR_GRAMMAR, CLASSES, CLASS_OF, LOWER_OF, re.compile("[!-~]")),
    "bert": _Rules(
        bert.GRAMMAR,
        bert.CLASSES,
        bert.CLASS_OF,
        bert.LOWER_OF,
        re.compile(r"[^\t\n\f\r -/:-@\[-`{-~]+|[!-/:-@\[-`{-~]"),
    ),
}
_GRAMMARS = {name: re.compile(rules.grammar) for name, rules in _RULES.items()}
_ADDED = ("line_breaks", "split_apostrophes")  # settings that files of earlier versions lack

_PART = 1 << 14  # code points of a long text that are tokenized together: at most some megabytes of memory


class Token(NamedTuple):
    """A token and its offsets in the original text.

    Attributes:
        text: The token for the vocabulary: normalized, and in lower case if the tokenizer does that.
        start: Offset of its first code point in the original text.
        end: Offset after its last code point, so that original[start:end] is what the author wrote.
    """

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Tokenizer:
    """Cuts a text into words, numbers and symbols, or into characters.

    `word` keeps contractions (don't), decimals (3.5) and mixtures (mp3, 80s) whole, as the word boundaries of UAX #29.
    In scripts without spaces between words (Han, kana, Thai, ...) each character is a token; so is each punctuation
    mark, symbol and emoji. Of markup only line breaks may have a meaning, see `line_breaks`.
    Tokens have neither white space nor controls in them.

    `bert` is for MediaPipe Tasks, which has this tokenizer itself: words between spaces and punctuation, and each Han
    character. A model that was trained with it has the same scores there. It has fixed rules, see `textapp.text.bert`:
    it lower-cases A to Z only, and does not normalize.

    Offsets are those of the text before normalization. Dropped characters inside a token are within its offsets,
    dropped characters around it are not. If normalization expands one character to several tokens (½ to 1⁄2), all of
    them have the offsets of that character.

    Args:
        kind: "word", "char" or "bert".
        lowercase: Whether tokens are in lower case. True by default, because then fewer words are unknown; with "bert"
            always True.
        normalization: "none", "nfc" or "nfkc"; with "bert" always "none". The default unites the forms of a character:
            full and half width, which Chinese and Japanese texts mix, ligatures and composed characters.
        line_breaks: Whether HTML line breaks (`<br />`) are white space, as the readers of labelled texts read them;
            not with "bert". False by default, as in bundles of earlier versions, which lack the setting.
        split_apostrophes: Whether an apostrophe between letters is a token of its own, so that a span of tokens can end
            before it (`Oslo's`, `Oslo'da`) or begin after it (`l'Isère`); with "word" only. False by default, as in
            bundles of earlier versions.

    Raises:
        InputError: An argument is not one of these values.

    Example:
        >>> Tokenizer().words("Don’t miss ３．５ stars：très 好吃！")
        ["don't", 'miss', '3.5', 'stars', ':', 'très', '好', '吃', '!']
        >>> Tokenizer().tokenize("Cafe\N{COMBINING ACUTE ACCENT}!")
        [Token(text='café', start=0, end=5), Token(text='!', start=5, end=6)]
        >>> Tokenizer(split_apostrophes=True).words("l’Isère")
        ['l', "'", 'isère']

    Reference: Unicode Standard Annex #29, Unicode Text Segmentation, rules WB5 to WB13.
    """

    kind: Kind = "word"
    lowercase: bool = True
    normalization: Form = "nfkc"
    line_breaks: bool = False
    split_apostrophes: bool = False

    def __post_init__(self):
        for name, allowed in (
            ("kind", KINDS),
            ("lowercase", (True, False)),
            ("normalization", FORMS),
            ("line_breaks", (True, False)),
            ("split_apostrophes", (True, False)),
        ):
            value = getattr(self, name)
            if type(value) is not type(allowed[0]) or value not in allowed:
                names = ", ".join(map(repr, allowed))
                raise InputError(f"tokenizer: `{name}` must be one of {names}. Received: {name}={quoted(value)}")
        if self.kind == "bert" and (not self.lowercase or self.normalization != "none" or self.line_breaks):
            raise InputError(
                "tokenizer: `bert` must have lowercase=True, normalization='none' and line_breaks=False, the rules of "
                f"MediaPipe. Received: lowercase={self.lowercase}, normalization={self.normalization!r}, "
                f"line_breaks={self.line_breaks}"
            )
        if self.kind != "word" and self.split_apostrophes:
            raise InputError(f"tokenizer: split_apostrophes=True is for `word` only. Received: kind={self.kind!r}")

    def tokenize(self, text: str) -> list[Token]:
        """Returns the tokens of `text` in order, with their offsets. An empty text has none."""
        return self._tokenize(self._without_breaks(text), 0)

    def blocks(self, text: str) -> Iterator[list[Token]]:
        """Yields the tokens of `tokenize` in lists, one for each part of a long text.

        Normalization keeps two numbers a code point, so the whole of a long text would take many times its memory. A
        part ends where both sides can be normalized separately. Its last two tokens may be wrong, because the grammar
        looks at most two code points past a token. So the next part begins with them, or earlier if a token before them
        is from the same code point.
        """
        text = self._without_breaks(text)
        first, size = 0, _PART
        while len(text) - first > size:
            end = next((end for end in range(first + size, first, -1) if is_boundary(text, end)), first)
            tokens = self._tokenize(text[first:end], first)
            kept = len(tokens) - 2
            while kept > 0:
                start = tokens[kept].start
                if tokens[kept - 1].end <= start and is_boundary(text, start):
                    break
                kept -= 1
            if kept > 0:
                yield tokens[:kept]
                first, size = tokens[kept].start, _PART
            else:  # one token or one run of marks is longer than the part
                size *= 2
        yield self._tokenize(text[first:], first)

    def words(self, text: str) -> list[str]:
        """Returns only the texts of the tokens; faster than `tokenize`."""
        text = self._without_breaks(text)
        if text.isascii():
            words: list[str] = _RULES[self._grammar].ascii_grammar.findall(text.lower() if self.lowercase else text)
        else:
            spans, text = self._spans(self._normalized(text).text)
            words = [text[start:end] for start, end in spans]
        return words if self.kind != "bert" else list(map(_known_length, words))

    def to_dict(self) -> dict[str, Any]:
        """Returns the settings for JSON, as earlier versions wrote them if what they lacked is not set."""
        return {name: value for name, value in asdict(self).items() if value or name not in _ADDED}

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> "Tokenizer":
        """Makes a tokenizer from the settings of `to_dict`.

        Raises:
            InputError: A setting is missing, unknown, or has a wrong value.
        """
        names = [field.name for field in fields(cls) if field.name not in _ADDED]
        if not isinstance(settings, Mapping) or set(settings) - set(_ADDED) != set(names):
            raise InputError(f"tokenizer: the settings must be {', '.join(names)}. Received: {quoted(settings)}")
        return cls(**settings)

    @property
    def _grammar(self) -> str:
        """The name of its rules."""
        return "split" if self.split_apostrophes else self.kind

    def _without_breaks(self, text: str) -> str:
        """A text with spaces in place of HTML line breaks, if so set. All other characters keep their places."""
        if not self.line_breaks or "<" not in text:
            return text
        return _LINE_BREAK.sub(lambda match: " " * len(match[0]), text)

    def _tokenize(self, text: str, offset: int) -> list[Token]:
        """The tokens of a part of a text that begins at `offset`."""
        if text.isascii():
            rules = _RULES[self._grammar]
            matches = rules.ascii_grammar.finditer(text.lower() if self.lowercase else text)
            tokens = [Token(match[0], match.start() + offset, match.end() + offset) for match in matches]
        else:
            text, starts, ends = self._normalized(text)
            spans, text = self._spans(text)
            tokens = [Token(text[start:end], starts[start] + offset, ends[end - 1] + offset) for start, end in spans]
        return tokens if self.kind != "bert" else [token._replace(text=_known_length(token.text)) for token in tokens]

    def _normalized(self, text: str) -> Normalized:
        """Normalizes a text, as far as the kind does so."""
        return unchanged(replace_surrogates(text)) if self.kind == "bert" else normalize(text, self.normalization)

    def _spans(self, text: str) -> tuple[list[tuple[int, int]], str]:
        """Returns start and end of each token in a normalized text, and that text, in lower case if so set."""
        rules = _RULES[self._grammar]
        if self.lowercase:
            text = text.translate(rules.lower_of)
        return [match.span() for match in _GRAMMARS[self._grammar].finditer(text.translate(rules.class_of))], text


def _known_length(token: str) -> str:
    """The token, or the unknown token if it is too long for the tokenizer `bert`."""
    if len(token) <= bert.MOST_BYTES // 4 or len(token.encode()) <= bert.MOST_BYTES:  # a code point has 4 bytes at most
        return token
    return UNKNOWN


TOKENIZERS = (
    *(Tokenizer(kind, lowercase, form) for kind in KINDS[:2] for lowercase in (True, False) for form in FORMS),
    *(Tokenizer(kind, line_breaks=True) for kind in KINDS[:2]),
    *(Tokenizer("word", lowercase, split_apostrophes=True) for lowercase in (True, False)),
    Tokenizer("bert", True, "none"),
)
"""A tokenizer of each combination of settings, but `line_breaks` only with the defaults, as it acts before them, and
`split_apostrophes` with one normalization, as it acts after it."""


@functools.cache
def token_pattern(kind: Kind = "word", split_apostrophes: bool = False) -> str:
    r"""Returns the grammar as a regular expression over code points, which has only literal characters and ranges.

    Apply it to the normalized text. Code points have the form `\x{HEX}` of RE2, PCRE, Java and Kotlin; JavaScript with
    the flag `u` needs `\u{HEX}` in its place, and Python `\UHEX` with eight digits.
    """
    rules = _RULES["split" if split_apostrophes else kind]
    ranges = {
        letter: "".join(rf"\x{{{first:X}}}-\x{{{last:X}}}" for first, last in parse_ranges(table))
        for letter, table in rules.classes.items()
    }
    # A class is inside brackets, or gets brackets.
    return re.sub(
        r"\[(\^?)([A-Z]+)\]|([A-Z])",
        lambda match: f"[{match[1] or ''}{''.join(ranges[letter] for letter in match[2] or match[3])}]",
        rules.grammar,
    )
