"""The head of a classifier: its parts, its shapes, its errors."""

import keras
import numpy as np
import pytest

from textapp.tasks.classification.head import classification_head


def test_parts_and_shapes():
    encoded, mask = keras.Input((None, 6)), keras.Input((None,), dtype="bool")
    model = keras.Model([encoded, mask], classification_head(3, attention_units=5, dropout=0.25)(encoded, mask))
    assert model.output_shape == (None, 3)
    assert model.get_layer("attention").units == 5
    assert model.get_layer("context_dropout").rate == 0.25
    values = np.random.default_rng(0).normal(size=(1, 4, 6)).astype("float32")
    real = np.array([[True, True, False, False]])
    np.testing.assert_allclose(model([values, real]), model([values[:, :2], real[:, :2]]), atol=1e-6)


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="`num_classes` must be 2 or more"):
        classification_head(1)
