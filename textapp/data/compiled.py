"""Compiled functions that call a model outside its training step."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf


def compiled(
    model: keras.Model, function: Callable[..., Any], signature: Sequence[tf.TensorSpec] | None = None
) -> Callable[..., Any]:
    """Compiles a function of tensors that calls `model`.

    The function runs in replica context of the model's strategy, which TPUs and variables on several GPUs need, and
    returns the result of this machine's first replica. No machine waits for another, so a single machine may call it
    (all machines must call `model.predict`).

    Args:
        model: The model that the function calls.
        function: Takes tensors, returns a tensor or a structure of tensors.
        signature: The specs of its arguments. Without it, each new shape may be compiled again.

    Returns:
        A function with the same arguments and results.
    """
    strategy = model.distribute_strategy

    @tf.function(input_signature=signature, reduce_retracing=True)
    @functools.wraps(function)  # otherwise TensorFlow counts all of them as one function and warns of retracing
    def call(*arguments: Any) -> Any:
        results = strategy.run(function, arguments)
        return keras.tree.map_structure(lambda result: strategy.experimental_local_results(result)[0], results)

    return call
