"""A training on several machines: each runs the same command as a worker, with its place in `TF_CONFIG`.

All workers read the data, compute the same batches and take their rows. Worker 0 is the chief: it alone writes the run
folder and reports. The others work in a temporary folder of their own, and get the state of a resumed training from the
chief, so they need no common file system except for the data.
"""

import functools
import inspect
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import keras
import numpy as np
import tensorflow as tf

from textapp.errors import InputError

TF_CONFIG = "TF_CONFIG"
F = TypeVar("F", bound=Callable[..., Any])


def task_of_cluster() -> tuple[int, list[str]] | None:
    """The number of this worker and the addresses of all, from `TF_CONFIG`; None without more than one worker.

    Raises:
        InputError: The variable breaks its format.
    """
    text = os.environ.get(TF_CONFIG)
    if not text:
        return None
    try:
        content = json.loads(text)
        cluster, place = content["cluster"], content["task"]
        addresses, number = cluster["worker"], int(place["index"])
        valid = place["type"] == "worker" and set(cluster) == {"worker"} and 0 <= number < len(addresses)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{TF_CONFIG}: not a cluster of workers: {type(error).__name__}: {error}") from error
    if not valid:
        raise InputError(f"{TF_CONFIG}: needs only tasks of type worker, and an index among them")
    return (number, addresses) if len(addresses) > 1 else None


@functools.cache
def cluster_strategy() -> tf.distribute.Strategy | None:
    """Joins the cluster of `TF_CONFIG`, before anything else of TensorFlow runs; None if there is none."""
    if task_of_cluster() is None:
        return None
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        raise InputError(f"{TF_CONFIG}: the cluster must be joined before TensorFlow runs anything: {error}") from error


def is_chief() -> bool:
    """Whether this process writes the run folder and reports: worker 0, or the only process."""
    place = task_of_cluster()
    return place is None or place[0] == 0


def from_chief(values: np.ndarray, strategy: tf.distribute.Strategy) -> np.ndarray:
    """The values of the chief, on all workers, which must call this at the same point with arrays of one shape."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return values
    sent = tf.constant(values if is_chief() else np.zeros_like(values))

    @tf.function
    def total(tensor: tf.Tensor) -> tf.Tensor:
        def replica(part: tf.Tensor) -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            # Only one replica of the chief sends.
            here = tf.cast(tf.equal(context.replica_id_in_sync_group, 0), part.dtype)
            return context.all_reduce(tf.distribute.ReduceOp.SUM, part * here)

        return strategy.experimental_local_results(strategy.run(replica, (tensor,)))[0]

    return np.asarray(total(sent))


def file_from_chief(path: Path, strategy: tf.distribute.Strategy) -> None:
    """Copies a file of the chief, if it exists there, to the same name in the folder of each other worker."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return
    content = path.read_bytes() if is_chief() and path.exists() else b""
    size = int(from_chief(np.array([len(content)], np.int64), strategy)[0])
    if size:
        words = np.frombuffer(content.ljust(-(-size // 4) * 4, b"\0"), np.int32) if is_chief() else None
        words = from_chief(np.zeros(-(-size // 4), np.int32) if words is None else words, strategy)
        if not is_chief():
            path.write_bytes(words.tobytes()[:size])


class LogsOfChief(keras.callbacks.Callback):
    """Gives all workers the chief's logs of an epoch, so that they agree on the best epoch and when to stop."""

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Replaces the numbers in `logs`."""
        del epoch
        if logs:
            names = sorted(logs)
            values = from_chief(np.array([float(logs[name]) for name in names]), self.model.distribute_strategy)
            logs.update(zip(names, map(float, values), strict=True))


def as_worker(function: F) -> F:
    """Makes a training run as one worker where `TF_CONFIG` says so; it has `out`, `report` and `callbacks`."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        strategy = cluster_strategy()
        if strategy is None or is_chief():
            result = function(*args, **kwargs)
        else:
            with tempfile.TemporaryDirectory(prefix="textapp-worker-") as folder:
                given = signature.bind(*args, **kwargs).arguments
                given |= {"out": Path(folder) / "run", "report": lambda _: None, "callbacks": ()}
                result = function(**given)
        if strategy is not None:  # no worker leaves while another needs it
            from_chief(np.zeros(1, np.int32), strategy)
        return result

    return cast(F, call)
