"""Tag schemes: how a tag per token writes down spans of tokens, each with a type.

| scheme  | a span of 1 | of 2 | of 4    | right behind another of its type |
|---------|-------------|------|---------|----------------------------------|
| `IOB1`  | I           | I I  | I I I I | its first tag is B               |
| `IOB2`  | B           | B I  | B I I I | the same; also called `BIO`      |
| `IOBES` | S           | B E  | B I I E | the same; also called `BIOES`    |
| `BILOU` | U           | B L  | B I I L | the same                         |
| `BMES`  | S           | B E  | B M M E | the same; usual for Chinese      |

A tag reads `LETTER-TYPE` (B-PER), or the letter alone where there are no types, as in word segmentation. A token
outside of all spans has the tag `O`.

A sequence is sound if each tag may follow the one before it, with an `O` imagined at both ends. That one relation is
what `find_breaks` checks and what `allowed_transitions` hands to a decoder, so that a sequence decoded under it can
always be read.

Reference: Ramshaw and Marcus, "Text Chunking using Transformation-Based Learning" (1995), for IOB1; Tjong Kim Sang and
Veenstra, "Representing Text Chunks" (1999), for IOB2; Ratinov and Roth, "Design Challenges and Misconceptions in Named
Entity Recognition" (2009), for BILOU.
"""

import functools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from textapp.errors import InputError

OUTSIDE = "O"
"""The tag of a token outside of all spans."""


class Span(NamedTuple):
    """Some tokens in a row and what they are.

    Attributes:
        start: position of its first token.
        end: position behind its last token.
        type: the type (PER); empty where the tags have none.
    """

    start: int
    end: int
    type: str


class Break(NamedTuple):
    """Two tags in a row of which the second must not follow the first; `str()` says so.

    Attributes:
        position: position of the second tag; the length of the sequence where it must not end there.
        before: the first tag, or None at the start of the sequence.
        after: the second tag, or None at its end.
        scheme: the scheme whose rule is broken.
    """

    position: int
    before: str | None
    after: str | None
    scheme: str

    def __str__(self) -> str:
        if self.before is None:
            return f"{self.after} cannot start a sequence in {self.scheme}"
        if self.after is None:
            return f"{self.before} cannot end a sequence in {self.scheme}"
        return f"{self.after} cannot follow {self.before} in {self.scheme}"


class Transitions(NamedTuple):
    """Which tags a scheme lets follow one another, by tag id.

    Attributes:
        matrix: `(K, K)`, True at `[i][j]` where tag j may follow tag i.
        start: `(K,)`, True where a sequence may start with the tag.
        end: `(K,)`, True where a sequence may end with the tag.
    """

    matrix: list[list[bool]]
    start: list[bool]
    end: list[bool]


class _Letters(NamedTuple):
    """A scheme: the letters of a span's tokens, by their place in it."""

    first: str
    inner: str
    last: str
    single: str
    adjacent: str = ""  # instead of `first` and `single`, right behind a span of the same type

    def all(self) -> set[str]:
        """All letters of the scheme but `O`."""
        return {letter for letter in self if letter}

    def never_begin(self) -> set[str]:
        """Letters that stand only behind another token of their span."""
        return {self.inner, self.last} - {self.first, self.single}

    def never_end(self) -> set[str]:
        """Letters that stand only before another token of their span."""
        return {self.first, self.inner} - {self.last, self.single}


_LETTERS = {
    "IOB2": _Letters("B", "I", "I", "B"),
    "IOB1": _Letters("I", "I", "I", "I", adjacent="B"),
    "IOBES": _Letters("B", "I", "E", "S"),
    "BILOU": _Letters("B", "I", "L", "U"),
    "BMES": _Letters("B", "M", "E", "S"),
}
_OTHER_NAMES = {"BIO": "IOB2", "BIOES": "IOBES"}
_BEGINNING = "BSU"  # letters that begin a span in every scheme that has them
_ENDING = "ELSU"  # letters that end one
_TAG = re.compile("O|[BILUEMS](-.+)?", re.DOTALL)

SCHEMES = tuple(_LETTERS)
"""The names of the schemes."""


def read_spans(tags: Sequence[str], scheme: str, repair: bool = False) -> list[Span]:
    """Returns the spans of a sequence of tags, from left to right.

    Args:
        tags: one tag per token.
        scheme: one of `SCHEMES`.
        repair: whether to read a broken sequence as the scorer of CoNLL does: a span begins at every tag but `O` that
            does not continue one of its type, and ends where it is not continued. `find_breaks` says what was mended.

    Raises:
        InputError: the sequence is broken and `repair` is not set, or something in it is no tag of the scheme.

    Example:
        >>> read_spans(["I-LOC", "I-LOC", "B-LOC", "O"], "IOB1")
        [Span(start=0, end=2, type='LOC'), Span(start=2, end=3, type='LOC')]
        >>> read_spans(["O", "I-人名", "I-人名"], "IOB2")
        Traceback (most recent call last):
        ...
        textapp.errors.InputError: tags[1]: I-人名 cannot follow O in IOB2; mend the tags, or set repair=true
        >>> read_spans(["O", "I-人名", "I-人名"], "IOB2", repair=True)
        [Span(start=1, end=3, type='人名')]

    Reference: `conlleval`, the scorer of the CoNLL-2000 to 2003 shared tasks (`startOfChunk`, `endOfChunk`).
    """
    breaks = find_breaks(tags, scheme)
    if breaks and not repair:
        raise InputError(f"tags[{breaks[0].position}]: {breaks[0]}; mend the tags, or set repair=true")
    spans: list[Span] = []
    start, before = 0, OUTSIDE
    for position, after in enumerate([*tags, OUTSIDE]):
        if not _continues(before, after):
            if before != OUTSIDE:
                spans.append(Span(start, position, _split(before)[1]))
            start = position
        before = after
    return spans


