"""The tagger's shapes, options and errors; what it computes is in tests/test_conformance.py."""

import keras
import numpy as np
import pytest

from textapp.layers import CRF, BigramEmbedding, CharacterCNN, CRFLoss
from textapp.models.ner import entity_tagger


def test_parts_stand_in_the_order_of_the_figure():
    names = [layer.name for layer in entity_tagger(50, 5, character_vocabulary_size=20).layers]
    order = ["embedding", "embedded", "embedding_dropout", "encoder", "encoded_dropout", "logits", "crf"]
    assert [name for name in names if name in order] == order
    assert names.index("characters") < names.index("embedded")


def test_tokens_alone_are_one_input_and_not_concatenated():
    model = entity_tagger(50, 5)
    assert [tensor.name for tensor in model.inputs] == ["token_ids"]
    assert model(np.array([[2, 3, 0]])).shape == (1, 3, 5)
    assert not any(isinstance(layer, CharacterCNN | keras.layers.Concatenate) for layer in model.layers)


def test_inputs_are_named():
    model = entity_tagger(
        50, 5, character_vocabulary_size=20, features={"shape_ids": (7, 2), "pair_ids": (9, 3)}, embedding_dim=6
    )
    assert set(model.input) == {"token_ids", "char_ids", "shape_ids", "pair_ids"}
    assert model.get_layer("embedded").output.shape == (None, None, 6 + 30 + 2 + 3)
    assert model.get_layer("pair_ids_embedding").embeddings.shape == (9, 3)


def test_pairs_of_tokens_ask_for_no_input():
    model = entity_tagger(50, 5, embedding_dim=6, bigram_rows=70, bigram_dim=3, bigram_dropout=0.4)
    assert [tensor.name for tensor in model.inputs] == ["token_ids"]
    assert model.get_layer("embedded").output.shape == (None, None, 6 + 3)
    pairs = model.get_layer("bigrams")
    assert isinstance(pairs, BigramEmbedding)
    assert (pairs.rows, pairs.dropout.rate) == (70, 0.4)


def test_a_convolution_tells_what_stands_beside_a_token():
    model = entity_tagger(50, 5, embedding_dim=6, context_filters=7, context_width=5)
    assert [tensor.name for tensor in model.inputs] == ["token_ids"]
    assert model.get_layer("embedded").output.shape == (None, None, 6 + 7)
    context = keras.Model(model.input, model.get_layer("context").output)
    vectors = model.get_layer("embedding").embeddings.numpy()
    kernel, bias = model.get_layer("context").get_weights()
    row = [3, 4, 0, 9, 8]
    # By hand: two neighbours to each side, nothing beyond the ends, and padding is nothing too.
    around = np.concatenate([np.zeros((2, 6)), vectors[row] * (np.array(row) != 0)[:, None], np.zeros((2, 6))])
    windows = np.stack([around[place : place + 5] for place in range(5)])
    expected = np.maximum(np.einsum("twe,wef->tf", windows, kernel) + bias, 0)
    np.testing.assert_allclose(context(np.array([row]))[0], expected, atol=1e-6)


def test_without_a_crf_it_ends_in_logits():
    model = entity_tagger(50, 5, crf=False)
    assert model.layers[-1].name == "logits"
    assert not any(isinstance(layer, CRF) for layer in model.layers)


@pytest.mark.parametrize("features", [None, {"shape_ids": (7, 2)}])
def test_the_mask_of_the_token_ids_reaches_encoder_and_crf(features):
    """Also past parts that have no mask, which a `Concatenate` would take for real everywhere."""
    keras.utils.set_random_seed(0)
    model = entity_tagger(50, 5, features=features, embedding_dim=6, units=4)
    model.get_layer("crf").end.assign([9.0] * 5)
    # The backward direction starts at the end: with padding taken for words it would carry their features in.
    for layer in model.layers:
        if isinstance(layer, keras.layers.Embedding):
            layer.embeddings.assign(layer.embeddings + 1.0)

    def potentials(token_ids):
        token_ids = np.array([token_ids])
        return model({"token_ids": token_ids, "shape_ids": token_ids % 7} if features else token_ids)[0]

    np.testing.assert_allclose(potentials([3, 4, 0, 0])[:2], potentials([3, 4]), atol=1e-6)
    assert np.all(potentials([3, 4, 0, 0])[2:] == 0.0)


