"""The transfer set: the items on which a student learns its teachers' probabilities, as rows of tokens."""

import dataclasses
import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from textapp.compress.soft_targets import SoftTargets, Teacher, all_have_answer
from textapp.data.rows import UNLABELLED, TargetRows, TokenRows
from textapp.data.splits import overlap_key
from textapp.errors import InputError
from textapp.task import Task
from textapp.text.tokenizer import Tokenizer


@dataclasses.dataclass(frozen=True)
class Transfer:
    """Labelled items, then unlabelled ones, then new ones made from labelled ones; always the same, in the same order.

    An unlabelled or new item is left out if its text is in a held-out split or has already occurred (without regard to
    case and punctuation), or if a teacher has no probabilities for it.

    Attributes:
        rows: Tokens and true targets of each item; `UNLABELLED` if there is no target.
        items: The items for teachers, one per row.
        has_soft_targets: bool `(N,)`, whether all teachers have probabilities.
        labelled: Number of first rows that are labelled.
        originals: Number of first rows that were not made from others.
    """

    rows: TargetRows
    items: list[Any]
    has_soft_targets: np.ndarray
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
        """Collects the items.

        Args:
            task: The task.
            config: The student's settings.
            train: Training examples without held-out ones.
            held_out: Held-out splits, whose items are left out.
            targets: The targets of the student.
            tokenizer: The tokenizer of texts.
            unlabelled: Files of texts without targets.
            teachers: The teachers. Those that are files add their items.

        Raises:
            InputError: A file breaks a rule, or the teachers know none of the labelled items.
        """
        rows = task.rows(config, train, targets, tokenizer, training=True)
        items = task.items(config, train, tokenizer, training=True)
        texts = [task.item_text(item) for item in items]
        seen = {_key(text) for text in texts}
        for examples in held_out:
            seen |= {_key(task.item_text(item)) for item in task.items(config, examples, tokenizer, training=False)}
        is_known = [all_have_answer(item, teachers) for item in items]
        if not any(is_known):
            names = ", ".join(teacher.name for teacher in teachers)
            raise InputError(
                f"{names}: knows none of the texts of {train.source}; soft targets must have the same texts"
            )
        augmented = list(task.augmented_items(config, items, tokenizer))
        # With new items, a file of soft targets can only come from a student of runs, so it adds no items. New items
        # are made again, because their words do not count for the vocabulary.
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
        labelled = len(is_known)
        return cls(
            rows=_append_unlabelled(rows, more, task.unit == "token"),
            items=items,
            has_soft_targets=np.array(is_known + [True] * len(more)),
            labelled=labelled,
            originals=counts[1],
        )

    def kinds(self) -> dict[str, int]:
        """The number of items of each kind, ready for JSON."""
        return {
            "labelled": self.labelled,
            "unlabelled": self.originals - self.labelled,
            "augmented": len(self.items) - self.originals,
            "without_soft_targets": int(np.sum(~self.has_soft_targets)),
        }


def _new_items(
    task: Task[Any, Any, Any], items: Iterable[Any], seen: set[bytes], teachers: Sequence[Teacher]
) -> Iterator[Any]:
    """Yields the items whose texts are new and for which all teachers have probabilities."""
    for item in items:
        key = _key(task.item_text(item))
        if key not in seen and all_have_answer(item, teachers):
            seen.add(key)
            yield item


def _append_unlabelled(rows: TargetRows, more: list[list[str]], per_token: bool) -> TargetRows:
    """Adds rows without targets after the labelled rows."""
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
    """Sixteen bytes that are equal for duplicates: 50,000 whole reviews would take as much memory as the training."""
    return hashlib.blake2b(overlap_key(text).encode("utf-8", "surrogatepass"), digest_size=16).digest()
