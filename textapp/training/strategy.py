"""The devices of a training: one CPU or GPU, several GPUs, several machines, or a TPU."""

import contextlib
import os
from collections.abc import Iterator
from typing import Literal

import keras
import tensorflow as tf

from textapp.errors import InputError, excerpt
from textapp.training.workers import TF_CONFIG, cluster_strategy

StrategyName = Literal["auto", "none", "mirrored", "multiworker", "tpu"]
"""Which devices train: those that are there, the first one, all GPUs of the machine, several machines, or a TPU."""

TPU_NAME = "TPU_NAME"


def choose_strategy(name: StrategyName = "auto") -> tf.distribute.Strategy:
    """Chooses the devices: the machines of `TF_CONFIG`, else a TPU, else all GPUs, else one device.

    `CUDA_VISIBLE_DEVICES` limits the GPUs.

    It looks for a TPU only if the environment variable `TPU_NAME` is set (`local` on a TPU machine), because the search
    uses the network.

    Args:
        name: `auto`, or which of these must be used.

    Raises:
        InputError: These devices are not there, or `TF_CONFIG` names other machines although one is to train.
    """
    cluster = cluster_strategy()
    if cluster is not None:
        if name not in ("auto", "multiworker"):
            raise InputError(
                f"strategy {name}: {TF_CONFIG} or --workers names several workers; use multiworker, or one process"
            )
        return cluster
    if name == "multiworker":
        raise InputError(
            f"strategy multiworker: there is one process; use --workers N on one machine, or set {TF_CONFIG} on each"
        )
    if name == "tpu" or (name == "auto" and os.environ.get(TPU_NAME)):
        return _tpu()
    if name == "mirrored" or (name == "auto" and len(tf.config.list_logical_devices("GPU")) > 1):
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def _tpu() -> tf.distribute.Strategy:
    """Joins the TPU of `TPU_NAME`. Raises `InputError` if there is none."""
    name = os.environ.get(TPU_NAME)
    if not name:
        raise InputError(f"strategy tpu: set {TPU_NAME} to the name of the TPU, or to local on a machine that has one")
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(name)
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (tf.errors.OpError, ValueError, RuntimeError, ImportError) as error:
        raise InputError(f"{TPU_NAME}={name}: no such TPU was found ({excerpt(str(error))})") from error
    return tf.distribute.TPUStrategy(resolver)


def describe(strategy: tf.distribute.Strategy) -> str:
    """A strategy as text, such as `the CPU` or `2 GPUs (MirroredStrategy)`."""
    devices = [name for name in ("TPU", "GPU", "CPU") if tf.config.list_logical_devices(name)]
    count = strategy.num_replicas_in_sync
    kind = f" ({type(strategy).__name__})" if tf.distribute.has_strategy() or count > 1 else ""
    return f"{count} {devices[0]}s{kind}" if count > 1 else f"the {devices[0]}{kind}"


@contextlib.contextmanager
def precision(mixed: bool) -> Iterator[None]:
    """Layers built inside the context compute in half precision if `mixed`: float16 on GPUs, bfloat16 elsewhere."""
    before = keras.config.dtype_policy()
    if mixed:
        gpu = tf.config.list_logical_devices("GPU") and not tf.config.list_logical_devices("TPU")
        keras.config.set_dtype_policy("mixed_float16" if gpu else "mixed_bfloat16")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
