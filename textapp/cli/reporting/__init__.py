"""Measures models for `textapp report` and writes the report."""

MARK = "generator: textapp report"
"""A note in each report, by which the command recognizes its own files."""
