"""Pairs of tokens on the device: their rows by a lookup that keeps the table packed."""

from typing import Any

import keras
import tensorflow as tf

from textapp.export.embedding import looked_up
from textapp.layers import BigramEmbedding


@keras.saving.register_keras_serializable("textapp")
class BigramLookup(BigramEmbedding):
    """`BigramEmbedding` with its vectors by the op EMBEDDING_LOOKUP: the same weights and results."""

    def vectors(self, pair_rows: Any) -> Any:
        """The pairs' vectors, `(B, T, D)`."""
        return looked_up(tf.convert_to_tensor(self.embedding.embeddings), pair_rows)
