"""The tags that a model gives, by id: from tags of files to ids, and back."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from textapp.text.tag_schemes import OUTSIDE, Transitions, allowed_transitions, convert, read_spans, write_tags

FILE_SCHEME = "IOB2"
"""The scheme of tags outside of the model, where they are of spans."""


@dataclass(frozen=True)
class TagSet:
    """K tags by id, in a scheme of their own.

    Which scheme a model learns is its own affair: IOBES tells it where a span ends and so finds a little more than
    IOB2, in which tags come in and go out.

    Args:
        tags: The tags by id. Of spans, the first is `O`.
        scheme: One of `textapp.text.tag_schemes.SCHEMES`; None for tags that stand for themselves, as parts of speech.

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
        """Takes the tags that occur.

        Args:
            sequences: The tags of the training split: in IOB2, sound ones, or standing for themselves.
            scheme: The scheme to learn, or None.
        """
        if scheme is None:
            return cls(tuple(sorted(set(itertools.chain.from_iterable(sequences)))), None)
        found = {tag for tags in sequences for tag in convert(tags, FILE_SCHEME, scheme)} - {OUTSIDE}
        return cls((OUTSIDE, *sorted(found, key=lambda tag: (tag[2:], tag[0]))), scheme)

    def __len__(self) -> int:
        return len(self.tags)

    @property
    def names(self) -> tuple[str, ...]:
        """The tags by id, as `textapp.task.Targets` calls them."""
        return self.tags

    @property
    def types(self) -> set[str]:
        """The types of spans; none where tags stand for themselves."""
        return set() if self.scheme is None else {tag[2:] for tag in self.tags if tag != OUTSIDE}

    def encode(self, tags: Sequence[str]) -> list[int]:
        """Returns the ids of tags as they come in: IOB2, sound, or standing for themselves.

        A span with a tag that is not in the set becomes `O`, a tag that stands for itself and is not in it the first.
        """
        ids = {tag: index for index, tag in enumerate(self.tags)}
        if self.scheme is not None:
            spans = read_spans(tags, FILE_SCHEME)
            known = [
                span
                for span in spans
                if ids.keys() >= set(write_tags([span], len(tags), self.scheme)[span.start : span.end])
            ]
            tags = write_tags(known, len(tags), self.scheme)
        return [ids.get(tag, 0) for tag in tags]

    def decode(self, ids: Iterable[int]) -> list[str]:
        """Returns tags as they go out.

        Broken sequences, which only a model without a CRF gives, are read as `conlleval` reads them.
        """
        tags = [self.tags[index] for index in ids]
        return tags if self.scheme is None else convert(tags, self.scheme, FILE_SCHEME, repair=True)

    def of_tokens(self, tags: Sequence[str], firsts: Sequence[int]) -> list[str]:
        """The tags of tokens that were cut into pieces: those of their first pieces, mended as `decode` does."""
        chosen = [tags[first] for first in firsts]
        return chosen if self.scheme is None else convert(chosen, FILE_SCHEME, FILE_SCHEME, repair=True)

    def allowed(self) -> Transitions | None:
        """Returns which tags may follow which; None where all may."""
        return None if self.scheme is None else allowed_transitions(self.tags, self.scheme)
