"""A training that survives being killed: everything that the rest of it depends on, in one file."""

import json
import time
import zipfile
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np

from textapp.errors import InputError
from textapp.files import named_errors, replacing

GROUPS = ("variables", "metrics", "best")
"""The arrays of a file."""

STATE = {
    "fingerprint": str,
    "epoch": int,
    "step": int,
    "history": list,
    "stopped": bool,
    "memory": dict,
    "counts": dict,
}
"""The rest of it, and what it is."""


class Batches(Protocol):
    """What a training goes through: batches that depend on their own seed and position alone.

    Attributes:
        position: (epoch, step) at which the next iterator over `dataset` starts.
        dataset: A `tf.data.Dataset`, epoch after epoch without end.
    """

    position: tuple[int, int]
    dataset: Any

    @property
    def steps_per_epoch(self) -> int:
        """Batches an epoch."""


class Checkpoint(keras.callbacks.Callback):
    """Saves the state of `fit` every now and then and at each epoch's end, and goes on from it.

    The state is the model's variables (dropout's random seeds among them), the optimizer's, the running metrics, the
    memory of early stopping, the best weights and the position in the data. With batches that depend on seed and
    position alone, a run that was killed ends with the very numbers of one that was not.

    It stands behind `early_stopping` in the list of callbacks; `textapp.training.fit.fit` shows the calls of `fit`.

    Args:
        path: The file, `.npz`; read now if it is there.
        batches: What is trained on; told where to start.
        early_stopping: The Keras callback whose memory and best weights are saved along; None where none is used.
        fingerprint: Identifies data and settings; a file with another one is refused.
        every_seconds: Time between two savings within an epoch; longer where saving would take a tenth of it.

    Attributes:
        epoch: The epoch that is trained, or the next one.
        step: How many of its steps are done.
        history: The logs of the epochs that are done.
        stopped: Whether early stopping has ended the training.
        best_weights: Those of the best epoch, as `model.get_weights()` gives them; empty before the first.

    Raises:
        InputError: The file belongs to another training or is broken.
    """

    def __init__(
        self,
        path: Path,
        batches: Batches,
        early_stopping: keras.callbacks.EarlyStopping | None,
        fingerprint: str,
        every_seconds: float = 60.0,
    ):
        super().__init__()
        self.path = Path(path)
        self.batches = batches
        self.early_stopping = early_stopping
        self.fingerprint = fingerprint
        self.every_seconds = every_seconds
        self.epoch, self.step = 0, 0
        self.history: list[dict[str, float]] = []
        self.stopped = False
        self.best_weights: list[np.ndarray] = []
        self._memory: dict[str, Any] = {}  # of the early stopping
        self._variables: list[np.ndarray] = []  # as read from the file
        self._metrics: list[np.ndarray] = []
        self._saved_at, self._saving_seconds = time.monotonic(), 0.0
        if self.path.exists():
            self._read()

    def on_train_begin(self, logs: Any = None) -> None:
        """Puts the values of the file back."""
        del logs
        for name, value in self._memory.items():  # its own on_train_begin has just forgotten it
            setattr(self.early_stopping, name, value)
        if self._variables:
            if self.model.optimizer:
                self.model.optimizer.build(self.model.trainable_variables)  # `fit` does so at its first step only
            self._assign(self._state_variables(), self._variables)
            if self.best_weights:
                self._check_shapes(self.model.weights, self.best_weights)
            self._variables = []
        self.batches.position = (self.epoch, self.step)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Inside an epoch, puts the running metrics back, which `fit` has just reset."""
        del logs, epoch
        self._first_step = self.step
        if self.step:
            self._assign(self.model.metrics_variables, self._metrics)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Saves when it is time, but not after an epoch's last step: its validation would be lost to who goes on."""
        del logs
        self.step = self._first_step + batch + 1
        due = time.monotonic() - self._saved_at >= max(self.every_seconds, 10 * self._saving_seconds)
        if due and self.step < self.batches.steps_per_epoch:
            self._save()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Saves with the next epoch as the place to go on."""
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

    def _assign(self, variables: list[Any], values: list[np.ndarray]) -> None:
        """Puts values of the file into variables. Raises `InputError` where they are those of another model."""
        self._check_shapes(variables, values)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)

    def _check_shapes(self, variables: list[Any], values: list[np.ndarray]) -> None:
        """Raises `InputError` where values of the file do not fit variables."""
        if [tuple(variable.shape) for variable in variables] != [value.shape for value in values]:
            raise InputError(f"{self.path}: holds the weights of another model; start anew with --force")

    def _state_variables(self) -> list[Any]:
        """What the training changes, but for the metrics."""
        return [*self.model.variables, *(self.model.optimizer.variables if self.model.optimizer else [])]

    def _save(self) -> None:
        """Writes the file, whole or not at all."""
        began = time.monotonic()
        groups = {
            "variables": [np.asarray(variable) for variable in self._state_variables()],
            "metrics": [np.asarray(variable) for variable in self.model.metrics_variables],
            "best": self.best_weights,
        }
        state = {
            "fingerprint": self.fingerprint,
            "epoch": self.epoch,
            "step": self.step,
            "history": self.history,
            "stopped": self.stopped,
            "memory": self._memory,
            "counts": {group: len(arrays) for group, arrays in groups.items()},
        }
        arrays = {f"{group}_{i}": array for group, arrays in groups.items() for i, array in enumerate(arrays)}
        with replacing(self.path) as temporary, temporary.open("wb") as file:
            np.savez(file, state=np.array(json.dumps(state, default=float)), **arrays)  # type: ignore[arg-type]
        self._saved_at = time.monotonic()
        self._saving_seconds = self._saved_at - began

    def _read(self) -> None:
        """Reads the file; the variables are assigned once `fit` has begun."""
        try:
            with named_errors(self.path), np.load(self.path, allow_pickle=False) as content:
                state = _checked(json.loads(str(content["state"])))
                groups = {group: [content[f"{group}_{i}"] for i in range(state["counts"][group])] for group in GROUPS}
        except InputError:
            raise
        # NumPy gives a plain array of an .npy file, which is no context manager: a TypeError.
        except (ValueError, KeyError, TypeError, EOFError, RecursionError, zipfile.BadZipFile) as error:
            raise InputError(f"{self.path}: not a checkpoint of textapp ({error}); start anew with --force") from error
        if state["fingerprint"] != self.fingerprint:
            raise InputError(f"{self.path}: data or settings have changed since; go back to them, or use --force")
        self.epoch, self.step, self.stopped = state["epoch"], state["step"], state["stopped"]
        self.history, self._memory = state["history"], state["memory"]
        self._variables, self._metrics, self.best_weights = (groups[group] for group in GROUPS)


def _checked(state: Any) -> dict[str, Any]:
    """The state as a file holds it. Raises `ValueError` where something is missing or of another type."""
    if not isinstance(state, dict):
        raise ValueError("its state is no JSON object")
    wrong = [name for name, kind in STATE.items() if type(state.get(name)) is not kind]
    if not wrong and not all(isinstance(logs, dict) for logs in state["history"]):
        wrong = ["history"]
    if wrong:
        raise ValueError(f"its state has no {', '.join(wrong)}")
    return state
