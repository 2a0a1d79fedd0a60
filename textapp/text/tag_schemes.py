"""Tag schemes: they write spans of tokens, each with a type, as one tag per token.

| scheme  | a span of 1 | of 2 | of 4    | directly after another span of its type |
|---------|-------------|------|---------|-----------------------------------------|
| `IOB1`  | I           | I I  | I I I I | its first tag is B                      |
| `IOB2`  | B           | B I  | B I I I | the same; also called `BIO`             |
| `IOBES` | S           | B E  | B I I E | the same; also called `BIOES`           |
| `BILOU` | U           | B L  | B I I L | the same                                |
| `BMES`  | S           | B E  | B M M E | the same; usual for Chinese             |

A tag is `LETTER-TYPE` (B-PER), or the letter alone if there are no types, as in word segmentation. A token outside of
all spans has the tag `O`.

A sequence is valid if each tag may follow the tag before it, where both ends of the sequence count as `O`.
`find_breaks` checks this relation, and `allowed_transitions` gives it to a decoder, so that each decoded sequence is
valid.

Reference: Ramshaw and Marcus, "Text Chunking using Transformation-Based Learning" (1995), for IOB1; Tjong Kim Sang and
Veenstra, "Representing Text Chunks" (1999), for IOB2; Ratinov and Roth, "Design Challenges and Misconceptions in Named
Entity Recognition" (2009), for BILOU.
"""

import functools
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from textapp.errors import InputError, excerpt, quoted

OUTSIDE = "O"
"""The tag of a token outside of all spans."""


class Span(NamedTuple):
    """A span of tokens.

    Attributes:
        start: Position of the first token.
        end: Position after the last token.
        type: The type (PER); empty if the tags have no types.
    """

    start: int
    end: int
    type: str


class Break(NamedTuple):
    """Two neighbouring tags of which the second must not follow the first; `str()` is a message.

    Attributes:
        position: Position of the second tag; the length of the sequence if the sequence must not end there.
        before: The first tag, or None at the start of the sequence.
        after: The second tag, or None at the end of the sequence.
        scheme: The scheme with this rule.
    """

    position: int
    before: str | None
    after: str | None
    scheme: str

    def __str__(self) -> str:
        if self.before is None:
            return f"{excerpt(self.after or OUTSIDE)} cannot start a sequence in {self.scheme}"
        if self.after is None:
            return f"{excerpt(self.before)} cannot end a sequence in {self.scheme}"
        return f"{excerpt(self.after)} cannot follow {excerpt(self.before)} in {self.scheme}"


class Transitions(NamedTuple):
    """The transitions between K tags that a scheme allows, by tag id.

    Attributes:
        matrix: `(K, K)`, True at `[i][j]` if tag j may follow tag i.
        start: `(K,)`, True if a sequence may start with the tag.
        end: `(K,)`, True if a sequence may end with the tag.
    """

    matrix: list[list[bool]]
    start: list[bool]
    end: list[bool]


class _Scheme(NamedTuple):
    """The letters of a scheme, by the position of a token in its span."""

    first: str
    inner: str
    last: str
    single: str
    adjacent: str = ""  # in place of `first` and `single` directly after a span of the same type

    def all(self) -> set[str]:
        """Returns all letters of the scheme except `O`."""
        return {letter for letter in self if letter}

    def never_begin(self) -> set[str]:
        """Returns the letters that need a token of their span before them."""
        return {self.inner, self.last} - {self.first, self.single}

    def never_end(self) -> set[str]:
        """Returns the letters that need a token of their span after them."""
        return {self.first, self.inner} - {self.last, self.single}


_SCHEMES = {
    "IOB2": _Scheme("B", "I", "I", "B"),
    "IOB1": _Scheme("I", "I", "I", "I", adjacent="B"),
    "IOBES": _Scheme("B", "I", "E", "S"),
    "BILOU": _Scheme("B", "I", "L", "U"),
    "BMES": _Scheme("B", "M", "E", "S"),
}
_OTHER_NAMES = {"BIO": "IOB2", "BIOES": "IOBES"}
BEGINNING = "BSU"
"""The letters that start a span in every scheme that has them."""

_ENDING = "ELSU"  # letters that end one
_TAG = re.compile("O|[BILUEMS](-.+)?", re.DOTALL)

SCHEMES = tuple(_SCHEMES)
"""The names of the schemes."""


