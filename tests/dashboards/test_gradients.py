"""Norms of gradients, compared with numbers worked out by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from textapp.dashboards import GradientNorms
from textapp.dashboards.gradients import probe_batch
from textapp.training.unfreezing import UnfreezingAdamW

from .events import read
from .models import attention_model, fit, token_ids_and_labels


def test_gradient_norm_of_a_dense_layer_by_hand(tmp_path):
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1, name="linear")])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    model.set_weights([np.array([[1.0], [2.0]]), np.array([0.5])])
    x, y = np.array([[1.0, 0.0], [0.0, 1.0], [2.0, -1.0]]), np.array([[1.0], [1.0], [1.5]])
    # Errors 0.5, 1.5, -1: d/dw of their mean square is 2/3 [0.5 - 2, 1.5 + 1], d/db 2/3 (0.5 + 1.5 - 1).
    model.fit(x, y, epochs=2, verbose=0, callbacks=[GradientNorms(tmp_path, (x, y), every=1)])
    points = read(tmp_path / "train")["gradient_norm/linear"]
    assert [step for step, _ in points] == [1, 2]
    assert [value for _, value in points] == pytest.approx([2 / 3 * np.sqrt(1.5**2 + 2.5**2 + 1)] * 2)


def test_gradient_norm_of_an_embedding_adds_up_repeated_words(tmp_path):
    token_ids = keras.Input((3,), dtype="int32")
    vectors = layers.Embedding(5, 2, name="embedding")(token_ids)
    model = keras.Model(token_ids, layers.Dense(1, use_bias=False, name="out")(layers.Flatten()(vectors)))
    model.compile("sgd", keras.losses.MeanSquaredError())
    x, y = np.array([[1, 1, 4], [1, 2, 2]], np.int32), np.array([[1.0], [-1.0]], np.float32)
    callback = GradientNorms(tmp_path, (x, y))
    callback.set_model(model)
    callback.on_train_begin()
    table, kernel = model.get_layer("embedding").get_weights()[0], model.get_layer("out").get_weights()[0]
    flat = table[x].reshape(2, 6)
    error = 2 / 2 * (flat @ kernel - y)
    table_gradient = np.zeros_like(table)
    np.add.at(table_gradient, x, (error @ kernel.T).reshape(2, 3, 2))
    expected = {"embedding": np.linalg.norm(table_gradient), "out": np.linalg.norm(flat.T @ error)}
    expected |= {"all_but_embeddings": expected["out"], "all_layers": np.hypot(*expected.values())}
    assert callback.norms() == pytest.approx(expected, rel=1e-5)


def test_the_gradient_norm_of_what_is_frozen_is_0(tmp_path):
    def points(**frozen) -> dict[str, list[float]]:
        model = attention_model()
        model.get_layer("embedding").trainable = frozen.pop("trainable", True)
        layer = ["embedding"] if model.get_layer("embedding").trainable else []
        model.compile(UnfreezingAdamW(1e-9, layer, **frozen), model.loss)
        folder = tmp_path / f"{frozen}{layer}"
        fit(model, [GradientNorms(folder, token_ids_and_labels(), every=1)], epochs=1)
        return {tag: [float(value) for _, value in points] for tag, points in read(folder / "train").items()}

    trained, held, never = points(), points(frozen_steps=3), points(trainable=False)
    assert min(trained["gradient_norm/embedding"]) > 0.01
    assert held["gradient_norm/embedding"] == pytest.approx(
        [0, 0, 0, *trained["gradient_norm/embedding"][3:]], rel=1e-3
    )
    assert never["gradient_norm/embedding"] == [0] * 5
    assert never["gradient_norm/all_layers"] == never["gradient_norm/all_but_embeddings"]
    assert never["gradient_norm/logits"] == pytest.approx(trained["gradient_norm/logits"], rel=1e-3)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_gradients_too_small_for_half_precision_have_a_norm(tmp_path, policy):
    def norms() -> dict[str, float]:
        model = attention_model()
        kernel, bias = model.get_layer("logits").get_weights()
        model.get_layer("logits").set_weights([kernel * 1e-6, bias])
        callback = GradientNorms(tmp_path, token_ids_and_labels())
        callback.set_model(model)
        callback.on_train_begin()
        return callback.norms()

    expected = norms()
    assert expected["embedding"] < np.finfo(np.float16).smallest_subnormal * 10
    keras.config.set_dtype_policy(policy)
    try:
        assert norms() == pytest.approx(expected, rel=0.05)
    finally:
        keras.config.set_dtype_policy("float32")


def test_every_must_be_positive(tmp_path):
    with pytest.raises(ValueError, match=r"`every` must be positive\. Received: every=0"):
        GradientNorms(tmp_path, (), every=0)


def test_the_probe_is_the_middle_batch_of_a_dataset():
    batches = tf.data.Dataset.from_tensor_slices((np.arange(12), np.arange(12) * 10)).batch(4)
    inputs, targets = probe_batch(batches, 3)
    assert (inputs.numpy().tolist(), targets.numpy().tolist()) == ([4, 5, 6], [40, 50, 60])
    inputs, targets = probe_batch([({"a": np.arange(2)}, np.arange(2), np.ones(2))], 3)
    assert inputs["a"].tolist() == targets.tolist() == [0, 1]
    with pytest.raises(ValueError, match="at least one batch"):
        probe_batch([], 3)
