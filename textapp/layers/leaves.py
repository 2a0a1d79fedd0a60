"""Finds the layers that have the weights of a model, also in nested models and layers."""

from collections.abc import Iterator, Mapping
from typing import Any

import keras
from keras import layers


def leaves(model: keras.Model) -> Iterator[tuple[str, layers.Layer]]:
    """The layers of a model by name; nested models and composite layers are replaced by their inner layers.

    The property `inner_layers` of a composite layer of textapp has its inner layers with weights by name. The name of
    an inner layer follows the name of the outer layer and a slash: `characters/embedding`, `encoder/forward`.

    Example:
        >>> from textapp.layers import CharacterCNN
        >>> ids = keras.Input((None, None), dtype="int32")
        >>> model = keras.Model(ids, CharacterCNN(50, name="characters")(ids))
        >>> [name for name, _ in leaves(model)][1:]
        ['characters/embedding', 'characters/convolution']
    """
    for layer in flat_layers(model):
        if inner := inner_layers(layer):
            yield from ((f"{layer.name}/{name}", part) for name, part in inner.items())
        else:
            yield layer.name, layer


def flat_layers(model: keras.Model) -> Iterator[layers.Layer]:
    """The layers of a model; nested models are replaced by their layers."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from flat_layers(layer)
        else:
            yield layer


def inner_layers(layer: Any) -> Mapping[str, layers.Layer]:
    """The inner layers with weights of a layer, by name; most layers have none."""
    if isinstance(layer, layers.Bidirectional):
        return {"forward": layer.forward_layer, "backward": layer.backward_layer}
    if not type(layer).__module__.startswith("textapp."):  # `inner_layers` may mean something else in other packages
        return {}
    found: Mapping[str, layers.Layer] = getattr(layer, "inner_layers", {})
    return found
