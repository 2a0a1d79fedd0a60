"""What every public layer, and any words with any encoder with any head, must do; fails when one is not listed."""

import functools
import itertools

import keras
import numpy as np
import pytest

import textapp.layers
from textapp.config import Encoder, Words
from textapp.export import convert, lower
from textapp.export.lowering import FUSED
from textapp.layers import (
    CRF,
    AttentionPooling,
    BigramEmbedding,
    CharacterCNN,
    CRFLoss,
    LightRecurrence,
    SelfAttention,
)
from textapp.layers.leaves import leaves
from textapp.models.encoders import ENCODERS
from textapp.models.model import text_model
from textapp.tasks.classification.head import classification_head
from textapp.tasks.tagging.head import tagging_head

V = 40
MIXED = ("mixed_float16", "mixed_bfloat16")


def padded_ids() -> np.ndarray:
    """Ids of six texts, int32, padded with 0."""
    rng = np.random.default_rng(2)
    ids = np.zeros((6, 12), "int32")
    for row, length in zip(ids, [12, 7, 1, 3, 12, 5], strict=True):
        row[:length] = rng.integers(1, V, length)
    return ids


IDS = padded_ids()


def classifier(encode) -> keras.Model:
    """The smallest classifier around a layer that maps ids and their mask to vectors `(B, T, H)`."""
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    mask = keras.ops.not_equal(ids, 0)
    context = AttentionPooling(8)(encode(ids, mask), mask=mask)
    return keras.Model(ids, keras.layers.Dense(3, name="logits", dtype="float32")(context))


def embedded(ids):
    return keras.layers.Embedding(V, 8)(ids)


def spelled(ids, mask):
    """Each three ids are the characters of a word, and each word stands for three tokens."""
    words = CharacterCNN(V, 4, filters=8)(keras.layers.Reshape((-1, 3))(ids))
    return keras.ops.repeat(words, 3, axis=1)


def chained() -> keras.Model:
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    logits = keras.layers.Dense(3)(embedded(ids))
    return keras.Model(ids, CRF(allowed_starts=[True] * 3)(logits, mask=keras.ops.not_equal(ids, 0)))


# A model around each public layer.
LAYERS = {
    "AttentionPooling": lambda: classifier(lambda ids, mask: embedded(ids)),
    "BigramEmbedding": lambda: classifier(lambda ids, mask: BigramEmbedding(V, 8)(ids)),
    "CharacterCNN": lambda: classifier(spelled),
    "CRF": chained,
    "LightRecurrence": lambda: classifier(lambda ids, mask: LightRecurrence(4)(embedded(ids), mask=mask)),
    "SelfAttention": lambda: classifier(lambda ids, mask: SelfAttention(2)(embedded(ids), mask=mask)),
}
WORDS = {
    "tokens": Words(embedding_dim=8),
    "factorized tokens, context, pairs": Words(embedding_dim=8, embedding_rank=3, context_filters=4, bigrams=50),
    "tokens, characters, shapes": Words(embedding_dim=8, characters=True, shapes=True),
}
ENCODER = {
    "LSTM": Encoder(units=6),
    "GRU x 2": Encoder(units=6, num_layers=2, cell="gru"),
    "LSTM in one direction": Encoder(units=6, bidirectional=False),
    "convolution x 3": Encoder(encoder="convolution", units=8, num_layers=3),
    "gated convolution": Encoder(encoder="convolution", units=6, gated=True),
    "transformer x 2": Encoder(encoder="transformer", units=8, heads=2, num_layers=2),
    "light recurrence x 2": Encoder(encoder="light_recurrence", units=6, num_layers=2),
    "light recurrence in one direction": Encoder(encoder="light_recurrence", units=6, bidirectional=False),
    "none": Encoder(encoder="none"),
}
HEADS = {
    "classifier": lambda: classification_head(3, attention_units=8),
    "CRF": lambda: tagging_head(3),
    "softmax": lambda: tagging_head(3, crf=False),
}


def composed(words: str, encoder: str, head: str):
    return lambda: text_model(
        WORDS[words], ENCODER[encoder], HEADS[head](), vocabulary_size=V, character_vocabulary_size=V
    )


# Every encoder meets every head and every words, every words meets every head: all pairs, in a third of all triples.
TRIPLES = {
    (encoder, head): f"{list(WORDS)[(row + column) % len(WORDS)]} -> {encoder} -> {head}"
    for row, encoder in enumerate(ENCODER)
    for column, head in enumerate(HEADS)
}
CASES = LAYERS | {name: composed(*name.split(" -> ")) for name in TRIPLES.values()}
# Tracing, compiling and converting take seconds: each encoder with one head, and each head with all words or two.
HEAD_OF = dict(zip(ENCODER, itertools.cycle(HEADS), strict=False))
TRACED = LAYERS | {name: CASES[name] for pair, name in TRIPLES.items() if pair in HEAD_OF.items()}


# Each policy of mixed precision meets every layer, and with one policy a case every encoder, head and words.
POLICIES = {name: MIXED if name in LAYERS else MIXED[number % 2 : number % 2 + 1] for number, name in enumerate(CASES)}


@functools.cache
def built(name: str) -> keras.Model:
    """A model that no test changes, built once for all tests."""
    keras.utils.set_random_seed(1)
    return CASES[name]()


@functools.cache
def outputs(name: str) -> np.ndarray:
    """What that model makes of `IDS`."""
    return np.asarray(built(name)(given(built(name), IDS)))


