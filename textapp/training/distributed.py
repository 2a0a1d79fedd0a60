"""`fit` with several replicas: what each replica sees of a batch, and what Keras lacks for several machines."""

import functools
from typing import Any

import keras
import tensorflow as tf


def distributed(dataset: tf.data.Dataset, strategy: tf.distribute.Strategy) -> Any:
    """Splits each batch among the replicas of a strategy, the same way on one machine and on several.

    Replica `i` of `n` gets the rows `i`, `i + n`, `i + 2n`, ... So the numbers of rows differ by one at most, and all
    replicas have the width of the whole batch, whatever their own rows are. A batch of fewer rows than replicas repeats
    rows, because the loss of no row is not a number. Each machine makes the whole batch and keeps its rows.

    Args:
        dataset: Batches, tuples of tensors or dictionaries of tensors `(B, ...)`, equal on all machines.
        strategy: The strategy of the training.

    Returns:
        `dataset` itself if there is one replica, otherwise a dataset that `fit` and `evaluate` take as it is.
    """
    count = strategy.num_replicas_in_sync
    if count == 1:
        return dataset

    def pipeline(context: tf.distribute.InputContext) -> tf.data.Dataset:
        local = count // context.num_input_pipelines
        first = context.input_pipeline_id * local

        def shares(*batch: Any) -> tf.data.Dataset:
            found = [tf.data.Dataset.from_tensors(_share(batch, first + number, count)) for number in range(local)]
            return functools.reduce(lambda one, other: one.concatenate(other), found)

        return dataset.flat_map(shares)

    return strategy.distribute_datasets_from_function(pipeline)


def _share(batch: Any, number: int, count: int) -> Any:
    """The rows of a replica."""
    first = tf.nest.flatten(batch)[0]
    rows = first.shape[0]
    if rows is not None:  # static shapes stay static
        numbers: Any = tf.constant(list(range(number % rows, rows, count)))
    else:
        size = tf.shape(first)[0]
        numbers = tf.range(number % size, size, count)
    return tf.nest.map_structure(lambda tensor: tf.gather(tensor, numbers), batch)


def prepare_model(model: keras.Model) -> None:
    """Makes `fit` and `evaluate` of a compiled model run on several machines; on one, it changes nothing.

    Keras 3 fails there at two places: it makes one tensor of the batches of all replicas while it builds the model, and
    it averages logs over an axis that they do not have.

    Reference:
        https://github.com/keras-team/keras/issues/20585
    """
    strategy = model.distribute_strategy
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return

    def build(iterator: Any = None, data_batch: Any = None) -> None:
        for _, _, steps in iterator or ():
            data_batch = keras.tree.map_structure(lambda x: strategy.experimental_local_results(x)[0], next(steps))
            break
        with strategy.scope():
            model._symbolic_build(data_batch=data_batch)

    def with_axis(step: Any) -> Any:
        @functools.wraps(step)
        def call(data: Any) -> dict[str, Any]:
            return {name: keras.ops.expand_dims(value, 0) for name, value in step(data).items()}

        return call

    model._maybe_symbolic_build = build
    model.train_step, model.test_step = with_axis(model.train_step), with_axis(model.test_step)
