"""A model is words -> encoder -> head: any words with any encoder with any head."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from textapp.config import Encoder, Words
from textapp.models.encoders import encode
from textapp.models.words import embed_words

Head = Callable[[Any, Any], Any]
"""Function from `encoded`, float `(B, T, H)`, and `mask`, boolean `(B, T)`, to the model's outputs."""


def text_model(
    words: Words,
    encoder: Encoder,
    head: Head,
    *,
    vocabulary_size: int,
    character_vocabulary_size: int | None = None,
    vectors: np.ndarray | None = None,
    train_embedding: bool = True,
    name: str = "text_model",
) -> keras.Model:
    """Builds the whole model.

    Args:
        words: Settings of the embedded tokens.
        encoder: Settings of the encoder.
        head: Makes the outputs, for instance a `classification_head` or a `tagging_head`.
        vocabulary_size: V, with padding (id 0) and the unknown word (id 1).
        character_vocabulary_size: Number of character ids, if the model reads characters.
        vectors: Word vectors `(V, E)` to start from, float32.
        train_embedding: Whether training changes the word vectors.
        name: The model's name.

    Returns:
        A functional model to the head's outputs. Its input is `token_ids`, int32 `(B, T)`, with 0 as padding on the
        right. With characters or shapes its input is a dictionary of `token_ids`, `char_ids`, int32 `(B, T, L)`, and
        `shape_ids`, int32 `(B, T)`.

    Raises:
        ValueError: A size is missing or contradicts another one.
        InputError: Settings contradict each other.

    Example:
        >>> from textapp.tasks.classification.head import classification_head
        >>> model = text_model(Words(), Encoder(), classification_head(num_classes=2), vocabulary_size=100)
        >>> model.output_shape
        (None, 2)
    """
    inputs, mask, embedded = embed_words(
        words,
        vocabulary_size=vocabulary_size,
        character_vocabulary_size=character_vocabulary_size,
        vectors=vectors,
        train_embedding=train_embedding,
    )
    encoded = encode(encoder, embedded, mask)
    outputs = head(encoded, mask)
    return keras.Model(inputs if len(inputs) > 1 else inputs["token_ids"], outputs, name=name)
