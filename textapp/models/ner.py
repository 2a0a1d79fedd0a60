"""The tagger by single arguments, for callers that have no settings."""

from collections.abc import Mapping

import keras
import numpy as np

from textapp.models.model import text_model
from textapp.models.sentiment import Cell
from textapp.sections import Encoder, Words
from textapp.tasks.tagging.head import AllowedTags, tagging_head
from textapp.text.word_shape import SHAPES


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
    """Builds a tagger; see `text_model`, `Words`, `Encoder` and `tagging_head` for the arguments.

    `features` is `{"shape_ids": (SHAPES, dim)}` or empty.

    Example:
        >>> model = entity_tagger(vocabulary_size=100, num_tags=9, character_vocabulary_size=60)
        >>> sorted(model.input), model.output_shape
        (['char_ids', 'token_ids'], (None, None, 9))
    """
    features = features or {}
    if features and (set(features) != {"shape_ids"} or features["shape_ids"][0] != SHAPES):
        raise ValueError(f"`features` must be shape_ids with {SHAPES} rows, or none. Received: {dict(features)}")
    return text_model(
        Words(
            embedding_dim=embedding_dim,
            context_filters=context_filters or 0,
            context_width=context_width,
            characters=character_vocabulary_size is not None,
            character_dim=character_dim,
            character_filters=character_filters,
            character_width=character_width,
            shapes=bool(features),
            shape_dim=features["shape_ids"][1] if features else 8,
            bigrams=bigram_rows or 0,
            bigram_dim=bigram_dim,
            word_dropout=word_dropout,
            embedding_dropout=embedding_dropout,
            character_dropout=character_dropout,
            bigram_dropout=bigram_dropout,
        ),
        Encoder(cell=cell, num_layers=num_layers, units=units, dropout=dropout),
        tagging_head(num_tags, dropout, crf, allowed),
        vocabulary_size=vocabulary_size,
        character_vocabulary_size=character_vocabulary_size,
        vectors=vectors,
        train_embedding=train_embedding,
        name="entity_tagger",
    )
