"""How predictions look in a notebook: HTML with the marks of the report's pages. Everything of a text is escaped."""

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from textapp.text.characters import printable
from textapp.text.marked import Mark, Marked, contributing, joined, type_colour, weighted, with_spans

if TYPE_CHECKING:
    from textapp.runtime.classification import TokenWeight
    from textapp.runtime.tagging import TaggedSpan, TaggedToken

MOST_TOKENS = 400  # of a text that are shown
_BAR = "display:inline-block;height:.6em;background:rgba(0, 114, 178, .55);border-radius:2px;margin:0 .4em"
_ROW = "margin:.2em 0;line-height:1.75"
_BAR_WIDTH = 8  # em, of a probability of 1


def labels_html(
    chosen: Sequence[str],
    probs: Mapping[str, float],
    tokens: "Sequence[TokenWeight]",
    truncated: bool,
    is_sure: bool = True,
) -> str:
    """A prediction about a whole text: each chosen label with its probability as a bar, and the text.

    Tokens are tinted by their contributions to the first label that has some, otherwise by their attention.

    Args:
        chosen: The labels to show.
        probs: Label -> probability.
        tokens: The tokens that the model read.
        truncated: Whether the text goes on.
        is_sure: Whether the labels are those of the text; otherwise they are only a guess.
    """
    guess = "" if is_sure else '<span style="opacity:.7">no label, perhaps </span>'
    rows = "".join(
        f'<div style="{_ROW}">{guess}<b>{_name(label)}</b>'
        f'<span style="{_BAR};width:{_BAR_WIDTH * probs[label]:.2f}em"></span>{probs[label]:.3f}</div>'
        for label in chosen
    )
    if not tokens:
        return f"<div>{rows or _nothing('no label')}</div>"
    part = tokens[:MOST_TOKENS]
    text, places = joined((token.text, token.start, token.end) for token in part)
    contributions = [token.contributions for token in part]
    if contributions[0]:
        name = next(iter(contributions[0]))
        values = [(*place, some[name] if some else 0.0) for place, some in zip(places, contributions, strict=True)]
        marked, note = contributing(text, values), f"tint: for {name} (green) or against it (orange)"
    else:
        weights = [(*place, token.weight or 0.0) for place, token in zip(places, part, strict=True)]
        has_weights = any(token.weight is not None for token in part)
        marked, note = (weighted(text, weights), "tint: attention") if has_weights else (Marked(text, ()), "")
    marked = marked._replace(is_cut=truncated or len(part) < len(tokens))
    tip = f' title="{html.escape(printable(note))}"' if note else ""
    return f'<div>{rows or _nothing("no label")}<div style="{_ROW}"{tip}>{marked.html()}</div></div>'


def spans_html(tokens: "Sequence[TaggedToken]", spans: "Sequence[TaggedSpan]", types: Sequence[str]) -> str:
    """A tagged text: its spans in the colours of their types, or where tags are plain each token with its tag.

    Args:
        tokens: All tokens of the text.
        spans: Its spans.
        types: All types of the tagger; empty for plain tags.
    """
    part = tokens[:MOST_TOKENS]
    text, places = joined((token.text, token.start, token.end) for token in part)
    if types:
        rows: list[tuple[str, int, int, float | None]] = []
        for span in spans:
            inside = [
                place
                for place, token in zip(places, part, strict=True)
                if token.start < span.end and token.end > span.start
            ]
            if inside and (not rows or inside[0][0] >= rows[-1][2]):
                rows.append((span.type, inside[0][0], inside[-1][1], span.confidence))
        marked = with_spans(text, rows, types)
    else:
        names = sorted({token.tag for token in part})
        marked = Marked(text, tuple(_tag_marks(part, places, names)))
    return f'<div style="{_ROW}">{marked._replace(is_cut=len(part) < len(tokens)).html()}</div>'


def _tag_marks(
    tokens: "Sequence[TaggedToken]", places: Iterable[tuple[int, int]], names: Sequence[str]
) -> Iterable[Mark]:
    """Yields the mark of each token's tag."""
    for token, (start, end) in zip(tokens, places, strict=True):
        tip = "" if token.confidence is None else f"{token.confidence:.3f}"
        yield Mark(start, end, type_colour(token.tag, names), 1.0, token.tag, tip)


def _name(label: str) -> str:
    """A label as HTML."""
    return f"<bdi>{html.escape(printable(label))}</bdi>"


def _nothing(text: str) -> str:
    """A line in place of a label."""
    return f'<div style="{_ROW};opacity:.7">{text}</div>'
