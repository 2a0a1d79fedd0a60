"""Converts a tagger's outputs to tags and their probabilities, in Keras."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from textapp.data.rows import NO_TARGET
from textapp.layers import CRF


def crf_of(model: keras.Model) -> CRF | None:
    """The CRF at the end of a model, or None."""
    last = model.layers[-1]
    return last if isinstance(last, CRF) else None


def best_tags(model: keras.Model) -> Callable[[Any, Any], Any]:
    """The best tags: with a CRF the best sequence, otherwise the best tag of each token.

    Returns:
        A function from outputs `(B, T, K)` and mask `(B, T)` to tag ids, int32 `(B, T)`, -1 on padding.
    """
    crf = crf_of(model)

    def best(outputs: Any, mask: Any) -> Any:
        if crf is not None:
            return crf.decode(outputs, mask)[0]
        return ops.where(mask, ops.cast(ops.argmax(outputs, axis=-1), "int32"), NO_TARGET)

    return best


def tag_probabilities(model: keras.Model) -> Callable[[Any, Any], Any]:
    """The probability of each tag at each token: with a CRF over all sequences, otherwise a softmax for each token.

    Returns:
        A function from outputs `(B, T, K)` and mask `(B, T)` to float32 `(B, T, K)`.
    """
    crf = crf_of(model)
    return lambda outputs, mask: ops.softmax(outputs, axis=-1) if crf is None else crf.marginals(outputs, mask)


def crf_scores(crf: CRF) -> dict[str, Any]:
    """The scores that a decoder needs besides logits: `transitions` `(K, K)`, `start` and `end` `(K,)`, as lists."""
    scores = {"transitions": crf.transition_scores(), "start": crf.start_scores(), "end": crf.end_scores()}
    return {name: np.asarray(values, np.float32).tolist() for name, values in scores.items()}
