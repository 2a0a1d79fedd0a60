"""Labelled files to batches: read, kept apart, counted, encoded."""

import dataclasses
import hashlib
import os
from collections.abc import Callable, Mapping

import numpy as np

from textapp.config import SentimentConfig
from textapp.data.pipeline import EncodedExamples, TokenizedTexts, TrainingBatches, encode_examples
from textapp.data.readers import Examples, check_labels, label_names, read_examples
from textapp.data.splits import drop_duplicates, drop_overlap, split_examples
from textapp.data.stream import Scan, Source, StreamedBatches
from textapp.errors import InputError
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import UNKNOWN_ID, Vocabulary
from textapp.training.pretrained import Pretrained, read_pretrained

OOV_WARNING = 0.05  # share of unknown tokens above which a model reads too much of its text as "unknown"
Report = Callable[[str], None]
Path = str | os.PathLike[str]


@dataclasses.dataclass(frozen=True)
class Prepared:
    """All that a training needs of its files.

    Attributes:
        tokenizer: How texts are cut.
        vocabulary: From the training split alone, and behind it the vectors' extra words.
        labels: The classes, from the training split too.
        batches: What `fit` trains on.
        tokens: Real tokens of an epoch.
        held_out: `valid`, and `test` where it was given, encoded.
        sample: The validation examples as text.
        widths: Static lengths of the batches, or None.
        counts: For each split `count`, `tokens`, `oov_rate` and `cut`, with extra words `oov_rate_without_extra` too;
            ready for JSON.
        fingerprint: Identifies the data of all splits and the file of vectors, hexadecimal.
        pretrained: The vectors to start from, or None.
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
    pretrained: Pretrained | None


def prepare(
    config: SentimentConfig,
    train: Path,
    valid: Path | None,
    test: Path | None,
    report: Report,
    vectors: Path | None = None,
) -> Prepared:
    """Reads the files and makes the splits disjoint: a text that is held out is not trained on.

    Args:
        config: The settings.
        train: Training examples.
        valid: Validation examples; by default a share of `train`.
        test: Test examples, or None.
        report: Is given each line of progress.
        vectors: File of word vectors to start from, or None.

    Raises:
        InputError: A file breaks a rule, or `stream` is set without a validation file.
    """
    tokenizer = Tokenizer(config.tokenizer, config.lowercase, config.normalization)
    held_out = read_held_out(config, valid, test, report)
    make = _stream if config.stream else _hold
    return make(config, train, held_out, tokenizer, report, vectors)


def read_held_out(
    config: SentimentConfig, valid: Path | None, test: Path | None, report: Report
) -> dict[str, Examples]:
    """Reads what was given of `valid` and `test`."""
    held_out = {
        name: read_examples(path, config.text_column, config.label_column)
        for name, path in (("valid", valid), ("test", test))
        if path is not None
    }
    for examples in held_out.values():
        report(f"read {examples}")
    return held_out


def split_off(
    config: SentimentConfig, train: Path, held_out: dict[str, Examples], seed: int, report: Report
) -> tuple[Examples, dict[str, Examples]]:
    """Reads the training file and takes the held-out texts out of it.

    Args:
        config: The settings.
        train: Training examples.
        held_out: From `read_held_out`.
        seed: Chooses the share that becomes `valid` where that was not given.
        report: Is given each line of progress.

    Returns:
        Training examples, each text once, and `held_out` with `valid` in any case.
    """
    examples = read_examples(train, config.text_column, config.label_column)
    report(f"read {examples}")
    examples, duplicates = drop_duplicates(examples)
    report(str(duplicates))
    if held_out:
        examples, overlap = drop_overlap(examples, *held_out.values())
        report(str(overlap))
    if "valid" not in held_out:
        examples, validation, division = split_examples(examples, config.valid_fraction, seed)
        held_out = {"valid": validation, **held_out}
        report(str(division))
    return examples, held_out


def _hold(
    config: SentimentConfig,
    train: Path,
    held_out: dict[str, Examples],
    tokenizer: Tokenizer,
    report: Report,
    vectors: Path | None,
) -> Prepared:
    """Holds the training split in memory."""
    examples, held_out = split_off(config, train, held_out, config.seed, report)
    labels = label_names(examples.labels, examples.source)
    tokenized = TokenizedTexts.read(examples.texts, tokenizer, config.max_tokens)
    vocabulary, pretrained = _vocabulary(config, tokenized.counts(), tokenizer, report, vectors)
    encoded = encode_examples(examples, tokenized, vocabulary, labels)
    encoded_held_out = encode_held_out(held_out, tokenizer, vocabulary, labels, config.max_tokens)
    own = None if pretrained is None else pretrained.own
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
        counts=report_counts(count_splits({"train": encoded, **encoded_held_out}, own), vocabulary, own, report),
        fingerprint=_fingerprint(pretrained, encoded, *encoded_held_out.values()),
        pretrained=pretrained,
    )


def _stream(
    config: SentimentConfig,
    train: Path,
    held_out: dict[str, Examples],
    tokenizer: Tokenizer,
    report: Report,
    vectors: Path | None,
) -> Prepared:
    """Reads the training split anew each epoch. Duplicates in it stay, as finding them would take its memory."""
    if "valid" not in held_out:
        raise InputError("setting stream: needs a validation file of its own (--valid)")
    source = Source(os.fspath(train), config.text_column, config.label_column, tuple(held_out.values()))
    scan = Scan.read(source, tokenizer, config.max_tokens)
    labels = label_names(scan.labels, source.path)
    report(f"scanned {source.path}: {scan.lengths.sum():,} examples, read anew each epoch")
    vocabulary, pretrained = _vocabulary(config, scan.words, tokenizer, report, vectors)
    own = None if pretrained is None else pretrained.own
    widths = bucket_widths(config.max_tokens)
    encoded_held_out = encode_held_out(held_out, tokenizer, vocabulary, labels, config.max_tokens)
    tokens = sum(scan.words.values())
    ids = np.asarray(vocabulary.encode(scan.words), np.int32)
    counts = {
        "count": int(scan.lengths.sum()),
        "tokens": tokens,
        "cut": scan.cut,
        **_unknown(ids, own, np.fromiter(scan.words.values(), np.int64)),
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
        counts=report_counts({"train": counts, **count_splits(encoded_held_out, own)}, vocabulary, own, report),
        fingerprint=scan.fingerprint + _fingerprint(pretrained, *encoded_held_out.values()),
        pretrained=pretrained,
    )


def _vocabulary(
    config: SentimentConfig, counts: Mapping[str, int], tokenizer: Tokenizer, report: Report, vectors: Path | None
) -> tuple[Vocabulary, Pretrained | None]:
    """The training split's vocabulary, and what the file of vectors adds to it if there is one."""
    vocabulary = Vocabulary.build(counts, config.vocabulary_size, config.min_count)
    if vectors is None:
        return vocabulary, None
    pretrained = read_pretrained(
        vectors,
        vocabulary,
        counts,
        tokenizer=tokenizer,
        report=report,
        extra_words=config.extra_words,
        embedding_dim=config.embedding_dim,
        seed=config.seed,
    )
    return pretrained.vocabulary, pretrained


