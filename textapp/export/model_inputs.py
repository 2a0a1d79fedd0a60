"""Encoded texts as a model's inputs: cut, padded, in rows."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

TOKENS = "token_ids"
"""The input that every model has; 0 in it is padding, in all inputs."""

Inputs = Mapping[str, NDArray[np.int32]]
"""One text: by the name of an input its ids, `(n,)` or `(n, L)` for a text of n tokens."""

InputBatch = dict[str, NDArray[np.int32]]
"""Some texts of one length: by the name of an input its ids, `(N, T)` or `(N, T, L)`."""


def takes_names(model: keras.Model) -> bool:
    """Whether a model's inputs are a dictionary."""
    return not isinstance(model, keras.Sequential) and isinstance(model.input, dict)


def named_inputs(model: keras.Model) -> dict[str, keras.KerasTensor]:
    """A model's inputs by name; a single one is its tokens, whatever it is called."""
    return dict(model.input) if takes_names(model) else {TOKENS: model.inputs[0]}


def token_inputs(token_ids: Sequence[int]) -> Inputs:
    """A text for a model of tokens alone."""
    return {TOKENS: np.array(token_ids, np.int32)}


def padded_rows(texts: Sequence[Inputs], length: int) -> InputBatch:
    """Texts as rows of `length` tokens, one at least: cut at the end, padded with 0 on the right."""
    rows = {name: np.zeros((len(texts), length, *ids.shape[1:]), np.int32) for name, ids in texts[0].items()}
    for number, text in enumerate(texts):
        for name, ids in text.items():
            rows[name][number, : min(len(ids), length)] = ids[:length]
    return rows


def pack_to_length(texts: Sequence[Inputs], length: int) -> list[Inputs]:
    """Texts of exactly `length` tokens: given ones, that hold a token at least, one behind another, cut anew.

    An activation of an unrolled step has a range of its own, and texts that reach the last steps are rare.
    """
    tokens = sum(len(text[TOKENS]) for text in texts)
    repeated = [*texts] * -(-length // tokens)
    joined = {name: np.concatenate([text[name] for text in repeated]) for name in texts[0]}
    starts = range(0, len(joined[TOKENS]) - length + 1, length)
    return [{name: ids[start : start + length] for name, ids in joined.items()} for start in starts]


def empty_inputs(text: Inputs) -> Inputs:
    """A text without tokens for the model that `text` is for."""
    return {name: ids[:0] for name, ids in text.items()}


def select(rows: InputBatch, numbers: slice | Sequence[int]) -> InputBatch:
    """Some of the rows."""
    return {name: ids[numbers] for name, ids in rows.items()}


def keras_logits(reference: keras.Model, rows: InputBatch, batch: int = 64) -> NDArray[np.float32]:
    """Logits `(N, C)` or `(N, T, K)` of a Keras model, on the CPU, as GPUs round the factors of products."""
    by_name = takes_names(reference)
    parts = []
    with tf.device("/CPU:0"):
        for start in range(0, len(rows[TOKENS]), batch):
            part = select(rows, slice(start, start + batch))
            parts.append(np.asarray(reference(part if by_name else part[TOKENS], training=False), np.float32))
    return np.concatenate(parts)
