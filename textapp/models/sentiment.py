"""Sentiment: word vectors, a bidirectional recurrent encoder, attention pooling, class logits."""

from typing import Literal

import keras
import numpy as np
from keras import layers

from textapp.layers import AttentionPooling

Cell = Literal["lstm", "gru", "rnn"]
CELLS = {"lstm": layers.LSTM, "gru": layers.GRU, "rnn": layers.SimpleRNN}


def encoder(units: int, cell: Cell = "lstm", name: str = "encoder") -> layers.Bidirectional:
    """One bidirectional recurrent layer: `(B, T, E)` to `encoded`, `(B, T, 2 units)`."""
    return layers.Bidirectional(CELLS[cell](units, return_sequences=True), name=name)


def sentiment_classifier(
    vocabulary_size: int,
    num_classes: int,
    *,
    embedding_dim: int = 64,
    embedding_rank: int | None = None,
    units: int = 64,
    num_layers: int = 1,
    cell: Cell = "lstm",
    attention_units: int = 64,
    word_dropout: float = 0.1,
    embedding_dropout: float = 0.3,
    dropout: float = 0.3,
    vectors: np.ndarray | None = None,
    train_embedding: bool = True,
) -> keras.Model:
    """Builds the classifier: embedding -> dropout -> encoder -> attention -> dropout -> logits.

    Args:
        vocabulary_size: V, with padding (id 0) and the unknown word (id 1).
        num_classes: C, two or more.
        embedding_dim: E.
        embedding_rank: Optional r below E. The table is then a product of two, `(V, r)` and `(r, E)`: V r + r E
            parameters in place of V E. The encoder still reads E numbers a word.
        units: Width of the encoder in each direction.
        num_layers: Encoder layers, one or more, each with dropout before it.
        cell: `lstm`, `gru` or `rnn`.
        attention_units: Width of the attention's hidden layer.
        word_dropout: Rate in [0, 1) at which whole words are left out.
        embedding_dropout: Rate in [0, 1) on the word vectors; high, as the table holds most of the parameters.
        dropout: Rate in [0, 1) between encoder layers and on the pooled context.
        vectors: Optional word vectors `(V, E)` to start from; not together with `embedding_rank`.
        train_embedding: Whether training moves the word vectors.

    Returns:
        A functional model from `token_ids`, int32 `(B, T)`, 0 as padding on the right, to `logits`, float32 `(B, C)`.

    Raises:
        ValueError: An argument is out of range.

    Example:
        >>> model = sentiment_classifier(vocabulary_size=100, num_classes=2)
        >>> model.output_shape
        (None, 2)

    Reference:
        Schuster and Paliwal 1997 (bidirectional networks); Yang et al. 2016 (attention pooling);
        Gal and Ghahramani 2016 (why dropout belongs on the word vectors too); Lan et al. 2020, ALBERT, section 3.1
        (factorized embedding).
    """
    if num_classes < 2:
        raise ValueError(f"`num_classes` must be 2 or more. Received: num_classes={num_classes}")
    if num_layers < 1:
        raise ValueError(f"`num_layers` must be 1 or more. Received: num_layers={num_layers}")
    if cell not in CELLS:
        raise ValueError(f"`cell` must be one of {', '.join(CELLS)}. Received: cell={cell!r}")
    if embedding_rank is not None and not 1 <= embedding_rank < embedding_dim:
        raise ValueError(
            f"`embedding_rank` must be from 1 to below `embedding_dim`, {embedding_dim}. "
            f"Received: embedding_rank={embedding_rank}"
        )
    if embedding_rank is not None and vectors is not None:
        raise ValueError("`vectors` are tables of one piece. Received: vectors together with `embedding_rank`")
    if vectors is not None and vectors.shape != (vocabulary_size, embedding_dim):
        shape = (vocabulary_size, embedding_dim)
        raise ValueError(f"`vectors` must have shape (V, E) = {shape}. Received: shape={vectors.shape}")

    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    embedding = layers.Embedding(
        vocabulary_size, embedding_rank or embedding_dim, mask_zero=True, trainable=train_embedding, name="embedding"
    )
    embedded = embedding(token_ids)
    if embedding_rank is not None:  # the second factor; without a bias, so that both are one table of rank r
        embedded = layers.Dense(embedding_dim, use_bias=False, name="embedding_projection")(embedded)
    # One draw a word, not a number: the model must not hang on single words (Gal and Ghahramani 2016).
    encoded = layers.Dropout(word_dropout, noise_shape=(None, None, 1), name="word_dropout")(embedded)
    encoded = layers.Dropout(embedding_dropout, name="embedding_dropout")(encoded)
    for depth in range(num_layers):
        if depth:
            encoded = layers.Dropout(dropout, name=f"encoder_dropout_{depth}")(encoded)
        encoded = encoder(units, cell, name="encoder" if num_layers == 1 else f"encoder_{depth}")(encoded)
    context = AttentionPooling(attention_units, name="attention")(encoded)
    context = layers.Dropout(dropout, name="context_dropout")(context)
    # float32 logits under mixed precision too: the loss's exponentials overflow half precision.
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(context)
    if vectors is not None:  # assigned, not an initializer: that would be saved a second time in the model's JSON
        embedding.embeddings.assign(vectors)
    return keras.Model(token_ids, logits, name="sentiment_classifier")
