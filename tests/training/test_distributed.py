"""Each replica gets its rows of a batch, in the width of the whole batch."""

import numpy as np
import pytest
import tensorflow as tf

from textapp.training.distributed import _share, distributed


@pytest.mark.parametrize(("rows", "count"), [(7, 2), (6, 3), (7, 3), (3, 3)])
@pytest.mark.parametrize("static", [False, True])
def test_the_replicas_have_each_row_once_in_the_width_of_the_batch(rows, count, static):
    ids = np.arange(rows * 4).reshape(rows, 4)

    def share(x, y, number):
        return _share(({"token_ids": x}, y), number, count)

    if not static:
        unknown = tf.TensorSpec([None, 4], tf.int64)
        share = tf.function(share).get_concrete_function(unknown, unknown, tf.TensorSpec([], tf.int32))
    parts = [
        share(tf.constant(ids), tf.constant(ids), number if static else tf.constant(number)) for number in range(count)
    ]
    found = [part[0]["token_ids"].numpy() for part in parts]
    assert all(part.shape[1] == 4 for part in found)
    assert max(map(len, found)) - min(map(len, found)) <= 1
    np.testing.assert_array_equal(sorted(np.concatenate(found)[:, 0]), ids[:, 0])
    for (inputs, targets), number in zip(parts, range(count), strict=True):
        np.testing.assert_array_equal(inputs["token_ids"], targets)
        np.testing.assert_array_equal(targets, ids[number::count])


def test_no_replica_is_left_without_rows():
    ids = tf.constant([[1, 2], [3, 4]])
    assert [_share((ids,), number, 5)[0].shape[0] for number in range(5)] == [1] * 5


def test_one_replica_gets_the_dataset_itself():
    dataset = tf.data.Dataset.from_tensors(tf.zeros([2, 3]))
    assert distributed(dataset, tf.distribute.get_strategy()) is dataset
