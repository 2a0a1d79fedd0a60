"""Word vectors on the device: a lookup that keeps the table packed."""

from typing import Any

import keras
import tensorflow as tf


@tf.function(experimental_implements="embedding_matmul", autograph=False)
def _lookup(table: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
    """InputBatch `ids (N,)` of `table (V, E)`. The attribute makes the converter write one EMBEDDING_LOOKUP."""
    return tf.gather(table, ids)


@keras.saving.register_keras_serializable("textapp")
class EmbeddingLookup(keras.layers.Embedding):
    """`keras.layers.Embedding` as the op EMBEDDING_LOOKUP.

    The stock layer becomes a GATHER, whose int8 table has one scale for all rows and is unpacked whole. The op keeps a
    scale a row and unpacks the rows it reads. Weights, masks and results are those of the stock layer.
    """

    def call(self, inputs: Any) -> Any:
        """Looks up `inputs`, ids of any shape. Returns float vectors, `(*shape, E)`."""
        return looked_up(tf.convert_to_tensor(self.embeddings), inputs)


def looked_up(table: tf.Tensor, ids: Any) -> Any:
    """InputBatch of a table `(V, E)` by ids of any shape: `(*shape, E)`."""
    rows = _lookup(table, tf.reshape(tf.cast(ids, "int32"), [-1]))
    return keras.ops.reshape(rows, (*keras.ops.shape(ids), table.shape[1]))
