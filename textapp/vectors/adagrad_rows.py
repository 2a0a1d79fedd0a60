"""A table whose rows are read and updated where they stand: the weights and their optimizer in one."""

import keras
import tensorflow as tf


class AdagradRows(keras.layers.Layer):
    """Vectors of V words, updated row by row by Adagrad with one scalar a row.

    A step touches T rows of a table that may have a million: nothing here is of the size of the table. The squares are
    added first and read back, so that a word that occurs twenty times in a step moves as far as one whose gradient was
    twenty times as long, and no further; summed plain gradients diverge there.

    Two threads may update a table at once, without locks (Hogwild): they seldom meet, and what is lost is noise.

    Args:
        num_rows: V.
        dim: E.
        spread: The vectors start uniform in [-spread, spread); 0 for zeros.
        squares: Where the sum of squares of each row starts, above 0, or a first step would be as long as the rate,
            whatever it saw. The larger, the less a row moves that is seldom seen.
        seed: Of these.

    Reference:
        Duchi et al. 2011, Adaptive Subgradient Methods; Gupta et al. 2014, Training Highly Multiclass Classifiers (one
        scalar a row).
        Recht et al. 2011, Hogwild!
    """

    def __init__(
        self, num_rows: int, dim: int, spread: float = 0.0, squares: float = 0.1, seed: int = 0, name: str | None = None
    ):
        super().__init__(name=name)
        uniform = keras.initializers.RandomUniform(-spread, spread, seed)
        self.vectors = self.add_weight(
            shape=(num_rows, dim), initializer=uniform if spread else "zeros", name="vectors", dtype="float32"
        )
        start = keras.initializers.Constant(squares)
        self.squares = self.add_weight(shape=(num_rows,), initializer=start, name="squares", dtype="float32")

    def read(self, ids: tf.Tensor) -> tf.Tensor:
        """The vectors of rows, float32 `(T, E)`, of ids, int32 `(T,)`."""
        return _gather(self.vectors, ids)

    def add(self, ids: tf.Tensor, gradients: tf.Tensor, rate: tf.Tensor) -> None:
        """Moves rows along their gradients.

        Args:
            ids: int32 `(T,)`; a row may be there more than once.
            gradients: float32 `(T, E)`, ascending.
            rate: float32 scalar.
        """
        tf.raw_ops.ResourceScatterAdd(
            resource=self.squares.value.handle, indices=ids, updates=tf.reduce_mean(tf.square(gradients), -1)
        )
        factors = rate * tf.math.rsqrt(_gather(self.squares, ids))
        # The N-dimensional scatter adds a row with vector instructions, the plain one number by number.
        tf.raw_ops.ResourceScatterNdAdd(
            ref=self.vectors.value.handle,
            indices=ids[:, None],
            updates=gradients * factors[:, None],
            use_locking=False,
        )


def _gather(variable: keras.Variable, ids: tf.Tensor) -> tf.Tensor:
    """Rows of a variable; not `tf.gather`, which copies the whole of it where another thread may write."""
    return tf.raw_ops.ResourceGather(resource=variable.value.handle, indices=ids, dtype=tf.float32)
