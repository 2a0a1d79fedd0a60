"""Every dashboard that a text classifier has use for."""

import os
from collections.abc import Iterable, Sequence
from typing import Any

import keras

from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary
from textapp.training.tensorboard.attention_maps import AttentionMaps
from textapp.training.tensorboard.confusion_matrix import ConfusionMatrix
from textapp.training.tensorboard.embedding_projector import EmbeddingProjector
from textapp.training.tensorboard.event_log import EventLog
from textapp.training.tensorboard.gradient_norms import GradientNorms
from textapp.training.tensorboard.histograms import Histograms
from textapp.training.tensorboard.precision_recall import PrecisionRecall
from textapp.training.tensorboard.scalars import Scalars
from textapp.training.tensorboard.validation_scores import ValidationScores

_PROBE = 32  # examples: enough for a steady gradient, and as cheap as one training step


def dashboards(
    log_dir: str | os.PathLike[str],
    *,
    validation: tuple[Any, Any] | Iterable[tuple[Any, ...]],
    label_names: Sequence[str] | None = None,
    tokenizer: Tokenizer | None = None,
    vocabulary: Vocabulary | None = None,
    texts: Sequence[str] = (),
    probe: tuple[Any, Any] | None = None,
    from_logits: bool = True,
) -> list[keras.callbacks.Callback]:
    """Callbacks for `fit` that fill TensorBoard's pages, written to one log.

    Args:
        log_dir: Folder of the log, local or remote. Show it with `tensorboard --logdir LOG_DIR`.
        validation: Pair of token ids and labels as arrays, or batches of such pairs (a `tf.data.Dataset`).
        label_names: Name of each class, in the order of the outputs.
        tokenizer: What made the token ids; needed for `texts`.
        vocabulary: The words of the embedding's rows; needed for `texts`, and for the embedding projector.
        texts: Sample texts whose attention weights are drawn; the model then needs an `AttentionPooling` layer.
        probe: Inputs and labels of the batch whose gradient norms are drawn. By default some of `validation`.
        from_logits: Whether the model returns logits, as textapp's do, rather than probabilities.

    Returns:
        `Scalars`, `GradientNorms`, `Histograms`, `ConfusionMatrix` and `PrecisionRecall`; with a vocabulary
        `EmbeddingProjector`; with texts `AttentionMaps`.

    Raises:
        ValueError: `texts` are given without tokenizer or vocabulary.

    Example:
        >>> import numpy as np
        >>> token_ids, labels = np.array([[2, 3], [3, 0]]), np.array([0, 1])
        >>> callbacks = dashboards("logs", validation=(token_ids, labels), label_names=["negative", "positive"])
        >>> [type(callback).__name__ for callback in callbacks]
        ['Scalars', 'GradientNorms', 'Histograms', 'ConfusionMatrix', 'PrecisionRecall']
    """
    log = EventLog(log_dir)
    scores = ValidationScores(validation, label_names, from_logits)
    callbacks: list[keras.callbacks.Callback] = [
        Scalars(log),
        GradientNorms(log, probe or scores.probe(_PROBE)),
        Histograms(log),
        ConfusionMatrix(log, scores),
        PrecisionRecall(log, scores),
    ]
    if vocabulary is not None:
        callbacks.append(EmbeddingProjector(log, vocabulary.tokens))
    if texts:
        if tokenizer is None or vocabulary is None:
            raise ValueError("`texts` need `tokenizer` and `vocabulary` too. Received: one of them is None")
        tokens = [tokenizer.words(text) for text in texts]
        token_ids = [vocabulary.encode(words) for words in tokens]
        callbacks.append(AttentionMaps(log, tokens, token_ids, label_names, from_logits))
    return callbacks
