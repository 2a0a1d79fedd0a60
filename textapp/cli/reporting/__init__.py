"""Measures models for `textapp report` and writes the report."""
