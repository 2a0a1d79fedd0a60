"""What a person sees of a training."""

import io
import math
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from textapp.training.progress import Meter, Progress, describe_end

LOGS = {"accuracy": 0.5, "loss": 0.6906, "val_accuracy": 0.5625, "val_loss": 0.6794, "val_macro_f1": 0.25, "val_ece": 0}


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch):
    """A terminal of 80 columns whose clock stands at 100 s, without colours."""
    for name, value in {"TERM": "xterm", "NO_COLOR": "1", "FORCE_COLOR": "", "COLUMNS": "80"}.items():
        monkeypatch.setenv(name, value)
    return lambda name, value: monkeypatch.setenv(name, value)


def begun(stream, steps=None, epochs=2):
    progress = Progress(epochs=epochs, steps_per_epoch=4, tokens_per_epoch=1000, stream=stream)
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


def epochs(stream, monkeypatch, *logs, monitor="val_accuracy"):
    """The lines of a training of these epochs, 2 s each."""
    progress = begun(stream, steps=0, epochs=len(logs))
    progress.judge_by(monitor, [])
    for epoch, one in enumerate(logs):
        clock = iter([0.0, 1.0, 2.0])
        monkeypatch.setattr("textapp.training.progress.time.monotonic", lambda clock=clock: next(clock))
        progress.on_epoch_begin(epoch)
        progress.on_train_batch_end(3, one)
        progress.on_test_begin()
        monkeypatch.setattr("textapp.training.progress.time.monotonic", lambda: 9.0)
        progress.on_epoch_end(epoch, one)
    return [line.rpartition("\x1b[2K")[2] for line in stream.getvalue().split("\n")[:-1]]


def test_a_line_an_epoch_in_a_file():
    text = run(io.StringIO())
    assert text.startswith("epoch 1/2  loss 0.2500  val_accuracy 0.8125  ")
    assert text.endswith(" tokens/s\n")
    assert text.count("\n") == 1


def test_the_best_epochs_so_far_are_marked_in_a_file(monkeypatch):
    rows = [{"val_accuracy": value} for value in (0.5, 0.75, 0.75, 0.875)]
    assert epochs(io.StringIO(), monkeypatch, *rows) == [
        "epoch 1/4  val_accuracy 0.5000  2.0 s, 500 tokens/s  best so far",
        "epoch 2/4  val_accuracy 0.7500  2.0 s, 500 tokens/s  best so far",
        "epoch 3/4  val_accuracy 0.7500  2.0 s, 500 tokens/s",
        "epoch 4/4  val_accuracy 0.8750  2.0 s, 500 tokens/s  best so far",
    ]


def test_a_table_of_epochs_on_a_terminal(monkeypatch):
    better, worse = {**LOGS, "loss": 12.5, "val_accuracy": 0.75}, {**LOGS, "val_accuracy": 0.5}
    assert epochs(Terminal(), monkeypatch, LOGS, better, worse) == [
        "",
        "                training                            validation",
        "epoch     loss  accuracy     loss  accuracy  macro F1      ECE     time  best",
        "  1/3   0.6906    0.5000   0.6794    0.5625    0.2500   0.0000    2.0 s     *",
        "  2/3  12.5000    0.5000   0.6794    0.7500    0.2500   0.0000    2.0 s     *",
        "  3/3   0.6906    0.5000   0.6794    0.5000    0.2500   0.0000    2.0 s",
    ]


@pytest.mark.parametrize(
    ("columns", "header"),
    [
        (120, "epoch     loss  accuracy     loss  accuracy  macro F1      ECE     time  tokens/s  best"),
        (70, "epoch     loss  accuracy     loss  accuracy  macro F1     time  best"),
        (60, "epoch     loss  accuracy     loss  accuracy     time  best"),
        (50, "epoch     loss     loss  accuracy     time  best"),
        (24, "epoch  accuracy     time  best"),
    ],
)
def test_a_narrow_terminal_has_fewer_columns(monkeypatch, plain_terminal, columns, header):
    plain_terminal("COLUMNS", str(columns))
    lines = epochs(Terminal(), monkeypatch, LOGS)
    assert lines[-2] == header
    assert columns == 24 or max(map(len, lines)) <= columns


def test_a_training_without_validation_has_a_table_of_its_loss(monkeypatch):
    assert epochs(Terminal(), monkeypatch, {"loss": 2.5}, monitor=None) == [
        "",
        "epoch     loss     time  tokens/s",
        "  1/1   2.5000    2.0 s       500",
    ]


def test_the_monitored_score_has_colour(monkeypatch, plain_terminal):
    plain_terminal("NO_COLOR", "")
    lines = epochs(Terminal(), monkeypatch, {"val_accuracy": 0.5}, {"val_accuracy": 0.25})
    assert lines[2:] == [
        "\x1b[1mepoch  accuracy     time  tokens/s  best\x1b[0m",
        "  1/2  \x1b[38;5;28;1m  0.5000\x1b[0m    2.0 s       500  \x1b[1;38;5;28m   *\x1b[0m",
        "  2/2  \x1b[1m  0.2500\x1b[0m    2.0 s       500",
    ]


def test_a_terminal_that_cannot_move_has_a_line_an_epoch(plain_terminal):
    plain_terminal("TERM", "dumb")
    text = run(Terminal())
    assert text.startswith("epoch 1/2  loss 0.2500  val_accuracy 0.8125  ")
    assert "\x1b" not in text


