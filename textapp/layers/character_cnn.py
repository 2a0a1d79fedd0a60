"""Word vectors from spelling: a convolution over a word's characters, and the maximum of each filter."""

from typing import Any

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("textapp")
class CharacterCNN(keras.layers.Layer):
    """Reads each word by its characters: embedding -> dropout -> convolution -> ReLU -> maximum over the characters.

    Each filter finds one pattern of `width` characters, such as an ending or a capital, anywhere in the word. Unknown
    words have these patterns too. Padding is set to 0, like the zeros that the convolution adds around a word. So more
    padding changes no result, and a word without characters becomes zeros.

    Args:
        vocabulary_size: Number of character ids, with padding (id 0) and the unknown character (id 1).
        embedding_dim: Width of a character's vector; 30 as in the paper.
        filters: F, width of the result; 30 as in the paper.
        width: Number of characters that a filter sees; 3 as in the paper.
        dropout: Rate in [0, 1) on the characters' vectors; 0.5 as in the paper.
        **kwargs: `name`, `dtype` and the other arguments of `keras.layers.Layer`.

    Call arguments:
        char_ids: Integer tensor `(B, T, L)`, the first L characters of each word, 0 as padding on the right.
        training: Boolean, whether dropout is active.

    Returns:
        Float tensor `(B, T, F)`, 0 or more. It carries no mask; the mask comes from the ids of the words.

    Raises:
        ValueError: An argument is out of range.

    Example:
        >>> import numpy as np
        >>> layer = CharacterCNN(vocabulary_size=50, filters=4)
        >>> vectors = layer(np.array([[[7, 8, 9], [0, 0, 0]]]))
        >>> vectors.shape, vectors[0, 1].numpy().tolist()
        (TensorShape([1, 2, 4]), [0.0, 0.0, 0.0, 0.0])

    Reference:
        Ma and Hovy 2016, End-to-end Sequence Labeling via Bi-directional LSTM-CNNs-CRF, section 2.1; the ReLU is ours:
        as it is never below 0, the maximum needs no special value for padding.
    """

    def __init__(
        self,
        vocabulary_size: int,
        embedding_dim: int = 30,
        filters: int = 30,
        width: int = 3,
        dropout: float = 0.5,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if vocabulary_size < 2:
            raise ValueError(f"`vocabulary_size` must be 2 or more. Received: vocabulary_size={vocabulary_size}")
        if width < 1 or width % 2 == 0:
            raise ValueError(f"`width` must be odd, a character and its neighbours. Received: width={width}")
        self.vocabulary_size = vocabulary_size
        self.embedding_dim = embedding_dim
        self.filters = filters
        self.width = width
        policy = self.dtype_policy
        self.embedding = layers.Embedding(vocabulary_size, embedding_dim, name="embedding", dtype=policy)
        self.dropout = layers.Dropout(dropout, name="dropout", dtype=policy)
        self.convolution = layers.Conv2D(
            filters, (1, width), padding="same", activation="relu", name="convolution", dtype=policy
        )

    @property
    def inner_layers(self) -> dict[str, layers.Layer]:
        """The layers with weights, by name; see `textapp.layers.leaves`."""
        return {"embedding": self.embedding, "convolution": self.convolution}

    def build(self, char_ids_shape: tuple[int | None, ...]) -> None:
        """Creates the characters' vectors and the filters."""
        if len(char_ids_shape) != 3:
            raise ValueError(f"`char_ids` must have shape (B, T, L). Received: shape={char_ids_shape}")
        self.embedding.build(char_ids_shape)
        self.convolution.build((*char_ids_shape, self.embedding_dim))

    def call(self, char_ids: Any, training: bool | None = None) -> Any:
        """Reads words; see the class."""
        real = ops.expand_dims(ops.cast(ops.not_equal(char_ids, 0), self.compute_dtype), 3)
        embedded = self.dropout(self.vectors(char_ids) * real, training=training)
        return ops.max(self.convolution(embedded) * real, axis=2)

    def vectors(self, char_ids: Any) -> Any:
        """The characters' vectors, `(B, T, L, D)`; a device looks them up in its own way."""
        return self.embedding(char_ids)

    def compute_output_spec(self, char_ids: Any, training: bool | None = None) -> Any:
        """Shape and type of what `call` returns."""
        del training
        return keras.KerasTensor((*char_ids.shape[:2], self.filters), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "embedding_dim": self.embedding_dim,
            "filters": self.filters,
            "width": self.width,
            "dropout": self.dropout.rate,
        }
