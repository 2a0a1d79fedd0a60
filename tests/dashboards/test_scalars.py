"""The scalars of a training, read back with TensorBoard's own reader and compared with the history of `fit`."""

import keras
import numpy as np
import pytest
from keras import layers

from textapp.dashboards import BaselineScalars, Scalars

from .events import read
from .models import attention_model, fit


def steps(points) -> list[int]:
    return [step for step, _ in points]


def test_scalars_are_those_of_the_history(tmp_path):
    history = fit(attention_model(), [Scalars(tmp_path, every=2)], epochs=2)
    train, validation = read(tmp_path / "train"), read(tmp_path / "validation")
    assert set(train) == {"fit/loss", "fit/accuracy", "fit/learning_rate"}
    assert set(validation) == {"fit/loss", "fit/accuracy"}
    for name in ("loss", "accuracy"):
        points = train[f"fit/{name}"]
        assert steps(points) == [2, 4, 5, 7, 9, 10]
        assert [value for step, value in points if step in (5, 10)] == pytest.approx(history[name])
        assert steps(validation[f"fit/{name}"]) == [5, 10]
        assert [value for _, value in validation[f"fit/{name}"]] == pytest.approx(history[f"val_{name}"])
    for step, rate in train["fit/learning_rate"]:
        assert rate == pytest.approx(0.1 * 0.5**step)


def test_steps_skipped_by_steps_per_execution(tmp_path):
    model = attention_model()
    model.compile("sgd", model.loss, steps_per_execution=3)
    fit(model, [Scalars(tmp_path, every=2)], epochs=1)
    assert steps(read(tmp_path / "train")["fit/loss"]) == [3, 5]


def test_a_metric_with_a_value_for_each_class_has_a_line_for_each(tmp_path):
    model = keras.Sequential([keras.Input((2,)), layers.Dense(3, activation="softmax")])
    model.compile("sgd", "categorical_crossentropy", metrics=[keras.metrics.F1Score(name="f1")])
    model.fit(np.eye(2), np.eye(3)[:2], verbose=0, callbacks=[Scalars(tmp_path)])
    assert {"fit/f1/0", "fit/f1/1", "fit/f1/2"} <= set(read(tmp_path / "train"))


def test_a_resumed_training_goes_on_at_its_step(tmp_path):
    fit(model := attention_model(), [Scalars(tmp_path / "log", every=2)], epochs=1)
    model.save(tmp_path / "model.keras")
    resumed = keras.models.load_model(tmp_path / "model.keras")
    fit(resumed, [Scalars(tmp_path / "log", every=2)], initial_epoch=1, epochs=2)
    assert steps(read(tmp_path / "log" / "train")["fit/loss"]) == [2, 4, 5, 7, 9, 10]
    assert steps(read(tmp_path / "log" / "validation")["fit/loss"]) == [5, 10]


def test_a_baseline_is_a_level_line_in_the_chart_of_its_score(tmp_path):
    scores = {"accuracy": 0.75, "macro_f1": 0.5, "count": 40}
    fit(attention_model(), [Scalars(tmp_path, every=2), BaselineScalars(tmp_path, scores)], epochs=2)
    written = read(tmp_path / "baseline")
    assert written == {"fit/accuracy": [(5, 0.75), (10, 0.75)], "fit/macro_f1": [(5, 0.5), (10, 0.5)]}
    assert steps(written["fit/accuracy"]) == steps(read(tmp_path / "validation")["fit/accuracy"])


def test_every_must_be_positive(tmp_path):
    with pytest.raises(ValueError, match=r"`every` must be positive\. Received: every=0"):
        Scalars(tmp_path, every=0)