def write_tags(spans: Iterable[Span], length: int, scheme: str) -> list[str]:
    """Returns the tags of a sequence of `length` tokens with these spans, which may come in any order.

    Raises:
        InputError: a span is empty or reaches out of the sequence, or two spans overlap.

    Example:
        >>> write_tags([Span(0, 2, "PER"), Span(3, 4, "LOC")], 4, "IOBES")
        ['B-PER', 'E-PER', 'O', 'S-LOC']
    """
    _, letters = _letters(scheme)
    tags = [OUTSIDE] * length
    previous = Span(0, 0, "")
    for span in sorted(spans):
        if not 0 <= span.start < span.end <= length:
            raise InputError(f"a span must hold tokens from 0 to {length} (exclusive). Received: {span}")
        if span.start < previous.end:
            raise InputError(f"spans must not overlap. Received: {previous} and {span}")
        inner = span.end - span.start - 2
        written = [letters.single] if inner < 0 else [letters.first, *letters.inner * inner, letters.last]
        if letters.adjacent and previous.end == span.start > 0 and previous.type == span.type:
            written[0] = letters.adjacent
        tags[span.start : span.end] = [f"{letter}-{span.type}" if span.type else letter for letter in written]
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
    """Returns every place at which a sequence of tags breaks the scheme's rules; none for a sound one.

    Raises:
        InputError: something in the sequence is no tag of the scheme.

    Example:
        >>> [str(found) for found in find_breaks(["B-PER", "O", "I-LOC", "E-LOC"], "IOBES")]
        ['O cannot follow B-PER in IOBES', 'I-LOC cannot follow O in IOBES']
    """
    scheme = _check(tags, scheme)
    last = len(tags)
    return [
        Break(position, before if position else None, after if position < last else None, scheme)
        for position, (before, after) in enumerate(zip([OUTSIDE, *tags], [*tags, OUTSIDE], strict=True))
        if not _may_follow(before, after, scheme)
    ]


def guess_scheme(sequences: Iterable[Sequence[str]]) -> str:
    """Returns the scheme that sequences of tags are written in.

    It is, of the schemes that have all letters that occur, the one with the fewest breaks; of several, the first of
    `SCHEMES`. Nothing is said about whether the sequences are sound.

    Raises:
        InputError: no scheme has all those letters, or something is no tag.

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
        raise InputError(f"{unknown[0]!r} is no tag of any scheme; tags read O, B-TYPE, I-TYPE and so on")
    letters = {_split(tag)[0] for tag in found} - {OUTSIDE}
    candidates = [scheme for scheme in SCHEMES if letters <= _LETTERS[scheme].all()]
    if not candidates:
        raise InputError(
            f"no tag scheme has all of the letters {', '.join(sorted(letters))}; known: {', '.join(SCHEMES)}"
        )
    return min(
        candidates,
        key=lambda scheme: sum(count for pair, count in pairs.items() if not _may_follow(*pair, scheme)),
    )


def allowed_transitions(tags: Sequence[str], scheme: str) -> Transitions:
    """Returns which of the tags may follow which, start a sequence and end it.

    Args:
        tags: the `K` tags by id.
        scheme: one of `SCHEMES`.

    Raises:
        InputError: something in `tags` is no tag of the scheme.

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
    """Whether a text is a tag of a scheme, or of any: `O`, `LETTER-TYPE` or a letter alone.

    Example:
        >>> is_tag("B-PER"), is_tag("B-PER", "BILOU"), is_tag("S-PER", "BILOU"), is_tag("NOUN")
        (True, True, False, False)
    """
    letters = None if scheme is None else _letters(scheme)[1].all()
    return _TAG.fullmatch(text) is not None and (letters is None or text == OUTSIDE or text[0] in letters)


def _letters(scheme: str) -> tuple[str, _Letters]:
    """Returns a scheme's own name and its letters."""
    name = _OTHER_NAMES.get(scheme, scheme)
    if name not in _LETTERS:
        raise InputError(f"`scheme` must be one of {', '.join(SCHEMES)}. Received: scheme={scheme!r}")
    return name, _LETTERS[name]


def _check(tags: Sequence[str], scheme: str) -> str:
    """Returns a scheme's own name, once every tag is known to be one of its tags."""
    name, letters = _letters(scheme)
    for position, tag in enumerate(tags):
        if not is_tag(tag, name):
            known = ", ".join(f"{letter}-TYPE" for letter in sorted(letters.all()))
            raise InputError(f"tags[{position}]: {tag!r} is no tag of {name}; its tags are {OUTSIDE}, {known}")
    return name


def _split(tag: str) -> tuple[str, str]:
    """Returns the letter and the type of a tag."""
    return tag[0], tag[2:]


def _continues(before: str, after: str) -> bool:
    """Whether a tag belongs to the same span as the tag before it, in every scheme that has both."""
    (first, type_before), (second, type_after) = _split(before), _split(after)
    is_open = first != OUTSIDE and first not in _ENDING
    return is_open and second != OUTSIDE and second not in _BEGINNING and type_before == type_after


@functools.lru_cache(maxsize=1 << 16)  # called for every token of a file
def _may_follow(before: str, after: str, scheme: str) -> bool:
    """Whether the scheme lets a tag follow another; an end of the sequence counts as `O`."""
    letters = _LETTERS[scheme]
    (first, type_before), (second, type_after) = _split(before), _split(after)
    if not _continues(before, after) and (first in letters.never_end() or second in letters.never_begin()):
        return False
    return second != letters.adjacent or (first != OUTSIDE and type_before == type_after)
