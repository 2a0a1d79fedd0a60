"""What a person sees of a training."""

import io
from types import SimpleNamespace

import keras
import numpy as np
import tensorflow as tf

from textapp.training.progress import Progress


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def begun(stream, steps=None):
    progress = Progress(epochs=2, steps_per_epoch=4, tokens_per_epoch=1000, stream=stream)
    optimizer = None if steps is None else SimpleNamespace(iterations=steps)
    progress.set_model(SimpleNamespace(optimizer=optimizer))
    return progress


def run(stream):
    progress = begun(stream, steps=0)
    progress.on_epoch_begin(0)
    progress.on_train_batch_end(1, {"loss": 0.5})
    progress.on_test_begin()
    progress.on_epoch_end(0, {"loss": 0.25, "val_accuracy": 0.8125})
    return stream.getvalue()


def test_a_line_an_epoch_in_a_file():
    text = run(io.StringIO())
    assert text.startswith("epoch 1/2  loss 0.2500  val_accuracy 0.8125  ")
    assert text.endswith(" tokens/s\n")
    assert text.count("\n") == 1


def test_another_cycle_adds_its_epochs_to_the_total():
    stream = io.StringIO()
    progress = begun(stream, steps=0)
    for epoch in range(3):
        progress.on_epoch_begin(epoch)
        progress.on_train_batch_end(0)
        progress.on_epoch_end(epoch, {})
    assert [line.split()[1] for line in stream.getvalue().splitlines()] == ["1/2", "2/2", "3/4"]


def test_a_moving_line_on_a_terminal():
    text = run(Terminal())
    assert "\r\x1b[2Kepoch 1/2   50%  loss 0.5000" in text
    assert " s left" in text


def test_a_training_that_goes_on_says_so_once():
    stream = io.StringIO()
    progress = begun(stream, steps=3)
    progress.on_epoch_begin(0)
    progress.on_epoch_begin(1)
    assert stream.getvalue() == "resuming at epoch 1 of 2\n"
    begun(stream).on_epoch_begin(0)  # as word vectors have no optimizer
    begun(stream).on_epoch_begin(1)
    assert stream.getvalue() == "resuming at epoch 1 of 2\nresuming at epoch 2 of 2\n"


def test_a_resumed_epoch_continues_where_it_was(monkeypatch):
    stream, clock = Terminal(), iter([100.0, 103.0, 104.0, 104.0])
    monkeypatch.setattr("textapp.training.progress.time.monotonic", lambda: next(clock))
    progress = begun(stream, steps=1)
    progress.set_params({"epochs": 1, "steps": 3})  # Keras says how many are left: 3 of 4
    progress.on_epoch_begin(0)
    progress.on_train_batch_end(0, {"loss": 0.5})
    assert "epoch 1/2   50%  loss 0.5000  6 s left" in stream.getvalue()  # 3 s a step, 2 steps
    progress.on_test_begin()
    progress.on_epoch_end(0, {"loss": 0.25})
    assert "4.0 s, 62 tokens/s" in stream.getvalue()  # 250 tokens a step, 1 of which ran


def test_keras_says_how_many_steps_are_left():
    """Of a real `fit` of the last 2 of 4 steps."""
    stream = Terminal()
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    ones = tf.data.Dataset.from_tensors((np.ones((1, 1)), np.ones((1, 1)))).repeat()
    callback = Progress(epochs=1, steps_per_epoch=4, tokens_per_epoch=8, stream=stream)
    model.fit(ones, epochs=1, steps_per_epoch=2, callbacks=[callback], verbose=0)
    assert "epoch 1/1   75%  " in stream.getvalue()
