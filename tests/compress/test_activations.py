"""Rounded activations: the formula, the moving range, and a model that is given them without being changed."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from keras import layers, ops

from tests.small_models import small_classifier, small_tagger
from textapp.compress.activations import RoundedActivation, with_rounded_activations
from textapp.compress.config import QuantizeConfig
from textapp.compress.quantization_aware import QuantizationAware
from textapp.compress.quantize import recipe_of
from textapp.compress.rounding import rounded_in_range
from textapp.errors import InputError
from textapp.export import convert, flatbuffer, lower
from textapp.export.model_inputs import token_inputs
from textapp.layers import CRF

V = 60


def classifier() -> keras.Model:
    keras.utils.set_random_seed(1)
    return small_classifier(V, 2, embedding_dim=8, units=6, attention_units=6)


def data(count: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Ids with padding on the right; the label says whether the first is even."""
    rng = np.random.default_rng(7)
    ids = rng.integers(1, V, (count, 4)).astype("int32")
    ids[np.arange(4) >= rng.integers(1, 5, count)[:, None]] = 0
    return ids, ids[:, 0] % 2


def by_hand(numbers: np.ndarray, low: float, high: float) -> np.ndarray:
    """The formula of the docstring in float64."""
    scale = (high - low) / 255
    zero = round(-low / scale)
    return scale * (np.clip(np.floor(numbers / scale + 0.5) + zero, 0, 255) - zero)


@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.55), (0.0, 3.0), (-2.0, 0.0), (-0.003, 0.9)])
def test_rounding_by_hand(low, high):
    numbers = np.random.default_rng(1).uniform(1.3 * low - 0.1, 1.3 * high + 0.1, 2000)
    received = rounded_in_range(tf.constant(numbers, tf.float32), low, high).numpy()
    scale = (high - low) / 255
    assert np.mean(np.abs(received - by_hand(numbers, low, high)) < 1e-5) > 0.998  # the rest are ties in float32
    assert np.abs(received - np.clip(numbers, received.min(), received.max())).max() < 0.501 * scale
    assert rounded_in_range(tf.zeros(1), low, high).numpy() == 0
    assert len(np.unique(received)) <= 256


def test_an_empty_range_gives_zeros():
    assert not rounded_in_range(tf.constant([1.0, -1.0]), 0.0, 0.0).numpy().any()


def test_the_gradient_passes_inside_of_the_range():
    numbers = tf.constant([-1.2, -0.9, 0.0, 0.4, 1.5, 1.7])
    with tf.GradientTape() as tape:
        tape.watch(numbers)
        total = tf.reduce_sum(rounded_in_range(numbers, -1.0, 1.55) * tf.range(1.0, 7.0))
    assert tape.gradient(total, numbers).numpy().tolist() == [0, 2, 3, 4, 5, 0]


def test_the_range_is_a_mean_and_then_a_moving_one():
    layer, seen, expected = RoundedActivation(), [], np.zeros(2)
    for step in range(120):
        batch = np.array([[-1.0 - step, 0.5 * step - 2.0]])
        layer(batch, training=True)
        seen.append([batch.min(), max(batch.max(), 0.0)])
        expected = np.mean(seen, axis=0) if step < 100 else 0.99 * expected + 0.01 * np.array(seen[-1])
        np.testing.assert_allclose([layer.low.numpy(), layer.high.numpy()], expected, rtol=1e-4)
    layer(np.array([[-1e3, 1e3]]))
    assert layer.steps.numpy() == 120
    np.testing.assert_allclose([layer.low.numpy(), layer.high.numpy()], expected, rtol=1e-4)


def test_delay_and_freeze():
    numbers = np.array([[-1.0, 0.123456, 1.55]])
    layer = RoundedActivation(delay=2, freeze=3)
    assert layer(numbers)[0, 1] == np.float32(0.123456)  # nothing is known of the range yet
    passed = [float(layer(factor * numbers, training=True)[0, 1]) for factor in (1, 1, 1, 7)]
    np.testing.assert_allclose(passed, [0.123456, 0.123456, 0.12, 0.86], atol=1e-6)
    np.testing.assert_allclose([layer.low.numpy(), layer.high.numpy()], [-1.0, 1.55])


