"""Checkpoints: one file with everything that a killed training needs to resume exactly."""

import hashlib
import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np

from textapp.data.numpy_archive import open_archive, read_array
from textapp.errors import InputError
from textapp.files import named_errors, replacing

GROUPS = ("variables", "metrics", "best")
"""The groups of arrays in a file."""

EVERY_SECONDS = 60.0
"""Seconds between two saves within an epoch; more if saving would take over a tenth of the time."""

_WAY_ON = "use --force to restart"


class Batches(Protocol):
    """The batches of a training, which depend only on their seed and position.

    Attributes:
        position: (epoch, step) at which the next iterator over `dataset` starts.
        dataset: A `tf.data.Dataset` that repeats epochs without end.
    """

    position: tuple[int, int]
    dataset: Any

    @property
    def steps_per_epoch(self) -> int:
        """Batches per epoch."""


class Checkpoint(keras.callbacks.Callback):
    """Saves the state of `fit` regularly and at the end of each epoch, and resumes from it.

    The state is the variables of the model (with dropout's random seeds) and of the optimizer, the running metrics, the
    state of early stopping, the best weights and the position in the data. If batches depend only on seed and position,
    a resumed training gives exactly the same numbers as an uninterrupted one.

    The file has a SHA-256 of its content, so that a damaged one is refused and never taken for a state. It is no
    signature: it does not show who wrote the file.

    Put it after `early_stopping` in the list of callbacks. `textapp.training.fit.fit` shows how to call `fit`.

    Args:
        path: The `.npz` file. It is read now if it exists.
        batches: The training batches. Their `position` is set when training begins.
        early_stopping: The Keras callback whose state and best weights are saved too; None without early stopping.
        fingerprint: Identifies data and settings. A file with another fingerprint is refused.
        within_epochs: Whether it saves within epochs too, every `EVERY_SECONDS`.
        writes: Whether this process writes the file. Of several workers only the chief does.

    Attributes:
        epoch: The current epoch, or the next one between epochs.
        step: Number of finished steps of that epoch.
        history: The logs of the finished epochs.
        stopped: Whether early stopping has ended the training.
        best_weights: The weights of the best epoch, as from `model.get_weights()`; empty before the first epoch ends.

    Raises:
        InputError: The file belongs to another training, or its content is not what was written.
    """

    def __init__(
        self,
        path: Path,
        batches: Batches,
        early_stopping: keras.callbacks.EarlyStopping | None,
        fingerprint: str,
        *,
        within_epochs: bool = True,
        writes: bool = True,
    ):
        super().__init__()
        self.path = Path(path)
        self.batches = batches
        self.early_stopping = early_stopping
        self.fingerprint = fingerprint
        self.every_seconds = EVERY_SECONDS if within_epochs else math.inf
        self.writes = writes
        self.epoch, self.step = 0, 0
        self.history: list[dict[str, float]] = []
        self.stopped = False
        self.best_weights: list[np.ndarray] = []
        self._memory: dict[str, Any] = {}  # of early stopping
        self._variables: list[np.ndarray] = []  # as read from the file
        self._metrics: list[np.ndarray] = []
        self._saved_at, self._saving_seconds = time.monotonic(), 0.0
        if self.path.exists():
            self._read()

    def begin_at(self, step: int) -> None:
        """Lets a training without a checkpoint begin after some steps, as one that goes on from another training."""
        if not self._variables:
            self.epoch, self.step = divmod(step, self.batches.steps_per_epoch)

    def on_train_begin(self, logs: Any = None) -> None:
        """Restores the values of the file."""
        del logs
        for name, value in self._memory.items():  # its on_train_begin has just reset them
            setattr(self.early_stopping, name, value)
        if self._variables:
            if self.model.optimizer:
                self.model.optimizer.build(self.model.trainable_variables)  # otherwise `fit` does so at its first step
            self._assign(self._state_variables(), self._variables)
            if self.best_weights:
                self._check_shapes(self.model.weights, self.best_weights)
            self._variables = []
        self.batches.position = (self.epoch, self.step)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Inside an epoch, restores the running metrics, which `fit` has just reset."""
        del logs, epoch
        self._first_step = self.step
        if self.step and self._metrics:
            self._assign(self.model.metrics_variables, self._metrics)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Saves if it is time, but not after an epoch's last step: a resumed training would skip the validation."""
        del logs
        self.step = self._first_step + batch + 1
        due = time.monotonic() - self._saved_at >= max(self.every_seconds, 10 * self._saving_seconds)
        if due and self.step < self.batches.steps_per_epoch:
            self._save()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Saves, with the start of the next epoch as the position to resume from."""
        self.history.append({name: float(value) for name, value in (logs or {}).items()})
        finite = bool(np.isfinite(list(self.history[-1].values())).all())
        if not finite:  # nothing comes after a NaN
            self.model.stop_training = True
        self.epoch, self.step = epoch + 1, 0
        self.stopped = bool(self.model.stop_training)
        if self.early_stopping:
            names = ("wait", "best", "best_epoch", "stopped_epoch")
            self._memory = {name: getattr(self.early_stopping, name) for name in names}
            if finite and self.early_stopping.best_epoch == epoch:
                self.best_weights = self.model.get_weights()
        self._save()

    def begin_cycle(self) -> None:
        """Lets early stopping wait anew, because the higher learning rate of a new cycle costs some of the score."""
        if self._memory:
            self._memory["wait"] = 0

    def _assign(self, variables: list[Any], values: list[np.ndarray]) -> None:
        """Assigns values of the file to variables. Raises `InputError` if they belong to another model."""
        self._check_shapes(variables, values)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)

    def _check_shapes(self, variables: list[Any], values: list[np.ndarray]) -> None:
        """Raises `InputError` if values of the file do not fit variables."""
        if [tuple(variable.shape) for variable in variables] != [value.shape for value in values]:
            raise InputError(f"{self.path}: holds the weights of another model; use --force to restart")

    def _state_variables(self) -> list[Any]:
        """The variables that training changes, without the metrics."""
        return [*self.model.variables, *(self.model.optimizer.variables if self.model.optimizer else [])]

    def _save(self) -> None:
        """Writes the file, completely or not at all."""
        began = time.monotonic()
        groups = {
            "variables": [np.asarray(variable) for variable in self._state_variables()],
            "metrics": [np.asarray(variable) for variable in self.model.metrics_variables],
            "best": self.best_weights,
        }
        if not self.writes:  # all workers have read the variables, because reading sums those of metrics over workers
            return
        state: dict[str, Any] = {
            "fingerprint": self.fingerprint,
            "epoch": self.epoch,
            "step": self.step,
            "history": self.history,
            "stopped": self.stopped,
            "memory": self._memory,
            "counts": {group: len(arrays) for group, arrays in groups.items()},
        }
        arrays = {f"{group}_{i}": array for group, arrays in groups.items() for i, array in enumerate(arrays)}
        text = json.dumps(state, default=float)
        with replacing(self.path) as temporary, temporary.open("wb") as file:
            np.savez(file, state=np.array(text), sha256=np.array(_digest(text, arrays)), **arrays)  # type: ignore[arg-type]
        self._saved_at = time.monotonic()
        self._saving_seconds = self._saved_at - began

    def _read(self) -> None:
        """Reads the file; the variables are assigned once `fit` has begun."""
        try:
            with named_errors(self.path), self.path.open("rb") as file, open_archive(file, self.path) as archive:
                content = {
                    name.removesuffix(".npy"): read_array(archive, name.removesuffix(".npy"), self.path)
                    for name in archive.namelist()
                }
        except InputError as error:
            raise InputError(f"{error}; {_WAY_ON}") from error
        if not {"state", "sha256"} <= content.keys():
            raise InputError(
                f"{self.path}: has no hash, as a checkpoint of an earlier version of textapp; finish the training with "
                f"that version, or {_WAY_ON}"
            )
        text, expected = str(content.pop("state")), str(content.pop("sha256"))
        if _digest(text, content) != expected:
            raise InputError(f"{self.path}: its content is not what was written; the file is damaged; {_WAY_ON}")
        try:
            state = json.loads(text)
        except (ValueError, RecursionError):
            state = None
        if not _is_state(state, content):
            raise InputError(f"{self.path}: its content is not that of a checkpoint; {_WAY_ON}")
        if state["fingerprint"] != self.fingerprint:
            raise InputError(f"{self.path}: data or settings have changed since; restore them, or use --force")
        self.epoch, self.step, self.stopped = state["epoch"], state["step"], state["stopped"]
        self.history, self._memory = state["history"], state["memory"]
        self._variables, self._metrics, self.best_weights = (
            [content[f"{group}_{i}"] for i in range(state["counts"][group])] for group in GROUPS
        )


def _is_state(state: Any, arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether a state has the entries and types that `Checkpoint` writes, and the arrays that it counts."""
    kinds = {"fingerprint": str, "epoch": int, "step": int, "stopped": bool}
    kinds |= {"history": list, "memory": dict, "counts": dict}
    if not isinstance(state, dict) or any(type(state.get(name)) is not kind for name, kind in kinds.items()):
        return False
    counts = [state["counts"].get(group) for group in GROUPS]
    if not all(type(count) is int for count in counts) or not all(type(logs) is dict for logs in state["history"]):
        return False
    return arrays.keys() == {f"{group}_{i}" for group, count in zip(GROUPS, counts, strict=True) for i in range(count)}


def _digest(state: str, arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of a file's content: the state, and name, dtype, shape and values of each array."""
    found = hashlib.sha256(state.encode())
    for name, array in sorted(arrays.items()):
        found.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
        found.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return found.hexdigest()
