"""What a model knows of each token: its inputs, the parts of its vector, and where each one starts from."""

import dataclasses
import hashlib

import keras
import numpy as np
import pytest

from textapp.config import Words
from textapp.errors import InputError
from textapp.layers import BigramEmbedding, CharacterCNN
from textapp.models.words import embed_words
from textapp.text.word_shape import SHAPES

ALL = Words(
    embedding_dim=8, characters=True, shapes=True, bigrams=30, context_filters=4, shape_dim=5, bigram_dim=3
)  # 8 + 4 + 30 + 3 + 5
NO_DROPOUT = {"word_dropout": 0.0, "embedding_dropout": 0.0, "character_dropout": 0.0, "bigram_dropout": 0.0}


def embedder(config: Words, **sizes) -> keras.Model:
    words = embed_words(config, **{"vocabulary_size": 50, "character_vocabulary_size": 20, **sizes})
    return keras.Model(words.inputs, words.embedded)


def test_token_ids_alone_are_one_input_and_not_concatenated():
    words = embed_words(Words(embedding_dim=8), vocabulary_size=50)
    assert [(name, tensor.dtype) for name, tensor in words.inputs.items()] == [("token_ids", "int32")]
    assert words.embedded.shape == (None, None, 8)
    model = keras.Model(words.inputs, words.embedded)
    assert not any(isinstance(layer, CharacterCNN | keras.layers.Concatenate) for layer in model.layers)


def test_each_part_has_its_place_in_the_vector():
    model = embedder(ALL)
    assert {name: (tensor.dtype, len(tensor.shape)) for name, tensor in model.input.items()} == {
        "token_ids": ("int32", 2),
        "char_ids": ("int32", 3),
        "shape_ids": ("int32", 2),
    }
    parts = [tensor.name for tensor in model.get_layer("embedded").input]
    widths = [tensor.shape[-1] for tensor in model.get_layer("embedded").input]
    assert widths == [8, 4, 30, 3, 5], parts
    assert model.get_layer("shape_ids_embedding").embeddings.shape == (SHAPES, 5)
    pairs = model.get_layer("bigrams")
    assert isinstance(pairs, BigramEmbedding)
    assert (pairs.rows, pairs.dropout.rate) == (30, 0.2)


def test_the_mask_is_of_the_token_ids_and_none_is_carried():
    words = embed_words(ALL, vocabulary_size=50, character_vocabulary_size=20)
    model = keras.Model(words.inputs, [words.mask, words.embedded])
    ids = np.array([[3, 1, 0], [0, 0, 0]])
    given = {"token_ids": ids, "char_ids": np.ones((2, 3, 4), "int32"), "shape_ids": np.ones((2, 3), "int32")}
    mask, embedded = model(given)
    assert np.asarray(mask).tolist() == [[True, True, False], [False, False, False]]
    assert getattr(embedded, "_keras_mask", None) is None


def test_a_convolution_sees_the_neighbours_of_a_token():
    model = embedder(Words(embedding_dim=6, context_filters=7, context_width=5))
    context = keras.Model(model.input, model.get_layer("context").output)
    vectors = model.get_layer("embedding").embeddings.numpy()
    kernel, bias = model.get_layer("context").get_weights()
    row = [3, 4, 0, 9, 8]
    # By hand: two neighbours on each side, zeros before and after the text, and zeros for padding.
    around = np.concatenate([np.zeros((2, 6)), vectors[row] * (np.array(row) != 0)[:, None], np.zeros((2, 6))])
    windows = np.stack([around[place : place + 5] for place in range(5)])
    expected = np.maximum(np.einsum("twe,wef->tf", windows, kernel) + bias, 0)
    np.testing.assert_allclose(context({"token_ids": np.array([row])})[0], expected, atol=1e-6)


def test_a_factorized_table_is_the_product_of_its_factors():
    keras.utils.set_random_seed(1)
    model = embedder(Words(embedding_dim=8, embedding_rank=3))
    table, projection = (model.get_layer(name) for name in ("embedding", "embedding_projection"))
    assert (table.embeddings.shape, projection.kernel.shape) == ((50, 3), (3, 8))
    assert len(projection.weights) == 1
    ids = np.array([[7, 3, 9, 0, 0]])
    product = table.get_weights()[0] @ projection.get_weights()[0]
    np.testing.assert_allclose(model({"token_ids": ids})[0], product[ids[0]], rtol=1e-4, atol=1e-6)


def test_given_vectors_stand_in_the_table_and_may_be_frozen():
    vectors = np.random.default_rng(0).normal(size=(9, 4)).astype("float32")
    model = embedder(Words(embedding_dim=None), vocabulary_size=9, vectors=vectors, train_embedding=False)
    np.testing.assert_array_equal(model.get_layer("embedding").get_weights()[0], vectors)
    assert not model.trainable_variables


def test_whole_words_are_left_out_in_training():
    model = embedder(dataclasses.replace(Words(embedding_dim=16), **{**NO_DROPOUT, "word_dropout": 0.5}))
    vectors = np.asarray(model({"token_ids": np.full((8, 40), 3)}, training=True))
    zeros = (vectors == 0).all(axis=2)
    assert 0.3 < zeros.mean() < 0.7
    assert ((vectors != 0).all(axis=2) == ~zeros).all()


def test_initial_weights_are_those_of_earlier_versions():
    """The order in which layers are made decides their seeds: a training must give the same result in every version."""
    keras.utils.set_random_seed(3)
    model = embedder(ALL)
    content = b"".join(weight.tobytes() for weight in model.get_weights())
    assert hashlib.sha256(content).hexdigest()[:16] == "9ce79b816ecb8204"


@pytest.mark.parametrize(
    ("config", "sizes", "message"),
    [
        (Words(embedding_dim=None), {}, "`vectors` must be given where `embedding_dim` is None"),
        (Words(embedding_dim=4), {"vectors": np.zeros((3, 3), "float32")}, r"shape \(V, E\) = \(50, 4\)"),
        (Words(embedding_dim=None), {"vectors": np.zeros((3, 3), "float32")}, r"shape \(V, E\) = \(50, 3\)"),
        (Words(embedding_rank=4), {"vectors": np.zeros((50, 64), "float32")}, "`vectors` fill one table"),
        (Words(characters=True), {"character_vocabulary_size": None}, "`character_vocabulary_size` must be given"),
        (Words(embedding_rank=64), {}, "setting embedding_rank: must be below embedding_dim, 64"),
        (Words(context_width=2), {}, "setting context_width: must be odd"),
    ],
)
def test_wrong_arguments_are_named(config, sizes, message):
    with pytest.raises((ValueError, InputError), match=message):
        embedder(config, **sizes)
