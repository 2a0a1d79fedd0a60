"""Models of a classifier and of a tagger, by the names of their settings."""

import dataclasses
from typing import Any

import keras

from textapp.config import Encoder, Words
from textapp.models.model import text_model
from textapp.tasks.classification.head import classification_head
from textapp.tasks.tagging.head import tagging_head

NAMES = [{field.name for field in dataclasses.fields(section)} for section in (Words, Encoder)]
GIVEN = {"vectors", "train_embedding"}


def small_classifier(
    vocabulary_size: int,
    num_classes: int,
    attention_units: int = 64,
    character_vocabulary_size: int | None = None,
    **settings: Any,
) -> keras.Model:
    """A classifier of `Words` and `Encoder` with these settings; `dropout` is that of the head as well."""
    head = classification_head(num_classes, attention_units, settings.get("dropout", 0.3))
    return _model(head, vocabulary_size, character_vocabulary_size, settings)


def small_tagger(
    vocabulary_size: int,
    num_tags: int,
    character_vocabulary_size: int | None = None,
    crf: bool = True,
    allowed: Any = None,
    **settings: Any,
) -> keras.Model:
    """A tagger likewise; it reads characters where the number of these is given."""
    head = tagging_head(num_tags, settings.get("dropout", 0.5), crf, allowed)
    settings["characters"] = character_vocabulary_size is not None
    return _model(head, vocabulary_size, character_vocabulary_size, settings)


def _model(head: Any, vocabulary_size: int, character_vocabulary_size: int | None, settings: Any) -> keras.Model:
    words, encoder = ({key: value for key, value in settings.items() if key in names} for names in NAMES)
    given = {key: value for key, value in settings.items() if key in GIVEN}
    if unknown := settings.keys() - words.keys() - encoder.keys() - GIVEN:
        raise TypeError(f"settings of no section: {', '.join(sorted(unknown))}")
    return text_model(
        Words(**words),
        Encoder(**encoder),
        head,
        vocabulary_size=vocabulary_size,
        character_vocabulary_size=character_vocabulary_size,
        **given,
    )
