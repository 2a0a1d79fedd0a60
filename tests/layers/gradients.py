"""Gradients on the backend that Keras runs on: TensorFlow, or JAX (`make test-jax`)."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray


def gradients(
    function: Callable[..., tuple[Any, Any]],
    inputs: Sequence[NDArray[np.floating]] = (),
    variables: Sequence[keras.Variable] = (),
    jit: bool = False,
) -> tuple[Any, list[NDArray[np.floating]]]:
    """Gradients of a function's loss with respect to its inputs, then to variables.

    Args:
        function: Tensors in the place of `inputs` to a scalar loss, and to whatever else is wanted of the same call.
        inputs: Arrays of floats.
        variables: Weights that the function reads.
        jit: Whether XLA compiles the function and its gradient.

    Returns:
        What the function gives besides the loss, and the gradients, in order.
    """
    on_backend = {"tensorflow": _with_tensorflow, "jax": _with_jax}[keras.backend.backend()]
    outputs, found = on_backend(function, inputs, variables, jit)
    return outputs, [np.asarray(gradient) for gradient in found]


def _with_tensorflow(
    function: Callable[..., tuple[Any, Any]],
    inputs: Sequence[NDArray[np.floating]],
    variables: Sequence[keras.Variable],
    jit: bool,
) -> tuple[Any, list[Any]]:
    import tensorflow as tf

    def compute(*tensors: tf.Tensor) -> tuple[Any, list[Any]]:
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            loss, outputs = function(*tensors)
        found = tape.gradient(loss, [*tensors, *(variable.value for variable in variables)])
        return outputs, [tf.convert_to_tensor(gradient) for gradient in found]  # of a table: its touched rows

    return (tf.function(compute, jit_compile=True) if jit else compute)(*map(tf.constant, inputs))


def _with_jax(
    function: Callable[..., tuple[Any, Any]],
    inputs: Sequence[NDArray[np.floating]],
    variables: Sequence[keras.Variable],
    jit: bool,
) -> tuple[Any, list[Any]]:
    import jax

    def compute(tensors: list[Any], values: list[Any]) -> tuple[Any, Any]:
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            return function(*tensors)

    with_gradients = jax.value_and_grad(compute, argnums=(0, 1), has_aux=True)
    run = jax.jit(with_gradients) if jit else with_gradients
    arguments = list(map(jax.numpy.asarray, inputs)), [variable.value for variable in variables]
    (_, outputs), (of_inputs, of_variables) = run(*arguments)
    return outputs, [*of_inputs, *of_variables]
