"""Keras layers that Keras lacks, written with `keras.ops` alone."""

from textapp.layers.attention import AttentionPooling
from textapp.layers.attention_scores import attention_scores

__all__ = ["AttentionPooling", "attention_scores"]
