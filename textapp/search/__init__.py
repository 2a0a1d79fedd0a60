"""Searches that train: the best student within a budget of bytes, the best settings within a budget of minutes."""
