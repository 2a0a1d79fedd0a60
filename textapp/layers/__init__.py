"""Keras layers that Keras lacks, written with `keras.ops` alone."""

from textapp.layers.attention import AttentionPooling

__all__ = ["AttentionPooling"]
