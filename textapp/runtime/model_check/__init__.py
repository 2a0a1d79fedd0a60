"""Checks a model file before LiteRT reads it. The rules are in textapp/runtime/BUNDLE.md."""

from textapp.runtime.model_check.check import SignatureTensors, check_model

__all__ = ["SignatureTensors", "check_model"]
