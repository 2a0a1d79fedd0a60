"""Runs that tests kill, leave untrained and compare."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from textapp.training.checkpoint import Checkpoint
from textapp.training.run import Run

QUIET = {"report": lambda line: None}
TRAIN, QUANTIZE = "textapp.training.train", "textapp.compress.quantize"  # the modules that call `fit`


class Killed(BaseException):
    """Stands for `kill -9`."""


@contextlib.contextmanager
def fit_replaced(fit: Any, module: str = TRAIN) -> Iterator[None]:
    """Puts another function in the place of `fit`."""
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(f"{module}.fit", fit)
        yield


def untrained() -> Any:
    """Leaves models with the weights that they began with."""
    return fit_replaced(lambda *_, **__: [{"loss": 1.0}])


@contextlib.contextmanager
def killed_before_training(module: str = TRAIN) -> Iterator[None]:
    """Kills the training before its first step, which must be reached."""

    def killed(*_: Any, **__: Any) -> None:
        raise Killed

    with fit_replaced(killed, module), pytest.raises(Killed):
        yield


@contextlib.contextmanager
def killed_within_an_epoch() -> Iterator[None]:
    """Kills the training after the second step of its second epoch, when it has just saved its state."""

    class KillingCheckpoint(Checkpoint):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            super().on_train_batch_end(batch, logs)
            if (self.epoch, self.step) == (1, 2):
                self._save()
                raise Killed

    with pytest.MonkeyPatch.context() as patches:
        patches.setattr("textapp.training.fit.Checkpoint", KillingCheckpoint)
        with pytest.raises(Killed):
            yield


def metrics_of(folder: Path) -> dict[str, Any]:
    """What `metrics.json` says, but for the seconds that it took."""
    return {**json.loads((folder / "metrics.json").read_text(encoding="utf-8")), "seconds": 0}


def names_in(folder: Path) -> set[str]:
    """The names of a folder's files."""
    return {path.name for path in folder.iterdir()}


def assert_same_run(folder: Path, expected: Path) -> None:
    """Two runs have the same files, metrics and weights, to the bit."""
    assert metrics_of(folder) == metrics_of(expected)
    assert names_in(folder) == names_in(expected)
    weights = (Run.load(path).model.get_weights() for path in (folder, expected))
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)
