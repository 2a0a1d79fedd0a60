"""Where a model trains: one CPU or GPU, several GPUs, a TPU."""

import contextlib
import os
from collections.abc import Iterator

import keras
import tensorflow as tf


def choose_strategy() -> tf.distribute.Strategy:
    """Takes the best that is there: a TPU, else all GPUs (`CUDA_VISIBLE_DEVICES` narrows them), else one device.

    A TPU is sought only where the environment names one (`TPU_NAME`, or `local` on a TPU machine), since the search
    itself talks to the network.
    """
    if os.environ.get("TPU_NAME"):
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(os.environ["TPU_NAME"])
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return tf.distribute.TPUStrategy(resolver)
    if len(tf.config.list_logical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def describe(strategy: tf.distribute.Strategy) -> str:
    """A strategy in a few words, such as `2 GPUs (MirroredStrategy)`."""
    devices = [name for name in ("TPU", "GPU", "CPU") if tf.config.list_logical_devices(name)]
    count = strategy.num_replicas_in_sync
    kind = f" ({type(strategy).__name__})" if tf.distribute.has_strategy() or count > 1 else ""
    return f"{count} {devices[0]}{'s' if count > 1 else ''}{kind}"


@contextlib.contextmanager
def precision(mixed: bool) -> Iterator[None]:
    """Layers built inside compute in half precision where `mixed`: float16 on GPUs, bfloat16 elsewhere."""
    before = keras.config.dtype_policy()
    if mixed:
        gpu = tf.config.list_logical_devices("GPU") and not tf.config.list_logical_devices("TPU")
        keras.config.set_dtype_policy("mixed_float16" if gpu else "mixed_bfloat16")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
