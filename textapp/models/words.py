"""Makes one vector for each token, from its word vector, neighbours, spelling, pairs and shape."""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers, ops

from textapp.config import Words
from textapp.layers import BigramEmbedding, CharacterCNN
from textapp.text.word_shape import SHAPES


class WordInputs(NamedTuple):
    """The first part of a model.

    Attributes:
        inputs: The model's inputs by name, int32: `token_ids` `(B, T)`, 0 as padding on the right; with characters
            `char_ids` `(B, T, L)`; with shapes `shape_ids` `(B, T)`.
        mask: Boolean `(B, T)`, True on real tokens. It is passed explicitly to each layer that needs it: concatenated
            parts would carry the union of their masks, and in Keras 3.16 recurrent layers pass no mask on.
        embedded: Float `(B, T, E)`.
    """

    inputs: dict[str, Any]
    mask: Any
    embedded: Any


def embed_words(
    config: Words,
    *,
    vocabulary_size: int,
    character_vocabulary_size: int | None = None,
    vectors: np.ndarray | None = None,
    train_embedding: bool = True,
) -> WordInputs:
    """Makes the inputs of a model and one vector for each token: look up -> leave out -> concatenate -> dropout.

    Args:
        config: Which parts the vector has, and their sizes.
        vocabulary_size: V, with padding (id 0) and the unknown word (id 1).
        character_vocabulary_size: Number of character ids, with padding (id 0) and the unknown character (id 1); needed
            if the model reads characters.
        vectors: Word vectors `(V, E)` to start from, float32; they decide the width of the table.
        train_embedding: Whether training changes the word vectors.

    Returns:
        The inputs by name, the mask and the embedded tokens.

    Raises:
        ValueError: A size is missing or contradicts another one.
        InputError: Settings contradict each other.

    Example:
        >>> words = embed_words(Words(characters=True), vocabulary_size=100, character_vocabulary_size=60)
        >>> sorted(words.inputs), words.embedded.shape
        (['char_ids', 'token_ids'], (None, None, 94))

    Reference:
        Ma and Hovy 2016, End-to-end Sequence Labeling via Bi-directional LSTM-CNNs-CRF (characters); Gal and Ghahramani
        2016, A Theoretically Grounded Application of Dropout in Recurrent Neural Networks (dropout of whole words); Lan
        et al. 2020, ALBERT, section 3.1 (factorized table); Zhu and Wang 2019, CAN-NER (convolution over characters and
        their neighbours).
    """
    config.check()
    embedding_dim = config.embedding_dim if vectors is None else vectors.shape[1]
    _check_sizes(config, vocabulary_size, character_vocabulary_size, vectors)
    rank = config.embedding_rank

    inputs = {"token_ids": keras.Input((None,), dtype="int32", name="token_ids")}
    token_ids = inputs["token_ids"]
    mask = ops.not_equal(token_ids, 0)

    embedding = layers.Embedding(vocabulary_size, rank or embedding_dim, trainable=train_embedding, name="embedding")
    words = embedding(token_ids)
    if vectors is not None:  # assigned: as an initializer, the model's JSON would store them a second time
        embedding.embeddings.assign(vectors)
    if rank is not None:  # the second factor; without a bias, so that the product of both is one table of this rank
        words = layers.Dense(embedding_dim, use_bias=False, name="embedding_projection")(words)

    # All layers are made before the first dropout, because the order decides their random initial weights.
    context = characters = bigrams = None
    if config.context_filters:
        context = layers.Conv1D(
            config.context_filters, config.context_width, padding="same", activation="relu", name="context"
        )
    if config.characters and character_vocabulary_size is not None:
        characters = CharacterCNN(
            character_vocabulary_size,
            config.character_dim,
            config.character_filters,
            config.character_width,
            config.character_dropout,
            name="characters",
        )
    if config.bigrams:
        bigrams = BigramEmbedding(config.bigrams, config.bigram_dim, config.bigram_dropout, name="bigrams")

    # Dropout of whole words, not of single numbers: the model must use spelling and neighbours, as for unknown words.
    words = layers.Dropout(config.word_dropout, noise_shape=(None, None, 1), name="word_dropout")(words)
    parts = [words]
    if context is not None:
        # Padding after a text is 0, like the zeros before it, so that more padding changes no result.
        parts.append(context(ops.where(ops.expand_dims(mask, 2), words, ops.zeros_like(words))))
    if characters is not None:
        inputs["char_ids"] = keras.Input((None, None), dtype="int32", name="char_ids")
        parts.append(characters(inputs["char_ids"]))
    if bigrams is not None:
        parts.append(bigrams(token_ids))
    if config.shapes:
        inputs["shape_ids"] = keras.Input((None,), dtype="int32", name="shape_ids")
        parts.append(layers.Embedding(SHAPES, config.shape_dim, name="shape_ids_embedding")(inputs["shape_ids"]))

    embedded = layers.Concatenate(name="embedded")(parts) if len(parts) > 1 else parts[0]
    embedded = layers.Dropout(config.embedding_dropout, name="embedding_dropout")(embedded)
    return WordInputs(inputs, mask, embedded)


def _check_sizes(
    config: Words, vocabulary_size: int, character_vocabulary_size: int | None, vectors: np.ndarray | None
) -> None:
    """Raises `ValueError` if the sizes of the data do not fit the settings."""
    if vectors is None and config.embedding_dim is None:
        raise ValueError("`vectors` must be given where `embedding_dim` is None. Received: vectors=None")
    if vectors is not None and config.embedding_rank is not None:
        raise ValueError(
            "`vectors` fill one table, not two factors of it. "
            f"Received: vectors together with embedding_rank={config.embedding_rank}"
        )
    shape = (vocabulary_size, config.embedding_dim or (vectors.shape[1] if vectors is not None else None))
    if vectors is not None and vectors.shape != shape:
        raise ValueError(f"`vectors` must have shape (V, E) = {shape}. Received: shape={vectors.shape}")
    if config.characters and character_vocabulary_size is None:
        raise ValueError("`character_vocabulary_size` must be given where the model reads characters. Received: None")
