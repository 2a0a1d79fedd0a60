"""Vectors of pairs of neighbouring tokens, from a table of a fixed size."""

from typing import Any

import keras
from keras import layers, ops

MULTIPLIERS = (7_919, 7_927)  # primes: for any number of rows, at least one of them does not divide it
MOST_ROWS = 250_000  # with more, the products that hash pairs would not fit into int32


@keras.saving.register_keras_serializable("textapp")
class BigramEmbedding(keras.layers.Layer):
    """Gives each token the vector of its pair with the next token: `table[hash(id, next id)]`.

    If tokens are characters, many words are pairs, and a tagger then sees whole words. A vocabulary of pairs would be
    large, and a device would have to store it. So the model hashes the ids of a pair to a row, which some pairs share.
    The last token of a text makes a pair with the padding after it, so more padding changes no result.

    The row of a pair is `((id mod rows) * p + next id) mod rows`, with a prime `p` that does not divide `rows`: pairs
    of ids below `rows` that have one token in common never share a row.

    Args:
        rows: Number of rows of the table, 2 to 250,000.
        dim: D, width of a pair's vector.
        dropout: Rate in [0, 1) at which whole pairs are left out in training, so that the model learns to work without
            them, as for unknown pairs.
        **kwargs: `name`, `dtype` and the other arguments of `keras.layers.Layer`.

    Call arguments:
        token_ids: int32 `(B, T)`, 0 as padding on the right; below a hundred million.
        training: Boolean, whether dropout is active.

    Returns:
        Float tensor `(B, T, D)`. It carries no mask.

    Raises:
        ValueError: An argument is out of range.

    Example:
        >>> import numpy as np
        >>> layer = BigramEmbedding(rows=1000, dim=4)
        >>> vectors = layer(np.array([[5, 6, 5, 6, 0]]))
        >>> bool(np.all(vectors[0, 0] == vectors[0, 2])), bool(np.all(vectors[0, 1] == vectors[0, 3]))
        (True, False)

    Reference:
        Weinberger et al. 2009, Feature Hashing for Large Scale Multitask Learning; Joulin et al. 2017, Bag of Tricks
        for Efficient Text Classification (hashed bigrams). Pairs of characters for Chinese entities: Zhang and Yang
        2018, Chinese NER Using Lattice LSTM.
    """

    def __init__(self, rows: int, dim: int = 32, dropout: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        if not 2 <= rows <= MOST_ROWS:
            raise ValueError(f"`rows` must be from 2 to {MOST_ROWS}. Received: rows={rows}")
        if dim < 1:
            raise ValueError(f"`dim` must be 1 or more. Received: dim={dim}")
        self.rows = rows
        self.dim = dim
        policy = self.dtype_policy
        self.embedding = layers.Embedding(rows, dim, name="embedding", dtype=policy)
        self.dropout = layers.Dropout(dropout, noise_shape=(None, None, 1), name="dropout", dtype=policy)

    @property
    def inner_layers(self) -> dict[str, layers.Layer]:
        """The layers with weights, by name; see `textapp.layers.leaves`."""
        return {"embedding": self.embedding}

    def build(self, token_ids_shape: tuple[int | None, ...]) -> None:
        """Creates the table."""
        if len(token_ids_shape) != 2:
            raise ValueError(f"`token_ids` must have shape (B, T). Received: shape={token_ids_shape}")
        self.embedding.build(token_ids_shape)

    def call(self, token_ids: Any, training: bool | None = None) -> Any:
        """Looks pairs up; see the class."""
        return self.dropout(self.vectors(self.pair_rows(token_ids)), training=training)

    def pair_rows(self, token_ids: Any) -> Any:
        """The row of each token's pair, int32 `(B, T)`."""
        token_ids = ops.cast(token_ids, "int32")
        following = ops.concatenate([token_ids[:, 1:], ops.zeros_like(token_ids[:, :1])], axis=1)
        multiplier = next(prime for prime in MULTIPLIERS if self.rows % prime)
        return ops.mod(ops.mod(token_ids, self.rows) * multiplier + following, self.rows)

    def vectors(self, pair_rows: Any) -> Any:
        """Rows of the table, `(B, T, D)`; a device looks them up in its own way."""
        return self.embedding(pair_rows)

    def compute_output_spec(self, token_ids: Any, training: bool | None = None) -> Any:
        """Shape and type of what `call` returns."""
        del training
        return keras.KerasTensor((*token_ids.shape, self.dim), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {**super().get_config(), "rows": self.rows, "dim": self.dim, "dropout": self.dropout.rate}
