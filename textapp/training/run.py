"""A run: writes the results of a training to its folder, and reads them."""

import contextlib
import dataclasses
import hashlib
import math
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from textapp import __version__
from textapp.config import ModelConfig
from textapp.errors import InputError, quoted
from textapp.files import read_bytes, read_object, replacing, write_json
from textapp.layers import CharacterCNN
from textapp.output_files import locked, real_path
from textapp.runtime.ngram_model import NGRAM_TABLE, NGRAMS, NgramModel
from textapp.task import Task, canonical_name, names, task
from textapp.text.token_encoder import TokenEncoder
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary
from textapp.training.model_file import load_keras
from textapp.training.run_folder import (
    CHARACTERS,
    CHECKPOINT,
    CONFIG,
    METRICS,
    MODEL,
    NGRAMS_OF_TRAIN,
    TOKENIZER,
    VOCABULARY,
    clear_abandoned,
    read_finished,
)
from textapp.training.vocabularies import word_form

SAMPLE_SIZE = 500


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished training, read from its folder.

    Attributes:
        folder: The run folder.
        task: The task.
        model: The model with its best weights, float32.
        config: The settings of the training.
        tokenizer: The tokenizer of texts.
        encoder: Converts tokens to ids.
        targets: The targets of the model.
        command: The content of `config.json`.
        metrics: The content of `metrics.json`.
        ngrams: The linear model of n-grams beside the model; None for a model alone.
        ngrams_of_train: The same, fitted to the training split alone, which judges validation texts rightly.
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
    ngrams: NgramModel | None = None
    ngrams_of_train: NgramModel | None = None

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> "Run":
        """Reads a run folder.

        Raises:
            InputError: The folder is not a finished run, or a file in it is missing or broken.
        """
        folder = Path(folder)
        command, metrics = read_finished(folder)
        _clear_abandoned_by_reader(folder)
        found = task_of(folder, metrics)
        config = found.config.from_run(command["settings"], str(folder / CONFIG))
        targets = found.read_targets(folder, metrics)
        vocabulary = Vocabulary.load(folder / VOCABULARY)
        characters = Vocabulary.load(folder / CHARACTERS) if config.words.characters else None
        words = config.words
        ngrams = load_ngrams(folder, metrics, len(targets.names))
        encoder = TokenEncoder(word_form(found, config), vocabulary, characters, words.max_characters, words.shapes)
        return cls(
            folder=folder,
            task=found,
            model=_load_model(folder, found, encoder, len(targets.names)),
            config=config,
            tokenizer=_read_tokenizer(folder, found.tokenizer(config)),
            encoder=encoder,
            targets=targets,
            command=command,
            metrics=metrics,
            ngrams=ngrams,
            ngrams_of_train=load_ngrams_of_train(folder, len(targets.names)) or ngrams,
        )

    def unbiased(self, path: str | os.PathLike[str] | None) -> "Run":
        """The run to score on a file: on its own validation file, with n-grams that have not learned these texts."""
        valid = self.command.get("valid")
        if self.ngrams is self.ngrams_of_train or valid is None or path is None:
            return self
        exist = Path(valid).exists() and Path(path).exists()  # not so for a file in an archive, `ARCHIVE#MEMBER`
        is_valid = os.fspath(path) == valid or (exist and Path(valid).samefile(path))
        return dataclasses.replace(self, ngrams=self.ngrams_of_train) if is_valid else self

    def sample(self) -> Any:
        """Some validation examples. Raises `InputError` if the file is missing or broken."""
        return self.task.read_sample(self.folder / self.task.sample_name, self.targets)


def content_hash(folder: Path, task: Task[Any, Any, Any], config: ModelConfig) -> str:
    """SHA-256 of all files of a run that its outputs depend on, hexadecimal."""
    files = [MODEL, CONFIG, TOKENIZER, VOCABULARY, *task.target_files]
    files += [CHARACTERS] if config.words.characters else []
    files += [name for name in (NGRAMS, NGRAM_TABLE, *NGRAMS_OF_TRAIN) if (folder / name).exists()]
    digests = (hashlib.sha256(read_bytes(folder / name)).digest() for name in files)
    return hashlib.sha256(b"".join(digests)).hexdigest()


def task_of(folder: Path, metrics: Mapping[str, Any]) -> Task[Any, Any, Any]:
    """The task of a run, from its `metrics.json`. Raises `InputError` if textapp has no such task."""
    if metrics.get("task") == "vectors":
        raise InputError(f"{folder}: a training of word vectors, not a run; the vectors are beside this folder")
    name = canonical_name(metrics.get("task"))
    if name is None:
        raise InputError(f"{folder / METRICS}: task {quoted(metrics.get('task'))} must be one of {', '.join(names())}")
    return task(name)


def entry(path: Path, content: Mapping[str, Any], *keys: str) -> Any:
    """A value inside the content of a run's JSON file. Raises `InputError` naming `path` if the file has lost it."""
    value: Any = content
    for key in keys:
        if not isinstance(value, Mapping) or key not in value:
            name = ".".join(keys)
            raise InputError(f'{path}: has no "{name}", which textapp writes; restore it, or train the run again')
        value = value[key]
    return value


def _read_tokenizer(folder: Path, expected: Tokenizer) -> Tokenizer:
    """Reads a run's tokenizer. Raises `InputError` if it is broken, or is not the one of the run's settings."""
    settings = read_object(folder / TOKENIZER)
    try:
        tokenizer = Tokenizer.from_dict(settings)
    except InputError as error:
        raise InputError(f"{folder / TOKENIZER}: {error}") from error
    if tokenizer not in (expected, dataclasses.replace(expected, line_breaks=False)):  # runs of before have it not
        raise InputError(
            f"{folder / TOKENIZER}: must be {expected.to_dict()}, by the settings in {CONFIG}. Received: {settings}; "
            "one of the two files was changed or is of another run: copy the run again, or train it again"
        )
    return tokenizer


