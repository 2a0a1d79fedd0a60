"""The layers of a model that hold its weights, wherever they are nested."""

from collections.abc import Iterator, Mapping
from typing import Any

import keras
from keras import layers


def leaves(model: keras.Model) -> Iterator[tuple[str, layers.Layer]]:
    """The layers of a model by name; of nested models and of layers made of layers, the inner ones.

    A layer of ours that is made of layers gives those with weights by name in its property `inner_layers`. The names of
    inner layers follow that of the outer one after a slash: `characters/embedding`, `encoder/forward`.

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
    """The layers of a model; those of nested models in place of these."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from flat_layers(layer)
        else:
            yield layer


def inner_layers(layer: Any) -> Mapping[str, layers.Layer]:
    """The layers with weights that a layer is made of, by name; none for most layers."""
    if isinstance(layer, layers.Bidirectional):
        return {"forward": layer.forward_layer, "backward": layer.backward_layer}
    if not type(layer).__module__.startswith("textapp."):  # a layer from elsewhere may mean something else by the name
        return {}
    found: Mapping[str, layers.Layer] = getattr(layer, "inner_layers", {})
    return found