def read_spans(tags: Sequence[str], scheme: str, repair: bool = False) -> list[Span]:
    """Returns the spans of a sequence of tags, from left to right.

    Args:
        tags: One tag per token.
        scheme: One of `SCHEMES`.
        repair: Whether to read an invalid sequence as the scorer of CoNLL does: a span starts at each tag except `O`
            that does not continue a span of its type, and ends before the first tag that does not continue it.
            `find_breaks` lists the broken rules.

    Raises:
        InputError: The sequence is invalid and `repair` is not set, or an item is no tag of the scheme.

    Example:
        >>> read_spans(["I-LOC", "I-LOC", "B-LOC", "O"], "IOB1")
        [Span(start=0, end=2, type='LOC'), Span(start=2, end=3, type='LOC')]
        >>> read_spans(["O", "I-人名", "I-人名"], "IOB2")
        Traceback (most recent call last):
        ...
        textapp.errors.InputError: tags[1]: I-人名 cannot follow O in IOB2; correct the tags, or set repair=true
        >>> read_spans(["O", "I-人名", "I-人名"], "IOB2", repair=True)
        [Span(start=1, end=3, type='人名')]

    Reference: `conlleval`, the scorer of the CoNLL-2000 to 2003 shared tasks (`startOfChunk`, `endOfChunk`).
    """
    breaks = find_breaks(tags, scheme)
    if breaks and not repair:
        raise InputError(f"tags[{breaks[0].position}]: {breaks[0]}; correct the tags, or set repair=true")
    spans: list[Span] = []
    start, before = 0, OUTSIDE
    for position, after in enumerate(itertools.chain(tags, [OUTSIDE])):
        if not _continues(before, after):
            if before != OUTSIDE:
                spans.append(Span(start, position, _split(before)[1]))
            start = position
        before = after
    return spans


def write_tags(spans: Iterable[Span], length: int, scheme: str) -> list[str]:
    """Returns the tags of a sequence of `length` tokens with these spans, which may be in any order.

    Raises:
        InputError: A span is empty or exceeds the sequence, or two spans overlap.

    Example:
        >>> write_tags([Span(0, 2, "PER"), Span(3, 4, "LOC")], 4, "IOBES")
        ['B-PER', 'E-PER', 'O', 'S-LOC']
    """
    _, letters = _find_scheme(scheme)
    tags = [OUTSIDE] * length
    written_tag = functools.cache(lambda letter, name: f"{letter}-{name}" if name else letter)  # one string for all
    previous = Span(0, 0, "")
    for span in sorted(spans):
        if not 0 <= span.start < span.end <= length:
            raise InputError(f"a span must hold tokens from 0 to {length} (exclusive). Received: {quoted(span)}")
        if span.start < previous.end:
            raise InputError(f"spans must not overlap. Received: {quoted(previous)} and {quoted(span)}")
        inner = span.end - span.start - 2
        written = [letters.single] if inner < 0 else [letters.first, *letters.inner * inner, letters.last]
        if letters.adjacent and previous.end == span.start > 0 and previous.type == span.type:
            written[0] = letters.adjacent
        tags[span.start : span.end] = [written_tag(letter, span.type) for letter in written]
        previous = span
    return tags


def convert(tags: Sequence[str], source: str, target: str, repair: bool = False) -> list[str]:
    """Returns the tags of the same spans in another scheme. Arguments and errors as for `read_spans`.

    Example:
        >>> convert(["B-ORG", "M-ORG", "E-ORG", "O"], "BMES", "IOB2")
        ['B-ORG', 'I-ORG', 'I-ORG', 'O']
    """
    return write_tags(read_spans(tags, source, repair), len(tags), target)


def find_breaks(tags: Sequence[str], scheme: str) -> list[Break]:
    """Returns every place where a sequence of tags breaks a rule of the scheme; none if the sequence is valid.

    Raises:
        InputError: An item is no tag of the scheme.

    Example:
        >>> [str(found) for found in find_breaks(["B-PER", "O", "I-LOC", "E-LOC"], "IOBES")]
        ['O cannot follow B-PER in IOBES', 'I-LOC cannot follow O in IOBES']
    """
    scheme = _check(tags, scheme)
    last = len(tags)
    return [
        Break(position, before if position else None, after if position < last else None, scheme)
        for position, (before, after) in enumerate(itertools.pairwise(itertools.chain([OUTSIDE], tags, [OUTSIDE])))
        if not _may_follow(before, after, scheme)
    ]


