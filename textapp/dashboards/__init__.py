"""Callbacks that write to TensorBoard, for any task and any Keras `fit`. Each can be used without the others."""

from textapp.dashboards.gradients import GradientNorms
from textapp.dashboards.histograms import Histograms
from textapp.dashboards.log import Dashboard, EventLog
from textapp.dashboards.projector import EmbeddingProjector
from textapp.dashboards.scalars import BaselineScalars, Scalars

__all__ = ["BaselineScalars", "Dashboard", "EmbeddingProjector", "EventLog", "GradientNorms", "Histograms", "Scalars"]
