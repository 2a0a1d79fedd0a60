"""From a Keras model to a checked bundle for devices: lower, convert, check, write."""

from textapp.export.bundle import export_bundle, export_model
from textapp.export.checks import ExportError
from textapp.export.conversion import convert
from textapp.export.lowering import lower

__all__ = ["ExportError", "convert", "export_bundle", "export_model", "lower"]
