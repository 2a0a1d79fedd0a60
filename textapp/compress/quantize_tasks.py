"""What the training of quantized runs asks of each task."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

import keras
import tensorflow as tf

from textapp.compress.config import QuantizeConfig
from textapp.compress.quantization_aware import QuantizationAware
from textapp.config import NerConfig, SentimentConfig
from textapp.errors import InputError
from textapp.training.preparation import Prepared
from textapp.training.tag_preparation import PreparedTags

Report = Callable[[str], None]
Settings = TypeVar("Settings", bound=SentimentConfig | NerConfig)


class Task(Protocol):
    """A finished run with the data that it was trained on, ready to go on."""

    @property
    def model(self) -> keras.Model:
        """Its model."""

    @property
    def data(self) -> Prepared | PreparedTags:
        """Its data, the targets of its loss among them."""

    @property
    def validation(self) -> tf.data.Dataset:
        """Batches of the validation split, with such targets."""

    @property
    def metric(self) -> str:
        """The score that tells which weights are best: its name in `scores` and, behind `val_`, in an epoch's logs."""

    @property
    def callbacks(self) -> list[keras.callbacks.Callback]:
        """Those that put it there, where it is none of the compiled metrics."""

    @classmethod
    def open(cls, source: Path, command: Mapping[str, Any], strategy: tf.distribute.Strategy, report: Report) -> Self:
        """Loads a run, and reads its files anew.

        Args:
            source: The run folder.
            command: Its settings and files, as `config.json` has them.
            strategy: Where it will train.
            report: Is given each line of progress.

        Raises:
            InputError: The run or a file is broken, or the files are not those any more that it was trained on.
        """

    def compile(self, aware: QuantizationAware, config: QuantizeConfig) -> None:
        """Compiles the model's wrapper as the run was, for other epochs at another learning rate."""

    def save_text_side(self, folder: Path) -> None:
        """Writes all that a run of this task holds besides its model and its logs."""

    def scores(self) -> dict[str, dict[str, Any]]:
        """The scores of the model, as it is now, on each held-out split."""

    def metrics(self, scores: Mapping[str, Any]) -> dict[str, Any]:
        """What `metrics.json` says of a run of this task with such scores."""


def going_on(settings: Settings, config: QuantizeConfig) -> Settings:
    """The settings of a run, changed to those with which it trains on."""
    return dataclasses.replace(
        settings,
        epochs=max(1, config.epochs),
        learning_rate=config.learning_rate,
        warmup=config.warmup,
        freeze_epochs=0,  # word vectors that stood still at first have begun to move, or never will
    )


def total_steps(settings: SentimentConfig | NerConfig, data: Prepared | PreparedTags) -> int:
    """Steps of all epochs."""
    return settings.epochs * data.batches.steps_per_epoch


@contextlib.contextmanager
def snapped(aware: QuantizationAware) -> Iterator[None]:
    """Inside, the model has the weights of the device; behind, its own again."""
    floats = aware.model.get_weights()
    aware.snap()
    try:
        yield
    finally:
        aware.model.set_weights(floats)


def changed_since(path: str, names: str) -> InputError:
    """What is said of a file that gives another model or other data than the run has; `names` are these others."""
    return InputError(f"{path}: gives another vocabulary or other {names} than the run has; the file has changed since")
