"""Measurements on real data and beside other software; each writes its table into `results/`."""
