"""Frozen to the bit, then Adam as from its first step, against NumPy and against Keras itself."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.small_models import small_tagger
from textapp.config import Training
from textapp.training.optimizer import optimizer_of
from textapp.training.unfreezing import UnfreezingAdamW

OPTIONS = {"weight_decay": 0.1, "global_clipnorm": 0.5}


def classifier(trainable=True) -> keras.Model:
    keras.utils.set_random_seed(3)
    ids = keras.Input((None,), dtype="int32")
    embedded = keras.layers.Embedding(30, 8, mask_zero=True, name="embedding", trainable=trainable)(ids)
    context = keras.layers.GlobalAveragePooling1D()(keras.layers.Dropout(0.3)(embedded))
    return keras.Model(ids, keras.layers.Dense(2)(context))


def trained(model, optimizer, steps):
    """Weights after some steps of `fit`, the embedding's first, and how often the training step was traced."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    traces = []

    def counted(labels, logits):
        traces.append(1)
        return loss(labels, logits)

    model.compile(optimizer, counted)
    token_ids = np.random.default_rng(0).integers(1, 30, (steps * 8, 5))
    model.fit(token_ids, token_ids[:, 0] % 2, batch_size=8, shuffle=False, verbose=0)
    return model.get_weights(), len(traces)


def assert_all_equal(received, expected):
    for one, other in zip(received, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_with_nothing_frozen_it_is_adamw():
    expected, _ = trained(classifier(), keras.optimizers.AdamW(0.01, **OPTIONS), 12)
    received, _ = trained(classifier(), UnfreezingAdamW(0.01, ["embedding"], **OPTIONS), 12)
    assert_all_equal(received, expected)


def test_frozen_it_stays_to_the_bit_and_the_rest_trains_as_without_it():
    before = classifier().get_weights()[0]
    expected, _ = trained(classifier(trainable=False), keras.optimizers.AdamW(0.01, **OPTIONS), 12)
    received, _ = trained(classifier(), UnfreezingAdamW(0.01, ["embedding"], 12, **OPTIONS), 12)
    np.testing.assert_array_equal(received[0], before)
    assert_all_equal(received, expected)
    later, _ = trained(classifier(), UnfreezingAdamW(0.01, ["embedding"], 11, **OPTIONS), 12)
    assert (later[0] != before).any()


@pytest.mark.parametrize(("frozen_steps", "moved"), [(3, False), (2, True)])
def test_under_xla_too(frozen_steps, moved):
    model = two_layers()
    before = model.get_weights()
    model.compile(UnfreezingAdamW(0.01, ["table"], frozen_steps, **OPTIONS), "mse", jit_compile=True)
    model.fit(np.arange(9).reshape(3, 3) % 4, np.ones((3, 2)), batch_size=1, verbose=0)
    table, kernel = model.get_weights()
    assert (table != before[0]).any() == moved
    assert (kernel != before[1]).any()


def test_one_trace_serves_both_phases():
    _, never = trained(classifier(), keras.optimizers.AdamW(0.01), 12)
    _, frozen = trained(classifier(), UnfreezingAdamW(0.01, ["embedding"], frozen_steps=5), 12)
    assert frozen == never


def gradients(steps, shape, seed=0):
    return np.random.default_rng(seed).normal(size=(steps, *shape)).astype("float32")


def two_layers() -> keras.Model:
    ids = keras.Input((3,), dtype="int32")
    embedded = keras.layers.Embedding(4, 2, name="table")(ids)
    return keras.Model(ids, keras.layers.Dense(2, use_bias=False, name="dense")(keras.layers.Flatten()(embedded)))


def test_after_the_frozen_steps_it_is_adam_from_its_first_step():
    """Kingma and Ba 2015, algorithm 1, written out; decay as in Loshchilov and Hutter 2019, algorithm 2."""
    model = two_layers()
    table, kernel = (variable.numpy().astype(np.float64) for variable in model.trainable_variables)
    rates = [0.1 / (1 + step) for step in range(7)]
    schedule = keras.optimizers.schedules.InverseTimeDecay(0.1, 1, 1.0)
    optimizer = UnfreezingAdamW(schedule, layers=["table"], frozen_steps=3, rate=0.25, weight_decay=0.2)
    grads = gradients(7, (4, 2)), gradients(7, (6, 2), seed=1)

    def adam(weights, grads, rates):
        m = v = np.zeros_like(weights)
        for t, (gradient, rate) in enumerate(zip(grads.astype(np.float64), rates, strict=True), start=1):
            m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
            # Keras adds epsilon to the root before the correction.
            alpha = rate * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
            weights = weights - 0.2 * rate * weights - alpha * m / (np.sqrt(v) + 1e-7)
        return weights

    for step, pair in enumerate(zip(*grads, strict=True)):
        optimizer.apply([tf.constant(gradient) for gradient in pair], model.trainable_variables)
        if step < 3:
            np.testing.assert_array_equal(model.get_weights()[0], table.astype("float32"))
    expected = adam(table, grads[0][3:], [0.25 * rate for rate in rates[3:]])
    np.testing.assert_allclose(model.get_weights()[0], expected, rtol=2e-4, atol=1e-6)
    np.testing.assert_allclose(model.get_weights()[1], adam(kernel, grads[1], rates), rtol=2e-4, atol=1e-6)


def test_frozen_gradients_are_neither_clipped_along_nor_remembered():
    model = two_layers()
    optimizer = UnfreezingAdamW(0.1, layers=["table"], frozen_steps=1, global_clipnorm=1.0)
    before = model.get_weights()[0]
    huge = tf.IndexedSlices(tf.fill([2, 2], float("nan")), tf.constant([1, 3]), tf.constant([4, 2]))
    optimizer.apply([huge, tf.fill([6, 2], 0.01)], model.trainable_variables)
    weights = model.get_weights()
    np.testing.assert_array_equal(weights[0], before)
    assert np.isfinite(weights[1]).all()
    momentum, velocity = (v for v in optimizer.variables if "embeddings" in v.path)
    assert not momentum.numpy().any()
    assert not velocity.numpy().any()


def test_it_says_what_has_moved():
    model = two_layers()
    optimizer = UnfreezingAdamW(0.1, layers=["table"], frozen_steps=2)
    said = []
    for _ in range(4):
        said.append(tuple(bool(optimizer.moved(variable)) for variable in model.trainable_variables))
        optimizer.apply([tf.ones([4, 2]), tf.ones([6, 2])], model.trainable_variables)
    assert said == [(False, True), (False, True), (False, True), (True, True)]  # before steps 1 to 4


def test_weights_that_are_not_decayed_stay_so():
    model = two_layers()
    optimizer = UnfreezingAdamW(0.1, layers=["table"], frozen_steps=0, rate=0.5, weight_decay=0.5)
    optimizer.exclude_from_weight_decay([model.trainable_variables[1]])
    table, kernel = model.get_weights()
    optimizer.apply([tf.zeros([4, 2]), tf.zeros([6, 2])], model.trainable_variables)
    np.testing.assert_allclose(model.get_weights()[0], table * (1 - 0.1 * 0.5 * 0.5), rtol=1e-6)
    np.testing.assert_array_equal(model.get_weights()[1], kernel)
    other = UnfreezingAdamW(0.1, layers=["table"], weight_decay=0.5)
    other.exclude_from_weight_decay([model.trainable_variables[0]])
    table = model.get_weights()[0]
    other.apply([tf.zeros([4, 2]), tf.zeros([6, 2])], model.trainable_variables)
    np.testing.assert_array_equal(model.get_weights()[0], table)


def test_half_precision_wraps_it():
    model = classifier()
    optimizer = keras.optimizers.LossScaleOptimizer(UnfreezingAdamW(0.01, ["embedding"], 4), initial_scale=8.0)
    before = model.get_weights()[0]
    weights, _ = trained(model, optimizer, 4)
    np.testing.assert_array_equal(weights[0], before)


def test_it_comes_back_from_its_config():
    optimizer = UnfreezingAdamW(0.02, ["table"], frozen_steps=7, rate=0.5, weight_decay=0.3, global_clipnorm=1.0)
    copy = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert isinstance(copy, UnfreezingAdamW)
    assert copy.get_config() == optimizer.get_config()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"frozen_steps": -1}, r"`frozen_steps` must be 0 or more\. Received: frozen_steps=-1"),
        ({"rate": 0}, r"`rate` must be above 0\. Received: rate=0"),
        ({"rate": float("nan")}, "`rate` must be above 0"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        UnfreezingAdamW(0.1, ["embedding"], **arguments)


def test_a_layer_that_is_not_there_is_named():
    model = two_layers()
    optimizer = UnfreezingAdamW(0.1, layers=["tabel"])
    with pytest.raises(ValueError, match=r"`layers` must name layers with trainable variables\. Received: 'tabel'"):
        optimizer.apply([tf.zeros([4, 2]), tf.zeros([6, 2])], model.trainable_variables)


@pytest.mark.parametrize("settings", [{"embedding_rate": 0.0}, {"freeze_epochs": 2}, {"freeze_epochs": 2, "epochs": 3}])
def test_only_the_word_vectors_stand_still_other_tables_learn(settings):
    """The tables of characters, pairs and shapes start from random numbers, whatever the vectors know."""
    training = Training(**{"epochs": 2, "learning_rate": 0.1, "warmup": 0.0, **settings})
    keras.utils.set_random_seed(3)
    tables = {"character_vocabulary_size": 9, "bigrams": 8, "shapes": True}
    given = {"embedding_dim": 4, "units": 2, "train_embedding": not training.embedding_frozen}
    model = small_tagger(20, 3, crf=False, **tables, **given)
    before = {variable.path: variable.numpy() for variable in model.weights if "embedding" in variable.path}
    steps = 4  # two epochs of two
    optimizer = optimizer_of(training, model, steps // 2 * training.epochs)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    ids = np.random.default_rng(0).integers(1, 7, (steps, 3))
    inputs = {"token_ids": ids, "char_ids": ids[..., None] + [0, 1], "shape_ids": ids}
    model.fit(inputs, ids % 3, batch_size=1, shuffle=False, verbose=0)
    moved = {v.path for v in model.weights if v.path in before and (v.numpy() != before[v.path]).any()}
    assert before.keys() - moved == {"embedding/embeddings"}
    assert len(moved) == 3
