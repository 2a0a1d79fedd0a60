"""A forward pass with other tensors in place of some variables, whatever the layers."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import keras
import tensorflow as tf


@contextmanager
def substituted(model: keras.Model, mapping: Sequence[tuple[keras.Variable, tf.Tensor]]) -> Iterator[None]:
    """Inside the context a model reads these tensors in place of these variables; its other state still advances.

    Gradients flow into the tensors. Other variables that the pass changes, as the seeds of dropout, have their new
    values afterwards, which `keras.StatelessScope` alone would throw away.

    Args:
        model: The one that runs.
        mapping: Variables, with tensors of their shapes.
    """
    with keras.StatelessScope(state_mapping=mapping) as scope:
        yield
    given = {id(variable) for variable, _ in mapping}
    for variable in model.non_trainable_variables:
        if id(variable) not in given and (value := scope.get_current_value(variable)) is not None:
            variable.assign(value)
