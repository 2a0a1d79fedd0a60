"""Labelled files to batches: read, kept apart, counted, encoded."""

import dataclasses
import hashlib
import os
from collections.abc import Callable

import numpy as np

from textapp.config import SentimentConfig
from textapp.data.pipeline import EncodedExamples, TokenizedTexts, TrainingBatches, encode_examples, encode_splits
from textapp.data.readers import Examples, check_labels, label_names, read_examples
from textapp.data.splits import drop_duplicates, drop_overlap, split_examples
from textapp.data.stream import Scan, Source, StreamedBatches
from textapp.errors import InputError
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary

OOV_WARNING = 0.05  # share of unknown tokens above which a model reads too much of its text as "unknown"
Report = Callable[[str], None]
Path = str | os.PathLike[str]


@dataclasses.dataclass(frozen=True)
class Prepared:
    """All that a training needs of its files.

    Attributes:
        tokenizer: How texts are cut.
        vocabulary: From the training split alone.
        labels: The classes, from the training split too.
        batches: What `fit` trains on.
        tokens: Real tokens of an epoch.
        held_out: `valid`, and `test` where it was given, encoded.
        sample: The validation examples as text.
        widths: Static lengths of the batches, or None.
        counts: For each split `count`, `tokens`, `oov_rate` and `cut`, ready for JSON.
        fingerprint: Identifies the data of all splits, hexadecimal.
    """

    tokenizer: Tokenizer
    vocabulary: Vocabulary
    labels: list[str]
    batches: TrainingBatches | StreamedBatches
    tokens: int
    held_out: dict[str, EncodedExamples]
    sample: Examples
    widths: list[int] | None
    counts: dict[str, dict[str, float]]
    fingerprint: str


def prepare(config: SentimentConfig, train: Path, valid: Path | None, test: Path | None, report: Report) -> Prepared:
    """Reads the files and makes the splits disjoint: a text that is held out is not trained on.

    Args:
        config: The settings.
        train: Training examples.
        valid: Validation examples; by default a share of `train`.
        test: Test examples, or None.
        report: Is given each line of progress.

    Raises:
        InputError: A file breaks a rule, or `stream` is set without a validation file.
    """
    tokenizer = Tokenizer(config.tokenizer, config.lowercase, config.normalization)
    held_out = {
        name: read_examples(path, config.text_column, config.label_column)
        for name, path in (("valid", valid), ("test", test))
        if path is not None
    }
    for examples in held_out.values():
        report(f"read {examples}")
    make = _stream if config.stream else _hold
    return make(config, train, held_out, tokenizer, report)


def _hold(
    config: SentimentConfig, train: Path, held_out: dict[str, Examples], tokenizer: Tokenizer, report: Report
) -> Prepared:
    """Holds the training split in memory."""
    examples = read_examples(train, config.text_column, config.label_column)
    report(f"read {examples}")
    examples, duplicates = drop_duplicates(examples)
    report(str(duplicates))
    if held_out:
        examples, overlap = drop_overlap(examples, *held_out.values())
        report(str(overlap))
    if "valid" not in held_out:
        examples, validation, division = split_examples(examples, config.valid_fraction, config.seed)
        held_out = {"valid": validation, **held_out}
        report(str(division))

    vocabulary, labels, (encoded, *others) = encode_splits(
        examples,
        *held_out.values(),
        tokenizer=tokenizer,
        max_tokens=config.max_tokens,
        vocabulary_size=config.vocabulary_size,
        min_count=config.min_count,
    )
    encoded_held_out = dict(zip(held_out, others, strict=True))
    widths = bucket_widths(config.max_tokens) if config.static_shapes else None
    return Prepared(
        tokenizer=tokenizer,
        vocabulary=vocabulary,
        labels=labels,
        batches=TrainingBatches(encoded, config.batch_size, config.seed, widths, config.static_shapes),
        tokens=len(encoded.token_ids),
        held_out=encoded_held_out,
        sample=held_out["valid"],
        widths=widths,
        counts=_report({"train": _counts(encoded), **_all_counts(encoded_held_out)}, vocabulary, report),
        fingerprint=_fingerprint(encoded, *others),
    )


