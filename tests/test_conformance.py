"""What every public layer and every model must do; fails when one is not listed here."""

import importlib
import pkgutil

import keras
import numpy as np
import pytest

import textapp.layers
import textapp.models
from textapp.export import convert, lower
from textapp.layers import AttentionPooling
from textapp.models.sentiment import sentiment_classifier

V = 40


def pooled() -> keras.Model:
    """The smallest model around AttentionPooling."""
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    embedded = keras.layers.Embedding(V, 8, mask_zero=True)(ids)
    return keras.Model(ids, keras.layers.Dense(3, name="logits", dtype="float32")(AttentionPooling(8)(embedded)))


# A model around each public layer, and each public model builder.
LAYERS = {"AttentionPooling": pooled}
MODELS = {
    "sentiment_classifier": lambda: sentiment_classifier(V, 3, embedding_dim=8, units=6),
}
CASES = {
    **LAYERS,
    **MODELS,
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


def test_every_public_layer_and_model_is_listed():
    public = [getattr(textapp.layers, name) for name in textapp.layers.__all__]
    assert {thing.__name__ for thing in public if isinstance(thing, type)} == set(LAYERS)
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
    np.testing.assert_array_equal(loaded(ids), model(ids))


def test_config_round_trip(build):
    model = build()
    for layer in model.layers:
        assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()


def test_a_batch_of_one_equals_a_batch_of_many(build, ids):
    model = build()
    alone = np.concatenate([model(row[None]) for row in ids])
    np.testing.assert_allclose(alone, model(ids), atol=1e-5)


def test_more_padding_changes_nothing(build, ids):
    model = build()
    np.testing.assert_allclose(model(np.pad(ids, [(0, 0), (0, 9)])), model(ids), atol=1e-5)


def test_an_empty_text_is_finite(build):
    assert np.isfinite(build()(np.zeros((2, 4), "int32"))).all()


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
    logits = half(ids)
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    np.testing.assert_allclose(logits, full(ids), atol=3e-2)


def test_compiles_with_xla(build, ids):
    import tensorflow as tf

    model = build()
    compiled = tf.function(lambda x: model(x, training=False), jit_compile=True)
    np.testing.assert_allclose(compiled(tf.constant(ids)), model(ids), atol=1e-5)


def test_learns(build, ids):
    model = build()
    labels = ids[:, 0] % model.output_shape[-1]
    model.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = model.evaluate(ids, labels, verbose=0)
    model.fit(ids, labels, epochs=20, verbose=0)
    assert model.evaluate(ids, labels, verbose=0) < 0.9 * before


@pytest.mark.parametrize("lowering", ["fused", "unrolled"])
def test_tflite_parity(build, ids, lowering):
    from ai_edge_litert.interpreter import Interpreter

    model = build()
    content = convert(lower(model, lowering), lengths=[ids.shape[1]])
    runner = Interpreter(model_content=content, num_threads=1).get_signature_runner("tokens_12")
    logits = np.concatenate([runner(token_ids=row[None])["logits"] for row in ids])
    np.testing.assert_allclose(logits, model(ids), atol=1e-4)
