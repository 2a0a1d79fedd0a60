"""The run folder: what a training leaves behind, and how it is found again."""

import contextlib
import dataclasses
import fcntl
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
from textapp.config import ModelConfig
from textapp.errors import InputError
from textapp.files import check_writable, leftovers, named_errors, read_object, replacing, write_json
from textapp.layers import CharacterCNN
from textapp.task import Task, canonical_name, names, task
from textapp.text.token_encoder import TokenEncoder
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary
from textapp.training.prepare import word_form

MODEL, CONFIG, METRICS = "model.keras", "config.json", "metrics.json"
TOKENIZER, VOCABULARY, CHARACTERS = "tokenizer.json", "vocabulary.txt", "characters.txt"
CHECKPOINT, LOGS = "checkpoint.npz", "logs"
SOFT_TARGETS, SOFT_TARGETS_PART = "soft_targets.jsonl.gz", "soft_targets.jsonl.part"  # of a distilled student
EARLIER_FILES = (  # that runs of textapp 0.1 may hold
    *("soft_labels.jsonl.gz", "soft_labels.jsonl.part", "teacher_states.npz", "teacher_states.part"),
    *("soft_tags.npz", "soft_tags.part"),
)
SAMPLE_SIZE = 500


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished training, read back from its folder.

    Attributes:
        folder: Where it was read.
        task: Its task.
        model: The model with its best weights, float32.
        config: The settings that it was trained with.
        tokenizer: What cuts its texts.
        encoder: Tokens to ids.
        targets: What the model chooses from.
        command: What `config.json` says.
        metrics: What `metrics.json` says.
    """

    folder: Path
    task: Task[Any, Any, Any]
    model: keras.Model
    config: ModelConfig
    tokenizer: Tokenizer
    encoder: TokenEncoder
    targets: Any
    command: Mapping[str, Any]
    metrics: Mapping[str, Any]

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> "Run":
        """Reads a run folder.

        Raises:
            InputError: The folder is no finished run, or a file in it is missing or broken.
        """
        folder = Path(folder)
        command, metrics = read_finished(folder)
        found = task_of(folder, metrics)
        config = found.config.from_dict(command["settings"], str(folder / CONFIG))
        targets = found.read_targets(folder, metrics)
        vocabulary = Vocabulary.load(folder / VOCABULARY)
        characters = Vocabulary.load(folder / CHARACTERS) if config.words.characters else None
        words = config.words
        encoder = TokenEncoder(word_form(found, config), vocabulary, characters, words.max_characters, words.shapes)
        return cls(
            folder=folder,
            task=found,
            model=_load_model(folder, found, encoder, len(targets.names)),
            config=config,
            tokenizer=read_tokenizer(folder),
            encoder=encoder,
            targets=targets,
            command=command,
            metrics=metrics,
        )

    def sample(self) -> Any:
        """Some validation examples. Raises `InputError` where the file is missing or broken."""
        return self.task.read_sample(self.folder / self.task.sample_name, self.targets)


def task_of(folder: Path, metrics: Mapping[str, Any]) -> Task[Any, Any, Any]:
    """The task of a run, by its `metrics.json`. Raises `InputError` where it is none of textapp's."""
    if metrics.get("task") == "vectors":
        raise InputError(f"{folder}: a training of word vectors, not a run; the vectors stand beside it")
    name = canonical_name(metrics.get("task"))
    if name is None:
        raise InputError(f"{folder / METRICS}: task {metrics.get('task')!r} must be one of {', '.join(names())}")
    return task(name)


