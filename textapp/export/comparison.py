"""A converted file beside the Keras model that it came from, text by text, as the runtime would call it."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from textapp.export.conversion import signature_name
from textapp.export.model_inputs import TOKENS, Inputs, keras_logits, padded_rows, select


class Logits(NamedTuple):
    """What a model says of each text: float32 `(C,)`, or `(n, K)` where it says something of each of n tokens.

    Attributes:
        before: By Keras.
        after: By the converted file.
    """

    before: list[NDArray[np.float32]]
    after: list[NDArray[np.float32]]


def both_logits(content: bytes, reference: keras.Model, lengths: Sequence[int], texts: Sequence[Inputs]) -> Logits:
    """Runs texts through a file and through its Keras model.

    Args:
        content: The file.
        reference: The model that it must equal.
        lengths: The lengths of its signatures, in ascending order. A text goes through the shortest that fits, cut to
            the longest.
        texts: The texts.
    """
    interpreter = Interpreter(model_content=content, num_threads=1)
    counts = [len(text[TOKENS]) for text in texts]
    chosen = np.array([lengths[min(bisect_left(lengths, count), len(lengths) - 1)] for count in counts])
    logits = Logits([np.empty(0, np.float32)] * len(texts), [np.empty(0, np.float32)] * len(texts))
    for length in sorted(set(chosen.tolist())):
        runner = interpreter.get_signature_runner(signature_name(length))
        numbers = np.flatnonzero(chosen == length).tolist()
        rows = padded_rows([texts[number] for number in numbers], length)
        for row, (number, expected) in enumerate(zip(numbers, keras_logits(reference, rows), strict=True)):
            received = runner(**select(rows, slice(row, row + 1)))["logits"][0]
            real = slice(None) if expected.ndim == 1 else slice(counts[number])
            logits.before[number], logits.after[number] = expected[real], received[real]
    return logits
