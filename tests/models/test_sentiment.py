"""The classifier's shapes, options and errors; what it computes is in tests/test_conformance.py."""

import keras
import numpy as np
import pytest

from textapp.models.sentiment import sentiment_classifier


def test_parts_stand_in_the_order_of_the_figure():
    names = [layer.name for layer in sentiment_classifier(50, 3).layers]
    assert names[0] == "token_ids"
    order = ["embedding", "embedding_dropout", "encoder", "attention", "context_dropout", "logits"]
    assert [name for name in names if name in order] == order


@pytest.mark.parametrize(
    ("cell", "layer", "gates"),
    [("lstm", keras.layers.LSTM, 4), ("gru", keras.layers.GRU, 3), ("rnn", keras.layers.SimpleRNN, 1)],
)
def test_cells(cell, layer, gates):
    model = sentiment_classifier(50, 2, embedding_dim=6, units=5, cell=cell)
    encoder = model.get_layer("encoder")
    assert type(encoder.forward_layer) is layer
    assert encoder.forward_layer.cell.kernel.shape == (6, 5 * gates)
    assert model(np.array([[2, 3, 0]])).shape == (1, 2)


def test_layers_are_stacked():
    model = sentiment_classifier(50, 2, units=5, num_layers=3)
    assert [layer.name for layer in model.layers if isinstance(layer, keras.layers.Bidirectional)] == [
        "encoder_0",
        "encoder_1",
        "encoder_2",
    ]


def test_given_vectors_stand_in_the_table_and_may_be_frozen():
    vectors = np.random.default_rng(0).normal(size=(9, 4)).astype("float32")
    model = sentiment_classifier(9, 2, embedding_dim=4, vectors=vectors, train_embedding=False)
    np.testing.assert_array_equal(model.get_layer("embedding").get_weights()[0], vectors)
    assert not any("embedding" in variable.path for variable in model.trainable_variables)


def test_a_factorized_table_is_one_table_of_their_product():
    keras.utils.set_random_seed(1)
    factorized = sentiment_classifier(50, 2, embedding_dim=8, embedding_rank=3, units=5)
    table, projection = (factorized.get_layer(name) for name in ("embedding", "embedding_projection"))
    assert (table.embeddings.shape, projection.kernel.shape) == ((50, 3), (3, 8))
    whole = sentiment_classifier(50, 2, embedding_dim=8, units=5)
    assert whole.count_params() - factorized.count_params() == 50 * 8 - (50 * 3 + 3 * 8)
    whole.set_weights([table.get_weights()[0] @ projection.get_weights()[0], *factorized.get_weights()[2:]])
    ids = np.array([[7, 3, 9, 0, 0], [4, 2, 1, 6, 5], [8, 0, 0, 0, 0]])
    np.testing.assert_allclose(factorized(ids), whole(ids), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(factorized(ids)[2:], factorized(ids[2:, :2]), rtol=1e-4, atol=1e-6)  # the mask passes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"embedding_rank": 64}, "`embedding_rank` must be from 1 to below `embedding_dim`, 64"),
        ({"embedding_rank": 0}, "`embedding_rank` must be from 1"),
        ({"embedding_rank": 4, "vectors": np.zeros((50, 64), "float32")}, "`vectors` are tables of one piece"),
        ({"num_classes": 1}, "`num_classes` must be 2 or more"),
        ({"num_layers": 0}, "`num_layers` must be 1 or more"),
        ({"cell": "transformer"}, "`cell` must be one of lstm, gru, rnn"),
        ({"vectors": np.zeros((3, 3), "float32")}, r"`vectors` must have shape \(V, E\) = \(50, 64\)"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        sentiment_classifier(**{"vocabulary_size": 50, "num_classes": 2, **arguments})
