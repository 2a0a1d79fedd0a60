"""A forward pass with other tensors in the place of some variables, whatever the layers."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import keras
import tensorflow as tf


@contextmanager
def standing_in(model: keras.Model, mapping: Sequence[tuple[keras.Variable, tf.Tensor]]) -> Iterator[None]:
    """Within it a model reads these tensors for these variables; what its layers count otherwise still advances.

    Gradients flow into the tensors. Other variables that the pass changes, as the seeds of dropout, have their new
    values after it, which `keras.StatelessScope` alone would throw away.

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
