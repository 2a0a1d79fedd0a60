"""Callbacks of the commands that train: those of `--callbacks`, and the tracker of `--track`."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textapp.cli.output import say

if TYPE_CHECKING:
    from keras.callbacks import Callback

Finish = Callable[[dict[str, Any]], None]
"""Gets the metrics of the finished run."""


@contextlib.contextmanager
def tracked(track: str | None, callbacks: Sequence[str] | None, out: Path) -> "Iterator[tuple[list[Callback], Finish]]":
    """Yields the callbacks, and the function to call with the metrics of the run.

    Args:
        track: Name of a tracker; None for none.
        callbacks: Names of functions, see `user_callbacks`.
        out: The run folder.

    Raises:
        InputError: There is no such tracker or function.
    """
    from textapp.training.callbacks import user_callbacks
    from textapp.training.tracking import tracker
    from textapp.training.workers import is_chief

    made = user_callbacks(callbacks or [], out)
    if track is None or not is_chief():
        yield made, lambda _: None
        return
    with tracker(track, out) as one:
        yield [*made, one], lambda metrics: say(f"track: {one.finish(metrics)}")
