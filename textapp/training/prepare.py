"""From files to batches, for any task: read, split, count, encode."""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from textapp.config import ModelConfig
from textapp.data.batches import TrainingBatches, bucket_widths
from textapp.data.rows import EncodedRows, encode_rows
from textapp.data.stream import Scan, StreamedBatches
from textapp.errors import InputError
from textapp.runtime.ngram_model import NgramModel
from textapp.task import Files, Report, Task
from textapp.text.characters import counted
from textapp.text.token_encoder import TokenEncoder
from textapp.text.tokenizer import Tokenizer
from textapp.training.counts import data_table, report_counts, row_counts, unknown_rates
from textapp.training.pretrained import Pretrained
from textapp.training.vocabularies import Known, build_encoder


class NgramModels(NamedTuple):
    """The linear models of n-grams of a training.

    Attributes:
        of_train: Fitted to the training split alone, to choose weights and to score the validation split.
        final: That of the run, which may be fitted to the validation split too.
    """

    of_train: NgramModel
    final: NgramModel


@dataclasses.dataclass(frozen=True)
class Prepared:
    """Everything that a training needs from its files.

    Attributes:
        tokenizer: The tokenizer of texts.
        encoder: Converts tokens to ids; built from the training split only, plus the vectors' extra words, or after
            the words of the run that the training starts from.
        targets: The targets of the model, from the training split only, or after those of that run.
        batches: The training batches.
        num_tokens: Real tokens (no padding) per epoch.
        examples: The examples of `valid`, and of `test` if given.
        held_out: The same examples, encoded, with their true targets.
        widths: Static lengths of the batches, or None.
        counts: For each split `count`, `tokens`, `cut` and `oov_rate`, and with extra words `oov_rate_without_extra`;
            ready for JSON.
        fingerprint: Identifies the data of all splits and the file of vectors, hexadecimal.
        target_counts: How often each target occurs in the training split, see `EncodedRows.target_counts`.
        pretrained: The vectors to start from, or None.
        train: The training examples, if the settings ask for a baseline and the examples are in memory; otherwise None.
        baseline: The scores of the baseline, the entry of `metrics.json`; None without a baseline.
        ngrams: The linear models beside the encoder, or None.
        untrained: The targets that the training split has no example of; only a run to start from gives such.
    """

    tokenizer: Tokenizer
    encoder: TokenEncoder
    targets: Any
    batches: TrainingBatches | StreamedBatches
    num_tokens: int
    examples: Mapping[str, Any]
    held_out: dict[str, EncodedRows]
    widths: list[int] | None
    counts: dict[str, dict[str, float]]
    fingerprint: str
    target_counts: np.ndarray
    pretrained: Pretrained | None = None
    train: Any = None
    baseline: Mapping[str, Any] | None = None
    ngrams: NgramModels | None = None
    untrained: tuple[str, ...] = ()


def prepare(
    task: Task[Any, Any, Any], config: ModelConfig, files: Files, report: Report, known: Known | None = None
) -> Prepared:
    """Reads the files of a training.

    Args:
        task: The task.
        config: The settings.
        files: The files.
        report: Receives each line of progress.
        known: The run that the training starts from, or None.

    Raises:
        InputError: A file breaks a rule, or `stream` is set without a validation file.
    """
    return prepare_splits(task, config, files, *read_splits(task, config, files, report), report, known)


def read_splits(
    task: Task[Any, Any, Any], config: ModelConfig, files: Files, report: Report
) -> tuple[Any, dict[str, Any]]:
    """Reads training and held-out examples, see `Task.read_splits`. Raises `InputError` as `prepare` does."""
    if config.data.stream and files.valid is None:
        raise InputError("setting stream: needs a validation file (--valid)")
    return task.read_splits(config, files, config.training.seed, report)


