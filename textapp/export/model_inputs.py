"""Encoded texts as a model's inputs: cut, padded and put into rows."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from textapp.text.token_encoder import TokenEncoder

TOKENS = "token_ids"
"""The input that every model has. Where it is 0, all inputs are padding."""

Inputs = Mapping[str, NDArray[np.int32]]
"""One text of n tokens: input name -> its ids, `(n,)` or `(n, L)`."""

InputBatch = dict[str, NDArray[np.int32]]
"""N texts of one length: input name -> its ids, `(N, T)` or `(N, T, L)`."""


def takes_names(model: keras.Model) -> bool:
    """Whether a model's inputs are a dictionary."""
    return not isinstance(model, keras.Sequential) and isinstance(model.input, dict)


def named_inputs(model: keras.Model) -> dict[str, keras.KerasTensor]:
    """A model's inputs by name. A single input is named `token_ids`, whatever name it has in the model."""
    return dict(model.input) if takes_names(model) else {TOKENS: model.inputs[0]}


def token_inputs(token_ids: Sequence[int]) -> Inputs:
    """A text for a model that reads only token ids."""
    return {TOKENS: np.array(token_ids, np.int32)}


def encoded_tokens(tokens: Sequence[str], encoder: TokenEncoder) -> Inputs:
    """The tokens of a text as the model's inputs."""
    ids = encoder.encode(tokens)
    return {name: np.array(ids[name], np.int32).reshape(len(tokens), *shape) for name, shape in encoder.inputs.items()}


def padded_rows(texts: Sequence[Inputs], length: int) -> InputBatch:
    """One or more texts as rows of `length` tokens: cut at the end, padded with 0 on the right."""
    rows = {name: np.zeros((len(texts), length, *ids.shape[1:]), np.int32) for name, ids in texts[0].items()}
    for number, text in enumerate(texts):
        for name, ids in text.items():
            rows[name][number, : min(len(ids), length)] = ids[:length]
    return rows


def pack_to_length(texts: Sequence[Inputs], length: int) -> list[Inputs]:
    """Joins texts and cuts them into texts of exactly `length` tokens. At least one given text must have a token.

    Each activation of an unrolled step has its own range, and few real texts are long enough to reach the last steps.
    """
    tokens = sum(len(text[TOKENS]) for text in texts)
    repeated = [*texts] * -(-length // tokens)
    joined = {name: np.concatenate([text[name] for text in repeated]) for name in texts[0]}
    starts = range(0, len(joined[TOKENS]) - length + 1, length)
    return [{name: ids[start : start + length] for name, ids in joined.items()} for start in starts]


def empty_inputs(text: Inputs) -> Inputs:
    """A text without tokens, with the same inputs as `text`."""
    return {name: ids[:0] for name, ids in text.items()}


def select(rows: InputBatch, numbers: slice | Sequence[int]) -> InputBatch:
    """Some of the rows."""
    return {name: ids[numbers] for name, ids in rows.items()}


def keras_logits(reference: keras.Model, rows: InputBatch, batch: int = 64) -> NDArray[np.float32]:
    """Logits `(N, C)` or `(N, T, K)` of a Keras model. They are computed on the CPU: GPUs round factors of products."""
    by_name = takes_names(reference)
    parts = []
    with tf.device("/CPU:0"):
        for start in range(0, len(rows[TOKENS]), batch):
            part = select(rows, slice(start, start + batch))
            parts.append(np.asarray(reference(part if by_name else part[TOKENS], training=False), np.float32))
    return np.concatenate(parts)
