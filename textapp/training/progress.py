"""The progress of a training on stderr: a table of epochs below a moving line on a terminal, else a line an epoch."""

import math
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

import keras
from keras import ops

from textapp.task import Report
from textapp.text.terminal import BOLD, GREEN, Screen, duration

_BAR = 20  # columns
_CELL = 7  # columns of a figure: 12.3456
_TITLES = {"ece": "ECE"}
_LEAST_STEPS = 2  # for an estimate, after the first one: that traces the model, which may take longer than all others


class Meter:
    """The progress of work whose amount is known, with the time left: a moving line on a terminal, else lines.

    The estimate supposes that the rest takes as long as what is done, for each part of it.

    Args:
        title: What is done of what, such as `of the corpus read`.
        stream: Where to print; stderr by default.
    """

    def __init__(self, title: str, stream: TextIO | None = None):
        self._title, self._stream = title, stream or sys.stderr
        self._screen = Screen.of(self._stream)
        self._began = self._printed = time.monotonic()
        self._first: int | None = None

    def __call__(self, done: int, total: int) -> None:
        """Shows how much is done: on a terminal at most four times a second, elsewhere each half minute."""
        now = time.monotonic()
        if self._first is None:  # what came before the first call was a start
            self._began = self._printed = now
            self._first = done
        elif done <= total and now - self._printed > (0.25 if self._screen.is_terminal else 30):
            self._printed = now
            left = duration((now - self._began) / (done - self._first) * (total - done)) if done > self._first else "?"
            text = f"{done / total:4.0%} {self._title}  {left} left"
            if self._screen.is_terminal:
                bar = self._screen.bar(done / total, min(_BAR, max(0, self._screen.columns - 3 - len(text))), GREEN)
                print(f"\r\x1b[2K{bar}  {text}", end="", file=self._stream, flush=True)
            else:
                print(text, file=self._stream, flush=True)

    def above(self, report: Report) -> Report:
        """A report whose lines stand above the moving line."""

        def clear_and_report(line: str) -> None:
            self.close()
            report(line)

        return clear_and_report

    def close(self) -> None:
        """Clears the moving line."""
        if self._screen.is_terminal:
            print("\r\x1b[2K", end="", file=self._stream, flush=True)


