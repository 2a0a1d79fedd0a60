"""The baseline of a tagger: each word gets the tag that it has most often in the training split."""

import collections
import itertools
from collections.abc import Iterable, Sequence

import numpy as np

TITLE = "most frequent tag of each word"


class MostFrequentTags:
    """The most frequent tag of each word; a word that is not known gets the most frequent tag of all.

    Of equally frequent tags it is the one with the lowest id.

    Args:
        sentences: Sentences of words.
        tag_ids: The tag ids of all words, int `(sum of lengths,)`.

    Example:
        >>> tags = MostFrequentTags([["我", "在", "北京"], ["在", "家"]], np.array([0, 0, 1, 0, 2]))
        >>> tags([["北京", "好"]]).tolist()
        [1, 0]
    """

    def __init__(self, sentences: Iterable[Sequence[str]], tag_ids: np.ndarray):
        counts: dict[str, collections.Counter[int]] = collections.defaultdict(collections.Counter)
        for word, tag in zip(itertools.chain.from_iterable(sentences), tag_ids.tolist(), strict=True):
            counts[word][tag] += 1
        self._tag_of = {word: min(tags, key=lambda tag: (-tags[tag], tag)) for word, tags in counts.items()}
        self._default = int(np.bincount(tag_ids).argmax())

    def __call__(self, sentences: Iterable[Sequence[str]]) -> np.ndarray:
        """The tag ids of all words, int32 `(sum of lengths,)`."""
        words = itertools.chain.from_iterable(sentences)
        return np.fromiter((self._tag_of.get(word, self._default) for word in words), np.int32)
