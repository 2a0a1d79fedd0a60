"""Tagging: each token has a tag, alone (parts of speech) or as part of a span (entities, slots)."""