class Progress(keras.callbacks.Callback):
    """Prints epoch, step, metrics and speed. Standard output stays free for results.

    Args:
        epochs: Number of epochs of a cycle: after these, that of the next cycle is added to the shown total.
        steps_per_epoch: Steps per epoch.
        tokens_per_epoch: Real tokens (no padding) per epoch, for the speed.
        stream: Where to print; stderr by default.
    """

    def __init__(self, epochs: int, steps_per_epoch: int, tokens_per_epoch: int, stream: TextIO | None = None):
        super().__init__()
        self.epochs, self.steps, self.tokens = epochs, steps_per_epoch, tokens_per_epoch
        self.stream = stream or sys.stderr
        self._screen = Screen.of(self.stream)
        self._has_begun = False
        self._monitor: str | None = None
        self._best = math.nan
        self._table: list[str] = []  # the names of its columns

    def judge_by(self, monitor: str, history: Sequence[Mapping[str, float]]) -> None:
        """Lets each epoch be marked that is the best so far.

        Args:
            monitor: Name of the value in an epoch's logs that decides, see `textapp.training.fit.fit`.
            history: The logs of the epochs before, of a training that resumes.
        """
        self._monitor = monitor
        for logs in history:
            self._is_best(logs)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Starts the clock. Reports it if a killed training resumes."""
        del logs
        optimizer = self.model.optimizer  # None if the model updates its weights itself
        if not self._has_begun and (
            epoch or (optimizer is not None and int(ops.convert_to_numpy(optimizer.iterations)))
        ):
            print(f"resuming at epoch {epoch + 1} of {self._planned(epoch)}", file=self.stream, flush=True)
        self._has_begun = True
        # A resumed epoch has fewer steps; Keras has their number in `params`.
        self._first = self.steps - (self.params or {}).get("steps", self.steps)
        self._epoch, self._began, self._printed, self._done = epoch, time.monotonic(), 0.0, 0
        self._traced = 0  # steps after which the model was traced: more than one with `steps_per_execution`

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Updates the line, at most four times a second."""
        now, self._done = time.monotonic(), batch + 1
        if not self._traced:
            self._traced, self._after_tracing = self._done, now
        if not self._screen.is_terminal or now - self._printed <= 0.25:
            return
        self._printed = now
        reached = self._first + self._done
        left = ""
        if self._done - self._traced >= _LEAST_STEPS:
            seconds = (now - self._after_tracing) / (self._done - self._traced) * (self.steps - reached)
            left = f"  {duration(seconds)} left"
        loss = "" if not logs or "loss" not in logs else f"  loss {_figure(logs['loss'])}"
        self._move(reached / self.steps, f"{loss}{left}")

    def on_test_begin(self, logs: Any = None) -> None:
        """Stops the clock: validation time does not count."""
        del logs
        self._seconds = time.monotonic() - self._began
        if self._screen.is_terminal:
            self._move(1, "  validation")

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Prints the epoch's line."""
        del epoch
        seconds = getattr(self, "_seconds", time.monotonic() - self._began)
        speed = self.tokens * self._done / self.steps / seconds  # only tokens of this process
        logs, is_best = logs or {}, self._is_best(logs or {})
        if not self._screen.is_terminal:
            mark = "  best so far" if is_best else ""
            line = f"epoch {self._place()}  {_metrics(logs)}  {seconds:.1f} s, {speed:,.0f} tokens/s{mark}"
            print(line, file=self.stream, flush=True)
            return
        shown: dict[str, Any] = {**logs, "time": duration(seconds), "tokens/s": f"{speed:,.0f}"}
        lines = []
        if not self._table:
            self._table = _columns(logs, self._monitor, self._screen.columns, len(self._place()))
            lines = self._header()
        cells = [self._place().rjust(_width("epoch", len(self._place())))]
        for name in self._table:
            value = shown.get(name, "")
            cell = (value if isinstance(value, str) else _figure(value)).rjust(_width(name))
            style = [GREEN, BOLD] if is_best else [BOLD]
            cells.append(self._screen.paint(cell, *style) if name == self._monitor else cell)
        if self._monitor is not None:
            cells.append(self._screen.paint("   *", BOLD, GREEN) if is_best else "")
        print("\r\x1b[2K" + "\n".join([*lines, "  ".join(cells).rstrip()]), file=self.stream, flush=True)

    def _is_best(self, logs: Mapping[str, float]) -> bool:
        """Whether an epoch is the best so far."""
        value = math.nan if self._monitor is None else logs.get(self._monitor, math.nan)
        if not math.isfinite(value) or (math.isfinite(self._best) and not _is_better(self._monitor, value, self._best)):
            return False
        self._best = value
        return True

    def _planned(self, epoch: int) -> int:
        """The last epoch of a cycle."""
        return self.epochs * (epoch // self.epochs + 1)

    def _place(self) -> str:
        """The epoch, and the last one: `3/20`."""
        return f"{self._epoch + 1}/{self._planned(self._epoch)}"

    def _header(self) -> list[str]:
        """The header of the table: which columns are of training and of validation, and the name of each."""
        groups: dict[str, int] = {"": _width("epoch", len(self._place()))}
        for name in self._table:
            group = "validation" if name.startswith("val_") else "training" if name not in ("time", "tokens/s") else " "
            groups[group] = groups.get(group, -2) + 2 + _width(name)
        upper = "  ".join(group.strip().rjust(width) for group, width in groups.items()).rstrip()
        titles = ["epoch".rjust(groups[""]), *(_title(name).rjust(_width(name)) for name in self._table)]
        lower = "  ".join([*titles, *([] if self._monitor is None else ["best"])])
        return ["", *([upper] if "validation" in groups else []), self._screen.paint(lower, BOLD)]

    def _move(self, share: float, text: str) -> None:
        """Writes the moving line again."""
        start, percent = f"epoch {self._place()}  ", f" {share:4.0%}"
        room = self._screen.columns - 1 - len(start) - len(percent)
        width = max(0, min(_BAR, room - len(text)))
        bar = self._screen.bar(share, width, GREEN)
        print(f"\r\x1b[2K{start}{bar}{percent}{text[:room]}", end="", file=self.stream, flush=True)


def describe_end(history: Sequence[Mapping[str, float]], monitor: str, patience: int, stopped: bool) -> str:
    """One line: which epoch of a training was the best, and why the training ended.

    Args:
        history: The logs of each epoch.
        monitor: Name of the value that decides.
        patience: Epochs without a better value before the training stops.
        stopped: Whether the training was stopped before its last epoch.
    """
    values = [logs.get(monitor, math.nan) for logs in history]
    best = 0
    for epoch, value in enumerate(values):
        if math.isfinite(value) and (math.isnan(values[best]) or _is_better(monitor, value, values[best])):
            best = epoch
    after = len(history) - 1 - best
    if not stopped:
        why = "all epochs are done"
    elif not all(map(math.isfinite, history[-1].values())):
        why = "stopped because a value was not finite"
    elif after >= patience:
        why = f"stopped because the {after} epochs after it were not better (patience={patience})"
    else:
        why = "stopped by a callback"
    shown = f"validation {_title(monitor)} {_figure(values[best])}"
    return f"best: epoch {best + 1} of {len(history)}, {shown}; {why}"


def _is_better(monitor: str | None, value: float, other: float) -> bool:
    """Whether a value of the monitor is better than another one."""
    return value < other if monitor == "val_loss" else value > other


def _columns(logs: Mapping[str, float], monitor: str | None, room: int, place: int) -> list[str]:
    """The columns of the table between the epoch and the mark of the best: as many as fit.

    Args:
        logs: The logs of an epoch.
        monitor: The name that decides. Its column is never left out, and neither is the time.
        room: Columns of the terminal.
        place: Columns of an epoch's number.
    """
    names = [name for name in logs if name != "learning_rate"]
    of_training = sorted((name for name in names if not name.startswith("val_")), key=lambda name: name != "loss")
    of_validation = sorted(
        (name for name in names if name not in of_training), key=lambda name: (name != "val_loss", name != monitor)
    )
    shown = [*of_training, *of_validation, "time", "tokens/s"]
    dispensable = ["tokens/s", *reversed(of_validation[2:]), *reversed(of_training[1:]), *of_validation, *of_training]
    fixed = _width("epoch", place) + (0 if monitor is None else 6)
    for name in dispensable:
        if fixed + sum(2 + _width(one) for one in shown) <= room:
            break
        if name in shown and name != monitor:
            shown.remove(name)
    return shown


def _width(name: str, least: int = _CELL) -> int:
    """The width of a column of the table."""
    return max(len(_title(name)), least)


def _title(name: str) -> str:
    """The title of a value in an epoch's logs: `macro F1` of `val_macro_f1`."""
    plain = name.removeprefix("val_")
    return _TITLES.get(plain, plain.replace("_", " ").replace(" f1", " F1"))


def _figure(value: float) -> str:
    """A value as a cell."""
    return f"{value:.4f}" if abs(value) < 1000 else f"{value:.3e}"


def _metrics(logs: Mapping[str, float]) -> str:
    """Logs as text, such as `loss 0.4120  accuracy 0.8150`."""
    return "  ".join(f"{name} {value:.4f}" for name, value in logs.items() if name != "learning_rate")
