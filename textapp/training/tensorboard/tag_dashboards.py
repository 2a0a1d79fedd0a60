"""Every dashboard that a tagger has use for."""

import os

import keras
import tensorflow as tf

from textapp.text.vocabulary import Vocabulary
from textapp.training.tensorboard.embedding_projector import EmbeddingProjector
from textapp.training.tensorboard.entity_confusion import EntityConfusion
from textapp.training.tensorboard.entity_pages import EntityPages
from textapp.training.tensorboard.entity_type_scores import EntityTypeScores
from textapp.training.tensorboard.event_log import EventLog
from textapp.training.tensorboard.gradient_norms import GradientNorms
from textapp.training.tensorboard.histograms import Histograms
from textapp.training.tensorboard.scalars import Scalars
from textapp.training.tensorboard.validation_scores import ValidationScores
from textapp.training.validation_tags import ValidationTags

_PROBE = 32  # sentences: enough for a steady gradient, and as cheap as one or two training steps


def tag_dashboards(
    log_dir: str | os.PathLike[str], scores: ValidationTags, validation: tf.data.Dataset, vocabulary: Vocabulary
) -> list[keras.callbacks.Callback]:
    """Callbacks for `fit` that fill TensorBoard's pages, written to one log.

    Args:
        log_dir: Folder of the log, local or remote. Show it with `tensorboard --logdir LOG_DIR`.
        scores: Tags the validation split; stands before these in the list of callbacks.
        validation: Batches of the validation split, for gradient norms.
        vocabulary: The words of the embedding's rows.

    Returns:
        `Scalars`, `GradientNorms`, `Histograms`, `EmbeddingProjector` and `EntityConfusion`; for tags of spans
        `EntityTypeScores` and `EntityPages` too.
    """
    log = EventLog(log_dir)
    callbacks: list[keras.callbacks.Callback] = [
        Scalars(log),
        GradientNorms(log, ValidationScores(validation).probe(_PROBE)),
        Histograms(log),
        EmbeddingProjector(log, vocabulary.tokens, layer="embedding"),
        EntityConfusion(log, scores),
    ]
    if scores.tag_set.scheme is not None:
        callbacks += [EntityTypeScores(log, scores), EntityPages(log, scores)]
    return callbacks
