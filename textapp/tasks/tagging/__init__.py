"""Tagging: one tag a token, which may name spans of tokens such as entities."""