def _clear_abandoned_by_reader(folder: Path) -> None:
    """Deletes what a killed training left in a finished run, where the reader of the run may do so."""
    may_write = all(os.access(place, os.W_OK | os.X_OK) for place in (real_path(folder), real_path(folder).parent))
    if (folder / CHECKPOINT).exists() and may_write:
        # Where another command is at work, it is for that one to delete it.
        with contextlib.suppress(InputError), locked(folder):
            if (folder / METRICS).exists():
                clear_abandoned(folder)


def save_text_side(
    folder: Path, task: Task[Any, Any, Any], tokenizer: Tokenizer, encoder: TokenEncoder, targets: Any, valid: Any
) -> None:
    """Writes the files of a run that convert text to ids and outputs to targets, and the sample.

    Args:
        folder: The run folder.
        task: The task.
        tokenizer: The tokenizer of texts.
        encoder: Converts tokens to ids.
        targets: The targets of the model.
        valid: The validation examples. Some become the run's sample, on which exports are checked.
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
    """Writes the model, completely or not at all, without the optimizer, which is twice as large."""
    with replacing(folder / MODEL) as temporary:
        keras.Model(model.input, model.output, name=model.name).save(temporary)


def save_ngrams(folder: Path, ngrams: NgramModel, of_train: NgramModel) -> None:
    """Writes the linear model of n-grams of a run, and that of the training split alone, if it is another one."""
    files = ngrams.files() | (of_train.files(NGRAMS_OF_TRAIN) if of_train.table is not ngrams.table else {})
    for name, content in files.items():
        with replacing(folder / name) as temporary:
            temporary.write_bytes(content)


def finish(
    folder: Path, metrics: dict[str, Any], history: Sequence[Mapping[str, float]], began: float
) -> dict[str, Any]:
    """Ends a training: writes `metrics.json` and deletes the checkpoint.

    Args:
        folder: The run folder.
        metrics: The metrics of the task; also `epochs` if `history` is not of whole epochs.
        history: The logs of each epoch.
        began: `time.monotonic()` at the start of this process.

    Returns:
        The content of `metrics.json`: those metrics, and `epochs`, `history`, `seconds` and `versions`.
    """
    metrics = {
        "epochs": len(history),
        **metrics,
        "history": history_for_json(history),
        "seconds": time.monotonic() - began,
        "versions": {"textapp": __version__, "tensorflow": tf.__version__, "keras": keras.__version__},
    }
    write_json(folder / METRICS, metrics)  # last: this file marks the run as finished
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return metrics


def history_for_json(history: Sequence[Mapping[str, float]]) -> list[dict[str, float | None]]:
    """The logs of each epoch; null for NaN and infinity, which JSON cannot hold: training diverged."""
    return [{name: value if math.isfinite(value) else None for name, value in logs.items()} for logs in history]


def _load_model(folder: Path, task: Task[Any, Any, Any], encoder: TokenEncoder, count: int) -> keras.Model:
    """Loads `model.keras`. Checks its tables against the vocabularies, its outputs against the targets, all for NaN."""
    path = folder / MODEL
    model = load_keras(path)
    words = [layer.input_dim for layer in model.layers if layer.name == "embedding"]
    letters = [layer.vocabulary_size for layer in model.layers if isinstance(layer, CharacterCNN)]
    inputs = {tensor.name for tensor in model.inputs}
    rank = 3 if task.unit == "token" else 2
    if inputs != encoder.inputs.keys() or len(words) != 1 or len(model.output_shape) != rank:
        raise InputError(f"{path}: not a model that `textapp train {task.model_noun}` makes")
    if model.output_shape[-1] != count:
        raise InputError(f"{path}: has {model.output_shape[-1]} outputs, but {METRICS} names {count} of them")
    wanted = [(VOCABULARY, len(encoder.vocabulary), words[0])]
    if encoder.characters is not None:
        wanted.append((CHARACTERS, len(encoder.characters), letters[0] if letters else 0))
    for name, entries, rows in wanted:
        if entries != rows:
            raise InputError(f"{folder / name}: has {entries} entries, but {path.name} {rows} rows for them")
    for variable in model.weights:
        if not np.isfinite(keras.ops.convert_to_numpy(variable)).all():
            raise InputError(
                f"{path}: the weight {variable.path} holds NaN or infinity: the training diverged, or the file was "
                "changed; train it again, with a lower learning_rate if it diverged"
            )
    return model


def load_ngrams(folder: Path, metrics: Mapping[str, Any], classes: int) -> NgramModel | None:
    """Reads the linear model of n-grams; None if the run has none. Raises `InputError` if its files are lost."""
    ngrams = _load_ngrams(folder, (NGRAMS, NGRAM_TABLE), classes)
    if ngrams is None and metrics.get("ngrams") is not None:
        raise InputError(
            f"{folder / NGRAMS}: missing, but {METRICS} names n-grams; copy the run again, or train it again"
        )
    return ngrams


def load_ngrams_of_train(folder: Path, classes: int) -> NgramModel | None:
    """Reads the linear model that has not learned the validation texts; None if that of the run has not either."""
    return _load_ngrams(folder, NGRAMS_OF_TRAIN, classes)


def _load_ngrams(folder: Path, names: tuple[str, str], classes: int) -> NgramModel | None:
    """Reads a linear model of n-grams; None if there is none."""
    if not (folder / names[0]).exists():
        return None
    contents = [read_bytes(folder / name) for name in names]
    return NgramModel.parse(dict(zip((NGRAMS, NGRAM_TABLE), contents, strict=True)), folder, classes)
