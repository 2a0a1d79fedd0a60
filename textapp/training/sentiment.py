"""The whole training of a sentiment model: labelled files in, a run folder out."""

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from textapp import __version__
from textapp.config import SentimentConfig
from textapp.data.pipeline import EncodedExamples, TokenizedTexts, TrainingBatches, encode_examples, evaluation_batches
from textapp.data.readers import Examples, check_labels, label_names, read_examples
from textapp.data.splits import drop_duplicates, drop_overlap, split_examples
from textapp.errors import InputError
from textapp.files import read_json, write_json
from textapp.models.sentiment import sentiment_classifier
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary
from textapp.training import run
from textapp.training.evaluate import classification_scores, predict_logits
from textapp.training.fit import fit
from textapp.training.optimizer import adamw
from textapp.training.progress import Progress
from textapp.training.strategy import choose_strategy, describe, precision
from textapp.training.tensorboard import dashboards

OOV_WARNING = 0.05  # share of unknown tokens above which a model reads too much of its text as "unknown"
ATTENTION_TEXTS = 8  # of the validation split, drawn with their attention in TensorBoard
CHECKPOINT = "checkpoint.npz"
LOGS = "logs"


def train_sentiment(
    config: SentimentConfig,
    out: str | os.PathLike[str],
    *,
    train: str | os.PathLike[str],
    valid: str | os.PathLike[str] | None = None,
    test: str | os.PathLike[str] | None = None,
    force: bool = False,
    report: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
) -> dict[str, Any]:
    """Trains a classifier and leaves a run folder; called again after a crash, it goes on where it was.

    Args:
        config: The settings.
        out: The run folder to make.
        train: Labelled examples, in any form that `textapp.data.readers` reads.
        valid: Examples for early stopping; by default a stratified share of `train`.
        test: Examples to score at the very end, once.
        force: Whether a run that is there already is deleted first.
        report: Is given each line of progress.

    Returns:
        What `metrics.json` says: `valid` and `test` scores, `data`, `history`, `parameters`, `seconds`.

    Raises:
        InputError: A file or a setting is wrong, or `out` holds a finished or another run.
    """
    began = time.monotonic()
    folder = Path(out)
    command = {
        "settings": config.to_dict(),
        "train": os.fspath(train),
        "valid": None if valid is None else os.fspath(valid),
        "test": None if test is None else os.fspath(test),
    }
    check_folder(folder, command, force)
    keras.utils.set_random_seed(config.seed)

    splits = read_splits(config, train, valid, test, report)
    labels = label_names(splits["train"].labels, splits["train"].source)
    for held_out in ("valid", "test"):
        if held_out in splits:
            check_labels(splits[held_out], labels)
    tokenizer = Tokenizer(config.tokenizer, config.lowercase, config.normalization)
    tokenized = {
        name: TokenizedTexts.read(examples.texts, tokenizer, config.max_tokens) for name, examples in splits.items()
    }
    vocabulary = Vocabulary.build(tokenized["train"].counts(), config.vocabulary_size, config.min_count)
    encoded = {
        name: encode_examples(examples, tokenized[name], vocabulary, labels) for name, examples in splits.items()
    }
    report_encoded(encoded, vocabulary, report)

    if force and folder.exists():
        shutil.rmtree(folder)
    write_json(folder / run.CONFIG, {**command, "textapp_version": __version__})
    run.save_text_side(folder, tokenizer, vocabulary, labels)
    sample = run.save_sample(folder, splits["valid"])

    widths = bucket_widths(config.max_tokens) if config.static_shapes else None
    batches = TrainingBatches(encoded["train"], config.batch_size, config.seed, widths, config.static_shapes)
    strategy = choose_strategy()
    with strategy.scope(), precision(config.mixed_precision):
        model = build_model(config, len(vocabulary), len(labels))
        model.compile(
            adamw(
                model,
                total_steps=config.epochs * batches.steps_per_epoch,
                learning_rate=config.learning_rate,
                warmup=config.warmup,
                weight_decay=config.weight_decay,
                clipnorm=config.clipnorm,
            ),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            jit_compile=config.jit_compile,
        )
    report(f"training on {describe(strategy)}: {model.count_params():,} parameters, {batches.steps_per_epoch} steps")
    validation = evaluation_batches(encoded["valid"], config.batch_size, widths, config.static_shapes)
    history = fit(
        model,
        batches,
        validation,
        epochs=config.epochs,
        patience=config.patience,
        checkpoint=folder / CHECKPOINT,
        fingerprint=fingerprint(command, encoded["train"]),
        callbacks=[
            Progress(config.epochs, batches.steps_per_epoch, len(encoded["train"].token_ids)),
            *dashboards(
                folder / LOGS,
                validation=validation,
                label_names=labels,
                tokenizer=tokenizer,
                vocabulary=vocabulary,
                texts=[text for text, _ in sample[:: max(1, len(sample) // ATTENTION_TEXTS)]],
            ),
        ],
    )

    if config.mixed_precision:  # keep a float32 twin: the policy would follow the model into its export
        half, model = model, build_model(config, len(vocabulary), len(labels))
        model.set_weights(half.get_weights())
    run.save_model(folder, model)
    metrics: dict[str, Any] = {"task": "sentiment", "labels": labels}
    for name in ("valid", "test"):
        if name in encoded:
            metrics[name] = classification_scores(encoded[name].labels, predict_logits(model, encoded[name]))
            report(f"{name}: accuracy {metrics[name]['accuracy']:.4f}, macro F1 {metrics[name]['macro_f1']:.4f}")
    metrics["data"] = {
        name: {"count": len(part), "oov_rate": part.oov_rate, "cut": part.cut, "tokens": len(part.token_ids)}
        for name, part in encoded.items()
    }
    metrics |= {
        "parameters": model.count_params(),
        "epochs": len(history),
        "history": history,
        "seconds": time.monotonic() - began,
        "versions": {"textapp": __version__, "tensorflow": tf.__version__, "keras": keras.__version__},
    }
    write_json(folder / run.METRICS, metrics)  # last: its presence says that the run is finished
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return metrics


def build_model(config: SentimentConfig, vocabulary_size: int, num_classes: int) -> keras.Model:
    """The model that the settings describe."""
    return sentiment_classifier(
        vocabulary_size,
        num_classes,
        embedding_dim=config.embedding_dim,
        units=config.units,
        num_layers=config.num_layers,
        cell=config.cell,
        attention_units=config.attention_units,
        word_dropout=config.word_dropout,
        embedding_dropout=config.embedding_dropout,
        dropout=config.dropout,
    )


def check_folder(folder: Path, command: dict[str, Any], force: bool) -> None:
    """Refuses to write over a finished run, or to go on with another command's run.

    Raises:
        InputError: It would.
    """
    if force or not folder.exists():
        return
    if not run.is_run(folder):
        if folder.is_dir() and not any(folder.iterdir()):
            return
        raise InputError(f"{folder}: exists and is no run folder; choose another --out")
    if (folder / run.METRICS).exists():
        raise InputError(f"{folder}: holds a finished run; use --force to train it anew, or another --out")
    before = read_json(folder / run.CONFIG)
    differing = [key for key in command if before.get(key) != command[key]]
    if "settings" in differing:
        old = before.get("settings") or {}
        differing += [key for key, value in command["settings"].items() if old.get(key) != value]
        differing.remove("settings")
    if differing:
        raise InputError(
            f"{folder}: holds an unfinished run with other {', '.join(differing)}; use --force, or another --out"
        )


def read_splits(
    config: SentimentConfig,
    train: str | os.PathLike[str],
    valid: str | os.PathLike[str] | None,
    test: str | os.PathLike[str] | None,
    report: Callable[[str], None],
) -> dict[str, Examples]:
    """Reads the files and makes the splits disjoint: a text that is held out is not trained on."""
    given = {"train": train, "valid": valid, "test": test}
    splits = {
        name: read_examples(path, config.text_column, config.label_column)
        for name, path in given.items()
        if path is not None
    }
    for examples in splits.values():
        report(f"read {examples}")
    splits["train"], duplicates = drop_duplicates(splits["train"])
    report(str(duplicates))
    held_out = [splits[name] for name in ("valid", "test") if name in splits]
    if held_out:
        splits["train"], overlap = drop_overlap(splits["train"], *held_out)
        report(str(overlap))
    if "valid" not in splits:
        splits["train"], splits["valid"], division = split_examples(splits["train"], config.valid_fraction, config.seed)
        report(str(division))
    return splits


def report_encoded(encoded: dict[str, EncodedExamples], vocabulary: Vocabulary, report: Callable[[str], None]) -> None:
    """Says what share of the words the vocabulary knows and how many texts were cut."""
    report(f"vocabulary: {len(vocabulary):,} entries from the training split")
    for name, part in encoded.items():
        report(f"{name}: {len(part):,} texts, {part.cut:,} cut, {part.oov_rate:.1%} of tokens unknown")
        if part.oov_rate > OOV_WARNING:
            report(
                f"warning: more than {OOV_WARNING:.0%} of the tokens of {name} are unknown; remedies: a larger "
                "vocabulary_size, a smaller min_count, tokenizer=char, or more training text"
            )


def bucket_widths(max_tokens: int) -> list[int]:
    """Static lengths: powers of two from 16 on, and the longest."""
    widths = [16]
    while widths[-1] * 2 < max_tokens:
        widths.append(widths[-1] * 2)
    return [width for width in widths if width < max_tokens] + [max_tokens]


def fingerprint(command: dict[str, Any], examples: EncodedExamples) -> str:
    """Identifies settings and training data, hexadecimal."""
    digest = hashlib.sha256(repr(sorted(command["settings"].items())).encode())
    for array in (examples.token_ids, examples.offsets, examples.labels):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