def _fingerprint(pretrained: Pretrained | None, *parts: EncodedExamples) -> str:
    """Identifies encoded examples and the vectors that they start from, hexadecimal."""
    digest = hashlib.sha256(pretrained.sha256.encode() if pretrained else b"")
    for part in parts:
        for array in (part.token_ids, part.offsets, part.labels):
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def encode_held_out(
    held_out: dict[str, Examples], tokenizer: Tokenizer, vocabulary: Vocabulary, labels: list[str], max_tokens: int
) -> dict[str, EncodedExamples]:
    """Encodes held-out splits, whose labels must all have been learned."""
    encoded = {}
    for name, examples in held_out.items():
        check_labels(examples, labels)
        tokenized = TokenizedTexts.read(examples.texts, tokenizer, max_tokens)
        encoded[name] = encode_examples(examples, tokenized, vocabulary, labels)
    return encoded


def _counts(part: EncodedExamples, own: int | None) -> dict[str, float]:
    """What is reported of one split."""
    return {"count": len(part), "tokens": len(part.token_ids), "cut": part.cut, **_unknown(part.token_ids, own)}


def count_splits(parts: dict[str, EncodedExamples], own: int | None) -> dict[str, dict[str, float]]:
    """What `Prepared.counts` holds; `own` is the vocabulary's size without extra words, None where there are none."""
    return {name: _counts(part, own) for name, part in parts.items()}


def _unknown(ids: np.ndarray, own: int | None, times: np.ndarray | None = None) -> dict[str, float]:
    """The share of unknown tokens, with the extra words and, where there may be some, without."""
    rates = {"oov_rate": float(np.average(ids == UNKNOWN_ID, weights=times))}
    if own is not None:
        rates["oov_rate_without_extra"] = float(np.average((ids == UNKNOWN_ID) | (ids >= own), weights=times))
    return rates


def report_counts(
    counts: dict[str, dict[str, float]], vocabulary: Vocabulary, own: int | None, report: Report
) -> dict[str, dict[str, float]]:
    """Says what share of the words the vocabulary knows and how many texts were cut. Returns `counts`."""
    own = len(vocabulary) if own is None else own
    extra = f", {len(vocabulary) - own:,} extra words from the vectors" if len(vocabulary) > own else ""
    report(f"vocabulary: {own:,} entries from the training split{extra}")
    for name, part in counts.items():
        without = part.get("oov_rate_without_extra", part["oov_rate"])
        compared = f" ({without:.1%} without the extra words)" if without != part["oov_rate"] else ""
        report(
            f"{name}: {part['count']:,} texts, {part['cut']:,} cut, {part['oov_rate']:.1%} of tokens unknown{compared}"
        )
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
