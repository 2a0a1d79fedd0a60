"""Measurements on real data and comparisons with other software. Each writes its table to `results/`."""
