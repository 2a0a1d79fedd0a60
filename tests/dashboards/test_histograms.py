"""Histograms of weights, read back with TensorBoard's own reader."""

import keras
import numpy as np
import pytest

from textapp.dashboards import Histograms, histograms

from .events import read


def small_model() -> keras.Model:
    keras.utils.set_random_seed(7)
    token_ids = keras.Input((None,), dtype="int32")
    words = keras.layers.Embedding(11, 4, mask_zero=True, name="embedding")(token_ids)
    pooled = keras.layers.GlobalAveragePooling1D()(words)
    model = keras.Model(token_ids, keras.layers.Dense(2, name="logits")(pooled))
    model.compile("adam", "mse")
    return model


def test_histograms_count_every_weight(tmp_path):
    model = small_model()
    callback = Histograms(tmp_path)
    callback.set_model(model)
    model.optimizer.iterations.assign(10)
    callback.on_epoch_end(0)
    tags = read(tmp_path / "train")
    assert set(tags) == {f"weights/{weight.path}" for weight in model.weights}
    ((step, buckets),) = tags["weights/embedding/embeddings"]
    table = model.get_layer("embedding").get_weights()[0]
    assert step == 10
    assert buckets[:, 2].sum() == table.size
    assert (buckets[0, 0], buckets[-1, 1]) == pytest.approx((table.min(), table.max()))


def test_histograms_leave_out_what_is_not_finite(tmp_path):
    model = small_model()
    table = model.get_layer("embedding").get_weights()[0]
    table[0], table[1] = np.nan, np.inf
    model.get_layer("embedding").set_weights([table])
    model.get_layer("logits").set_weights([np.full((4, 2), np.nan), np.zeros(2)])
    callback = Histograms(tmp_path)
    callback.set_model(model)
    callback.on_epoch_end(0)
    tags = read(tmp_path / "train")
    assert tags["weights/embedding/embeddings"][0][1][:, 2].sum() == table.size - 8
    assert "weights/logits/kernel" not in tags


def test_of_a_large_weight_some_values_are_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(histograms, "MAX_VALUES", 20)
    model = small_model()
    callback = Histograms(tmp_path)
    callback.set_model(model)
    callback.on_epoch_end(0)
    buckets = read(tmp_path / "train")["weights/embedding/embeddings"][0][1]
    table = model.get_layer("embedding").get_weights()[0]
    assert buckets[:, 2].sum() == 20 < table.size
    assert table.min() <= buckets[0, 0] < buckets[-1, 1] <= table.max()
