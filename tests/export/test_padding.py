"""A model that reads padding is refused, with the name of the layer that reads it; one that does not passes."""

import warnings

import keras
import pytest
from keras import layers, ops

from textapp.config import Encoder, Words
from textapp.export import ExportError, export_bundle
from textapp.export.checks import check_padding
from textapp.export.model_inputs import TOKENS, padded_rows, token_inputs
from textapp.export.padding import TOLERANCE, effect_of_amount, effect_of_side
from textapp.layers import AttentionPooling
from textapp.models.model import text_model
from textapp.tasks.classification.head import classification_head
from textapp.tasks.tagging.head import tagging_head
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary

V = 40
IDS = [[], [5, 6], [7], [39, 1, 1, 20, 30, 2, 3, 4, 5], [8, 9, 10]]


def rows(*lengths, ids=IDS):
    return {length: padded_rows([token_inputs(text) for text in ids], length) for length in lengths}


def model_of(body, length=None, tokens=False) -> keras.Model:
    """A model around what maps ids, their vectors and their mask to what becomes logits."""
    keras.utils.set_random_seed(1)
    ids = keras.Input((length,), dtype="int32", name="token_ids")
    table = layers.Embedding(V, 6, embeddings_initializer=keras.initializers.RandomNormal())
    encoded = body(ids, table(ids), ops.not_equal(ids, 0))
    if not tokens and len(encoded.shape) == 3:
        encoded = AttentionPooling(4, name="attention")(encoded, mask=ops.not_equal(ids, 0))
    return keras.Model(ids, layers.Dense(3)(encoded))


def two_way(**arguments):
    return layers.Bidirectional(layers.GRU(4, return_sequences=True), name="двое", **arguments)


def nested(vectors):
    inputs = keras.Input((None, 6))
    return keras.Model(inputs, layers.GlobalAveragePooling1D()(inputs), name="nested")(vectors)


READERS = {
    "'lstm' (LSTM)": lambda ids, x, mask: layers.LSTM(4, name="lstm")(x),
    "'двое' (Bidirectional)": lambda ids, x, mask: two_way()(x),
    "'average' (GlobalAveragePooling1D)": lambda ids, x, mask: layers.GlobalAveragePooling1D(name="average")(x),
    "'convolution' (Conv1D)": lambda ids, x, mask: layers.Conv1D(4, 3, padding="same", name="convolution")(x),
    "'pool' (AttentionPooling)": lambda ids, x, mask: AttentionPooling(4, name="pool")(x),
    "'nested' (Functional)": lambda ids, x, mask: nested(x),
}


@pytest.mark.parametrize("layer", READERS)
def test_the_layer_that_reads_padding_is_named(layer):
    model = model_of(READERS[layer])
    effect = effect_of_amount(model, rows(3, 7))
    assert effect.matters
    assert effect.layer == layer
    with pytest.raises(ExportError, match=r"signatures disagree: layer .* reads padding; give it the mask") as caught:
        check_padding(model, rows(3, 7))
    assert layer in str(caught.value)


@pytest.mark.parametrize("head", [classification_head(3), tagging_head(4, crf=False)])
@pytest.mark.parametrize(
    ("words", "encoder"),
    [
        (Words(embedding_dim=6, bigrams=20, context_filters=4), Encoder(units=4)),
        (Words(embedding_dim=6), Encoder(encoder="convolution", units=4, num_layers=2)),
        (Words(embedding_dim=6), Encoder(encoder="transformer", units=8, heads=2)),
        (Words(embedding_dim=6), Encoder(encoder="light_recurrence", units=4)),
    ],
)
def test_our_models_read_none(words, encoder, head):
    keras.utils.set_random_seed(1)
    model = text_model(words, encoder, head, vocabulary_size=V)
    assert not effect_of_amount(model, rows(3, 7)).matters
    assert not effect_of_side(model, rows(3, 7)).matters


