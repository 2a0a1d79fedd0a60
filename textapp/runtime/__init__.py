"""Predictors over a bundle: NumPy and LiteRT only, never TensorFlow."""

from textapp.runtime.bundle import Bundle, ClassifierBundle, TaggerBundle, read_bundle
from textapp.runtime.bundle_tagger import BundleTagger
from textapp.runtime.loading import load
from textapp.runtime.predictor import Prediction, Predictor, TokenWeight
from textapp.runtime.tagger import Tagger
from textapp.runtime.tagging import TaggedSpan, TaggedToken, Tagging

__all__ = [
    "Bundle",
    "BundleTagger",
    "ClassifierBundle",
    "Prediction",
    "Predictor",
    "TaggedSpan",
    "TaggedToken",
    "Tagger",
    "TaggerBundle",
    "Tagging",
    "TokenWeight",
    "load",
    "read_bundle",
]
