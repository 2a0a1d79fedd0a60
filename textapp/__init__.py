"""textapp: Keras text models, from raw text to the phone."""

__version__ = "0.1.0"