def _stream(
    config: SentimentConfig, train: Path, held_out: dict[str, Examples], tokenizer: Tokenizer, report: Report
) -> Prepared:
    """Reads the training split anew each epoch. Duplicates in it stay, as finding them would take its memory."""
    if "valid" not in held_out:
        raise InputError("setting stream: needs a validation file of its own (--valid)")
    source = Source(os.fspath(train), config.text_column, config.label_column, tuple(held_out.values()))
    scan = Scan.read(source, tokenizer, config.max_tokens)
    labels = label_names(scan.labels, source.path)
    report(f"scanned {source.path}: {scan.lengths.sum():,} examples, read anew each epoch")
    vocabulary = Vocabulary.build(scan.words, config.vocabulary_size, config.min_count)
    widths = bucket_widths(config.max_tokens)
    encoded_held_out = _encode(held_out, tokenizer, vocabulary, labels, config.max_tokens)
    tokens = sum(scan.words.values())
    unknown = sum(count for word, count in scan.words.items() if word not in vocabulary)
    counts = {
        "count": int(scan.lengths.sum()),
        "tokens": tokens,
        "oov_rate": unknown / max(1, tokens),
        "cut": scan.cut,
    }
    batches = StreamedBatches(
        source,
        scan,
        tokenizer,
        vocabulary,
        labels,
        max_tokens=config.max_tokens,
        batch_size=config.batch_size,
        widths=widths,
        seed=config.seed,
        static_shapes=config.static_shapes,
    )
    if not batches.steps_per_epoch:
        raise InputError(
            f"setting batch_size: with static_shapes a bucket of similar lengths must hold {config.batch_size} texts, "
            f"and none of {source.path} does; lower batch_size, or leave static_shapes"
        )
    return Prepared(
        tokenizer=tokenizer,
        vocabulary=vocabulary,
        labels=labels,
        batches=batches,
        tokens=tokens,
        held_out=encoded_held_out,
        sample=held_out["valid"],
        widths=widths if config.static_shapes else None,
        counts=_report({"train": counts, **_all_counts(encoded_held_out)}, vocabulary, report),
        fingerprint=scan.fingerprint + _fingerprint(*encoded_held_out.values()),
    )


def _fingerprint(*parts: EncodedExamples) -> str:
    """Identifies encoded examples, hexadecimal."""
    digest = hashlib.sha256()
    for part in parts:
        for array in (part.token_ids, part.offsets, part.labels):
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _encode(
    held_out: dict[str, Examples], tokenizer: Tokenizer, vocabulary: Vocabulary, labels: list[str], max_tokens: int
) -> dict[str, EncodedExamples]:
    """Encodes held-out splits, whose labels must all have been learned."""
    encoded = {}
    for name, examples in held_out.items():
        check_labels(examples, labels)
        tokenized = TokenizedTexts.read(examples.texts, tokenizer, max_tokens)
        encoded[name] = encode_examples(examples, tokenized, vocabulary, labels)
    return encoded


def _counts(part: EncodedExamples) -> dict[str, float]:
    """What is reported of a split."""
    return {"count": len(part), "tokens": len(part.token_ids), "oov_rate": part.oov_rate, "cut": part.cut}


def _all_counts(parts: dict[str, EncodedExamples]) -> dict[str, dict[str, float]]:
    """The same of several."""
    return {name: _counts(part) for name, part in parts.items()}


def _report(counts: dict[str, dict[str, float]], vocabulary: Vocabulary, report: Report) -> dict[str, dict[str, float]]:
    """Says what share of the words the vocabulary knows and how many texts were cut. Returns `counts`."""
    report(f"vocabulary: {len(vocabulary):,} entries from the training split")
    for name, part in counts.items():
        report(f"{name}: {part['count']:,} texts, {part['cut']:,} cut, {part['oov_rate']:.1%} of tokens unknown")
        if part["oov_rate"] > OOV_WARNING:
            report(
                f"warning: more than {OOV_WARNING:.0%} of the tokens of {name} are unknown; remedies: a larger "
                "vocabulary_size, a smaller min_count, tokenizer=char, or more training text"
            )
    return counts


def bucket_widths(max_tokens: int) -> list[int]:
    """Lengths for texts of up to `max_tokens`: powers of two from 16 on, unless they come close to the longest."""
    widths = []
    width = 16
    while 5 * width < 4 * max_tokens:
        widths.append(width)
        width *= 2
    return [*widths, max_tokens]