def read_finished(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `config.json` and `metrics.json` of a finished run of any task say. Raises `InputError` if it is none."""
    if not (folder / CONFIG).exists():
        raise InputError(f"{folder}: not a run folder (no {CONFIG} in it)")
    command = read_command(folder)
    if not (folder / METRICS).exists():
        raise InputError(f"{folder}: this training is not finished; run its train command again to resume it")
    return command, read_object(folder / METRICS)


def read_tokenizer(folder: Path) -> Tokenizer:
    """What cuts a run's texts. Raises `InputError` naming the file where it is broken."""
    settings = read_object(folder / TOKENIZER)
    try:
        return Tokenizer.from_dict(settings)
    except InputError as error:
        raise InputError(f"{folder / TOKENIZER}: {error}") from error


def read_command(folder: Path) -> dict[str, Any]:
    """What `config.json` says of the command that made a run: `settings`, and the files.

    Raises:
        InputError: The file cannot be read or is none of a run.
    """
    command = read_object(folder / CONFIG)
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
        shown = ", ".join(differing[:8]) + (f" and {len(differing) - 8} more" if len(differing) > 8 else "")
        raise InputError(f"{folder}: holds an unfinished run with other {shown}; use --force, or another --out")


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
    own = (TOKENIZER, VOCABULARY, CHARACTERS, CHECKPOINT, SOFT_TARGETS, SOFT_TARGETS_PART, *EARLIER_FILES)
    files = (METRICS, MODEL, *own, *_task_files())  # metrics first: finished no more
    with named_errors(folder):
        if not folder.exists():
            return
        for name in (*files, CONFIG):
            for leftover in leftovers(folder / name):
                leftover.unlink()
        if keep_progress:
            return
        for name in files:
            (folder / name).unlink(missing_ok=True)
        if (folder / LOGS).exists():
            shutil.rmtree(folder / LOGS)


def save_text_side(
    folder: Path, task: Task[Any, Any, Any], tokenizer: Tokenizer, encoder: TokenEncoder, targets: Any, valid: Any
) -> None:
    """Writes all of a run but its model and its metrics: what turns text into ids, and ids into targets.

    Args:
        folder: The run.
        task: Its task.
        tokenizer: What cuts texts.
        encoder: Tokens to ids.
        targets: What the model chooses from.
        valid: The validation examples, some of which are kept: exports are checked on them.
    """
    write_json(folder / TOKENIZER, tokenizer.to_dict())
    encoder.vocabulary.save(folder / VOCABULARY)
    if encoder.characters is not None:
        encoder.characters.save(folder / CHARACTERS)
    for name, save in task.files(targets).items():
        save(folder / name)
    step = -(-len(valid) // SAMPLE_SIZE)
    task.save_sample(folder / task.sample_name, valid.select(range(0, len(valid), step)))


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


def _load_model(folder: Path, task: Task[Any, Any, Any], encoder: TokenEncoder, count: int) -> keras.Model:
    """Loads `model.keras`, which must have a row for each word and character, and an output for each target."""
    path = folder / MODEL
    model = load_keras(path)
    words = [layer.input_dim for layer in model.layers if layer.name == "embedding"]
    letters = [layer.vocabulary_size for layer in model.layers if isinstance(layer, CharacterCNN)]
    inputs = {tensor.name for tensor in model.inputs}
    rank = 3 if task.unit == "token" else 2
    if inputs != encoder.inputs.keys() or len(words) != 1 or len(model.output_shape) != rank:
        raise InputError(f"{path}: another model than `textapp train {task.model_noun}` makes")
    if model.output_shape[-1] != count:
        raise InputError(f"{path}: has {model.output_shape[-1]} outputs, but {METRICS} names {count} of them")
    wanted = [(VOCABULARY, len(encoder.vocabulary), words[0])]
    if encoder.characters is not None:
        wanted.append((CHARACTERS, len(encoder.characters), letters[0] if letters else 0))
    for name, entries, rows in wanted:
        if entries != rows:
            raise InputError(f"{folder / name}: has {entries} entries, but {path.name} {rows} rows for them")
    return model


def _task_files() -> list[str]:
    """The names of the files that runs of the tasks hold."""
    found = (task(name) for name in names())
    return [name for one in found for name in (*one.target_files, one.sample_name)]
