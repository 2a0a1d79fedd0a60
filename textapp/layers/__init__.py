"""Layers that Keras lacks, written only with `keras.ops`."""

from textapp.layers.attention import AttentionPooling
from textapp.layers.attention_scores import attention_scores, attention_states
from textapp.layers.bigram_embedding import BigramEmbedding
from textapp.layers.character_cnn import CharacterCNN
from textapp.layers.crf import CRF
from textapp.layers.crf_loss import CRFLoss
from textapp.layers.light_recurrence import LightRecurrence
from textapp.layers.self_attention import SelfAttention

__all__ = [
    "CRF",
    "AttentionPooling",
    "BigramEmbedding",
    "CRFLoss",
    "CharacterCNN",
    "LightRecurrence",
    "SelfAttention",
    "attention_scores",
    "attention_states",
]
