"""The baselines of a tagger: each word gets its most frequent tag in the training split; or a CRF over features."""

import collections
import itertools
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from textapp.text.tag_set import TagSet

TITLE = "most frequent tag of each word"

Tag = Callable[[Iterable[Sequence[str]]], np.ndarray]
"""A function from sentences of words to the tag ids of all words, int32 `(sum of lengths,)`."""


def fitted(sentences: Sequence[Sequence[str]], tag_ids: np.ndarray, tags: TagSet, kind: bool | str) -> tuple[str, Tag]:
    """Fits a baseline.

    Args:
        sentences: Sentences of words.
        tag_ids: The tag ids of all words, int `(sum of lengths,)`.
        tags: The tags.
        kind: The setting `baseline`: `crf` for a CRF over features.

    Returns:
        What it is, and the function that tags sentences.
    """
    if kind != "crf":
        return TITLE, MostFrequentTags(sentences, tag_ids)
    from textapp.tasks.tagging import feature_crf

    ends = np.cumsum([len(sentence) for sentence in sentences])
    parts = np.split(tag_ids, ends[:-1])
    model = feature_crf.FeatureCRF(sentences, [[tags.names[tag] for tag in part.tolist()] for part in parts])
    numbers = {name: number for number, name in enumerate(tags.names)}
    return feature_crf.TITLE, lambda others: np.fromiter(
        map(numbers.__getitem__, itertools.chain.from_iterable(model(others))), np.int32
    )


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
