"""Functions that call a model outside its training step, compiled."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf


def compiled(
    model: keras.Model, function: Callable[..., Any], signature: Sequence[tf.TensorSpec] | None = None
) -> Callable[..., Any]:
    """Compiles a function of tensors that calls `model`.

    It runs as a replica of the model's strategy, which is where TPUs and variables on several GPUs want to be used, and
    the result on this machine's first replica is returned. No machine waits for another, so one may call it alone
    (`model.predict` must be called by all). Without a signature each new shape may be compiled anew.
    """
    strategy = model.distribute_strategy

    @tf.function(input_signature=signature, reduce_retracing=True)
    @functools.wraps(function)  # or TensorFlow takes all these for one function and warns of its many traces
    def call(*arguments: Any) -> Any:
        results = strategy.run(function, arguments)
        return keras.tree.map_structure(lambda result: strategy.experimental_local_results(result)[0], results)

    return call
