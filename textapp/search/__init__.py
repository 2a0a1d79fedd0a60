"""Searches over whole roads, from training to bundle: the best student within a budget of bytes."""
