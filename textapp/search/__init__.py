"""Searches that train, compress and export: the best student within a budget of bytes."""
