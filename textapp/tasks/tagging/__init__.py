"""Tagging: each token has a tag, either a plain one (parts of speech) or as part of a span (entities, slots)."""