def prepare_splits(
    task: Task[Any, Any, Any],
    config: ModelConfig,
    files: Files,
    train: Any,
    held_out: dict[str, Any],
    report: Report,
    known: Known | None = None,
) -> Prepared:
    """Prepares examples that were read already: the second half of `prepare`.

    Args:
        task: The task.
        config: The settings. Those for reading files must be the same as in `read_splits`.
        files: The files.
        train: The training examples.
        held_out: The held-out examples by name.
        report: Receives each line of progress.
        known: The run that the training starts from, or None.

    Raises:
        InputError: There is nothing to learn from the examples, or the word vectors cannot be used.
    """
    tokenizer = task.tokenizer(config)
    if config.data.stream:
        return _stream(task, config, files, held_out, tokenizer, report, known)
    targets = task.targets(config, train, report, None if known is None else known.targets)
    rows = task.rows(config, train, targets, tokenizer, training=True)
    encoder, pretrained = build_encoder(task, config, rows.tokens.counts(), files.vectors, report, known)
    data = with_held_out(
        task,
        config,
        train=encode_rows(rows, encoder),
        held_out=held_out,
        tokenizer=tokenizer,
        encoder=encoder,
        targets=targets,
        pretrained=pretrained,
        report=report,
        known=known,
    )
    return dataclasses.replace(
        data,
        train=train if config.training.baseline else None,
        untrained=_untrained(targets.names, rows.targets),
    )


def with_held_out(
    task: Task[Any, Any, Any],
    config: ModelConfig,
    *,
    train: EncodedRows,
    held_out: Mapping[str, Any],
    tokenizer: Tokenizer,
    encoder: TokenEncoder,
    targets: Any,
    report: Report,
    pretrained: Pretrained | None = None,
    known: Known | None = None,
) -> Prepared:
    """Encodes the held-out splits, counts tokens, and makes the batches.

    Args:
        task: The task.
        config: The settings.
        train: The rows to train on.
        held_out: Held-out examples by name: `valid`, and perhaps `test`.
        tokenizer: The tokenizer of texts.
        encoder: Converts tokens to ids.
        targets: The targets of the model.
        report: Receives each line of progress.
        pretrained: The vectors to start from, or None.
        known: The run that the training starts from, or None.

    Raises:
        InputError: Held-out examples cannot be scored with the targets.
    """
    encoded = encode_held_out(task, config, held_out, tokenizer, encoder, targets)
    parts = {"train": train, **encoded}
    counts = {name: row_counts(part, pretrained) for name, part in parts.items()}
    report_counts(config, counts, encoder, pretrained, report, known)
    target_counts = train.target_counts(len(targets.names))
    _report_targets(task, config, targets, target_counts, counts, held_out, encoded, report)
    widths = None
    if config.training.static_shapes:
        longest = max(int(part.lengths.max()) for part in parts.values())
        widths = bucket_widths(config.data.max_tokens)
        widths += [longest] if longest > widths[-1] else []
    return Prepared(
        tokenizer=tokenizer,
        encoder=encoder,
        targets=targets,
        batches=training_batches(config, train, widths),
        num_tokens=len(train.index),
        examples=held_out,
        held_out=encoded,
        widths=widths,
        counts=counts,
        fingerprint=fingerprint(targets, pretrained, *(part.digest() for part in parts.values())),
        target_counts=target_counts,
        pretrained=pretrained,
    )


def _report_targets(
    task: Task[Any, Any, Any],
    config: ModelConfig,
    targets: Any,
    target_counts: np.ndarray,
    counts: Mapping[str, Mapping[str, float]],
    held_out: Mapping[str, Any],
    encoded: Mapping[str, EncodedRows],
    report: Report,
) -> None:
    """Warns of targets that training lacks, that may be mistakes or are rare; then reports the table of the data."""
    for name, examples in held_out.items():
        task.report_unseen(name, examples, targets, report)
    of_each = {name: part.target_counts(len(targets.names)) for name, part in encoded.items()}
    task.report_targets(config, targets, {"train": target_counts, "valid": of_each["valid"]}, report)
    shown = {name: task.shown_counts(targets, part) for name, part in {"train": target_counts, **of_each}.items()}
    report("\n".join(["", *data_table("sentences" if task.unit == "token" else "texts", counts, shown), ""]))


def training_batches(config: ModelConfig, rows: EncodedRows, widths: list[int] | None) -> TrainingBatches:
    """Makes the training batches of the settings."""
    training = config.training
    return TrainingBatches(rows, training.batch_size, training.seed, widths, training.static_shapes)