def test_a_model_is_not_changed():
    model = classifier()
    ids, _ = data(8)
    before = model(ids)
    config, weights = model.get_config(), [id(variable) for variable in model.weights]
    seen = with_rounded_activations(model)
    np.testing.assert_allclose(seen(ids), before, atol=1e-6)  # no ranges yet, and the masks are passed on
    assert model.get_config() == config
    assert [id(variable) for variable in model.weights] == weights
    assert {id(variable) for variable in seen.trainable_variables} == {id(v) for v in model.trainable_variables}
    seen(ids, training=True)
    assert 0 < np.abs(np.asarray(seen(ids)) - before).max() < 0.1
    np.testing.assert_array_equal(model(ids), before)
    lower(model)  # through the model's own connections


def rounded_of(model: keras.Model) -> int:
    return sum(isinstance(layer, RoundedActivation) for layer in with_rounded_activations(model).layers)


def test_what_is_rounded():
    assert rounded_of(classifier()) == 3  # encoder, context, logits
    tagger = small_tagger(V, 5, character_vocabulary_size=20)
    assert rounded_of(tagger) == 4  # characters, words beside them, encoder, logits
    assert isinstance(with_rounded_activations(tagger).layers[-1], CRF)
    ids = keras.Input((None,), dtype="int32")
    words = layers.Embedding(V, 4)(ids) * 2.0
    assert rounded_of(keras.Sequential([ids, keras.Model(ids, words), layers.Dense(2)])) == 1
    assert rounded_of(keras.Model(ids, layers.Dense(2)(ops.max(words, axis=1)))) == 3


def test_training_learns_and_inference_keeps_the_ranges():
    keras.utils.set_random_seed(2)
    token_ids = keras.Input((4,), dtype="int32")
    hidden = layers.Dense(16, "relu")(layers.Flatten()(layers.Embedding(V, 8)(token_ids)))
    model = keras.Model(token_ids, layers.Dense(2)(hidden))
    aware = QuantizationAware(model, activation_bits=8, lowering="unrolled", freeze=30)
    aware.compile(keras.optimizers.Adam(0.02), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = aware.fit(*data(), epochs=10, batch_size=16, verbose=0, shuffle=False).history["loss"]
    assert history[-1] < 0.5 * history[0]
    ranges = [layer for layer in aware.seen.layers if isinstance(layer, RoundedActivation)]
    before = [variable.numpy() for layer in ranges for variable in layer.weights]
    ids, _ = data(8)
    logits = aware.predict(ids, verbose=0)
    assert [variable.numpy() for layer in ranges for variable in layer.weights] == before
    scale = (before[-2] - before[-3]) / 255  # of the logits, whose layer is the last: low, high, steps
    steps = logits / scale
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-2)


def test_the_file_has_the_rounded_weights():
    model = classifier()
    aware = QuantizationAware(model, activation_bits=8, lowering="unrolled")
    assert {weight.granularity.kind for weight, _ in aware.plan if weight.granularity} == {"tensor", "channel"}
    aware.apply_rounding()
    ids, _ = data()
    content = convert(
        lower(model, "unrolled", integer=True), [4], "static_wi8_ai8", calibration=[*map(token_inputs, ids)]
    )
    stored = list(integers(content))
    for weight, _ in aware.plan:
        if weight.granularity is not None:
            value = weight.variable.numpy()
            wanted = value if weight.granularity.kind == "tensor" else value.T
            assert any(part.shape == wanted.shape and np.allclose(part, wanted, atol=1e-6) for part in stored)


def integers(content: bytes):
    """The int8 constants of a file as the numbers that they stand for."""
    file = flatbuffer.read(content)
    for tensor in file.subgraphs[0].tensors:
        data = file.buffers[tensor.buffer].data
        if data is not None and tensor.type == schema.TensorType.INT8:
            quantization = tensor.quantization
            scale = quantization.scale.reshape(-1, *[1] * (len(tensor.shape) - 1)) if len(tensor.shape) else 1
            yield (data.view(np.int8).reshape(tensor.shape) - np.float32(quantization.zeroPoint[0])) * scale


@pytest.mark.parametrize("settings", [{"activation_bits": 4}, {"activation_bits": 8, "embedding_bits": 4}])
def test_settings_are_checked(settings):
    with pytest.raises(ValueError, match="Received"):
        QuantizationAware(classifier(), **settings)


@pytest.mark.parametrize("settings", [{"activation_bits": 4}, {"activation_bits": 8, "embedding_bits": 4}])
def test_settings_of_the_command_are_checked(settings):
    with pytest.raises(InputError, match="setting activation_bits: "):
        QuantizeConfig.from_dict(settings, "command line")


def test_the_recipe_follows():
    assert recipe_of(QuantizationAware(classifier(), activation_bits=8)) == "static_wi8_ai8"
