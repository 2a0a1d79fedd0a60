"""A table of vectors together with its optimizer: rows are read and updated in place."""

import keras
import tensorflow as tf


class AdagradRows(keras.layers.Layer):
    """Vectors of V words, updated row by row with Adagrad. The accumulator is one number a row.

    For a row `w` with gradient `g`, to be maximized: `accumulator += mean(g^2)`, `w += rate * g / sqrt(accumulator)`.

    A step touches T rows of a table that may have a million rows, so nothing here is computed for the whole table. The
    squares of a step are added before the accumulator is read. So a word that occurs twenty times in a step moves as
    far as a word with a gradient twenty times as long, and no further; a sum of plain gradients diverges there.

    Several threads may update one table without locks (Hogwild). They seldom write to the same row at the same time,
    and the updates lost then are noise.

    Args:
        num_rows: Number of rows, V.
        dim: Length of a vector, E.
        init_range: Initial vectors are uniform in `[-init_range, init_range)`; 0 makes zeros.
        initial_accumulator: Initial accumulator of each row, positive: with 0 the first step of a row is as long as the
            rate, however short its gradient is. With a larger value, rows that are seldom updated move less.
        seed: Seed of the initial vectors.

    Reference:
        Duchi et al. 2011, Adaptive Subgradient Methods. Gupta et al. 2014, Training Highly Multiclass Classifiers (one
        number a row). Recht et al. 2011, Hogwild!
    """

    def __init__(
        self,
        num_rows: int,
        dim: int,
        init_range: float = 0.0,
        initial_accumulator: float = 0.1,
        seed: int = 0,
        name: str | None = None,
    ):
        super().__init__(name=name)
        uniform = keras.initializers.RandomUniform(-init_range, init_range, seed)
        self.vectors = self.add_weight(
            shape=(num_rows, dim), initializer=uniform if init_range else "zeros", name="vectors", dtype="float32"
        )
        constant = keras.initializers.Constant(initial_accumulator)
        self.accumulator = self.add_weight(shape=(num_rows,), initializer=constant, name="accumulator", dtype="float32")

    def read(self, ids: tf.Tensor) -> tf.Tensor:
        """Returns the vectors, float32 `(T, E)`, of the rows `ids`, int32 `(T,)`."""
        return _gather(self.vectors, ids)

    def add(self, ids: tf.Tensor, gradients: tf.Tensor, rate: tf.Tensor) -> None:
        """Moves rows along their gradients.

        Args:
            ids: int32 `(T,)`; a row may occur more than once.
            gradients: float32 `(T, E)`, of an objective to be maximized.
            rate: Learning rate, float32 scalar.
        """
        tf.raw_ops.ResourceScatterAdd(
            resource=self.accumulator.value.handle, indices=ids, updates=tf.reduce_mean(tf.square(gradients), -1)
        )
        factors = rate * tf.math.rsqrt(_gather(self.accumulator, ids))
        # The N-dimensional scatter adds a row with vector instructions, the plain one number by number.
        tf.raw_ops.ResourceScatterNdAdd(
            ref=self.vectors.value.handle,
            indices=ids[:, None],
            updates=gradients * factors[:, None],
            use_locking=False,
        )


def _gather(variable: keras.Variable, ids: tf.Tensor) -> tf.Tensor:
    """Rows of a variable. `tf.gather` would copy the whole variable if another thread may write to it."""
    return tf.raw_ops.ResourceGather(resource=variable.value.handle, indices=ids, dtype=tf.float32)
