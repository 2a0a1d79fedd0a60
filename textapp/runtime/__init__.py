"""Predictors over a bundle: NumPy and LiteRT only, never TensorFlow."""

from textapp.runtime.bundle import Bundle, read_bundle
from textapp.runtime.predictor import Prediction, Predictor, TokenWeight, load

__all__ = ["Bundle", "Prediction", "Predictor", "TokenWeight", "load", "read_bundle"]
