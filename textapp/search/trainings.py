"""The trainings of a search: as `textapp train` does them, on data that they share, without run folders.

They run in one process, one after the other. A process for each would load TensorFlow and prepare the data each time,
which takes longer than a training on small data. If a training takes more memory than there is, the system ends the
process; the journal of the search then says where to go on.
"""

import contextlib
import dataclasses
import gc
import logging
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from textapp.config import ModelConfig
from textapp.data.batches import TrainingBatches
from textapp.task import Files, Report, Task
from textapp.training.automatic import choose_settings
from textapp.training.initial import Start
from textapp.training.ngram_model import with_ngram_model
from textapp.training.prepare import Prepared, prepare_splits, read_splits, training_batches
from textapp.training.strategy import choose_strategy
from textapp.training.train import compiled_model, fit_scored, monitor_of

OF_DATA = ("min_count", "seed")
"""The settings of a search that change how the data is prepared. For all others `batch_size` alone is applied anew."""

_KEPT = 3  # prepared data, one for each value of `min_count`


class TrainingEnded(Exception):
    """A training was ended before its last epoch."""


class Trained(NamedTuple):
    """The result of a training.

    Attributes:
        score: The validation score of its best epoch; of a loss, its negative.
        epochs: The number of its epochs.
    """

    score: float
    epochs: int


Watch = Callable[[int, float], None]
"""Receives the number of finished epochs and the validation score of the last one. It may raise `TrainingEnded`."""


class Trainings:
    """Trains models with different settings on the same files.

    Args:
        task: The task.
        files: The files. Texts of the test file are left out of the training split, as `train` does; nothing is scored
            on them.
        report: Receives the lines about the data, once.
    """

    def __init__(self, task: Task[Any, Any, Any], files: Files, report: Report):
        self._task, self._files, self._report = task, files, report
        self._strategy = choose_strategy()
        self._prepared: dict[tuple[Any, ...], Prepared] = {}

    def choose(self, config: ModelConfig, fixed: Collection[str]) -> ModelConfig:
        """The settings that `textapp train` chooses for the data, see `textapp.training.automatic`.

        Args:
            config: The settings for reading the files, and those that are fixed.
            fixed: Names of settings that stay as they are.

        Raises:
            InputError: A file breaks a rule, or a choice contradicts a fixed setting.
        """
        splits = self._splits(config)
        profile = self._task.profile(config, self._files, *splits)
        config, _ = choose_settings(profile, config, fixed, self._report)
        self._prepared[self._key(config)] = self._from_splits(config, splits)
        return config

    def data(self, config: ModelConfig) -> Prepared:
        """The data of a training. Raises `InputError` if a file breaks a rule."""
        key = self._key(config)
        if key not in self._prepared:
            if len(self._prepared) == _KEPT:
                del self._prepared[next(iter(self._prepared))]
            self._prepared[key] = self._from_splits(config, self._splits(config))
        data = self._prepared[key]
        assert isinstance(data.batches, TrainingBatches)
        return dataclasses.replace(data, batches=training_batches(config, data.batches.rows, data.widths))

    def _splits(self, config: ModelConfig) -> tuple[Any, dict[str, Any]]:
        """The training and the validation examples, as `train` has them."""
        train, held_out = read_splits(self._task, config, self._files, self._report)
        return train, {"valid": held_out["valid"]}

    def _from_splits(self, config: ModelConfig, splits: tuple[Any, dict[str, Any]]) -> Prepared:
        """Prepares examples that were read already. Only the first time, it reports the lines about the data."""
        plain = config.replaced(baseline=False)  # only a baseline needs the texts themselves
        data = prepare_splits(self._task, plain, self._files, *splits, self._report)
        assert isinstance(data.batches, TrainingBatches)
        data = with_ngram_model(config, data.batches.rows, data, self._report, with_final=False)
        self._report = lambda _: None
        return data

    @staticmethod
    def _key(config: ModelConfig) -> tuple[Any, ...]:
        """What data that was prepared once can be used for."""
        return tuple(config.get(name) for name in OF_DATA)

    def train(self, config: ModelConfig, checkpoint: Path, watch: Watch) -> Trained:
        """Trains a model, or resumes its training from the checkpoint.

        Raises:
            InputError: The training diverged, or there is not enough memory.
            TrainingEnded: `watch` ended it.
        """
        data = self.data(config)
        keras.utils.clear_session()  # the names and graphs of the last model
        gc.collect()
        keras.utils.set_random_seed(config.training.seed)
        trained, model = compiled_model(self._task, config, data, self._strategy, Start())
        monitor = monitor_of(self._task, config, data)

        def callbacks(scores: Any, validation: Any) -> list[keras.callbacks.Callback]:
            del scores, validation
            return [_Watched(monitor, watch)]

        with _expected_tracing():
            valid = data.held_out["valid"]
            history = fit_scored(self._task, config, data, trained, model, valid, checkpoint, callbacks, lambda _: None)
        scores = [_score(logs, monitor) for logs in history]
        return Trained(max(filter(math.isfinite, scores)), len(history))


@contextlib.contextmanager
def _expected_tracing() -> Iterator[None]:
    """Hides TensorFlow's warning that a function is traced often: each model of a search has graphs of its own."""

    def is_other(record: logging.LogRecord) -> bool:
        return "retracing" not in record.getMessage()

    logger = tf.get_logger()
    logger.addFilter(is_other)
    try:
        yield
    finally:
        logger.removeFilter(is_other)


def _score(logs: Mapping[str, float], monitor: str) -> float:
    """The score of an epoch, of which more is better: a loss counts negative."""
    return -logs[monitor] if monitor == "val_loss" else logs[monitor]


class _Watched(keras.callbacks.Callback):
    """Calls a function at the end of each epoch."""

    def __init__(self, monitor: str, watch: Watch):
        super().__init__()
        self._monitor, self._watch = monitor, watch

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Hands over the score. After a loss that is not finite the training stops anyway."""
        score = _score(logs or {}, self._monitor)
        if math.isfinite(score):
            self._watch(epoch + 1, float(score))
