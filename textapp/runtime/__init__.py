"""Loads a bundle and predicts with it. It needs NumPy and LiteRT, never TensorFlow."""

from textapp.runtime.bundle import Bundle, read_bundle
from textapp.runtime.classification import Classifier, Prediction, TokenWeight
from textapp.runtime.loading import load
from textapp.runtime.multilabel import MultilabelClassifier, MultilabelPrediction
from textapp.runtime.predictor import Predictor
from textapp.runtime.tagging import TaggedSpan, TaggedToken, Tagger, Tagging

__all__ = [
    "Bundle",
    "Classifier",
    "MultilabelClassifier",
    "MultilabelPrediction",
    "Prediction",
    "Predictor",
    "TaggedSpan",
    "TaggedToken",
    "Tagger",
    "Tagging",
    "TokenWeight",
    "load",
    "read_bundle",
]
