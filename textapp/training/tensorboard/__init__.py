"""TensorBoard's pages for text classifiers, as callbacks for anyone's Keras `fit`.

`dashboards` makes them all; each can be used by itself.
"""

from textapp.training.tensorboard.attention_maps import AttentionMaps
from textapp.training.tensorboard.confusion_matrix import ConfusionMatrix
from textapp.training.tensorboard.dashboards import dashboards
from textapp.training.tensorboard.embedding_projector import EmbeddingProjector
from textapp.training.tensorboard.event_log import EventLog
from textapp.training.tensorboard.gradient_norms import GradientNorms
from textapp.training.tensorboard.histograms import Histograms
from textapp.training.tensorboard.precision_recall import PrecisionRecall
from textapp.training.tensorboard.scalars import Scalars
from textapp.training.tensorboard.validation_scores import ValidationScores

__all__ = [
    "AttentionMaps",
    "ConfusionMatrix",
    "EmbeddingProjector",
    "EventLog",
    "GradientNorms",
    "Histograms",
    "PrecisionRecall",
    "Scalars",
    "ValidationScores",
    "dashboards",
]