def test_an_unknown_word_is_told_by_its_spelling():
    model = entity_tagger(50, 5, character_vocabulary_size=20)
    one = {"token_ids": np.array([[1, 1]]), "char_ids": np.array([[[3, 4, 5], [6, 7, 0]]])}
    other = {**one, "char_ids": np.array([[[3, 4, 5], [8, 9, 10]]])}
    assert not np.allclose(model(one), model(other))


def test_only_allowed_tags_come_out_of_an_untrained_tagger():
    transitions = np.array([[True, True, False], [True, True, True], [True, True, True]])  # O, B, I
    model = entity_tagger(50, 3, allowed=(transitions, np.array([True, True, False]), np.array([True] * 3)))
    ids = np.random.default_rng(0).integers(1, 50, (20, 15))
    tag_ids, _ = model.get_layer("crf").decode(model(ids) * 100)
    starts, before, after = np.asarray(tag_ids)[:, 0], np.asarray(tag_ids)[:, :-1], np.asarray(tag_ids)[:, 1:]
    assert not np.any(starts == 2)
    assert not np.any((before == 0) & (after == 2))
    assert np.any(after == 2)


@pytest.mark.parametrize("crf", [True, False])
def test_learns_tags_from_spelling_and_context(crf):
    """The tag of a word is its first letter's parity, of the word after a `7` always 2: both must be seen."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    char_ids = rng.integers(2, 12, (128, 8, 4))
    lengths = rng.integers(2, 9, 128)
    char_ids[np.arange(8) >= lengths[:, None]] = 0
    first = char_ids[..., 0]
    tag_ids = first % 2
    tag_ids[:, 1:][first[:, :-1] == 7] = 2
    tag_ids[first == 0] = -1
    inputs = {"token_ids": (first > 0).astype("int32"), "char_ids": char_ids.astype("int32")}
    options = {"word_dropout": 0.0, "embedding_dropout": 0.0, "character_dropout": 0.0, "dropout": 0.0}
    model = entity_tagger(2, 3, embedding_dim=4, character_vocabulary_size=12, units=16, crf=crf, **options)
    softmax = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
    model.compile(keras.optimizers.Adam(0.02), CRFLoss(model.get_layer("crf")) if crf else softmax)
    model.optimizer.build(model.trainable_variables)  # `fit` would trace its first step twice otherwise
    model.fit(inputs, tag_ids, epochs=40, verbose=0)
    outputs = model.predict(inputs, verbose=0)
    decoded = model.get_layer("crf").decode(outputs, first > 0)[0] if crf else outputs.argmax(-1)
    assert np.mean((np.asarray(decoded) == tag_ids)[first > 0]) > 0.98


def test_given_vectors_stand_in_the_table_and_may_be_frozen():
    vectors = np.random.default_rng(0).normal(size=(9, 4)).astype("float32")
    model = entity_tagger(9, 2, embedding_dim=4, vectors=vectors, train_embedding=False)
    np.testing.assert_array_equal(model.get_layer("embedding").get_weights()[0], vectors)
    assert not any("embedding" in variable.path for variable in model.trainable_variables)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_tags": 1}, "`num_tags` must be 2 or more"),
        ({"context_filters": 4, "context_width": 2}, "`context_width` must be odd, a token and its neighbours"),
        ({"num_layers": 0}, "`num_layers` must be 1 or more"),
        ({"cell": "transformer"}, "`cell` must be one of lstm, gru, rnn"),
        ({"features": {"char_ids": (5, 2)}}, r"`features` must have names of their own\. Received: char_ids"),
        ({"crf": False, "allowed": ([[True]], [True], [True])}, "`allowed` needs `crf=True`"),
        ({"allowed": (np.ones((2, 2), bool), [True], [True])}, r"`allowed_transitions` must have shape \(3, 3\)"),
        ({"vectors": np.zeros((3, 3), "float32")}, r"`vectors` must have shape \(V, E\) = \(50, 100\)"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        entity_tagger(**{"vocabulary_size": 50, "num_tags": 3, **arguments})
