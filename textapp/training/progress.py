"""The progress of a training on stderr: one updated line on a terminal, one line per epoch elsewhere."""

import sys
import time
from typing import Any, TextIO

import keras
from keras import ops


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
        self._moving = self.stream.isatty()
        self._has_begun = False

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

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Updates the line, at most four times a second."""
        now, self._done = time.monotonic(), batch + 1
        if self._moving and now - self._printed > 0.25:
            self._printed = now
            reached = self._first + self._done
            left = (now - self._began) / self._done * (self.steps - reached)
            self._write(f"{reached / self.steps:4.0%}  {_metrics(logs)}  {left:.0f} s left", end="")

    def on_test_begin(self, logs: Any = None) -> None:
        """Stops the clock: validation time does not count."""
        del logs
        self._seconds = time.monotonic() - self._began

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Prints the epoch's line."""
        del epoch
        seconds = getattr(self, "_seconds", time.monotonic() - self._began)
        tokens = self.tokens * self._done / self.steps  # only those of this process
        self._write(f"{_metrics(logs)}  {seconds:.1f} s, {tokens / seconds:,.0f} tokens/s", end="\n")

    def _planned(self, epoch: int) -> int:
        """The last epoch of a cycle."""
        return self.epochs * (epoch // self.epochs + 1)

    def _write(self, text: str, end: str) -> None:
        start = "\r\x1b[2K" if self._moving else ""
        print(
            f"{start}epoch {self._epoch + 1}/{self._planned(self._epoch)}  {text}",
            end=end,
            file=self.stream,
            flush=True,
        )


def _metrics(logs: dict[str, float] | None) -> str:
    """Logs as text, such as `loss 0.4120  accuracy 0.8150`."""
    return "  ".join(f"{name} {value:.4f}" for name, value in (logs or {}).items() if name != "learning_rate")
