"""Regression: each text has one number or several."""
