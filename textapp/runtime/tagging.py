"""What a tagger says of a text: its tokens with their tags, and its spans."""

from dataclasses import dataclass
from typing import Any, NamedTuple


class TaggedToken(NamedTuple):
    """A token of a text and its tag.

    Attributes:
        text: the token as the tokenizer gives it: normalized, its capitals kept.
        start: where it begins in the text that was given, in code points.
        end: where it ends, exclusive, in code points.
        tag: in IOB2, or standing for itself.
        confidence: the probability of a tag that stands for itself, from 0 to 1, where it was asked for.
    """

    text: str
    start: int
    end: int
    tag: str
    confidence: float | None = None


class TaggedSpan(NamedTuple):
    """An entity, a slot: some tokens in a row, and what they are.

    Offsets count code points of the very string that was given, as Python's `len` does: `text == original[start:end]`.
    Languages whose strings are UTF-16 (JavaScript, Java, Swift's NSString) count two for an emoji.

    Attributes:
        type: what it is (PER); empty where tags have no types.
        text: what the author wrote, not normalized.
        start: where it begins in the text that was given, in code points.
        end: where it ends, exclusive, in code points.
        confidence: the probability of all its tags at once and of its ends, from 0 to 1, where it was asked for.
    """

    type: str
    text: str
    start: int
    end: int
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Tagging:
    """What a model says of one text.

    Attributes:
        tokens: all tokens of the text.
        spans: its spans from left to right, none of which overlap; none where tags stand for themselves.
    """

    tokens: tuple[TaggedToken, ...]
    spans: tuple[TaggedSpan, ...]

    def to_dict(self) -> dict[str, Any]:
        """The tagging as JSON values; without `confidence` where it was not asked for."""
        return {
            "spans": [_known(span._asdict()) for span in self.spans],
            "tokens": [_known(token._asdict()) for token in self.tokens],
        }


def _known(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}
