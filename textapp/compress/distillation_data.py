"""What a student learns from: the transfer set encoded, with what is said of each text."""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from textapp.compress.distillation_loss import NO_LABEL, targets
from textapp.compress.matching import ATTENTION, HIDDEN, SAID
from textapp.compress.soft_labels import SoftLabels, Teacher, key_of
from textapp.compress.teacher_states import TeacherStates
from textapp.compress.transfer import MASK, TransferSet
from textapp.data.pipeline import EncodedExamples, Gather, TokenizedTexts
from textapp.data.readers import Examples
from textapp.errors import InputError
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import UNKNOWN_ID, Vocabulary


def known_to_all(text: str, teachers: Sequence[Teacher]) -> bool:
    """Whether every teacher has an answer for a text."""
    return all(text in teacher for teacher in teachers)


@dataclasses.dataclass(frozen=True)
class SoftExamples:
    """Encoded texts with what is said of each; `textapp.data.pipeline.Encoded`.

    Args:
        examples: The texts; their labels do not count here.
        targets: float32 `(N, 1 + C)`, see `textapp.compress.distillation_loss.targets`.
    """

    examples: EncodedExamples
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each text, int64 `(N,)`."""
        return self.examples.lengths

    def gather(self) -> Gather:
        """See `Encoded`: `token_ids`, padded with 0, and targets."""
        ids_alone, said = self.examples.gather(), tf.constant(self.targets)
        return lambda rows, shape: (ids_alone(rows, shape)[0], tf.gather(said, rows))


@dataclasses.dataclass(frozen=True)
class MatchedExamples:
    """The same with what the teachers' insides say of each; `textapp.data.pipeline.Encoded`.

    Args:
        taught: The texts with what is said of each.
        states: Of these and of the texts without a token between them.
    """

    taught: SoftExamples
    states: TeacherStates

    def __len__(self) -> int:
        return len(self.taught)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each text, int64 `(N,)`."""
        return self.taught.lengths

    def gather(self) -> Gather:
        """See `Encoded`: `token_ids`, padded with 0, and targets of `MatchingStudent`."""
        with_said, examples = self.taught.gather(), self.taught.examples
        # What has no numbers was not asked for.
        attention, contexts = self.states.attention, self.states.contexts
        ragged = tf.RaggedTensor.from_row_splits(attention, examples.offsets) if attention.size else None
        table, places = tf.constant(contexts), tf.constant(examples.rows)

        def gathered(rows: tf.Tensor, shape: list[Any]) -> tuple[Any, Any]:
            token_ids, said = with_said(rows, shape)
            targets = {SAID: said}
            if ragged is not None:
                targets[ATTENTION] = tf.cast(tf.gather(ragged, rows).to_tensor(0, shape=shape), tf.float32)
            if contexts.size:
                targets[HIDDEN] = tf.cast(tf.gather(table, tf.gather(places, rows)), tf.float32)
            return token_ids, targets

        return gathered


@dataclasses.dataclass(frozen=True)
class TransferRows:
    """The transfer set cut into words, one row a text.

    Attributes:
        tokenized: The words of the rows.
        labels: int64 `(N,)`, `NO_LABEL` where there is none.
        keys: What `SoftLabels` knows each text by.
        asked: bool `(N,)`, whether the teachers have an answer.
        originals: How many rows, the first ones, were not made by augmentation.
    """

    tokenized: TokenizedTexts
    labels: np.ndarray
    keys: list[bytes]
    asked: np.ndarray
    originals: int

    @classmethod
    def read(
        cls,
        transfer: TransferSet,
        labels: Sequence[str],
        teachers: Sequence[Teacher],
        tokenizer: Tokenizer,
        longest: int,
    ) -> "TransferRows":
        """Reads the transfer set, less the texts of which nobody says anything."""
        index = {label: number for number, label in enumerate(labels)}
        numbers: list[int] = []
        keys: list[bytes] = []
        asked: list[bool] = []
        originals = 0

        def texts() -> Iterator[str]:
            nonlocal originals
            for item in transfer:
                known = known_to_all(item.text, teachers)
                if known or item.label is not None:
                    numbers.append(NO_LABEL if item.label is None else index[item.label])
                    keys.append(key_of(item.text))
                    asked.append(known)
                    originals += not item.augmented
                    yield item.text

        tokenized = TokenizedTexts.read(texts(), tokenizer, longest)
        return cls(tokenized, np.asarray(numbers), keys, np.asarray(asked), originals)

    def counts(self) -> Counter[str]:
        """How often each word comes in the texts that were not made by augmentation."""
        indices = self.tokenized.indices[: self.tokenized.offsets[self.originals]]
        numbers = np.bincount(indices, minlength=len(self.tokenized.tokens))
        return Counter({word: int(n) for word, n in zip(self.tokenized.tokens, numbers, strict=True) if word != MASK})

    def kinds(self) -> dict[str, int]:
        """How many texts of each kind there are, ready for JSON."""
        labelled = int(np.sum(self.labels != NO_LABEL))
        return {
            "labelled": labelled,
            "unlabelled": self.originals - labelled,
            "augmented": len(self.keys) - self.originals,
            "without_soft_labels": int(np.sum(~self.asked)),
        }

    def encode(self, vocabulary: Vocabulary) -> EncodedExamples:
        """Encodes the rows that have a token. Raises `InputError` where none has."""
        lengths = np.diff(self.tokenized.offsets)
        rows = np.flatnonzero(lengths)
        if not len(rows):
            raise InputError("the transfer set: no text has a token")
        token_ids = self.tokenized.encode(vocabulary)
        return EncodedExamples(
            token_ids=token_ids,
            offsets=np.concatenate([[0], np.cumsum(lengths[rows])]),
            labels=self.labels[rows].astype(np.int32),
            rows=rows,
            oov_rate=float(np.mean(token_ids == UNKNOWN_ID)),
            cut=self.tokenized.cut,
        )

    def taught(self, examples: EncodedExamples, soft: SoftLabels) -> SoftExamples:
        """Puts to the encoded rows what people and teachers say of them.

        Raises:
            InputError: A text that the teachers were asked about is not among the soft labels.
        """
        places = soft.rows(self.keys)
        if (places[self.asked] < 0).any():
            raise InputError(f"{soft.name}: is of other texts; the files have changed since: go back, or use --force")
        return SoftExamples(examples, targets(self.labels, probs_or_none(soft, places))[examples.rows])


def taught_examples(encoded: EncodedExamples, texts: Examples, soft: SoftLabels) -> SoftExamples:
    """The same of a held-out split, which was encoded from `texts`."""
    places = soft.rows(map(key_of, texts.texts))[encoded.rows]
    return SoftExamples(encoded, targets(encoded.labels, probs_or_none(soft, places)))


def probs_or_none(soft: SoftLabels, places: np.ndarray) -> np.ndarray:
    """Rows of soft labels, float32 `(N, C)`; all 0 for the place -1."""
    return np.where(places[:, None] >= 0, soft.probs[places], np.float32(0))
