"""A converted file beside the Keras model that it came from, text by text, as the runtime would call it."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from textapp.data.scores import accuracy, confusion_matrix, macro_f1
from textapp.export.conversion import signature_name


def compare(
    content: bytes,
    reference: keras.Model,
    lengths: Sequence[int],
    token_ids: Sequence[Sequence[int]],
    classes: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Scores a file and its Keras model on the same texts.

    Args:
        content: The file.
        reference: The model that it must equal, from token ids to logits `(B, C)`.
        lengths: The lengths of its signatures, in ascending order. A text goes through the shortest that fits, cut to
            the longest.
        token_ids: Texts as token ids.
        classes: Their true classes.

    Returns:
        `count` and `label_agreement`; with `classes` also `accuracy` and `macro_f1`, `before` (Keras) and `after`.
    """
    interpreter = Interpreter(model_content=content, num_threads=1)
    chosen = np.array([lengths[min(bisect_left(lengths, len(text)), len(lengths) - 1)] for text in token_ids])
    before, after = np.zeros(len(token_ids), np.int64), np.zeros(len(token_ids), np.int64)
    for length in sorted(set(chosen.tolist())):
        runner = interpreter.get_signature_runner(signature_name(length))
        of_length = np.flatnonzero(chosen == length)
        rows = padded_rows([token_ids[int(index)] for index in of_length], length)
        before[of_length] = keras_logits(reference, rows).argmax(axis=1)
        after[of_length] = [runner(token_ids=row[None])["logits"].argmax() for row in rows]
    scores: dict[str, Any] = {"count": len(token_ids), "label_agreement": float((before == after).mean())}
    if classes is not None:
        for name, predicted in (("before", before), ("after", after)):
            matrix = confusion_matrix(classes, predicted, reference.output_shape[-1])
            scores[name] = {"accuracy": accuracy(matrix), "macro_f1": macro_f1(matrix)}
    return scores


def keras_logits(reference: keras.Model, rows: NDArray[np.int32], batch: int = 64) -> NDArray[np.float32]:
    """Logits `(N, C)` of a Keras model on token ids `(N, T)`, on the CPU, as GPUs round the factors of products."""
    with tf.device("/CPU:0"):
        logits = [reference(rows[start : start + batch], training=False) for start in range(0, len(rows), batch)]
    return np.concatenate([np.asarray(part, np.float32) for part in logits])


def padded_rows(token_ids: Sequence[Sequence[int]], length: int) -> NDArray[np.int32]:
    """Token ids as int32 `(N, length)`: cut at the end, padded with 0 on the right."""
    rows = np.zeros((len(token_ids), length), np.int32)
    for row, text in zip(rows, token_ids, strict=True):
        row[: min(len(text), length)] = text[:length]
    return rows
