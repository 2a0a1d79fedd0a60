"""The transfer set: the items on which a student learns what its teachers say, as rows of tokens."""

import dataclasses
import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from textapp.compress.soft_targets import SoftTargets, Teacher, known_to_all
from textapp.data.rows import UNLABELLED, TargetRows, TokenRows
from textapp.data.splits import overlap_key
from textapp.errors import InputError
from textapp.task import Task
from textapp.text.tokenizer import Tokenizer


@dataclasses.dataclass(frozen=True)
class Transfer:
    """Labelled items, then unlabelled ones, then new ones made from the labelled; each time the same, in one order.

    An unlabelled or new item is left out where its text stands in a held-out split or has come before, whatever its
    case and punctuation, and where a teacher has no answer for it.

    Attributes:
        rows: Tokens and true targets of each item; `UNLABELLED` where there is none.
        items: What teachers are asked about, an item a row.
        asked: bool `(N,)`, whether all teachers have an answer.
        labelled: How many rows, the first ones, are labelled.
        originals: How many rows, the first ones, were not made from others.
    """

    rows: TargetRows
    items: list[Any]
    asked: np.ndarray
    labelled: int
    originals: int

    @classmethod
    def read(
        cls,
        task: Task[Any, Any, Any],
        config: Any,
        train: Any,
        held_out: Iterable[Any],
        targets: Any,
        tokenizer: Tokenizer,
        unlabelled: Sequence[Any],
        teachers: Sequence[Teacher],
    ) -> "Transfer":
        """Gathers the items.

        Args:
            task: The task.
            config: The student's settings.
            train: Training examples, without held-out ones among them.
            held_out: Splits that must not be learned.
            targets: What the student chooses from.
            tokenizer: What cuts texts.
            unlabelled: Files of texts without targets.
            teachers: Say which items they know, and those that are files bring theirs.

        Raises:
            InputError: A file breaks a rule, or the teachers know none of the labelled items.
        """
        rows = task.rows(config, train, targets, tokenizer, training=True)
        items = task.items(config, train, tokenizer, training=True)
        texts = [task.item_text(item) for item in items]
        seen = {_key(text) for text in texts}
        for examples in held_out:
            seen |= {_key(task.item_text(item)) for item in task.items(config, examples, tokenizer, training=False)}
        asked = [known_to_all(item, teachers) for item in items]
        if not any(asked):
            names = ", ".join(teacher.name for teacher in teachers)
            raise InputError(
                f"{names}: knows none of the texts of {train.source}; soft targets must be of the same texts"
            )
        augmented = list(task.augmented_items(config, items, tokenizer))
        # Where items are made, a file of soft targets can only be that of a student of runs: it brings none, and the
        # made ones among its items are to be made again, as no word of theirs counts for the vocabulary.
        files = [teacher for teacher in teachers if isinstance(teacher, SoftTargets) and not augmented]
        longest = config.data.max_tokens
        more: list[list[str]] = []
        counts = []
        for found in (
            itertools.chain.from_iterable(task.unlabelled_items(config, path, tokenizer) for path in unlabelled),
            itertools.chain.from_iterable(teacher.items() for teacher in files),
            augmented,
        ):
            for item in _new_items(task, found, seen, teachers):
                if tokens := task.item_tokens(item, tokenizer, longest):
                    items.append(item)
                    more.append(tokens)
            counts.append(len(items))
        labelled = len(asked)
        return cls(
            rows=_extended(rows, more, task.unit == "token"),
            items=items,
            asked=np.array(asked + [True] * len(more)),
            labelled=labelled,
            originals=counts[1],
        )

    def kinds(self) -> dict[str, int]:
        """How many items of each kind there are, ready for JSON."""
        return {
            "labelled": self.labelled,
            "unlabelled": self.originals - self.labelled,
            "augmented": len(self.items) - self.originals,
            "without_soft_targets": int(np.sum(~self.asked)),
        }


def _new_items(
    task: Task[Any, Any, Any], items: Iterable[Any], seen: set[bytes], teachers: Sequence[Teacher]
) -> Iterator[Any]:
    """Yields the items whose texts have not been seen, and that the teachers know."""
    for item in items:
        key = _key(task.item_text(item))
        if key not in seen and known_to_all(item, teachers):
            seen.add(key)
            yield item


def _extended(rows: TargetRows, more: list[list[str]], per_token: bool) -> TargetRows:
    """Labelled rows, and rows without targets after them."""
    labelled = (rows.tokens.row(number) for number in range(len(rows.tokens)))
    tokens = TokenRows.read(itertools.chain(labelled, more))
    count = sum(map(len, more)) if per_token else len(more)
    return dataclasses.replace(
        rows,
        tokens=tokens,
        targets=np.concatenate([rows.targets, np.full((count, *rows.targets.shape[1:]), UNLABELLED, np.int32)]),
        sources=np.arange(len(tokens)),
    )


def _key(text: str) -> bytes:
    """Sixteen bytes for what doubles have in common: of 50,000 reviews the texts would take as much as the training."""
    return hashlib.blake2b(overlap_key(text).encode("utf-8", "surrogatepass"), digest_size=16).digest()
