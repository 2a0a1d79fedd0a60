"""A model is words -> encoder -> head: words.py, one file for each encoder, the whole model in model.py."""
