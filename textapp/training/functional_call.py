"""A forward pass with other tensors in place of some variables, for any layers."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import keras
import tensorflow as tf


@contextmanager
def substituted(model: keras.Model, mapping: Sequence[tuple[keras.Variable, tf.Tensor]]) -> Iterator[None]:
    """Inside the context a model reads these tensors in place of these variables; its other variables still update.

    Gradients flow into the tensors. Other variables that the pass changes, such as dropout's seeds, keep their new
    values afterwards; a plain `keras.StatelessScope` would discard them.

    Args:
        model: The model to run.
        mapping: Pairs of a variable and a tensor of its shape.
    """
    with keras.StatelessScope(state_mapping=mapping) as scope:
        yield
    given = {id(variable) for variable, _ in mapping}
    for variable in model.non_trainable_variables:
        if id(variable) not in given and (value := scope.get_current_value(variable)) is not None:
            variable.assign(value)
