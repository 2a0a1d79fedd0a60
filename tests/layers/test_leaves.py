"""The layers that hold a model's weights, in nested models, directions and layers made of layers."""

import keras
from keras import layers

from textapp.layers import BigramEmbedding, CharacterCNN
from textapp.layers.leaves import inner_layers, leaves


def test_names_and_order():
    ids = keras.Input((None,), dtype="int32", name="ids")
    char_ids = keras.Input((None, None), dtype="int32", name="char_ids")
    inner = keras.Sequential([keras.Input((None, 4)), layers.Dense(2, name="inner")], name="nested")
    words = layers.Concatenate(name="words")(
        [
            inner(layers.Embedding(9, 4, name="table")(ids)),
            BigramEmbedding(9, 3, name="pairs")(ids),
            CharacterCNN(9, name="characters")(char_ids),
        ]
    )
    encoded = layers.Bidirectional(layers.GRU(3, return_sequences=True), name="encoder")(words)
    model = keras.Model([ids, char_ids], encoded)
    found = dict(leaves(model))
    assert [name for name, layer in found.items() if layer.weights] == [
        "table",
        "inner",
        "pairs/embedding",
        "characters/embedding",
        "characters/convolution",
        "encoder/forward",
        "encoder/backward",
    ]
    assert {id(weight) for layer in found.values() for weight in layer.weights if weight.trainable} == {
        id(weight) for weight in model.trainable_weights
    }


def test_a_layer_from_elsewhere_is_taken_whole():
    class Foreign(layers.Layer):
        inner_layers = ("first", "second")

    assert inner_layers(Foreign()) == {}
