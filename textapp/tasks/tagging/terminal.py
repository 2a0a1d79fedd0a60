"""Predictions of a tagger as lines for a terminal."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from textapp.text.characters import one_line, printable
from textapp.text.tag_set import TagSet

if TYPE_CHECKING:
    from textapp.runtime.tagging import TaggedToken, Tagging

_COLOURS = (117, 156, 222, 218, 183, 229)  # light ones of the 256, for a span's background by its type


def prediction_lines(
    texts: Sequence[str], predictions: "Sequence[Tagging]", tags: TagSet, colours: bool
) -> Iterator[str]:
    """Yields one line per text: the text with its spans marked, or for plain tags its tokens with their tags."""
    types = sorted(tags.types)
    for text, tagging in zip(texts, predictions, strict=True):
        if tags.scheme is None:
            yield " ".join(_tagged(token, colours) for token in tagging.tokens)
        else:
            yield mark_spans(text, tagging, types if colours else None)


def mark_spans(text: str, tagging: "Tagging", coloured: Sequence[str] | None = None) -> str:
    """A text on one line with its spans marked: `[Barack Obama PER 0.98] was in [Hawaii LOC 0.91].`, for example.

    Args:
        text: The text.
        tagging: Its spans, with their confidence if known.
        coloured: All types, to mark spans with terminal colours. By default brackets mark spans; then brackets and
            backslashes of the text, and spaces of a type, get a backslash before them to distinguish them from marks.
    """
    shown, end = "", 0
    for span in tagging.spans:
        before, surface = one_line(text[end : span.start]), one_line(span.text)
        notes = [span.type or "_", *([] if span.confidence is None else [f"{span.confidence:.2f}"])]
        if coloured is None:
            marks = [_escaped(surface, "[]"), *(_escaped(note, "[] ") for note in notes)]
            shown += f"{_escaped(before, '[]')}[{' '.join(marks)}]"
        else:
            colour = _COLOURS[coloured.index(span.type) % len(_COLOURS)]
            shown += f"{before}\x1b[30;48;5;{colour}m{surface} \x1b[1m{printable(' '.join(notes))}\x1b[0m"
        end = span.end
    rest = one_line(text[end:])
    return shown + (_escaped(rest, "[]") if coloured is None else rest)


def _tagged(token: "TaggedToken", colours: bool) -> str:
    """A token and its tag: `film/NOUN`. A slash or space in either gets a backslash before it."""
    notes = [token.tag, *([] if token.confidence is None else [f"{token.confidence:.2f}"])]
    tag = "".join(f"/{_escaped(note, '/ ')}" for note in notes)
    return _escaped(token.text, "/ ") + (f"\x1b[2m{tag}\x1b[0m" if colours else tag)


def _escaped(text: str, marks: str) -> str:
    """A printable text with a backslash before each backslash and each character of `marks`."""
    return "".join(f"\\{one}" if one == "\\" or one in marks else printable(one) for one in text)
