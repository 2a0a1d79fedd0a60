"""The run folder: what a training leaves behind, and how it is found again."""

import contextlib
import dataclasses
import fcntl
import json
import math
import os
import shutil
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from textapp import __version__
from textapp.config import SentimentConfig
from textapp.data.readers import Examples, read_examples
from textapp.errors import InputError
from textapp.files import (
    check_writable,
    leftovers,
    named_errors,
    read_json,
    read_text,
    replacing,
    write_json,
    write_text,
)
from textapp.layers import AttentionPooling
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary

MODEL, CONFIG, METRICS = "model.keras", "config.json", "metrics.json"
TOKENIZER, VOCABULARY, LABELS, SAMPLE = "tokenizer.json", "vocabulary.txt", "labels.txt", "sample.jsonl"
TAGS, CHARACTERS, TAGGED_SAMPLE = "tags.txt", "characters.txt", "sample.tsv"  # of a tagger
SOFT_LABELS, SOFT_LABELS_PART = "soft_labels.jsonl.gz", "soft_labels.jsonl.part"  # of a distilled student
TEACHER_STATES, TEACHER_STATES_PART = "teacher_states.npz", "teacher_states.part"  # of one with matching
SOFT_TAGS, SOFT_TAGS_PART = "soft_tags.npz", "soft_tags.part"  # of a distilled tagger
CHECKPOINT, LOGS = "checkpoint.npz", "logs"
SAMPLE_SIZE = 500


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished training, read back from its folder.

    Attributes:
        model: The model with its best weights, float32.
        config: The settings that it was trained with.
        tokenizer: How its texts are cut.
        vocabulary: Its words.
        labels: Its classes, in the order of the logits.
        metrics: What `metrics.json` says.
        sample: Some validation examples.
    """

    model: keras.Model
    config: SentimentConfig
    tokenizer: Tokenizer
    vocabulary: Vocabulary
    labels: list[str]
    metrics: dict[str, Any]
    sample: Examples

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> "Run":
        """Reads a run folder.

        Raises:
            InputError: The folder is no finished run, or a file in it is missing or broken.
        """
        folder = Path(folder)
        command, metrics = read_finished(folder)
        if metrics.get("task") == "vectors":
            raise InputError(f"{folder}: a training of word vectors, not a run; the vectors stand beside it")
        if metrics.get("task") == "ner":
            raise InputError(f"{folder}: a run of `textapp train ner`, not of `textapp train sentiment`")
        labels = read_names(folder / LABELS, metrics.get("labels"))
        tokenizer = read_tokenizer(folder)
        vocabulary = Vocabulary.load(folder / VOCABULARY)
        return cls(
            model=_load_model(folder / MODEL, len(vocabulary), len(labels)),
            config=SentimentConfig.from_dict(command["settings"], str(folder / CONFIG)),
            tokenizer=tokenizer,
            vocabulary=vocabulary,
            labels=labels,
            metrics=metrics,
            sample=read_examples(folder / SAMPLE),
        )


def read_finished(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `config.json` and `metrics.json` of a finished run of any task say. Raises `InputError` if it is none."""
    if not (folder / CONFIG).exists():
        raise InputError(f"{folder}: not a run folder (no {CONFIG} in it)")
    command = read_command(folder)
    if not (folder / METRICS).exists():
        raise InputError(f"{folder}: this training is not finished; run its train command again to go on")
    return command, _object(folder / METRICS)


def read_names(path: Path, expected: object) -> list[str]:
    """A file of labels or tags, one a line. Raises `InputError` unless they are those that `metrics.json` names."""
    names = read_text(path).removesuffix("\n").split("\n")
    if not isinstance(expected, list):
        raise InputError(f"{path.with_name(METRICS)}: names no {path.stem}; the file was cut or changed")
    if names != expected:
        raise InputError(f"{path}: not the {path.stem} that {METRICS} names; the file was cut or changed")
    return names


