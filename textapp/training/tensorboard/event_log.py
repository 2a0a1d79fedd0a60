"""The event files of a training."""

import contextlib
import os
from collections.abc import Iterator
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

    def make_folder(self, run: str) -> None:
        """Makes the folder of a run. Raises `InputError` where that cannot be."""
        try:
            tf.io.gfile.makedirs(self.run_folder(run))
        except tf.errors.OpError as error:
            raise self._error(run, error) from error

    @contextlib.contextmanager
    def writing(self, run: str, step: int) -> Iterator[None]:
        """Sends the summaries of the block to the run at `step`; they are in the file when the block has ended.

        Raises:
            InputError: A file of the run could not be written.
        """
        try:
            if run not in self._writers:
                self._writers[run] = tf.summary.create_file_writer(self.run_folder(run))
            with self._writers[run].as_default(step):
                yield
            self._writers[run].flush()
        except tf.errors.OpError as error:
            if self.run_folder(run) not in error.message:  # the model's own, such as a device out of memory
                raise
            raise self._error(run, error) from error

    def _error(self, run: str, error: tf.errors.OpError) -> InputError:
        reason = error.message.splitlines()[0].rpartition("; ")[2]
        return InputError(f"{self.run_folder(run)}: TensorBoard's log cannot be written here: {reason}")
