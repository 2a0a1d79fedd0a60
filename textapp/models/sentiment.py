"""The classifier by single arguments, for callers that have no settings."""

from typing import Literal

import keras
import numpy as np

from textapp.models.model import text_model
from textapp.sections import Encoder, Words
from textapp.tasks.classification.head import classification_head

Cell = Literal["lstm", "gru", "rnn"]


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
    """Builds a classifier; see `text_model`, `Words`, `Encoder` and `classification_head` for the arguments.

    Example:
        >>> sentiment_classifier(vocabulary_size=100, num_classes=2).output_shape
        (None, 2)
    """
    return text_model(
        Words(
            embedding_dim=embedding_dim,
            embedding_rank=embedding_rank,
            word_dropout=word_dropout,
            embedding_dropout=embedding_dropout,
        ),
        Encoder(cell=cell, num_layers=num_layers, units=units, dropout=dropout),
        classification_head(num_classes, attention_units, dropout),
        vocabulary_size=vocabulary_size,
        vectors=vectors,
        train_embedding=train_embedding,
        name="sentiment_classifier",
    )
