"""The whole model: its parts in order, its inputs, and the mask that reaches each part."""

import keras
import numpy as np
import pytest

from textapp.config import Encoder, Words
from textapp.layers import CRFLoss
from textapp.models.model import text_model
from textapp.tasks.classification.head import classification_head
from textapp.tasks.tagging.head import tagging_head

HEADS = {"classification": classification_head(3), "tagging": tagging_head(5)}


WORDS, ENCODER = Words(embedding_dim=6), Encoder(units=4)


def model_of(head, words=WORDS, encoder=ENCODER, **sizes) -> keras.Model:
    return text_model(words, encoder, head, **{"vocabulary_size": 50, "character_vocabulary_size": 20, **sizes})


def test_parts_stand_in_the_order_of_the_figure():
    names = [layer.name for layer in model_of(HEADS["classification"]).layers]
    order = ["token_ids", "embedding", "embedding_dropout", "encoder", "attention", "context_dropout", "logits"]
    assert [name for name in names if name in order] == order
    names = [layer.name for layer in model_of(HEADS["tagging"], Words(characters=True)).layers]
    order = ["embedding", "embedded", "embedding_dropout", "encoder", "encoded_dropout", "logits", "crf"]
    assert [name for name in names if name in order] == order
    assert names.index("characters") < names.index("embedded")


@pytest.mark.parametrize("head", HEADS)
def test_inputs_are_a_tensor_or_a_dictionary(head):
    alone = model_of(HEADS[head])
    assert alone.input.name == "token_ids"
    assert alone(np.array([[2, 3, 0]])).shape[0] == 1
    assert set(model_of(HEADS[head], Words(characters=True, shapes=True)).input) == {
        "token_ids",
        "char_ids",
        "shape_ids",
    }


@pytest.mark.parametrize("words", [Words(embedding_dim=6), Words(embedding_dim=6, shapes=True, context_filters=3)])
@pytest.mark.parametrize("head", HEADS)
def test_the_mask_of_the_token_ids_reaches_every_part(words, head):
    """Also after parts without a mask, which a `Concatenate` would take for real everywhere."""
    keras.utils.set_random_seed(0)
    model = model_of(HEADS[head], words)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Embedding):  # padding must not look like zeros
            layer.embeddings.assign(layer.embeddings + 1.0)

    def outputs(token_ids):
        token_ids = np.array([token_ids])
        return np.asarray(model({"token_ids": token_ids, "shape_ids": token_ids % 7} if words.shapes else token_ids))[0]

    padded, alone = outputs([3, 4, 0, 0]), outputs([3, 4])
    if head == "tagging":
        assert np.all(padded[2:] == 0.0)
        padded = padded[:2]
    np.testing.assert_allclose(padded, alone, atol=1e-6)


def test_spelling_distinguishes_unknown_words():
    model = model_of(HEADS["tagging"], Words(characters=True))
    one = {"token_ids": np.array([[1, 1]]), "char_ids": np.array([[[3, 4, 5], [6, 7, 0]]])}
    other = {**one, "char_ids": np.array([[[3, 4, 5], [8, 9, 10]]])}
    assert not np.allclose(model(one), model(other))


@pytest.mark.parametrize("crf", [True, False])
def test_a_tagger_learns_from_spelling_and_context(crf):
    """The tag of a word is the parity of its first letter, but 2 after a word that starts with `7`."""
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
    words = Words(embedding_dim=4, characters=True, word_dropout=0.0, embedding_dropout=0.0, character_dropout=0.0)
    model = model_of(tagging_head(3, 0.0, crf), words, Encoder(units=16, dropout=0.0), vocabulary_size=2)
    softmax = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
    model.compile(keras.optimizers.Adam(0.02), CRFLoss(model.get_layer("crf")) if crf else softmax)
    model.optimizer.build(model.trainable_variables)  # `fit` would trace its first step twice otherwise
    model.fit(inputs, tag_ids, epochs=40, verbose=0)
    outputs = model.predict(inputs, verbose=0)
    decoded = model.get_layer("crf").decode(outputs, first > 0)[0] if crf else outputs.argmax(-1)
    assert np.mean((np.asarray(decoded) == tag_ids)[first > 0]) > 0.98
