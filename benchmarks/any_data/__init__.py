"""Compares `textapp train` without a preset with quick rivals, on data that no setting was chosen for."""
