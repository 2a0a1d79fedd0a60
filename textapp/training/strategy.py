"""The devices of a training: one CPU or GPU, several GPUs, several machines, or a TPU."""

import contextlib
import os
from collections.abc import Iterator

import keras
import tensorflow as tf

from textapp.training.workers import cluster_strategy


def choose_strategy() -> tf.distribute.Strategy:
    """Chooses the devices: the machines of `TF_CONFIG`, else a TPU, else all GPUs, else one device.

    `CUDA_VISIBLE_DEVICES` limits the GPUs.

    It looks for a TPU only if the environment variable `TPU_NAME` is set (`local` on a TPU machine), because the search
    uses the network.
    """
    if (cluster := cluster_strategy()) is not None:
        return cluster
    if os.environ.get("TPU_NAME"):
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(os.environ["TPU_NAME"])
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return tf.distribute.TPUStrategy(resolver)
    if len(tf.config.list_logical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


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
