"""What every public layer and every model must do; fails when one is not listed here."""

import importlib
import pkgutil

import keras
import numpy as np
import pytest
from textapp.models.ner import entity_tagger
from textapp.models.sentiment import sentiment_classifier

import textapp.layers
import textapp.models
from textapp.config import Encoder, Words
from textapp.export import convert, lower
from textapp.layers import CRF, AttentionPooling, BigramEmbedding, CharacterCNN, CRFLoss
from textapp.models.model import text_model
from textapp.tasks.classification.head import classification_head
from textapp.text.word_shape import SHAPES

V = 40


def pooled() -> keras.Model:
    """The smallest model around AttentionPooling."""
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    embedded = keras.layers.Embedding(V, 8, mask_zero=True)(ids)
    return keras.Model(ids, keras.layers.Dense(3, name="logits", dtype="float32")(AttentionPooling(8)(embedded)))


def spelled() -> keras.Model:
    """The smallest model around CharacterCNN: each three ids are the characters of a word."""
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    char_ids = keras.layers.Reshape((-1, 3))(ids)
    words = CharacterCNN(V, 4, filters=8)(char_ids)
    context = AttentionPooling(8)(words, mask=keras.ops.not_equal(char_ids[:, :, 0], 0))
    return keras.Model(ids, keras.layers.Dense(3, name="logits", dtype="float32")(context))


def paired() -> keras.Model:
    """The smallest model around BigramEmbedding."""
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    context = AttentionPooling(8)(BigramEmbedding(V, 8)(ids), mask=keras.ops.not_equal(ids, 0))
    return keras.Model(ids, keras.layers.Dense(3, name="logits", dtype="float32")(context))


def chained() -> keras.Model:
    """The smallest model around CRF."""
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    logits = keras.layers.Dense(3)(keras.layers.Embedding(V, 8, mask_zero=True)(ids))
    return keras.Model(ids, CRF(allowed_starts=[True] * 3)(logits))


# A model around each public layer, and each public model builder.
LAYERS = {"AttentionPooling": pooled, "BigramEmbedding": paired, "CharacterCNN": spelled, "CRF": chained}
MODELS = {
    "text_model": lambda: text_model(
        Words(embedding_dim=8, characters=True, shapes=True, bigrams=50, context_filters=4),
        Encoder(units=6),
        classification_head(3),
        vocabulary_size=V,
        character_vocabulary_size=V,
    ),
    "sentiment_classifier": lambda: sentiment_classifier(V, 3, embedding_dim=8, units=6),
    "entity_tagger": lambda: entity_tagger(
        V, 3, embedding_dim=8, units=6, character_vocabulary_size=V, features={"shape_ids": (SHAPES, 2)}
    ),
}
CASES = {
    **LAYERS,
    **MODELS,
    "entity_tagger, tokens only": lambda: entity_tagger(V, 3, embedding_dim=8, units=6),
    "entity_tagger, bigrams": lambda: entity_tagger(V, 3, embedding_dim=8, bigram_rows=50, units=6),
    "entity_tagger, context": lambda: entity_tagger(V, 3, embedding_dim=8, context_filters=4, units=6),
    "entity_tagger, GRU x 2, softmax": lambda: entity_tagger(
        V, 3, embedding_dim=8, units=6, num_layers=2, cell="gru", crf=False
    ),
    "sentiment_classifier, factorized": lambda: sentiment_classifier(V, 3, embedding_dim=8, embedding_rank=3, units=6),
    "sentiment_classifier, GRU x 2": lambda: sentiment_classifier(
        V, 2, embedding_dim=8, units=6, num_layers=2, cell="gru"
    ),
}


@pytest.fixture(params=CASES, name="build")
def _build(request):
    keras.utils.set_random_seed(1)
    return CASES[request.param]