def read_tokenizer(folder: Path) -> Tokenizer:
    """How a run's texts are cut. Raises `InputError` naming the file where it is broken."""
    settings = _object(folder / TOKENIZER)
    try:
        return Tokenizer.from_dict(settings)
    except InputError as error:
        raise InputError(f"{folder / TOKENIZER}: {error}") from error


def read_command(folder: Path) -> dict[str, Any]:
    """What `config.json` says of the command that made a run: `settings`, and the files.

    Raises:
        InputError: The file cannot be read or is none of a run.
    """
    command = _object(folder / CONFIG)
    if not isinstance(command.get("settings"), dict) or "textapp_version" not in command:
        raise InputError(f"{folder / CONFIG}: not the config of a run of textapp: no settings or no textapp_version")
    return command


def check_folder(folder: Path, command: dict[str, Any], force: bool) -> None:
    """Refuses to write over a finished run, to go on with another command's run, and to touch what is no run.

    Args:
        folder: Where the run goes.
        command: Its settings and files, as `config.json` holds them.
        force: Whether a run that is there already may be deleted.

    Raises:
        InputError: It would, or the folder cannot be written.
    """
    for data in (command.get(split) for split in ("train", "valid", "test")):
        if data and Path(data).is_dir() and folder.resolve().is_relative_to(Path(data).resolve()):
            raise InputError(f"{folder}: lies in {data}, whose data it would join; choose another --out")
    check_writable(folder)
    with named_errors(folder):
        if not folder.exists():
            return
        if not (folder / CONFIG).exists():
            if set(folder.iterdir()) <= set(leftovers(folder / CONFIG)):  # empty but for what a killed start left
                return
            raise InputError(f"{folder}: exists and is no run folder; choose another --out")
    before = read_command(folder)
    if force:
        return
    if (folder / METRICS).exists():
        raise InputError(f"{folder}: holds a finished run; use --force to train it anew, or another --out")
    keys = [*command, *(key for key in before if key not in command and key != "textapp_version")]
    # The run that is quantized may be spelled otherwise or have moved: its checkpoint tells it by its model.
    differing = [key for key in keys if before.get(key) != command.get(key) and key != "quantized_from"]
    if "settings" in differing:
        old, new = before["settings"], command["settings"]
        differing += [key for key in new if old.get(key) != new[key]]
        differing.remove("settings")
    if differing:
        raise InputError(
            f"{folder}: holds an unfinished run with other {', '.join(differing)}; use --force, or another --out"
        )


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps other trainings out of a run folder, by a lock that ends with the process, however that ends.

    Raises:
        InputError: Another training holds it.
    """
    path = folder.absolute().with_name(f".{folder.absolute().name}.lock")
    with named_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its holder may have ended, and deleted it, since it was opened: then a third can lock a new one.
            locks_path = os.path.samestat(os.fstat(file.fileno()), path.stat())
        except (BlockingIOError, FileNotFoundError):
            locks_path = False
        if not locks_path:
            raise InputError(f"{folder}: another training is writing to it; choose another --out")
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def reserved(folder: Path, command: dict[str, Any], force: bool) -> Iterator[None]:
    """Keeps a run folder for this process alone. Raises `InputError` as `check_folder` and `locked` do."""
    check_folder(folder, command, force)
    with locked(folder):
        check_folder(folder, command, force)  # what was free a moment ago may be another's now
        yield


def clear(folder: Path, keep_progress: bool) -> None:
    """Deletes what a killed training has left half-written, and all of a run but its config unless progress is kept.

    The files of a run are named one by one: what somebody else has put into the folder stays.
    """
    text_side = (TOKENIZER, VOCABULARY, LABELS, SAMPLE, TAGS, CHARACTERS, TAGGED_SAMPLE)
    soft = (SOFT_LABELS, SOFT_LABELS_PART, TEACHER_STATES, TEACHER_STATES_PART, SOFT_TAGS, SOFT_TAGS_PART)
    names = (METRICS, MODEL, *text_side, CHECKPOINT, *soft)  # metrics first: finished no more
    with named_errors(folder):
        if not folder.exists():
            return
        for name in (*names, CONFIG):
            for leftover in leftovers(folder / name):
                leftover.unlink()
        if keep_progress:
            return
        for name in names:
            (folder / name).unlink(missing_ok=True)
        if (folder / LOGS).exists():
            shutil.rmtree(folder / LOGS)


def save_text_side(folder: Path, tokenizer: Tokenizer, vocabulary: Vocabulary, labels: list[str]) -> None:
    """Writes what turns text into ids and class numbers into names."""
    write_json(folder / TOKENIZER, tokenizer.to_dict())
    vocabulary.save(folder / VOCABULARY)
    write_text(folder / LABELS, "".join(f"{label}\n" for label in labels))


def save_sample(folder: Path, examples: Examples) -> list[tuple[str, str]]:
    """Keeps some validation texts with their labels, evenly spaced: exports are checked on them."""
    step = -(-len(examples) // SAMPLE_SIZE)
    sample = list(zip(examples.texts[::step], examples.labels[::step], strict=True))
    lines = (json.dumps({"text": text, "label": label}, ensure_ascii=False) for text, label in sample)
    write_text(folder / SAMPLE, "".join(f"{line}\n" for line in lines))
    return sample


def save_model(folder: Path, model: keras.Model) -> None:
    """Writes the model, whole or not at all, without its optimizer, which is twice its size."""
    with replacing(folder / MODEL) as temporary:
        keras.Model(model.input, model.output, name=model.name).save(temporary)


def finish(
    folder: Path, metrics: dict[str, Any], history: Sequence[Mapping[str, float]], began: float
) -> dict[str, Any]:
    """Ends a training: writes `metrics.json`, and drops the checkpoint.

    Args:
        folder: The run.
        metrics: What the task has to say.
        history: The logs of each epoch.
        began: `time.monotonic()` when this process began.

    Returns:
        What `metrics.json` says: the task's, and `epochs`, `history`, `seconds` and `versions`.
    """
    metrics = {
        **metrics,
        "epochs": len(history),
        "history": history_for_json(history),
        "seconds": time.monotonic() - began,
        "versions": {"textapp": __version__, "tensorflow": tf.__version__, "keras": keras.__version__},
    }
    write_json(folder / METRICS, metrics)  # last: its presence says that the run is finished
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return metrics


def history_for_json(history: Sequence[Mapping[str, float]]) -> list[dict[str, float | None]]:
    """The logs of each epoch; null for NaN and infinity, which JSON does not know: training diverged."""
    return [{name: value if math.isfinite(value) else None for name, value in logs.items()} for logs in history]


def _object(path: Path) -> dict[str, Any]:
    """A JSON file that must hold an object."""
    value = read_json(path)
    if not isinstance(value, dict):
        raise InputError(f"{path}: must hold a JSON object")
    return value


def load_keras(path: Path) -> keras.Model:
    """Loads a model of any task, not compiled. Raises `InputError` where the file is none."""
    with named_errors(path), path.open("rb") as file:
        if not zipfile.is_zipfile(file):
            raise InputError(f"{path}: not a Keras model: the file was cut, or is of another kind")
    try:
        return keras.models.load_model(path, compile=False)
    except Exception as error:  # what Keras, h5py and zipfile raise about a foreign file has no common class
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: not a Keras model that can be read ({reason[:200]})") from error


def _load_model(path: Path, rows: int, classes: int) -> keras.Model:
    """Loads `model.keras`, which must have a row for each token and a logit for each class."""
    model = load_keras(path)
    tables = [layer for layer in model.layers if isinstance(layer, keras.layers.Embedding)]
    if not any(isinstance(layer, AttentionPooling) for layer in model.layers) or len(tables) != 1:
        raise InputError(f"{path}: another model than `textapp train sentiment` makes")
    if model.output_shape[-1] != classes:
        raise InputError(f"{path}: has {model.output_shape[-1]} classes, but {LABELS} {classes} labels")
    if tables[0].input_dim != rows:
        raise InputError(
            f"{path.with_name(VOCABULARY)}: has {rows} tokens, but {path.name} {tables[0].input_dim} embedding rows"
        )
    return model
