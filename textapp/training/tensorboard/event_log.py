"""The event files of a training."""

import os
from typing import Any

import tensorflow as tf

from textapp.errors import InputError


class EventLog:
    """A folder of TensorBoard runs, with one open event file a run.

    Dashboards of one training share one log: TensorBoard's slower loader (`--load_fast=false`, and platforms without
    its data server) reads the files of a run one after the other and would miss what two writers add in turn.
    A file is opened when something is first written, so a log can be made, copied or thrown away without a trace.

    Args:
        folder: Folder of the log, local or remote (`gs://...`). Each run is a folder in it: `train`, `validation`.
    """

    def __init__(self, folder: str | os.PathLike[str]):
        self.folder = os.fspath(folder)
        self._writers: dict[str, Any] = {}

    def run_folder(self, run: str) -> str:
        """The folder of a run."""
        return os.path.join(self.folder, run)  # noqa: PTH118 (a Path would turn gs:// into gs:/)

    def writer(self, run: str) -> Any:
        """The run's `tf.summary.SummaryWriter`, opened on first use. Raises `InputError` where it cannot be."""
        if run not in self._writers:
            folder = self.run_folder(run)
            try:
                self._writers[run] = tf.summary.create_file_writer(folder, flush_millis=10_000)
            except tf.errors.OpError as error:
                raise InputError(f"{folder}: no TensorBoard log can be written here: {error.message}") from error
        return self._writers[run]
