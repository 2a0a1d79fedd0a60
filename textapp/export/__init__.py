"""From a Keras model to a checked bundle for devices: lower, convert, check, write."""

from textapp.export.checks import ExportError
from textapp.export.classifier_bundle import export_bundle
from textapp.export.conversion import convert
from textapp.export.lowering import lower
from textapp.export.tagger_bundle import export_tagger_bundle

__all__ = ["ExportError", "convert", "export_bundle", "export_tagger_bundle", "lower"]
