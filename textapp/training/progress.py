"""How the training goes, on stderr: a line that moves on a terminal, a line an epoch elsewhere."""

import sys
import time
from typing import Any, TextIO

import keras


class Progress(keras.callbacks.Callback):
    """Prints epoch, step, metrics and speed. Standard output is left to results.

    Args:
        epochs: Epochs in all.
        steps_per_epoch: Steps an epoch.
        tokens_per_epoch: Real tokens (no padding) an epoch, for the speed.
        stream: Where to print; stderr by default.
    """

    def __init__(self, epochs: int, steps_per_epoch: int, tokens_per_epoch: int, stream: TextIO | None = None):
        super().__init__()
        self.epochs, self.steps, self.tokens = epochs, steps_per_epoch, tokens_per_epoch
        self.stream = stream or sys.stderr
        self._moving = self.stream.isatty()
        self._has_begun = False

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Starts the clock; says so where a killed training goes on."""
        del logs
        optimizer = self.model.optimizer  # none of a model that moves its weights itself
        if not self._has_begun and (epoch or (optimizer is not None and int(optimizer.iterations))):
            print(f"going on with epoch {epoch + 1} of {self.epochs}", file=self.stream, flush=True)
        self._has_begun = True
        # The rest of an epoch that was killed has fewer steps than a whole one; Keras says how many.
        self._first = self.steps - (self.params or {}).get("steps", self.steps)
        self._epoch, self._began, self._printed, self._done = epoch, time.monotonic(), 0.0, 0

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Moves the line on, four times a second at most."""
        now, self._done = time.monotonic(), batch + 1
        if self._moving and now - self._printed > 0.25:
            self._printed = now
            reached = self._first + self._done
            left = (now - self._began) / self._done * (self.steps - reached)
            self._write(f"{reached / self.steps:4.0%}  {_metrics(logs)}  {left:.0f} s left", end="")

    def on_test_begin(self, logs: Any = None) -> None:
        """Stops the clock of the training part: validation is not counted."""
        del logs
        self._seconds = time.monotonic() - self._began

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Prints the epoch's line."""
        del epoch
        seconds = getattr(self, "_seconds", time.monotonic() - self._began)
        tokens = self.tokens * self._done / self.steps  # of this process alone
        self._write(f"{_metrics(logs)}  {seconds:.1f} s, {tokens / seconds:,.0f} tokens/s", end="\n")

    def _write(self, text: str, end: str) -> None:
        start = "\r\x1b[2K" if self._moving else ""
        print(f"{start}epoch {self._epoch + 1}/{self.epochs}  {text}", end=end, file=self.stream, flush=True)


def _metrics(logs: dict[str, float] | None) -> str:
    """Logs as `loss 0.412  accuracy 0.815`."""
    return "  ".join(f"{name} {value:.4f}" for name, value in (logs or {}).items() if name != "learning_rate")