@pytest.fixture(name="ids")
def _ids() -> np.ndarray:
    rng = np.random.default_rng(2)
    ids = np.zeros((6, 12), "int32")
    for row, length in zip(ids, [12, 7, 1, 3, 12, 5], strict=True):
        row[:length] = rng.integers(1, V, length)
    return ids


def given(model: keras.Model, ids: np.ndarray):
    """What a model takes, made of nothing but `ids`: themselves, or a dictionary of them, characters and features."""
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


def test_every_public_layer_and_model_is_listed():
    public = [getattr(textapp.layers, name) for name in textapp.layers.__all__]
    layers = [thing for thing in public if isinstance(thing, type) and issubclass(thing, keras.layers.Layer)]
    assert {layer.__name__ for layer in layers} == set(LAYERS)
    builders = set()
    for module in pkgutil.iter_modules(textapp.models.__path__):
        names = vars(importlib.import_module(f"textapp.models.{module.name}"))
        builders |= {
            name
            for name, value in names.items()
            if callable(value) and getattr(value, "__annotations__", {}).get("return") is keras.Model
        }
    assert builders == set(MODELS)


def test_saved_and_loaded(build, ids, tmp_path):
    model = build()
    model.save(tmp_path / "模型.keras")
    loaded = keras.models.load_model(tmp_path / "模型.keras")
    np.testing.assert_array_equal(loaded(given(model, ids)), model(given(model, ids)))


def test_config_round_trip(build):
    model = build()
    for layer in model.layers:
        assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()


def test_a_batch_of_one_equals_a_batch_of_many(build, ids):
    model = build()
    alone = np.concatenate([model(given(model, row[None])) for row in ids])
    np.testing.assert_allclose(alone, model(given(model, ids)), atol=1e-5)


def test_more_padding_changes_nothing(build, ids):
    model = build()
    padded = model(given(model, np.pad(ids, [(0, 0), (0, 9)])))
    np.testing.assert_allclose(on_tokens(padded, ids.shape[1]), model(given(model, ids)), atol=1e-5)


def test_an_empty_text_is_finite(build):
    model = build()
    assert np.isfinite(model(given(model, np.zeros((2, 3), "int32")))).all()


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(build, ids, policy):
    full = build()
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        half = build()
    finally:
        keras.config.set_dtype_policy(before)
    half.set_weights(full.get_weights())
    logits = half(given(half, ids))
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    np.testing.assert_allclose(logits, full(given(full, ids)), atol=3e-2)


def test_compiles_with_xla(build, ids):
    import tensorflow as tf

    model = build()
    compiled = tf.function(lambda x: model(x, training=False), jit_compile=True)
    inputs = keras.tree.map_structure(tf.constant, given(model, ids))
    np.testing.assert_allclose(compiled(inputs), model(inputs), atol=1e-5)


def test_learns(build, ids):
    model = build()
    inputs = given(model, ids)
    labels, loss = supervision(model, ids)
    model.compile(keras.optimizers.Adam(0.01), loss)
    model.optimizer.build(model.trainable_variables)  # `fit` would trace its first step twice otherwise
    before = model.evaluate(inputs, labels, verbose=0)
    model.fit(inputs, labels, epochs=20, verbose=0)
    assert model.evaluate(inputs, labels, verbose=0) < 0.9 * before


@pytest.mark.parametrize("lowering", ["fused", "unrolled"])
def test_tflite_parity(build, ids, lowering):
    from ai_edge_litert.interpreter import Interpreter

    model = build()
    inputs = given(model, ids)
    by_name = inputs if isinstance(inputs, dict) else {"token_ids": inputs}
    content = convert(lower(model, lowering), lengths=[ids.shape[1]], max_characters=3)
    runner = Interpreter(model_content=content, num_threads=1).get_signature_runner("tokens_12")
    texts = ({name: values[[number]] for name, values in by_name.items()} for number in range(len(ids)))
    logits = np.concatenate([runner(**text)["logits"] for text in texts])
    np.testing.assert_allclose(logits, model(inputs), atol=1e-4)
