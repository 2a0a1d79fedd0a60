"""CRFLoss inside compile and fit: what it weighs, that it trains the transitions, that it survives a file."""

import keras
import numpy as np
import pytest

from textapp.layers import CRF, CRFLoss

RNG = np.random.default_rng(0)
B, T, K = 6, 5, 3
LOGITS = RNG.normal(size=(B, T, K)).astype("float32")
MASK = np.arange(T) < np.array([5, 3, 1, 2, 5, 4])[:, None]
TAG_IDS = np.where(MASK, RNG.integers(0, K, (B, T)), -1).astype("int32")


def small_model():
    keras.utils.set_random_seed(1)
    ids = keras.Input((None,), dtype="int32")
    logits = keras.layers.Dense(K)(keras.layers.Embedding(9, 4, mask_zero=True)(ids))
    return keras.Model(ids, CRF(name="crf")(logits))


def token_ids():
    return np.where(MASK, np.random.default_rng(2).integers(1, 9, (B, T)), 0)


def test_is_the_mean_negative_log_likelihood_of_the_rows():
    layer = CRF()
    potentials = layer(LOGITS, mask=MASK)
    layer.transitions.assign(RNG.normal(size=(K, K)))
    expected = -np.asarray(layer.log_likelihood(potentials, np.where(MASK, TAG_IDS, 0), MASK))
    np.testing.assert_allclose(CRFLoss(layer)(TAG_IDS, potentials), expected.mean(), rtol=1e-6)
    np.testing.assert_allclose(CRFLoss(layer, reduction="none")(TAG_IDS, potentials), expected, rtol=1e-6)


def test_rows_of_weight_0_count_in_nothing():
    layer = CRF()
    loss = CRFLoss(layer, reduction="mean_with_sample_weight")
    weighed = loss(TAG_IDS, layer(LOGITS, mask=MASK), sample_weight=np.array([1, 1, 1, 0, 0, 0]))
    np.testing.assert_allclose(weighed, loss(TAG_IDS[:3], layer(LOGITS[:3], mask=MASK[:3])), rtol=1e-6)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_fit_learns_what_only_transitions_can_say(jit_compile):
    """Tags that take turns on words that are all the same: nothing but the chain tells them."""
    model = small_model()
    layer = model.get_layer("crf")
    ids = np.full((32, 8), 3)
    tag_ids = (np.arange(8) + np.arange(32)[:, None]) % 2
    model.compile(keras.optimizers.Adam(0.1), CRFLoss(layer), jit_compile=jit_compile)
    model.optimizer.build(model.trainable_variables)  # `fit` would trace its first step twice otherwise
    model.fit(ids, tag_ids, epochs=60, batch_size=32, verbose=0)
    assert model.evaluate(ids, tag_ids, verbose=0) < 1.0  # log 2 = 0.69 for the first tag, which nothing tells
    (decoded,), _ = layer.decode(model.predict(ids[:1], verbose=0))
    assert np.asarray(decoded).tolist() in ([0, 1] * 4, [1, 0] * 4)


def test_a_loaded_model_says_how_it_is_trained_on(tmp_path):
    model = small_model()
    model.compile(keras.optimizers.Adam(0.1), CRFLoss(model.get_layer("crf")))
    model.fit(token_ids(), TAG_IDS, epochs=3, verbose=0)
    model.save(tmp_path / "模型.keras")
    loaded = keras.models.load_model(tmp_path / "模型.keras")
    with pytest.raises(ValueError, match=r"model\.compile\(model\.optimizer, CRFLoss\(model\.get_layer\('crf'\)\)\)"):
        loaded.evaluate(token_ids(), TAG_IDS, verbose=0)
    loaded.compile(loaded.optimizer, CRFLoss(loaded.get_layer("crf")))
    for one in (model, loaded):
        one.fit(token_ids(), TAG_IDS, epochs=2, verbose=0, shuffle=False)
    for trained_on, never_stopped in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(trained_on, never_stopped, atol=1e-6)


def test_config_round_trip():
    loss = CRFLoss(CRF(name="标签"), reduction="sum")
    assert CRFLoss.from_config(loss.get_config()).get_config() == loss.get_config()


def test_a_layer_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="`layer` must be the CRF that the model ends in"):
        CRFLoss(keras.layers.Dense(3))