each_case = pytest.mark.parametrize("name", CASES)
each_traced = pytest.mark.parametrize("name", TRACED)


def given(model: keras.Model, ids: np.ndarray):
    """What a model takes, made of nothing but `ids`: themselves, or a dictionary of them, characters and shapes."""
    if not isinstance(model.input, dict):
        return ids
    real = ids != 0
    char_ids = (ids[..., None] * [1, 3, 7] % V) * [1, 1, 0]  # as if every word were shorter than the widest
    return {"token_ids": ids, "char_ids": char_ids.astype("int32"), "shape_ids": np.where(real, ids % 5 + 1, 0)}


def on_tokens(outputs, length: int) -> np.ndarray:
    """Outputs as they are, or those of the first `length` tokens where there is one a token."""
    outputs = np.asarray(outputs)
    return outputs[:, :length] if outputs.ndim == 3 else outputs


def supervision(model: keras.Model, ids: np.ndarray):
    """What a model can learn about `ids`: labels `(B,)` or, -1 on padding, `(B, T)`; and the loss for it."""
    classes = model.output_shape[-1]
    crf = [layer for layer in model.layers if isinstance(layer, CRF)]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
    labels = ids[:, 0] % classes if len(model.output_shape) == 2 else np.where(ids, ids % classes, -1)
    return labels, CRFLoss(crf[0]) if crf else loss


def test_every_public_layer_and_encoder_is_listed():
    public = [getattr(textapp.layers, name) for name in textapp.layers.__all__]
    layers = [thing for thing in public if isinstance(thing, type) and issubclass(thing, keras.layers.Layer)]
    assert {layer.__name__ for layer in layers} == set(LAYERS)
    assert {encoder.encoder for encoder in ENCODER.values()} == set(ENCODERS)


@each_case
def test_saved_and_loaded(name, tmp_path):
    model = built(name)
    model.save(tmp_path / "模型.keras")
    loaded = keras.models.load_model(tmp_path / "模型.keras")
    np.testing.assert_array_equal(loaded(given(model, IDS)), outputs(name))


@each_case
def test_config_round_trip(name):
    for layer in built(name).layers:
        assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()


@each_case
def test_a_batch_of_one_equals_a_batch_of_many(name):
    """A row without padding, one with padding, and one of a single token."""
    model = built(name)
    alone = np.concatenate([model(given(model, row[None])) for row in IDS[:3]])
    np.testing.assert_allclose(alone, outputs(name)[:3], atol=1e-5)


@each_case
def test_more_padding_changes_nothing(name):
    model = built(name)
    padded = model(given(model, np.pad(IDS, [(0, 0), (0, 9)])))
    np.testing.assert_allclose(on_tokens(padded, IDS.shape[1]), outputs(name), atol=1e-5)


@each_case
def test_an_empty_text_is_finite(name):
    model = built(name)
    assert np.isfinite(model(given(model, np.zeros((2, 3), "int32")))).all()


@pytest.mark.parametrize(
    ("name", "policy"), [(name, policy) for name, policies in POLICIES.items() for policy in policies]
)
def test_mixed_precision(name, policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        half = CASES[name]()
    finally:
        keras.config.set_dtype_policy(before)
    half.set_weights(built(name).get_weights())
    logits = half(given(half, IDS))
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    expected = outputs(name)
    atol = {"mixed_float16": 1e-2, "mixed_bfloat16": 6e-2}[policy] * max(1.0, np.abs(expected).max())  # 10 and 7 bits
    np.testing.assert_allclose(logits, expected, atol=atol)


@each_traced
def test_compiles_with_xla(name):
    import tensorflow as tf

    model = built(name)
    compiled = tf.function(lambda x: model(x, training=False), jit_compile=True)
    np.testing.assert_allclose(
        compiled(keras.tree.map_structure(tf.constant, given(model, IDS))), outputs(name), atol=1e-5
    )


@each_traced
def test_learns(name):
    keras.utils.set_random_seed(1)
    model = TRACED[name]()
    inputs = given(model, IDS)
    labels, loss = supervision(model, IDS)
    model.compile(keras.optimizers.Adam(0.01), loss)
    model.optimizer.build(model.trainable_variables)  # `fit` would trace its first step twice otherwise
    before = float(loss(labels, outputs(name)))
    model.fit(inputs, labels, epochs=20, verbose=0)
    assert float(loss(labels, model(inputs))) < 0.9 * before


@each_traced
def test_tflite_parity(name):
    """In both lowerings where the model has a layer that they lower to different ones."""
    from ai_edge_litert.interpreter import Interpreter

    model = built(name)
    inputs = given(model, IDS)
    by_name = inputs if isinstance(inputs, dict) else {"token_ids": inputs}
    fusable = any(type(layer) in FUSED for _, layer in leaves(model))
    for lowering in ("fused", "unrolled") if fusable else ("fused",):
        content = convert(lower(model, lowering), lengths=[IDS.shape[1]], max_characters=3)
        runner = Interpreter(model_content=content, num_threads=1).get_signature_runner("tokens_12")
        texts = ({name: values[[number]] for name, values in by_name.items()} for number in range(len(IDS)))
        logits = np.concatenate([runner(**text)["logits"] for text in texts])
        np.testing.assert_allclose(logits, outputs(name), atol=1e-4, err_msg=lowering)
