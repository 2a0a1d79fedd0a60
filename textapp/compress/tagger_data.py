"""What a tagger that is a student learns from: labelled and unlabelled sentences, with its teachers' marginals."""

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from textapp.compress.config import DistillTaggerConfig
from textapp.compress.soft_tags import Sentences
from textapp.compress.tagger_loss import UNLABELLED
from textapp.compress.tagger_teachers import TaggerTeacher, check_alike
from textapp.compress.transfer import TransferSet, unlabelled_texts
from textapp.data.pipeline import Gather, TrainingBatches
from textapp.data.readers import Examples
from textapp.data.tagged import TaggedExamples
from textapp.data.tagged_batches import EncodedSentences, encode_sentences
from textapp.data.tagged_splits import cut_sentences, retokenized
from textapp.errors import InputError
from textapp.tasks.tagging.scores import check_tags_known, unseen_tags
from textapp.text.tag_schemes import read_spans
from textapp.text.tag_set import FILE_SCHEME, TagSet
from textapp.text.tokenizer import Tokenizer
from textapp.training.tag_preparation import (
    PreparedTags,
    build_encoder,
    read_tag_splits,
    text_tokenizer,
    with_held_out,
)


@dataclasses.dataclass(frozen=True)
class TaughtSentences:
    """Encoded sentences with what is said of their tokens; `textapp.data.pipeline.Encoded`.

    Args:
        sentences: The sentences, with tag ids or `UNLABELLED`.
        marginals: float16 `(sum of lengths, K)`, of their teachers.
    """

    sentences: EncodedSentences
    marginals: np.ndarray

    def __len__(self) -> int:
        return len(self.sentences)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each sentence, int64 `(N,)`."""
        return self.sentences.lengths

    def gather(self) -> Gather:
        """See `Encoded`: the inputs of `EncodedSentences`, and targets of `TagDistillationLoss`, float32."""
        tagged = self.sentences.gather()
        said = tf.RaggedTensor.from_row_splits(self.marginals, self.sentences.offsets)
        tags = self.marginals.shape[1]

        def batch(numbers: tf.Tensor, shape: list[Any]) -> tuple[Any, tf.Tensor]:
            inputs, tag_ids = tagged(numbers, shape)
            marginals = tf.gather(said, numbers).to_tensor(0, shape=[*shape, tags])
            parts = [tf.cast(tag_ids, "float32")[..., None], tf.cast(marginals, "float32")]
            return inputs, tf.concat(parts, axis=2)

        return batch


@dataclasses.dataclass(frozen=True)
class TransferSentences:
    """A student's files, read, split, counted and encoded, before its teachers are asked about them.

    Attributes:
        asked: What the teachers are asked about, tokens of sentences: the validation split, then what is learned.
        learned: The latter, encoded.
        data: All else that a training needs; its batches have no marginals yet.
    """

    asked: Sentences
    learned: EncodedSentences
    data: PreparedTags

    @classmethod
    def read(
        cls,
        config: DistillTaggerConfig,
        command: Mapping[str, Any],
        teachers: Sequence[TaggerTeacher],
        report: Callable[[str], None],
    ) -> "TransferSentences":
        """Reads the files.

        Labelled sentences that are held out too stay, as in `prepare_tags`. An unlabelled one is left out where it is
        held out or has come before. The vocabularies are those of all that is learned.

        Args:
            config: The settings.
            command: Names the files, as a run's `config.json` does: `train`, `valid`, `test` and `unlabelled`.
            teachers: Their tags are the student's.
            report: Is given each line of progress.

        Raises:
            InputError: A file breaks a rule, the teachers' tags are others, or they cut texts otherwise.
        """
        tag_set = check_alike(config, teachers)
        seed = config.seed if config.split_seed is None else config.split_seed
        examples, held_out = read_tag_splits(config, command["train"], command["valid"], command["test"], seed, report)
        _check_tags(examples, tag_set, teachers[0].name)
        for teacher in teachers:
            if command["valid"] is None and teacher.learned(command["train"], config.valid_fraction, seed):
                report(
                    f"warning: {teacher.name} was trained on validation sentences, as it divided {examples.source} "
                    "otherwise: what is said of its score is too good; use teachers of one --valid file"
                )
        tokenizer = text_tokenizer(config)
        if config.retokenize:
            examples, _ = retokenized(examples, tokenizer)
        pieces, tags = cut_sentences(examples, config.max_tokens)
        more = _unlabelled(config, command["unlabelled"], tokenizer, pieces, held_out.values())
        sentences = [*pieces, *more]
        labelled = [tag_set.encode(of_one) for of_one in tags]
        if tag_set.scheme is not None and (lost := _spans(tags) - _spans(map(tag_set.decode, labelled))):
            report(
                f"warning: {lost:,} spans of {examples.source} need tags that the teachers lack, and are learned as O"
            )
        tag_ids = [*labelled, *([UNLABELLED] * len(tokens) for tokens in more)]
        encoder, _ = build_encoder(config, sentences, report)
        learned = encode_sentences(sentences, tag_ids, encoder)
        report(f"transfer set: {len(examples):,} labelled sentences, {len(more):,} unlabelled")
        data = with_held_out(config, len(examples) + len(more), learned, held_out, encoder, tag_set, report)
        data.counts["train"] |= {"labelled": len(examples), "unlabelled": len(more)}
        valid = held_out["valid"]
        asked = (retokenized(valid, tokenizer)[0] if config.retokenize else valid).sentences
        return cls([*asked, *sentences], learned, data)

    def taught(self, config: DistillTaggerConfig, marginals: np.ndarray) -> tuple[PreparedTags, TaughtSentences]:
        """Puts to the sentences what is said of them.

        Args:
            config: The settings.
            marginals: The teachers' of the tokens of `asked`, float16 `(N, K)`.

        Returns:
            `data` with targets of `TagDistillationLoss` in its batches, and the validation split with such targets.
        """
        valid = self.data.held_out["valid"]
        taught_valid = TaughtSentences(valid, marginals[: len(valid.rows)])
        taught = TaughtSentences(self.learned, marginals[len(valid.rows) :])
        data = dataclasses.replace(
            self.data,
            batches=TrainingBatches(taught, config.batch_size, config.seed, self.data.widths, config.static_shapes),
            fingerprint=f"{self.data.fingerprint} {hashlib.sha256(marginals.tobytes()).hexdigest()}",
        )
        return data, taught_valid


def _check_tags(examples: TaggedExamples, tag_set: TagSet, teacher: str) -> None:
    """Raises `InputError` where sentences have tags that a teacher does not know."""
    check_tags_known(examples, tag_set, teacher)
    if unseen := unseen_tags(examples, tag_set):
        raise InputError(f"{examples.source}: has {', '.join(unseen)}, which the teacher {teacher} does not know")


def _spans(tags: Iterable[Sequence[str]]) -> int:
    """How many spans there are in sentences' tags, in the scheme of files."""
    return sum(len(read_spans(of_one, FILE_SCHEME)) for of_one in tags)


def _unlabelled(
    config: DistillTaggerConfig,
    paths: Sequence[str],
    tokenizer: Tokenizer,
    labelled: Sentences,
    held_out: Iterable[TaggedExamples],
) -> list[list[str]]:
    """The sentences of texts without tags: each once, none that is among the others."""

    def spaced(sentences: Sentences, source: str) -> Examples:
        return Examples([" ".join(tokens) for tokens in sentences], [""] * len(sentences), source)

    transfer = TransferSet(
        spaced(labelled, "labelled"),
        [spaced(part.sentences, part.source) for part in held_out],
        [partial(_pieces, path, tokenizer, config.max_tokens) for path in paths],
    )
    return [item.text.split(" ") for item in transfer if item.label is None]


def _pieces(path: str, tokenizer: Tokenizer, longest: int) -> Iterator[str]:
    """Yields the texts of a file, cut as a device will cut them, long ones into pieces; spaces part the tokens."""
    for text in unlabelled_texts(path):
        tokens = tokenizer.words(text)
        for start in range(0, len(tokens), longest):
            yield " ".join(tokens[start : start + longest])
