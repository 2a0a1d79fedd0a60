"""The tags of a model, by id: converts tags of files to ids, and back."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from textapp.text.tag_schemes import OUTSIDE, Span, Transitions, allowed_transitions, convert, read_spans, write_tags

FILE_SCHEME = "IOB2"
"""The scheme of all tags of spans outside of the model: readers convert to it, and predictions are in it."""


@dataclass(frozen=True)
class TagSet:
    """The K tags of a model by id, in the scheme of the model.

    A model may learn another scheme than that of files: IOBES also marks the ends of spans, and so a model finds a
    little more than with IOB2.

    Args:
        tags: The tags by id. If they are tags of spans, the first is `O`.
        scheme: One of `textapp.text.tag_schemes.SCHEMES`; None for plain tags, such as parts of speech.

    Example:
        >>> tags = TagSet.build([["B-地", "I-地", "O", "B-人"]], "IOBES")
        >>> tags.tags
        ('O', 'S-人', 'B-地', 'E-地')
        >>> tags.encode(["B-人", "O"]), tags.decode([2, 3, 1])
        ([1, 0], ['B-地', 'I-地', 'B-人'])

    Reference: Ratinov and Roth, "Design Challenges and Misconceptions in Named Entity Recognition" (2009), section 4.
    """

    tags: tuple[str, ...]
    scheme: str | None

    @classmethod
    def build(cls, sequences: Iterable[Sequence[str]], scheme: str | None) -> "TagSet":
        """Makes the set of the tags that occur in a training split.

        Args:
            sequences: The tags of each sentence: valid IOB2, or plain tags.
            scheme: The scheme for the model to learn; None for plain tags.
        """
        if scheme is None:
            return cls(tuple(sorted(set(itertools.chain.from_iterable(sequences)))), None)
        found = {tag for tags in sequences for tag in convert(tags, FILE_SCHEME, scheme)} - {OUTSIDE}
        return cls((OUTSIDE, *sorted(found, key=lambda tag: (tag[2:], tag[0]))), scheme)

    def extended(self, tags: Iterable[str]) -> "TagSet":
        """Returns the set followed by the tags that it lacks, of the same scheme; known tags keep their ids."""
        return TagSet((*self.tags, *(tag for tag in tags if tag not in self.tags)), self.scheme)

    def __len__(self) -> int:
        return len(self.tags)

    @property
    def names(self) -> tuple[str, ...]:
        """The tags by id, as `textapp.task.Targets` calls them."""
        return self.tags

    @property
    def types(self) -> set[str]:
        """The types of the spans; none for plain tags."""
        return set() if self.scheme is None else {tag[2:] for tag in self.tags if tag != OUTSIDE}

    def encode(self, tags: Sequence[str]) -> list[int]:
        """Returns the ids of tags, which are valid IOB2, or plain tags.

        A span with a tag that the set lacks becomes `O`; a plain tag that the set lacks becomes the first tag.
        """
        ids = {tag: index for index, tag in enumerate(self.tags)}
        if self.scheme is not None:
            tags = write_tags(self.known_spans(tags), len(tags), self.scheme)
        return [ids.get(tag, 0) for tag in tags]

    def known_spans(self, tags: Sequence[str]) -> list[Span]:
        """Returns the spans of tags, valid IOB2, that the set has each tag for; the set must be one of spans."""
        assert self.scheme is not None
        known = set(self.tags)
        return [
            span
            for span in read_spans(tags, FILE_SCHEME)
            if known.issuperset(write_tags([span], len(tags), self.scheme)[span.start : span.end])
        ]

    def decode(self, ids: Iterable[int]) -> list[str]:
        """Returns the tags of ids: valid IOB2, or plain tags.

        Only a model without a CRF gives invalid sequences. They are repaired by the rule of `conlleval`.
        """
        tags = [self.tags[index] for index in ids]
        return tags if self.scheme is None else convert(tags, self.scheme, FILE_SCHEME, repair=True)

    def of_tokens(self, tags: Sequence[str], word_starts: Sequence[int]) -> list[str]:
        """Returns the tags of tokens by those of their first pieces, repaired as in `decode`."""
        chosen = [tags[first] for first in word_starts]
        return chosen if self.scheme is None else convert(chosen, FILE_SCHEME, FILE_SCHEME, repair=True)

    def allowed(self) -> Transitions | None:
        """Returns which tags may follow which; None if every tag may follow every tag."""
        return None if self.scheme is None else allowed_transitions(self.tags, self.scheme)
