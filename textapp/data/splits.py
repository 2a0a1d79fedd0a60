"""Stratified splits, and removal of duplicates within and across splits.

Within a set, two texts are duplicates if they differ only in white space. Across sets, case and punctuation do not
count either, so that a full stop cannot hide a leak. An example in both sets is removed from the training set. Held-out
sets stay as published, so that scores can be compared.
"""

import random
import re
from collections import Counter, defaultdict
from dataclasses import dataclass

from textapp.data.readers import Examples, names_of
from textapp.errors import InputError
from textapp.text.characters import agreeing, counted

# White space and the punctuation of ASCII, Latin-1, General Punctuation, CJK and the full-width forms. It has no emoji
# and no combining marks of Indic scripts, because these distinguish words.
_PUNCTUATION = re.compile(
    r"[\s!-/:-@\[-`{-~\u00a1-\u00bf\u2010-\u205e\u3001-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]+"
)


@dataclass(frozen=True)
class SplitReport:
    """What `split_examples` did; `str()` is one line.

    Args:
        source: Source of the examples.
        train: Number of examples kept for training.
        held_out: Number of examples held out.
        dropped: Number of examples left out of the training set because their text is held out.
    """

    source: str
    train: int
    held_out: int
    dropped: int

    def __str__(self) -> str:
        return (
            f"{self.source}: {counted(self.train, 'example')} for training, {self.held_out:,} held out, "
            f"{self.dropped:,} dropped that {agreeing(self.dropped, 'equals', 'equal')} a held-out text"
        )


@dataclass(frozen=True)
class DuplicateReport:
    """What `drop_duplicates` did; `str()` is one line.

    Args:
        source: Source of the examples.
        kept: Number of examples kept.
        dropped: Number of examples dropped.
        conflicting: Number of those dropped whose label differs from that of the example kept.
    """

    source: str
    kept: int
    dropped: int
    conflicting: int

    def __str__(self) -> str:
        return (
            f"{self.source}: {counted(self.kept, 'example')} kept, {counted(self.dropped, 'duplicate')} dropped, "
            f"{self.conflicting:,} of them with another label"
        )


@dataclass(frozen=True)
class OverlapReport:
    """What `drop_overlap` did; `str()` is one line.

    Args:
        source: Source of the training examples.
        kept: Number of training examples kept.
        dropped: Number of training examples dropped.
        held_out: Source of each held-out set, with the number of training examples dropped for it. An example that
            equals texts of two sets counts for the first set.
    """

    source: str
    kept: int
    dropped: int
    held_out: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        causes = ", ".join(f"{source} {count:,}" for source, count in self.held_out)
        kept, verb = counted(self.kept, "example"), agreeing(self.dropped, "is", "are")
        return f"{self.source}: {kept} kept, {self.dropped:,} dropped that {verb} held out ({causes})"


def split_examples(examples: Examples, fraction: float, seed: int) -> tuple[Examples, Examples, SplitReport]:
    """Splits examples at random into a training set and a held-out set with the same proportions of classes.

    Both sets keep the order of the examples. Every class of two examples or more is in both sets. A text with several
    labels counts for its rarest label. Training examples whose text is also held out are dropped.

    Args:
        examples: The examples to split.
        fraction: Share to hold out, between 0 and 1 (exclusive).
        seed: Seed of the choice; the same seed gives the same split.

    Returns:
        The training examples, the held-out examples, the report.
    """
    if not 0 < fraction < 1:
        raise InputError(f"`fraction` must be between 0 and 1. Received: fraction={fraction}")
    positions: defaultdict[str, list[int]] = defaultdict(list)
    counts = Counter(name for label in examples.labels for name in names_of(label))
    for index, label in enumerate(examples.labels):
        positions[min(names_of(label), key=lambda name: (counts[name], name), default="")].append(index)
    generator = random.Random(seed)
    chosen: set[int] = set()
    for label, count in _held_out_counts({label: len(rows) for label, rows in positions.items()}, fraction).items():
        chosen.update(generator.sample(positions[label], count))
    if not chosen:
        most = max((len(rows) for rows in positions.values()), default=0)
        raise InputError(
            f"{examples.source}: too few examples ({len(examples)}) to hold some out; no class has more than {most}"
        )
    held_out = examples.select(sorted(chosen))
    rest = examples.select(index for index in range(len(examples)) if index not in chosen)
    train, overlap = drop_overlap(rest, held_out)
    return train, held_out, SplitReport(examples.source, len(train), len(held_out), overlap.dropped)


def drop_duplicates(examples: Examples) -> tuple[Examples, DuplicateReport]:
    """Drops every example whose text has occurred before, also with another label. The first one is kept."""
    first_label: dict[str, str] = {}
    kept: list[int] = []
    conflicting = 0
    for index, (text, label) in enumerate(zip(examples.texts, examples.labels, strict=True)):
        key = _key(text)
        if key not in first_label:
            first_label[key] = label
            kept.append(index)
        elif first_label[key] != label:
            conflicting += 1
    report = DuplicateReport(examples.source, len(kept), len(examples) - len(kept), conflicting)
    return examples.select(kept), report


def drop_overlap(train: Examples, *held_out: Examples) -> tuple[Examples, OverlapReport]:
    """Drops every training example whose text is in a held-out set, also with another label."""
    owner: dict[str, int] = {}
    for position, examples in enumerate(held_out):
        for text in examples.texts:
            owner.setdefault(overlap_key(text), position)
    kept: list[int] = []
    dropped = [0] * len(held_out)
    for index, text in enumerate(train.texts):
        found = owner.get(overlap_key(text))
        if found is None:
            kept.append(index)
        else:
            dropped[found] += 1
    causes = tuple((examples.source, count) for examples, count in zip(held_out, dropped, strict=True))
    return train.select(kept), OverlapReport(train.source, len(kept), sum(dropped), causes)


def count_overlap(examples: Examples, others: Examples) -> int:
    """Counts the texts of `others` that are also in `examples`, without regard to case and punctuation."""
    known = set(map(overlap_key, examples.texts))
    return sum(overlap_key(text) in known for text in others.texts)


def _held_out_counts(sizes: dict[str, int], fraction: float) -> dict[str, int]:
    """Returns how many examples of each class to hold out: the rounded total, divided by largest remainders."""
    counts = {label: int(size * fraction) for label, size in sizes.items()}
    missing = round(sum(sizes.values()) * fraction) - sum(counts.values())
    by_remainder = sorted(sizes, key=lambda label: (counts[label] - sizes[label] * fraction, label))
    for label in by_remainder[:missing]:
        counts[label] += 1
    return {label: min(max(count, 1), sizes[label] - 1) for label, count in counts.items()}


def _key(text: str) -> str:
    """Returns a key that is equal for duplicates within a set."""
    return " ".join(text.split())


def overlap_key(text: str) -> str:
    """Returns a key that is equal for duplicates across sets; a text of only punctuation is unchanged."""
    return _PUNCTUATION.sub(" ", text.casefold()).strip() or _key(text)
