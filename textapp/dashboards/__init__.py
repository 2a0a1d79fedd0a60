"""What TensorBoard shows, for any task and any Keras `fit`: callbacks, each of which can be used alone."""

from textapp.dashboards.gradients import GradientNorms
from textapp.dashboards.histograms import Histograms
from textapp.dashboards.log import Dashboard, EventLog
from textapp.dashboards.projector import EmbeddingProjector
from textapp.dashboards.scalars import Scalars

__all__ = ["Dashboard", "EmbeddingProjector", "EventLog", "GradientNorms", "Histograms", "Scalars"]