def test_a_resumed_training_knows_the_best_epoch_before():
    stream = io.StringIO()
    progress = begun(stream, steps=4)
    progress.judge_by("val_loss", [{"val_loss": 0.5}])
    for epoch, loss in ((1, 0.625), (2, 0.25)):
        progress.on_epoch_begin(epoch)
        progress.on_epoch_end(epoch, {"val_loss": loss})
    assert [line.endswith("best so far") for line in stream.getvalue().splitlines()] == [False, False, True]


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
    assert f"\r\x1b[2Kepoch 1/2  {'━' * 10}{'╌' * 10}  50%  loss 0.5000\r" in text
    assert "100%  validation\r" in text


def test_a_training_that_goes_on_says_so_once():
    stream = io.StringIO()
    progress = begun(stream, steps=3)
    progress.on_epoch_begin(0)
    progress.on_epoch_begin(1)
    assert stream.getvalue() == "resuming at epoch 1 of 2\n"
    begun(stream).on_epoch_begin(0)  # as word vectors have no optimizer
    begun(stream).on_epoch_begin(1)
    assert stream.getvalue() == "resuming at epoch 1 of 2\nresuming at epoch 2 of 2\n"


def test_the_first_step_gives_no_estimate(monkeypatch):
    """It traces the model: here it takes 60 s, and each later one 2 s."""
    stream, clock = Terminal(), iter([100.0, 160.0, 162.0, 164.0])
    monkeypatch.setattr("textapp.training.progress.time.monotonic", lambda: next(clock))
    progress = begun(stream, steps=0)
    progress.on_epoch_begin(0)
    for step in range(3):
        progress.on_train_batch_end(step, {"loss": 0.5})
    lines = stream.getvalue().split("\r\x1b[2K")[1:]
    assert [line.partition("%")[2] for line in lines] == ["  loss 0.5000", "  loss 0.5000", "  loss 0.5000  2.0 s left"]


def test_a_resumed_epoch_continues_where_it_was(monkeypatch):
    stream, clock = Terminal(), iter([100.0, 103.0, 104.0, 104.0])
    monkeypatch.setattr("textapp.training.progress.time.monotonic", lambda: next(clock))
    progress = begun(stream, steps=1)
    progress.set_params({"epochs": 1, "steps": 3})  # Keras says how many are left: 3 of 4
    progress.on_epoch_begin(0)
    progress.on_train_batch_end(0, {"loss": 0.5})
    assert "  50%  loss 0.5000" in stream.getvalue()
    progress.on_test_begin()
    progress.on_epoch_end(0, {"loss": 0.25})
    assert stream.getvalue().endswith("  1/2   0.2500    4.0 s        62\n")  # 250 tokens a step, 1 of which ran


def test_keras_says_how_many_steps_are_left():
    """Of a real `fit` of the last 2 of 4 steps."""
    stream = Terminal()
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    ones = tf.data.Dataset.from_tensors((np.ones((1, 1)), np.ones((1, 1)))).repeat()
    callback = Progress(epochs=1, steps_per_epoch=4, tokens_per_epoch=8, stream=stream)
    model.fit(ones, epochs=1, steps_per_epoch=2, callbacks=[callback], verbose=0)
    assert "  75%  " in stream.getvalue()


@pytest.mark.parametrize(
    ("values", "stopped", "end"),
    [
        ([0.5, 0.75], False, "best: epoch 2 of 2, validation entity F1 0.7500; all epochs are done"),
        (
            [0.5, 0.75, 0.75, 0.25],
            True,
            "best: epoch 2 of 4, validation entity F1 0.7500; stopped because the 2 epochs after it were not better "
            "(patience=2)",
        ),
        ([0.5, 0.25], True, "best: epoch 1 of 2, validation entity F1 0.5000; stopped by a callback"),
        (
            [math.nan, 0.25, math.nan],
            True,
            "best: epoch 2 of 3, validation entity F1 0.2500; stopped because a value was not finite",
        ),
    ],
)
def test_a_training_says_why_it_ended(values, stopped, end):
    assert describe_end([{"val_entity_f1": value} for value in values], "val_entity_f1", 2, stopped) == end


def test_the_lowest_loss_is_the_best():
    history = [{"val_loss": value} for value in (0.5, 0.25, 0.75)]
    assert describe_end(history, "val_loss", 5, False).startswith("best: epoch 2 of 3, validation loss 0.2500;")


def metered(stream, monkeypatch, *calls):
    """What a meter prints that is called at these times, each with what is done of 100."""
    clock = iter([0.0, *(at for at, _ in calls)])
    monkeypatch.setattr("textapp.training.progress.time.monotonic", lambda: next(clock))
    meter = Meter("of the corpus read", stream)
    for _, done in calls:
        meter(done, 100)
    meter.close()
    return stream.getvalue()


def test_a_meter_has_an_estimate_of_what_is_left(monkeypatch):
    """The first 20 of 100 may have begun with a start of 9 s; the next 20 take 10 s."""
    text = metered(Terminal(), monkeypatch, (9.0, 20), (9.1, 21), (19.0, 40))
    assert text == f"\r\x1b[2K{'━' * 8}{'╌' * 12}   40% of the corpus read  30 s left\r\x1b[2K"


def test_a_meter_in_a_file_has_a_line_each_half_minute(monkeypatch):
    text = metered(io.StringIO(), monkeypatch, (0.0, 0), (29.0, 40), (31.0, 50), (40.0, 75), (62.0, 100))
    assert text == " 50% of the corpus read  31 s left\n100% of the corpus read  0.0 s left\n"


def test_lines_stand_above_the_line_of_a_meter():
    stream = Terminal()
    Meter("read", stream).above(lambda line: print(line, file=stream))("corpus: 好")
    assert stream.getvalue() == "\r\x1b[2Kcorpus: 好\n"


def test_a_meter_of_a_pipe_whose_size_is_not_known_prints_nothing(monkeypatch):
    assert metered(io.StringIO(), monkeypatch, (0.0, 0), (60.0, 101)) == ""
