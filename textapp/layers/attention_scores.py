"""Returns a model's outputs together with its attention weights."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras

from textapp.layers.attention import AttentionPooling


class AttentionStates(NamedTuple):
    """The result of a forward pass.

    Attributes:
        outputs: The outputs of the model.
        context: The pooled vector, float `(B, H)`.
        weights: The attention weights, float32 `(B, T)`.
    """

    outputs: Any
    context: Any
    weights: Any


def attention_scores(model: keras.Model, layer: str | None = None) -> Callable[[Any], tuple[Any, Any]]:
    """Makes a function that also returns the weights of a functional model's `AttentionPooling` layer.

    Args:
        model: The model.
        layer: Name of the layer; by default the first one.

    Returns:
        A function from the model's input to its output and the weights, float32 `(B, T)`.

    Raises:
        ValueError: The model has no such layer.

    Example:
        >>> import numpy as np
        >>> from keras import layers
        >>> ids = keras.Input((None,))
        >>> embedded, mask = layers.Embedding(9, 2)(ids), keras.ops.not_equal(ids, 0)
        >>> model = keras.Model(ids, AttentionPooling(4)(embedded, mask=mask))
        >>> outputs, weights = attention_scores(model)(np.array([[3, 4, 0]]))
        >>> outputs.shape, weights.shape
        (TensorShape([1, 2]), TensorShape([1, 3]))
    """
    states = attention_states(model, layer)

    def scores(token_ids: Any) -> tuple[Any, Any]:
        found = states(token_ids)
        return found.outputs, found.weights

    return scores


def attention_states(model: keras.Model, layer: str | None = None) -> Callable[..., AttentionStates]:
    """Makes a function like that of `attention_scores` that also returns the context and can be used in training.

    Gradients flow through all its results.

    Args:
        model: The model.
        layer: Name of the layer; by default the first one.

    Returns:
        A function from the model's input and `training`, False by default, to `AttentionStates`.

    Raises:
        ValueError: The model has no such layer.
    """
    pooling = [part for part in model.layers if isinstance(part, AttentionPooling) and layer in (None, part.name)]
    if not pooling:
        named = "" if layer is None else f" named {layer!r}"
        raise ValueError(f"the model has no `AttentionPooling` layer{named}")
    encoded, *mask = keras.tree.flatten(pooling[0].input)  # the mask is an input if the call passed one
    opened = keras.Model(model.input, [encoded, *mask, model.output])

    def states(token_ids: Any, training: bool = False) -> AttentionStates:
        encoded, *mask, outputs = opened(token_ids, training=training)
        arguments = {"mask": mask[0]} if mask else {}
        context, weights = pooling[0](encoded, return_attention_scores=True, **arguments)
        return AttentionStates(outputs, context, weights)

    return states