def encode_held_out(
    task: Task[Any, Any, Any],
    config: ModelConfig,
    held_out: Mapping[str, Any],
    tokenizer: Tokenizer,
    encoder: TokenEncoder,
    targets: Any,
) -> dict[str, EncodedRows]:
    """Encodes held-out examples. Raises `InputError` if they cannot be scored with the targets."""
    encoded = {}
    for name, examples in held_out.items():
        task.check(examples, targets, validation=name == "valid")
        encoded[name] = encode_rows(task.rows(config, examples, targets, tokenizer), encoder)
    return encoded


def fingerprint(targets: Any, pretrained: Pretrained | None, *digests: bytes) -> str:
    """Identifies the data of a training, hexadecimal."""
    total = hashlib.sha256(pretrained.sha256.encode() if pretrained else b"")
    total.update("\n".join(targets.names).encode("utf-8", "surrogatepass"))
    for digest in digests:
        total.update(digest)
    return total.hexdigest()


def _stream(
    task: Task[Any, Any, Any],
    config: ModelConfig,
    files: Files,
    held_out: Mapping[str, Any],
    tokenizer: Tokenizer,
    report: Report,
    known: Known | None,
) -> Prepared:
    """Prepares a training split that is read again each epoch. Duplicates stay: finding them would need memory."""
    source = str(files.train)
    rows = task.stream_rows(config, files.train, tuple(held_out.values()), tokenizer, report)
    scan = Scan.read(rows, config.data.max_tokens)
    if not scan.names:
        raise InputError(f"{source}: no text is left to train on; all texts are held out or have no token")
    targets = task.targets_of_names(scan.names, source, None if known is None else known.targets)
    report(f"scanned {source}: {counted(int(scan.lengths.sum()), 'example')}, read again each epoch")
    encoder, pretrained = build_encoder(task, config, scan.tokens, files.vectors, report, known)
    widths = bucket_widths(config.data.max_tokens)
    batches = StreamedBatches(
        rows,
        scan,
        encoder,
        targets.names,
        per_token=task.unit == "token",
        max_tokens=config.data.max_tokens,
        batch_size=config.training.batch_size,
        widths=widths,
        seed=config.training.seed,
        static_shapes=config.training.static_shapes,
    )
    if not batches.steps_per_epoch:
        raise InputError(
            f"setting batch_size: with static_shapes a bucket of similar lengths must hold "
            f"{config.training.batch_size} texts, and none of {source} does; lower it, or set static_shapes=false"
        )
    encoded = encode_held_out(task, config, held_out, tokenizer, encoder, targets)
    ids = np.asarray(encoder.encode(list(scan.tokens))["token_ids"], np.int32)
    counts = {
        "train": {
            "count": int(scan.lengths.sum()),
            "tokens": sum(scan.tokens.values()),
            "cut": scan.cut,
            **unknown_rates(ids, pretrained, np.fromiter(scan.tokens.values(), np.int64)),
        },
        **{name: row_counts(part, pretrained) for name, part in encoded.items()},
    }
    report_counts(config, counts, encoder, pretrained, report, known)
    target_counts = np.array([scan.names[name] for name in targets.names])
    _report_targets(task, config, targets, target_counts, counts, held_out, encoded, report)
    return Prepared(
        tokenizer=tokenizer,
        encoder=encoder,
        targets=targets,
        batches=batches,
        num_tokens=sum(scan.tokens.values()),
        examples=held_out,
        held_out=encoded,
        widths=widths if config.training.static_shapes else None,
        counts=counts,
        fingerprint=fingerprint(
            targets, pretrained, scan.fingerprint.encode(), *(part.digest() for part in encoded.values())
        ),
        target_counts=target_counts,
        pretrained=pretrained,
        untrained=tuple(name for name in targets.names if name not in scan.names),
    )


def _untrained(names: Sequence[str], targets: np.ndarray) -> tuple[str, ...]:
    """The targets without an example. `targets` has a number for each unit, or a column of 0 and 1 for each target."""
    trained = set(np.unique(targets if targets.ndim == 1 else np.nonzero(targets)[1]).tolist())
    return tuple(name for number, name in enumerate(names) if number not in trained)