def test_a_tagger_is_compared_on_its_tokens():
    careless = model_of(lambda ids, x, mask: two_way()(x), tokens=True)
    assert effect_of_amount(careless, rows(3, 7)).layer == "'двое' (Bidirectional)"
    careful = model_of(lambda ids, x, mask: two_way()(x, mask=mask), tokens=True)
    measured = check_padding(careful, rows(3, 7))
    assert max(measured.values()) < TOLERANCE
    # From the left an LSTM reads the padding before its first token.
    forward = model_of(lambda ids, x, mask: layers.LSTM(4, return_sequences=True, name="lstm")(x), tokens=True)
    assert not effect_of_amount(forward, rows(3, 7)).matters
    assert effect_of_side(forward, rows(3, 7)).layer == "'lstm' (LSTM)"


def test_other_inputs_are_padded_alike():
    keras.utils.set_random_seed(1)
    ids, shapes = (keras.Input((None,), dtype="int32", name=name) for name in (TOKENS, "shape_ids"))
    average = layers.GlobalAveragePooling1D(name="average")(layers.Embedding(V, 6)(shapes))
    model = keras.Model(
        {TOKENS: ids, "shape_ids": shapes}, layers.Dense(2)(average * ops.cast(ids[:, :1] > 0, "float32"))
    )
    given = {length: {**values, "shape_ids": values[TOKENS] % 9} for length, values in rows(3, 7).items()}
    assert effect_of_amount(model, given).layer == "'average' (GlobalAveragePooling1D)"


def test_one_length_may_be_what_the_model_was_trained_on():
    careless = model_of(lambda ids, x, mask: layers.LSTM(4, name="lstm")(x))
    with pytest.warns(UserWarning, match=r"layer 'lstm' \(LSTM\) reads it. The device pads texts on the right to 7"):
        assert check_padding(careless, rows(7))["amount"] > TOLERANCE
    fixed = model_of(lambda ids, x, mask: layers.LSTM(4, name="lstm")(x), length=7)
    with pytest.warns(UserWarning, match=r"the side of the padding: layer 'lstm' \(LSTM\) differs"):
        assert check_padding(fixed, rows(7)).keys() == {"side"}


def test_positions_from_the_start_are_a_warning():
    def positions(ids, x, mask):
        places = layers.Embedding(9, 6, name="places")(ops.cumsum(ops.ones_like(ids), axis=1))
        return two_way()(x + places, mask=mask)

    with pytest.warns(UserWarning, match="keras.utils.pad_sequences pads on the left unless padding='post'"):
        measured = check_padding(model_of(positions), rows(3, 7))
    assert measured["amount"] < TOLERANCE < measured["side"]


def test_texts_without_tokens_tell_nothing():
    model = model_of(lambda ids, x, mask: layers.LSTM(4)(x))
    assert not effect_of_amount(model, rows(3, 7, ids=[[], []])).matters


def test_a_bundle_is_not_written(tmp_path):
    """Trained on padding at the front, as `pad_sequences` gives it, without a mask: the device would differ."""
    careless = model_of(lambda ids, x, mask: layers.LSTM(4, name="lstm")(x))
    ids = keras.utils.pad_sequences([text or [9] for text in IDS], 5)
    careless.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    careless.fit(ids, ids[:, -1] % 3, verbose=0)
    arguments = {
        "tokenizer": Tokenizer("word"),
        "vocabulary": Vocabulary.build(
            {"good": 3, "bad": 2, **dict.fromkeys(map(chr, range(0x5000, 0x5028)), 1)}, 40, 1
        ),
        "labels": ["a", "b", "c"],
        "texts": ["good", "bad bad ночь"],
    }
    message = (
        r"^model: the scores of a text depend on how much padding is after it .*: layer 'lstm' \(LSTM\) reads padding"
    )
    with pytest.raises(ExportError, match=message):
        export_bundle(careless, tmp_path / "bundle", lengths=[2, 5], **arguments)
    assert not (tmp_path / "bundle").exists()
    careful = model_of(lambda ids, x, mask: layers.LSTM(4)(x, mask=mask))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        export_bundle(careful, tmp_path / "bundle", lengths=[2, 5], **arguments)
