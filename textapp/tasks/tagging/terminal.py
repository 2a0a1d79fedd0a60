"""Predictions of a tagger as lines for a terminal."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from textapp.text.characters import one_line, printable
from textapp.text.tag_set import TagSet
from textapp.text.terminal import BOLD, DIM, FILLS, PLAIN, Screen, filled

if TYPE_CHECKING:
    from textapp.runtime.tagging import TaggedToken, Tagging


def prediction_lines(
    texts: Sequence[str], predictions: "Sequence[Tagging]", tags: TagSet, screen: Screen
) -> Iterator[str]:
    """Yields one line per text: the text with its spans marked, or for plain tags its tokens with their tags."""
    types = sorted(tags.types)
    for text, tagging in zip(texts, predictions, strict=True):
        if tags.scheme is None:
            yield " ".join(_tagged(token, screen) for token in tagging.tokens)
        else:
            yield mark_spans(text, tagging, types, screen)


def legend(tags: TagSet, screen: Screen) -> str:
    """The types of spans, each on its colour, in one line; empty without colours or without types."""
    types = sorted(tags.types) if screen.colours else []
    return " ".join(screen.paint(f" {printable(type_ or '_')} ", fill_of(type_, types)) for type_ in types)


def fill_of(type_: str, types: Sequence[str]) -> str:
    """The code of the colour of a type among all types, sorted; after twelve types the colours come again."""
    return filled(FILLS[types.index(type_) % len(FILLS)])


def mark_spans(text: str, tagging: "Tagging", types: Sequence[str] = (), screen: Screen = PLAIN) -> str:
    """A text on one line with its spans marked: `[Barack Obama PER 0.98] was in [Hawaii LOC 0.91].`, for example.

    Args:
        text: The text.
        tagging: Its spans, with their confidence if known.
        types: All types, sorted; a screen with colours needs them.
        screen: Where it is shown. Without colours, brackets mark spans; then brackets and backslashes of the text, and
            spaces of a type, get a backslash before them to distinguish them from marks.
    """
    shown, end = "", 0
    for span in tagging.spans:
        before, surface = one_line(text[end : span.start]), one_line(span.text)
        notes = [span.type or "_", *([] if span.confidence is None else [f"{span.confidence:.2f}"])]
        if not screen.colours:
            marks = [_escaped(surface, "[]"), *(_escaped(note, "[] ") for note in notes)]
            shown += f"{_escaped(before, '[]')}[{' '.join(marks)}]"
        else:
            fill = fill_of(span.type, types)
            shown += before + screen.paint(f"{surface} ", fill) + screen.paint(printable(" ".join(notes)), fill, BOLD)
        end = span.end
    rest = one_line(text[end:])
    return shown + (rest if screen.colours else _escaped(rest, "[]"))


def _tagged(token: "TaggedToken", screen: Screen) -> str:
    """A token and its tag: `film/NOUN`. A slash or space in either gets a backslash before it."""
    notes = [token.tag, *([] if token.confidence is None else [f"{token.confidence:.2f}"])]
    tag = "".join(f"/{_escaped(note, '/ ')}" for note in notes)
    return _escaped(token.text, "/ ") + screen.paint(tag, DIM)


def _escaped(text: str, marks: str) -> str:
    """A printable text with a backslash before each backslash and each character of `marks`."""
    return "".join(f"\\{one}" if one == "\\" or one in marks else printable(one) for one in text)
