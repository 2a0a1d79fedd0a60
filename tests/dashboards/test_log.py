"""Logs that cannot be written, and who writes them."""

import pytest
import tensorflow as tf

from textapp.dashboards import EventLog, Scalars
from textapp.errors import InputError

from .models import attention_model, fit


def test_a_log_that_cannot_be_written_is_named_before_training(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=r"file.logs.train: TensorBoard's log cannot be written here: .*directory"):
        fit(attention_model(), [Scalars(tmp_path / "file" / "logs")])


def test_a_disk_that_fills_up_is_named(tmp_path):
    log = EventLog(tmp_path)
    full = tf.errors.ResourceExhaustedError(None, None, f"{log.run_folder('train')}/events.v2; No space left on device")
    with (
        pytest.raises(InputError, match=r"train: TensorBoard's log cannot be written here: No space left on device$"),
        log.writing("train", 1),
    ):
        raise full


def test_errors_of_the_model_are_not_blamed_on_the_log(tmp_path):
    with pytest.raises(tf.errors.ResourceExhaustedError), EventLog(tmp_path).writing("train", 1):
        raise tf.errors.ResourceExhaustedError(None, None, "out of memory")
