"""Spelling on the device: characters by a lookup that keeps the table packed."""

from typing import Any

import keras
import tensorflow as tf

from textapp.export.embedding import looked_up
from textapp.layers import CharacterCNN


@keras.saving.register_keras_serializable("textapp")
class CharacterLookupCNN(CharacterCNN):
    """`CharacterCNN` with its vectors by the op EMBEDDING_LOOKUP: the same weights and results."""

    def vectors(self, char_ids: Any) -> Any:
        """The characters' vectors, `(B, T, L, D)`."""
        return looked_up(tf.convert_to_tensor(self.embedding.embeddings), char_ids)
