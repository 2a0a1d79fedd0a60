"""Files of texts, and what teachers say of these, to a student's batches."""

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from textapp.compress.config import DistillConfig
from textapp.compress.distillation_data import MatchedExamples, SoftExamples, TransferRows, taught_examples
from textapp.compress.distillation_loss import NO_LABEL
from textapp.compress.soft_labels import SoftLabels, Teacher
from textapp.compress.teacher_states import TeacherStates
from textapp.compress.teachers import RunTeacher
from textapp.compress.transfer import Augmentation, TransferSet, unlabelled_texts
from textapp.data.pipeline import EncodedExamples, TrainingBatches
from textapp.data.readers import Examples, label_names
from textapp.errors import InputError
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary
from textapp.training.preparation import (
    Prepared,
    bucket_widths,
    count_splits,
    encode_held_out,
    read_held_out,
    report_counts,
    split_off,
)


@dataclasses.dataclass(frozen=True)
class StudentFiles:
    """A student's files, read, split, counted and encoded, before anything is asked of its teachers.

    Attributes:
        config: The settings.
        tokenizer: How texts are cut.
        vocabulary: Of the transfer set.
        labels: The classes, of the labelled texts.
        held_out: `valid`, and `test` where it was given, as they were read.
        encoded: The same, encoded.
        transfer: The texts that are learned.
        rows: The same, cut into words.
        examples: The same, encoded.
        counts: As of `Prepared`, and how many texts of each kind the transfer set has.
    """

    config: DistillConfig
    tokenizer: Tokenizer
    vocabulary: Vocabulary
    labels: list[str]
    held_out: dict[str, Examples]
    encoded: dict[str, EncodedExamples]
    transfer: TransferSet
    rows: TransferRows
    examples: EncodedExamples
    counts: dict[str, dict[str, float]]

    @classmethod
    def read(
        cls,
        config: DistillConfig,
        command: Mapping[str, Any],
        teachers: Sequence[Teacher],
        report: Callable[[str], None],
    ) -> "StudentFiles":
        """Reads the files.

        The soft labels of a student's run stand for its teachers: with them as the only teacher, all is as it was with
        these.

        Args:
            config: The settings.
            command: Names the files, as a run's `config.json` does: `train`, `valid`, `test` and `unlabelled`.
            teachers: Say which texts they know, and those that are files bring theirs.
            report: Is given each line of progress.

        Raises:
            InputError: A file breaks a rule, the teachers' labels are others, or they know none of the texts.
        """
        tokenizer = Tokenizer(config.tokenizer, config.lowercase, config.normalization)
        held_out = read_held_out(config, command["valid"], command["test"], report)
        seed = config.seed if config.split_seed is None else config.split_seed
        train, held_out = split_off(config, command["train"], held_out, seed, report)
        labels = label_names(train.labels, train.source)
        for teacher in teachers:
            _check_teacher(teacher, labels, train.source, config, command, seed, report)
        # Where texts are made, a file of soft labels can only be that of a student of runs: it brings none, and the
        # made ones among its texts are to be made again, as no word of theirs counts for the vocabulary.
        files = [teacher for teacher in teachers if isinstance(teacher, SoftLabels) and not config.augment]
        transfer = TransferSet(
            train,
            tuple(held_out.values()),
            [*(partial(unlabelled_texts, path) for path in command["unlabelled"]), *(file.texts for file in files)],
            Augmentation(tokenizer, config.augment, config.mask_rate, config.ngram_rate, config.seed),
        )
        rows = TransferRows.read(transfer, labels, teachers, tokenizer, config.max_tokens)
        vocabulary = Vocabulary.build(rows.counts(), config.vocabulary_size, config.min_count)
        examples = rows.encode(vocabulary)
        encoded = encode_held_out(held_out, tokenizer, vocabulary, labels, config.max_tokens)
        counts = report_counts(count_splits({"train": examples, **encoded}, None), vocabulary, None, report)
        counts["train"] |= rows.kinds()
        report(f"transfer set: {', '.join(f'{count:,} {kind}' for kind, count in rows.kinds().items())}")
        if not rows.asked[rows.labels != NO_LABEL].any():
            names = ", ".join(teacher.name for teacher in teachers)
            raise InputError(
                f"{names}: knows none of the texts of {train.source}; soft labels must be of the same texts"
            )
        return cls(config, tokenizer, vocabulary, labels, held_out, encoded, transfer, rows, examples, counts)

    def taught(self, soft: SoftLabels, states: TeacherStates | None = None) -> tuple[Prepared, SoftExamples]:
        """Puts to the texts what is said of them.

        Args:
            soft: What the teachers say of the transfer set and of the validation split.
            states: What their insides say of the transfer set, for a `MatchingStudent`.

        Returns:
            What the training needs, with targets of `DistillationLoss` (or of `MatchingStudent`) in its batches, and
            the validation split with targets of `DistillationLoss`.

        Raises:
            InputError: A text that the teachers know is not among the soft labels.
        """
        config = self.config
        taught = self.rows.taught(self.examples, soft)
        taught_valid = taught_examples(self.encoded["valid"], self.held_out["valid"], soft)
        learned = taught if states is None else MatchedExamples(taught, states)
        widths = bucket_widths(config.max_tokens) if config.static_shapes else None
        data = Prepared(
            tokenizer=self.tokenizer,
            vocabulary=self.vocabulary,
            labels=self.labels,
            batches=TrainingBatches(learned, config.batch_size, config.seed, widths, config.static_shapes),
            tokens=len(self.examples.token_ids),
            held_out=self.encoded,
            sample=self.held_out["valid"],
            widths=widths,
            counts=self.counts,
            fingerprint=_fingerprint(taught, taught_valid) + ("" if states is None else f" {states.key}"),
            pretrained=None,
        )
        return data, taught_valid


def _check_teacher(
    teacher: Teacher,
    labels: Sequence[str],
    source: str,
    config: DistillConfig,
    command: Mapping[str, Any],
    seed: int,
    report: Callable[[str], None],
) -> None:
    """Raises `InputError` where a teacher's labels are others; warns where it has learned the validation texts."""
    if set(teacher.labels) != set(labels):
        raise InputError(
            f"{teacher.name}: knows the labels {', '.join(teacher.labels)}, but {source} has {', '.join(labels)}"
        )
    knows = isinstance(teacher, RunTeacher) and teacher.learned(command["train"], config.valid_fraction, seed)
    if command["valid"] is None and knows:
        report(
            f"warning: {teacher.name} was trained on validation texts, as it divided {source} otherwise: what is said "
            "of its accuracy is too good; use teachers of one --valid file"
        )


def _fingerprint(*parts: SoftExamples) -> str:
    """Identifies texts and what is said of them, hexadecimal."""
    digest = hashlib.sha256()
    for part in parts:
        for array in (part.examples.token_ids, part.examples.offsets, part.targets):
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
