"""Training with rounded weights: the same as the plain model fed with them, and the file holds them to the bit."""

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from keras import layers

from tests.small_models import small_classifier
from textapp.compress.granularity import stored_weights
from textapp.compress.quantization_aware import QuantizationAware, post_training
from textapp.compress.rounding import largest, rounded
from textapp.export import convert, lower

V = 40


def classifier(**settings) -> keras.Model:
    keras.utils.set_random_seed(2)
    sizes = {"embedding_dim": 32, "units": 32, "attention_units": 32, **settings}
    return small_classifier(V, 2, **sizes)


def light(train_embedding: bool = True) -> keras.Model:
    """A model that trains in no time: the mean of its words."""
    keras.utils.set_random_seed(2)
    ids = keras.Input((None,), dtype="int32")
    words = layers.Embedding(V, 32, mask_zero=True, trainable=train_embedding, name="embedding")(ids)
    context = layers.Dense(40, "relu")(layers.GlobalAveragePooling1D()(words))
    return keras.Model(ids, layers.Dense(2)(context))


def texts(count: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Ids with padding on the right; the label says whether the first is even."""
    rng = np.random.default_rng(7)
    ids = rng.integers(1, V, (count, 4)).astype("int32")
    ids[np.arange(4) >= rng.integers(1, 5, count)[:, None]] = 0
    return ids, ids[:, 0] % 2


def fitted(aware: QuantizationAware, epochs: int = 2) -> QuantizationAware:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    aware.compile(keras.optimizers.Adam(0.01), loss)
    aware.optimizer.build(aware.trainable_variables)  # `fit` would trace its first step twice otherwise
    aware.fit(*texts(), epochs=epochs, batch_size=16, verbose=0, shuffle=False)
    return aware


def assert_holds(file, model, lowering):
    """Every quantized weight of the model is in the file, to the bit: float32(integer * scale) is the weight."""
    directions = {id(weight.variable): weight for weight in stored_weights(model, lowering) if weight.granularity}
    assert directions
    tables = [table.floats for table in file.tables()]
    gates = [(gate.floats, gate.scales) for kernel in file.lstms() for part in kernel for gate in part]
    matrices = [np.squeeze(matrix.floats) for matrix in file.matrices() if matrix.scales is not None]
    for weight in directions.values():
        value = weight.variable.numpy()
        if weight.is_table:
            assert any(np.array_equal(value, table) for table in tables)
        elif weight.granularity.kind == "gate":
            for part in np.split(value, 4, axis=1):
                assert any(
                    gate.shape == (part.shape[1], len(part) + weight.device_rows)
                    and np.array_equal(gate[:, : len(part)], part.T)
                    for gate, _ in gates
                )
        else:
            expected = np.moveaxis(value, -1, 0)
            assert any(np.array_equal(matrix, expected) for matrix in matrices)
    return len(directions)


@pytest.mark.parametrize(("lowering", "bits"), [("fused", 8), ("fused", 2), ("unrolled", 4)])
def test_the_file_holds_the_rounded_weights_to_the_bit(converted, lowering, bits):
    model = classifier()
    aware = fitted(QuantizationAware(model, bits=bits, embedding_bits=8, lowering=lowering))
    aware.apply_rounding()
    assert assert_holds(converted(model, lowering), model, lowering) == 6


def test_the_other_recurrent_layers_too(converted):
    ids = keras.Input((None,), dtype="int32")
    x = layers.Embedding(V, 32)(ids)
    x = layers.GRU(32, return_sequences=True)(x)
    x = layers.Conv1D(32, 3, padding="same")(layers.SimpleRNN(32, return_sequences=True)(x))
    model = keras.Model(ids, layers.Dense(2)(layers.LSTM(32, activation="relu")(x)))
    fitted(QuantizationAware(model)).apply_rounding()
    assert assert_holds(converted(model, "fused"), model, "fused") == 8


def test_frozen_ranges_are_those_of_the_file(converted):
    model = light()
    aware = fitted(QuantizationAware(model, bits=4, embedding_bits=8, freeze=3), epochs=1)
    limits = [limit.numpy() for limit in aware.limits if limit is not None]
    assert all(limit.any() for limit in limits)
    aware.fit(*texts(), epochs=1, verbose=0)
    for limit, before in zip([limit for limit in aware.limits if limit is not None], limits, strict=True):
        np.testing.assert_array_equal(limit, before)
    aware.apply_rounding()
    weights = [weight for weight in stored_weights(model) if weight.granularity]
    for weight, limit in zip(weights, limits, strict=True):
        np.testing.assert_allclose(largest(weight.variable.value, weight.granularity), limit, rtol=2e-7)
    assert_holds(converted(model, "fused"), model, "fused")


def test_without_freezing_ranges_follow_the_weights():
    aware = fitted(QuantizationAware(light()))
    assert aware.limits == [None] * len(aware.plan)
    assert len(aware.weights) == len(aware.model.weights) + 1  # the step


def test_what_is_validated_is_what_rounding_writes():
    model = light()
    aware = fitted(QuantizationAware(model, bits=4, embedding_bits=2))
    ids, labels = texts()
    quantized, floats = aware.predict(ids, verbose=0), model.predict(ids, verbose=0)
    scores = aware.evaluate(ids, labels, verbose=0)
    assert np.abs(quantized - floats).max() > 1e-3
    aware.apply_rounding()
    np.testing.assert_array_equal(aware.predict(ids, verbose=0), quantized)
    np.testing.assert_allclose(model.predict(ids, verbose=0), quantized, atol=1e-6)
    assert aware.evaluate(ids, labels, verbose=0) == scores
    row = model.get_layer("embedding").embeddings.numpy()[5]
    assert len(np.unique(np.abs(row))) <= 2


def test_a_step_is_that_of_the_plain_model_with_rounded_weights():
    """One step of gradient descent moves the float weights by the gradient at the rounded ones."""
    ids, labels = texts(8)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    settings = {"word_dropout": 0.0, "embedding_dropout": 0.0, "dropout": 0.0}
    model, twin = classifier(**settings), classifier(**settings)
    start = [np.asarray(v) for v in twin.trainable_variables]
    post_training(twin, bits=4)
    at_rounded = [np.asarray(v) for v in twin.trainable_variables]
    for trained in (QuantizationAware(model, bits=4), twin):
        trained.compile(keras.optimizers.SGD(0.1), loss)
        trained.train_on_batch(ids, labels)
    for before, at, after, moved in zip(
        start, at_rounded, twin.trainable_variables, model.trainable_variables, strict=True
    ):
        np.testing.assert_allclose(np.asarray(moved) - before, np.asarray(after) - at, atol=2e-7)


def test_the_delay_trains_in_float():
    ids, labels = texts(8)
    model, twin = light(), light()
    aware = QuantizationAware(model, bits=2, delay=2)
    for _ in range(2):
        for trained in (aware, twin):
            if not trained.compiled:
                trained.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
            trained.train_on_batch(ids, labels)
    for mine, theirs in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)
    aware.train_on_batch(ids, labels)
    twin.train_on_batch(ids, labels)
    assert any(np.abs(a - b).max() > 1e-4 for a, b in zip(model.get_weights(), twin.get_weights(), strict=True))


def test_dropout_still_draws_anew_and_statistics_move():
    ids = keras.Input((None,), dtype="int32")
    x = layers.BatchNormalization()(layers.Dropout(0.5)(layers.Embedding(V, 32)(ids)))
    model = keras.Model(ids, layers.Dense(2)(layers.GlobalAveragePooling1D()(x)))
    before = [v.numpy() for v in model.non_trainable_variables]
    fitted(QuantizationAware(model), epochs=1)
    for variable, value in zip(model.non_trainable_variables, before, strict=True):
        assert not np.array_equal(variable, value)


def test_a_frozen_table_is_rounded_but_not_trained():
    model = light(train_embedding=False)
    table = model.get_layer("embedding").embeddings
    before = table.numpy()
    aware = fitted(QuantizationAware(model, embedding_bits=4))
    np.testing.assert_array_equal(table, before)
    aware.apply_rounding()
    (weight,) = [weight for weight in stored_weights(model) if weight.is_table]
    np.testing.assert_array_equal(table, rounded(before, weight.granularity, 4))


def test_rounding_twice_changes_nothing():
    model = light()
    post_training(model, 8, 4)
    once = model.get_weights()
    post_training(model, 8, 4)
    for first, second in zip(once, model.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)


def test_it_learns_where_post_training_does_not():
    """From a float model that has learned all there is: what it wins is won over the rounding."""
    model = light()
    ids, labels = texts(256)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    model.fit(ids, labels, epochs=40, verbose=0)
    trained, before = model.get_weights(), model.evaluate(ids, labels, verbose=0)[0]
    post_training(model, 2)
    after_rounding = model.evaluate(ids, labels, verbose=0)[0]
    model.set_weights(trained)
    aware = QuantizationAware(model, 2)
    aware.compile(keras.optimizers.Adam(0.003), loss)
    aware.fit(ids, labels, epochs=30, verbose=0)
    aware.apply_rounding()
    after_training = model.evaluate(ids, labels, verbose=0)[0]
    assert before < 0.1 * after_rounding  # else there is nothing to win
    assert after_training < 0.2 * after_rounding


def test_the_rounded_file_answers_like_keras():
    model = classifier()
    fitted(QuantizationAware(model, bits=4, embedding_bits=8)).apply_rounding()
    ids, _ = texts(16)
    runner = Interpreter(model_content=convert(lower(model), [4], "dynamic_wi8_afp32")).get_signature_runner("tokens_4")
    got = np.concatenate([runner(token_ids=row[None])["logits"] for row in ids])
    expected = model.predict(ids, verbose=0)
    np.testing.assert_allclose(got, expected, atol=0.02 * np.abs(expected).max())  # activations are rounded each call


@pytest.mark.parametrize("settings", [{"bits": 9}, {"embedding_bits": 1}, {"delay": -1}, {"delay": 5, "freeze": 3}])
def test_settings_are_checked(settings):
    with pytest.raises(ValueError, match="Received"):
        QuantizationAware(light(), **settings)
