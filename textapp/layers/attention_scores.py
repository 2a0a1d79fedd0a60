"""A model's outputs together with what its attention makes of a text."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras

from textapp.layers.attention import AttentionPooling


class AttentionStates(NamedTuple):
    """What a forward pass gives.

    Attributes:
        outputs: The model's.
        context: What the attention pools, float `(B, H)`.
        weights: Those of the attention, float32 `(B, T)`.
    """

    outputs: Any
    context: Any
    weights: Any


def attention_scores(model: keras.Model, layer: str | None = None) -> Callable[[Any], tuple[Any, Any]]:
    """Cuts a functional model open at its `AttentionPooling` layer.

    Args:
        model: The model.
        layer: Name of the layer; by default the first that there is.

    Returns:
        A function from the model's input to its output and the weights, float32 `(B, T)`.

    Raises:
        ValueError: The model has no such layer.

    Example:
        >>> import numpy as np
        >>> from keras import layers
        >>> ids = keras.Input((None,))
        >>> model = keras.Model(ids, AttentionPooling(4)(layers.Embedding(9, 2, mask_zero=True)(ids)))
        >>> outputs, weights = attention_scores(model)(np.array([[3, 4, 0]]))
        >>> outputs.shape, weights.shape
        (TensorShape([1, 2]), TensorShape([1, 3]))
    """
    states = attention_states(model, layer)

    def scores(token_ids: Any) -> tuple[Any, Any]:
        seen = states(token_ids)
        return seen.outputs, seen.weights

    return scores


def attention_states(model: keras.Model, layer: str | None = None) -> Callable[..., AttentionStates]:
    """The same with the pooled context, in training too: gradients pass through all that it gives.

    Args:
        model: As for `attention_scores`.
        layer: Likewise.

    Returns:
        A function from the model's input and `training`, False by default, to `AttentionStates`.

    Raises:
        ValueError: As `attention_scores`.
    """
    pooling = [part for part in model.layers if isinstance(part, AttentionPooling) and layer in (None, part.name)]
    if not pooling:
        named = "" if layer is None else f" named {layer!r}"
        raise ValueError(f"the model has no `AttentionPooling` layer{named}")
    encoded, *mask = keras.tree.flatten(pooling[0].input)  # a mask is among its inputs where its call was given one
    opened = keras.Model(model.input, [encoded, *mask, model.output])

    def states(token_ids: Any, training: bool = False) -> AttentionStates:
        encoded, *mask, outputs = opened(token_ids, training=training)
        arguments = {"mask": mask[0]} if mask else {}
        context, weights = pooling[0](encoded, return_attention_scores=True, **arguments)
        return AttentionStates(outputs, context, weights)

    return states