def guess_scheme(sequences: Iterable[Sequence[str]]) -> str:
    """Guesses the scheme of sequences of tags.

    Of the schemes that have all letters of the tags, it is the one whose rules the sequences break least often, and of
    several the first of `SCHEMES`. The sequences may still be invalid in it.

    Raises:
        InputError: No scheme has all those letters, or an item is no tag.

    Example:
        >>> guess_scheme([["O", "I-LOC", "I-LOC"], ["O", "I-PER", "B-PER"]])
        'IOB1'
    """
    pairs: Counter[tuple[str, str]] = Counter()
    for tags in sequences:
        pairs.update(zip([OUTSIDE, *tags], [*tags, OUTSIDE], strict=True))
    found = {tag for pair in pairs for tag in pair}
    unknown = sorted(tag for tag in found if not is_tag(tag))
    if unknown:
        raise InputError(f"{quoted(unknown[0])} is no tag of any scheme; tags are O, B-TYPE, I-TYPE and so on")
    letters = {_split(tag)[0] for tag in found} - {OUTSIDE}
    candidates = [scheme for scheme in SCHEMES if letters <= _SCHEMES[scheme].all()]
    if not candidates:
        raise InputError(
            f"no tag scheme has all of the letters {', '.join(sorted(letters))}; known: {', '.join(SCHEMES)}"
        )
    return min(
        candidates,
        key=lambda scheme: sum(count for pair, count in pairs.items() if not _may_follow(*pair, scheme)),
    )


def allowed_transitions(tags: Sequence[str], scheme: str) -> Transitions:
    """Returns which tags may follow which tags, start a sequence, and end a sequence.

    Args:
        tags: The `K` tags by id.
        scheme: One of `SCHEMES`.

    Raises:
        InputError: An item of `tags` is no tag of the scheme.

    Example:
        >>> allowed_transitions(["O", "B-LOC", "I-LOC"], "IOB2").matrix
        [[True, True, False], [True, True, True], [True, True, True]]
    """
    scheme = _check(tags, scheme)
    return Transitions(
        matrix=[[_may_follow(before, after, scheme) for after in tags] for before in tags],
        start=[_may_follow(OUTSIDE, tag, scheme) for tag in tags],
        end=[_may_follow(tag, OUTSIDE, scheme) for tag in tags],
    )


@functools.lru_cache(maxsize=1 << 12)  # called for every token of a file
def is_tag(text: str, scheme: str | None = None) -> bool:
    """Whether a text is a tag of a scheme, or without `scheme` of any: `O`, `LETTER-TYPE` or a letter alone.

    Example:
        >>> is_tag("B-PER"), is_tag("B-PER", "BILOU"), is_tag("S-PER", "BILOU"), is_tag("NOUN")
        (True, True, False, False)
    """
    letters = None if scheme is None else _find_scheme(scheme)[1].all()
    return _TAG.fullmatch(text) is not None and (letters is None or text == OUTSIDE or text[0] in letters)


def _find_scheme(scheme: str) -> tuple[str, _Scheme]:
    """Returns the main name of a scheme and its letters."""
    name = _OTHER_NAMES.get(scheme, scheme)
    if name not in _SCHEMES:
        raise InputError(f"`scheme` must be one of {', '.join(SCHEMES)}. Received: scheme={quoted(scheme)}")
    return name, _SCHEMES[name]


def _check(tags: Sequence[str], scheme: str) -> str:
    """Returns the main name of a scheme, after checking that each tag is of it."""
    name, letters = _find_scheme(scheme)
    if not all(is_tag(tag, name) for tag in set(tags)):
        position, tag = next((position, tag) for position, tag in enumerate(tags) if not is_tag(tag, name))
        known = ", ".join(f"{letter}-TYPE" for letter in sorted(letters.all()))
        raise InputError(f"tags[{position}]: {quoted(tag)} is no tag of {name}; its tags are {OUTSIDE}, {known}")
    return name


def _split(tag: str) -> tuple[str, str]:
    """Returns the letter and the type of a tag."""
    return tag[0], tag[2:]


@functools.lru_cache(maxsize=1 << 16)  # called for every token of a file
def _continues(before: str, after: str) -> bool:
    """Whether a tag continues the span of the tag before it, in every scheme that has both."""
    (first, type_before), (second, type_after) = _split(before), _split(after)
    is_open = first != OUTSIDE and first not in _ENDING
    return is_open and second != OUTSIDE and second not in BEGINNING and type_before == type_after


@functools.lru_cache(maxsize=1 << 16)  # called for every token of a file
def _may_follow(before: str, after: str, scheme: str) -> bool:
    """Whether the scheme allows a tag after another; both ends of the sequence count as `O`."""
    letters = _SCHEMES[scheme]
    (first, type_before), (second, type_after) = _split(before), _split(after)
    if not _continues(before, after) and (first in letters.never_end() or second in letters.never_begin()):
        return False
    return second != letters.adjacent or (first != OUTSIDE and type_before == type_after)
