"""Lookups on the device that keep their tables packed: words, shapes, characters, pairs of tokens."""

from typing import Any

import keras
import tensorflow as tf

from textapp.layers import BigramEmbedding, CharacterCNN


@tf.function(experimental_implements="embedding_matmul", autograph=False)
def _lookup(table: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
    """Rows `ids (N,)` of `table (V, E)`. The attribute makes the converter write one EMBEDDING_LOOKUP."""
    return tf.gather(table, ids)


@keras.saving.register_keras_serializable("textapp")
class EmbeddingLookup(keras.layers.Embedding):
    """`keras.layers.Embedding` as the op EMBEDDING_LOOKUP.

    The stock layer becomes a GATHER, whose int8 table has one scale for all rows and is unpacked as a whole. This op
    keeps a scale for each row and unpacks only the rows that it reads. Weights, masks and results stay the same.
    """

    def call(self, inputs: Any) -> Any:
        """Looks up `inputs`, ids of any shape. Returns float vectors, `(*shape, E)`."""
        return look_up(self, inputs)


@keras.saving.register_keras_serializable("textapp")
class CharacterLookupCNN(CharacterCNN):
    """`CharacterCNN` that looks its vectors up with the op EMBEDDING_LOOKUP: the same weights and results."""

    def vectors(self, char_ids: Any) -> Any:
        """The characters' vectors, `(B, T, L, D)`."""
        return look_up(self.embedding, char_ids)


@keras.saving.register_keras_serializable("textapp")
class BigramLookup(BigramEmbedding):
    """`BigramEmbedding` that looks its vectors up with the op EMBEDDING_LOOKUP: the same weights and results."""

    def vectors(self, pair_rows: Any) -> Any:
        """The pairs' vectors, `(B, T, D)`."""
        return look_up(self.embedding, pair_rows)


def look_up(embedding: keras.layers.Embedding, ids: Any) -> Any:
    """Rows of an embedding's table `(V, E)` by ids of any shape: `(*shape, E)`."""
    table = tf.convert_to_tensor(embedding.embeddings)
    rows = _lookup(table, tf.reshape(tf.cast(ids, "int32"), [-1]))
    return keras.ops.reshape(rows, (*keras.ops.shape(ids), table.shape[1]))


LOWERED: dict[type, type] = {
    keras.layers.Embedding: EmbeddingLookup,
    CharacterCNN: CharacterLookupCNN,
    BigramEmbedding: BigramLookup,
}
