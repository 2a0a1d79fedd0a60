"""The optimizer against hand-worked numbers."""

import keras
import numpy as np
import pytest

from textapp.training.optimizer import Cycles, adamw, warmup_cosine


def test_the_learning_rate_warms_up_and_falls():
    rate = warmup_cosine(0.2, total_steps=100, warmup=0.1)
    assert [float(rate(step)) for step in (0, 5, 10, 55, 100)] == pytest.approx([0.0, 0.1, 0.2, 0.1, 0.0], abs=1e-6)
    assert float(warmup_cosine(0.2, total_steps=100, warmup=0.0)(0)) == pytest.approx(0.2)


def test_each_cycle_has_the_learning_rate_of_the_first():
    rate = warmup_cosine(0.2, total_steps=100, warmup=0.1)
    repeated = Cycles(rate, 100)
    assert [float(repeated(step)) for step in range(100)] == [float(rate(step)) for step in range(100)]
    assert [float(repeated(step)) for step in (100, 105, 210, 255)] == pytest.approx([0.0, 0.1, 0.2, 0.1], abs=1e-6)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(repeated))
    assert float(again(155)) == pytest.approx(0.1)


def test_biases_are_not_decayed():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, bias_initializer="ones")])
    optimizer = adamw(model, 10, learning_rate=0.1, warmup=0.0, weight_decay=0.5, clipnorm=1.0)
    kernel, bias = model.layers[0].get_weights()
    optimizer.apply([keras.ops.zeros_like(v) for v in model.trainable_variables], model.trainable_variables)
    np.testing.assert_allclose(model.layers[0].get_weights()[0], kernel * (1 - 0.1 * 0.5), rtol=1e-5)
    np.testing.assert_array_equal(model.layers[0].get_weights()[1], bias)
