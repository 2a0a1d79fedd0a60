"""Tagging: words known by vector and by spelling, a bidirectional recurrent encoder, the best sequence of tags."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import ArrayLike

from textapp.layers import CRF, BigramEmbedding, CharacterCNN
from textapp.models.sentiment import CELLS, Cell, encoder

AllowedTags = tuple[ArrayLike, ArrayLike, ArrayLike]


def word_parts(
    token_ids: Any,
    embedding: layers.Embedding,
    context: layers.Conv1D | None,
    characters: CharacterCNN | None,
    bigrams: BigramEmbedding | None,
    features: Mapping[str, tuple[int, int]],
    word_dropout: float,
) -> tuple[dict[str, Any], list[Any]]:
    """Inputs by name, and what is known of each word, each `(B, T, *)`: vector, context, spelling, pair, features."""
    inputs = {"token_ids": token_ids}
    # Whole words are left out, so that spelling and neighbours must do, as they must for unknown words.
    vectors = layers.Dropout(word_dropout, noise_shape=(None, None, 1), name="word_dropout")(embedding(token_ids))
    parts = [vectors]
    if context is not None:
        # Padding is the nothing behind a text, so that longer padding changes no result.
        real = ops.expand_dims(ops.not_equal(token_ids, 0), 2)
        parts.append(context(ops.where(real, vectors, ops.zeros_like(vectors))))
    if characters is not None:
        inputs["char_ids"] = keras.Input((None, None), dtype="int32", name="char_ids")
        parts.append(characters(inputs["char_ids"]))
    if bigrams is not None:
        parts.append(bigrams(token_ids))
    for name, (size, dim) in features.items():
        inputs[name] = keras.Input((None,), dtype="int32", name=name)
        parts.append(layers.Embedding(size, dim, name=f"{name}_embedding")(inputs[name]))
    return inputs, parts


def entity_tagger(
    vocabulary_size: int,
    num_tags: int,
    *,
    embedding_dim: int = 100,
    context_filters: int | None = None,
    context_width: int = 3,
    character_vocabulary_size: int | None = None,
    character_dim: int = 30,
    character_filters: int = 30,
    character_width: int = 3,
    bigram_rows: int | None = None,
    bigram_dim: int = 32,
    features: Mapping[str, tuple[int, int]] | None = None,
    units: int = 128,
    num_layers: int = 1,
    cell: Cell = "lstm",
    word_dropout: float = 0.05,
    embedding_dropout: float = 0.5,
    character_dropout: float = 0.5,
    bigram_dropout: float = 0.2,
    dropout: float = 0.5,
    crf: bool = True,
    allowed: AllowedTags | None = None,
    vectors: np.ndarray | None = None,
    train_embedding: bool = True,
) -> keras.Model:
    """Builds the tagger: words, context, spellings, pairs, features -> dropout -> encoder -> dropout -> logits -> CRF.

    It gives each token a tag: entities, slots, parts of speech. For text without spaces, as Chinese, the tokens are
    the characters, and `character_vocabulary_size` stays None.

    Args:
        vocabulary_size: V, with padding (id 0) and the unknown word (id 1).
        num_tags: K, two or more.
        embedding_dim: E.
        context_filters: Width of a convolution over each token's vector and its neighbours', which serves characters
            best: it sees the words that they form. None for a model without one.
        context_width: Tokens that one of its filters sees, an odd number.
        character_vocabulary_size: Number of character ids, with padding (id 0) and the unknown character (id 1). None
            for a model that does not look into its tokens.
        character_dim: Width of a character's vector.
        character_filters: Width of what the `CharacterCNN` says of a word.
        character_width: Characters that one of its filters sees, an odd number.
        bigram_rows: Rows of the `BigramEmbedding` of each token with the next one, which serves characters best. None
            for a model that does not see pairs.
        bigram_dim: Width of a pair's vector.
        features: Other inputs `(B, T)` with an embedding each, as word shapes: the number of ids (0 is padding) and the
            dimension by the input's name.
        units: Width of the encoder in each direction.
        num_layers: Encoder layers, one or more, with dropout between them.
        cell: `lstm`, `gru` or `rnn`.
        word_dropout: Rate in [0, 1) at which whole word vectors are left out.
        embedding_dropout: Rate in [0, 1) on all that is known of a word; 0.5 as in the paper.
        character_dropout: Rate in [0, 1) on the characters' vectors; 0.5 as in the paper.
        bigram_dropout: Rate in [0, 1) at which whole pairs are left out.
        dropout: Rate in [0, 1) between encoder layers and before the logits; 0.5 as in the paper.
        crf: Whether tags are chosen together. If not, the model ends in its logits, a softmax a token.
        allowed: Which tags may follow which, start and end, as `CRF` takes them; by default all may.
        vectors: Optional word vectors `(V, E)` to start from.
        train_embedding: Whether training moves the word vectors.

    Returns:
        A functional model to `potentials` of its layer `crf`, float32 `(B, T, K)`, 0 on padding, to be trained with
        `CRFLoss(model.get_layer("crf"))` and decoded by that layer; or with `crf=False` to `logits`, float32
        `(B, T, K)`, for `SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)`. True tags are -1 on padding
        for both. Its input is `token_ids`, int32 `(B, T)`, 0 as padding on the right; with characters or features a
        dictionary of `token_ids`, `char_ids`, int32 `(B, T, L)`, and the features by name.

    Raises:
        ValueError: An argument is out of range.

    Example:
        >>> model = entity_tagger(vocabulary_size=100, num_tags=9, character_vocabulary_size=60)
        >>> sorted(model.input), model.output_shape
        (['char_ids', 'token_ids'], (None, None, 9))

    Reference:
        Ma and Hovy 2016, End-to-end Sequence Labeling via Bi-directional LSTM-CNNs-CRF; Lample et al. 2016, Neural
        Architectures for Named Entity Recognition. Convolutions over characters' neighbours for Chinese entities: Zhu
        and Wang 2019, CAN-NER: Convolutional Attention Network for Chinese Named Entity Recognition.
    """
    features = features or {}
    if num_tags < 2:
        raise ValueError(f"`num_tags` must be 2 or more. Received: num_tags={num_tags}")
    if num_layers < 1:
        raise ValueError(f"`num_layers` must be 1 or more. Received: num_layers={num_layers}")
    if context_filters is not None and context_filters < 1:
        raise ValueError(f"`context_filters` must be None or 1 or more. Received: {context_filters}")
    if context_width < 1 or context_width % 2 == 0:
        raise ValueError(f"`context_width` must be odd, a token and its neighbours. Received: {context_width}")
    if cell not in CELLS:
        raise ValueError(f"`cell` must be one of {', '.join(CELLS)}. Received: cell={cell!r}")
    if taken := {"token_ids", "char_ids"} & features.keys():
        raise ValueError(f"`features` must have names of their own. Received: {', '.join(sorted(taken))}")
    if allowed is not None and not crf:
        raise ValueError("`allowed` needs `crf=True`: a softmax a token cannot forbid. Received: crf=False")
    if vectors is not None and vectors.shape != (vocabulary_size, embedding_dim):
        shape = (vocabulary_size, embedding_dim)
        raise ValueError(f"`vectors` must have shape (V, E) = {shape}. Received: shape={vectors.shape}")

    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    # Given by hand to the encoder, which carries it on: concatenated parts would carry the union of their masks.
    mask = ops.not_equal(token_ids, 0)
    embedding = layers.Embedding(vocabulary_size, embedding_dim, trainable=train_embedding, name="embedding")
    context = None
    if context_filters is not None:
        context = layers.Conv1D(context_filters, context_width, padding="same", activation="relu", name="context")
    characters = None
    if character_vocabulary_size is not None:
        characters = CharacterCNN(
            character_vocabulary_size,
            character_dim,
            character_filters,
            character_width,
            character_dropout,
            name="characters",
        )
    bigrams = None
    if bigram_rows is not None:
        bigrams = BigramEmbedding(bigram_rows, bigram_dim, bigram_dropout, name="bigrams")
    inputs, parts = word_parts(token_ids, embedding, context, characters, bigrams, features, word_dropout)
    embedded = layers.Concatenate(name="embedded")(parts) if len(parts) > 1 else parts[0]
    encoded = layers.Dropout(embedding_dropout, name="embedding_dropout")(embedded)
    for depth in range(num_layers):
        if depth:
            encoded = layers.Dropout(dropout, name=f"encoder_dropout_{depth}")(encoded)
        name = "encoder" if num_layers == 1 else f"encoder_{depth}"
        encoded = encoder(units, cell, name=name)(encoded, mask=mask)
    encoded = layers.Dropout(dropout, name="encoded_dropout")(encoded)
    # float32 logits under mixed precision too: the loss's exponentials overflow half precision.
    outputs = layers.Dense(num_tags, dtype="float32", name="logits")(encoded)
    if crf:
        outputs = CRF(*(allowed or ()), name="crf")(outputs)
    if vectors is not None:  # assigned, not an initializer: that would be saved a second time in the model's JSON
        embedding.embeddings.assign(vectors)
    return keras.Model(inputs if len(inputs) > 1 else token_ids, outputs, name="entity_tagger")


def without_crf(model: keras.Model) -> tuple[keras.Model, CRF | None]:
    """Splits a tagger: the model up to its logits `(B, T, K)`, for decoders elsewhere, and the CRF, None without one.

    The two share all weights with `model`, which is not changed.
    """
    crf = model.layers[-1]
    if not isinstance(crf, CRF):
        return model, None
    logits = keras.tree.flatten(crf.input)[0]  # behind it stands the mask
    return keras.Model(model.input, logits, name=model.name), crf
