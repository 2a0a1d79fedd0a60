"""A training that is interrupted anywhere ends with the numbers of one that is not."""

import functools
import json

import keras
import numpy as np
import pytest

from tests.training.killed import KillAt, Killed
from textapp.data.batches import TrainingBatches, evaluation_batches
from textapp.data.rows import EncodedRows
from textapp.data.stream import Scan, StreamedBatches
from textapp.errors import InputError
from textapp.layers import AttentionPooling
from textapp.text.token_encoder import TokenEncoder
from textapp.text.vocabulary import Vocabulary
from textapp.training import fit as training
from textapp.training.adversarial import with_adversary
from textapp.training.checkpoint import Checkpoint, _digest
from textapp.training.fit import fit
from textapp.training.optimizer import adamw

EPOCHS, BATCH = 4, 8


def examples(seed=0) -> EncodedRows:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 9, 60)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    token_ids = rng.integers(1, 30, offsets[-1]).astype("int32")
    labels = (token_ids[offsets[:-1]] % 2).astype("int32")
    table = {"token_ids": np.arange(30, dtype="int32")}
    return EncodedRows(token_ids, offsets, table, labels, False, np.arange(60))


def streamed(rows: EncodedRows) -> StreamedBatches:
    """The same rows as a file would give them."""
    vocabulary = Vocabulary(["[PAD]", "[UNK]", *(f"w{number}" for number in range(2, 30))])
    source = [
        ([f"w{id}" for id in rows.index[start:end]], ["even", "odd"][label])
        for start, end, label in zip(rows.offsets, rows.offsets[1:], rows.targets, strict=False)
    ]
    return StreamedBatches(
        source,
        Scan.read(source, 8),
        TokenEncoder(None, vocabulary),
        ["even", "odd"],
        per_token=False,
        max_tokens=8,
        batch_size=BATCH,
        widths=[4, 8],
        seed=5,
        buffer=16,
    )


def small_model() -> keras.Model:
    """No recurrent layer, whose tracing takes seconds, but dropout, whose random state must be restored too."""
    ids = keras.Input((None,), dtype="int32")
    embedded = keras.layers.Embedding(30, 8, mask_zero=True)(ids)
    context = AttentionPooling(4)(keras.layers.Dropout(0.3)(embedded))
    return keras.Model(ids, keras.layers.Dense(2)(context))


@functools.cache
def compiled_model(
    steps: int, size: float, learning_rate: float, cycles: int, frozen_steps: int, embedding_rate: float
):
    """A compiled model and the first values of its variables: TensorFlow traces it once for many trainings."""
    keras.utils.set_random_seed(3)
    model = with_adversary(small_model(), size)
    optimizer = adamw(
        model,
        EPOCHS * steps,
        learning_rate=learning_rate,
        warmup=0.1,
        weight_decay=0.01,
        clipnorm=1.0,
        cycles=cycles,
        frozen_steps=frozen_steps,
        embedding_rate=embedding_rate,
    )
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    optimizer.build(model.trainable_variables)
    return model, [np.array(variable) for variable in (*model.variables, *optimizer.variables)]


def train(
    path,
    monkeypatch,
    kill_at=None,
    every_seconds=0.0,
    patience=9,
    fingerprint="a",
    learning_rate=0.01,
    size=0,
    stream=False,
    monitor="val_accuracy",
    cycles=1,
    report=lambda line: None,
    frozen_steps=0,
    embedding_rate=1.0,
):
    """Trains anew, or goes on from `path`, as a new process would. Returns weights and history."""
    batches = streamed(examples()) if stream else TrainingBatches(examples(), BATCH, seed=5)
    model, values = compiled_model(batches.steps_per_epoch, size, learning_rate, cycles, frozen_steps, embedding_rate)
    for variable, value in zip((*model.variables, *model.optimizer.variables), values, strict=True):
        variable.assign(value)
    model.reset_metrics()
    monkeypatch.setattr("textapp.training.checkpoint.EVERY_SECONDS", every_seconds)
    history = fit(
        model,
        batches,
        evaluation_batches(examples(1), BATCH),
        epochs=EPOCHS,
        patience=patience,
        checkpoint=path,
        fingerprint=fingerprint,
        monitor=monitor,
        callbacks=[KillAt(kill_at)] if kill_at else [],
        cycles=cycles,
        report=report,
    )
    return model.get_weights(), history


def assert_same_weights(weights, expected):
    for value, other in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(value, other)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    with pytest.MonkeyPatch.context() as monkeypatch:
        return train(tmp_path_factory.mktemp("whole") / "checkpoint.npz", monkeypatch)


# 8 steps an epoch: at the last step of the first epoch, inside the second; inside the first, then twice more.
@pytest.mark.parametrize(("every_seconds", "kills"), [(0.0, [8]), (1e9, [13]), (0.0, [3, 9, 4])])
def test_ends_as_if_never_killed(uninterrupted, tmp_path, monkeypatch, every_seconds, kills):
    path = tmp_path / "Prüfpunkt.npz"
    for steps in kills:
        with pytest.raises(Killed):
            train(path, monkeypatch, kill_at=steps, every_seconds=every_seconds)
    weights, history = train(path, monkeypatch, every_seconds=every_seconds)
    assert history == uninterrupted[1]
    assert_same_weights(weights, uninterrupted[0])


@pytest.mark.parametrize(
    ("way", "kills"),
    [
        # Inside the two frozen epochs of 8 steps, at their last step, and behind.
        ({"frozen_steps": 16, "embedding_rate": 0.1}, (5, 11, 3)),
        ({"size": 0.1}, (11,)),
        ({"stream": True}, (3, 9, 4)),
    ],
    ids=["word vectors that move later", "adversarial", "streamed"],
)
def test_other_ways_end_as_if_never_killed(tmp_path, monkeypatch, way, kills):
    expected, expected_history = train(tmp_path / "whole.npz", monkeypatch, **way)
    for steps in kills:
        with pytest.raises(Killed):
            train(tmp_path / "Prüfpunkt.npz", monkeypatch, kill_at=steps, **way)
    weights, history = train(tmp_path / "Prüfpunkt.npz", monkeypatch, **way)
    assert history == expected_history
    assert_same_weights(weights, expected)


# 32 steps a cycle: inside the first, at its last step, at the first steps of the next one, inside the last.
@pytest.mark.parametrize(("every_seconds", "kills"), [(0.0, (20, 12, 1, 1, 50)), (1e9, (33, 40, 20))])
def test_cycles_end_as_if_never_killed(tmp_path, monkeypatch, every_seconds, kills):
    """Early stopping waits anew in each: with a patience of 3 it would end the second otherwise."""
    monkeypatch.setattr(training, "still_learns", lambda history, epochs: "it learns")
    way = {"cycles": 3, "patience": 3, "learning_rate": 0.003, "every_seconds": every_seconds}
    lines = []
    expected, expected_history = train(tmp_path / "whole.npz", monkeypatch, report=lines.append, **way)
    assert lines[:2] == [f"epoch {end}: it learns; {EPOCHS} more epochs" for end in (4, 8)]
    assert [line.partition(" ")[0] for line in lines[2:]] == ["best:"]
    assert len(expected_history) == 3 * EPOCHS
    for steps in kills:
        with pytest.raises(Killed):
            train(tmp_path / "Prüfpunkt.npz", monkeypatch, kill_at=steps, **way)
    weights, history = train(tmp_path / "Prüfpunkt.npz", monkeypatch, **way)
    assert history == expected_history
    assert_same_weights(weights, expected)


def test_a_training_that_learns_nothing_more_has_no_other_cycle(uninterrupted, tmp_path, monkeypatch):
    """And the first cycle is the training without cycles."""
    monkeypatch.setattr(training, "still_learns", lambda history, epochs: None)
    weights, history = train(tmp_path / "c.npz", monkeypatch, cycles=3)
    assert history == uninterrupted[1]
    assert_same_weights(weights, uninterrupted[0])


def test_a_finished_training_is_not_trained_again(uninterrupted, tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.npz"
    train(path, monkeypatch)
    weights, history = train(path, monkeypatch, kill_at=1)  # would raise at the first step
    assert len(history) == EPOCHS
    assert_same_weights(weights, uninterrupted[0])


def test_early_stopping_is_remembered(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.npz"
    _, history = train(path, monkeypatch, patience=1, learning_rate=1e-9)  # nothing improves after the first epoch
    assert len(history) == 2
    assert len(train(path, monkeypatch, patience=1, learning_rate=1e-9, kill_at=1)[1]) == 2


def test_weights_are_those_of_the_best_epoch(uninterrupted):
    weights, history = uninterrupted
    model = small_model()
    model.set_weights(weights)
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    scores = model.evaluate(evaluation_batches(examples(1), BATCH), verbose=0, return_dict=True)
    assert scores["accuracy"] == pytest.approx(max(epoch["val_accuracy"] for epoch in history))


def test_the_least_loss_chooses_the_epoch_where_it_is_asked_for(tmp_path, monkeypatch):
    """With a rate that soon makes the loss worse."""
    weights, history = train(tmp_path / "c.npz", monkeypatch, monitor="val_loss", patience=1, learning_rate=0.3)
    losses = [epoch["val_loss"] for epoch in history]
    assert len(losses) - 2 == np.argmin(losses) < EPOCHS - 1
    model = small_model()
    model.set_weights(weights)
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    assert model.evaluate(evaluation_batches(examples(1), BATCH), verbose=0) == pytest.approx(min(losses), rel=1e-5)


def test_other_data_or_settings_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.npz"
    with pytest.raises(Killed):
        train(path, monkeypatch, kill_at=9)
    with pytest.raises(InputError, match=r"checkpoint\.npz: data or settings have changed"):
        train(path, monkeypatch, fingerprint="b")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 truncated", "kein Prüfpunkt".encode()])
def test_a_broken_file_is_named(tmp_path, monkeypatch, content):
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"checkpoint\.npz: the archive is cut off, .*; use --force to restart$"):
        train(path, monkeypatch)


def test_a_divergence_is_said(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="training diverged"):
        train(tmp_path / "checkpoint.npz", monkeypatch, learning_rate=float("inf"))


def saved(path) -> Checkpoint:
    """Saves the checkpoint of a small model."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    model.compile("sgd", "mse")
    state = Checkpoint(path, TrainingBatches(examples(), BATCH, seed=5), None, "a")
    state.set_model(model)
    model.stop_training = False
    state.on_epoch_end(0, {"loss": 0.5})
    return state


def with_state(arrays, **changes):
    state = {**json.loads(str(arrays["state"])), **changes}
    return {**arrays, "state": np.array(json.dumps(state))}


@pytest.mark.parametrize(
    "damage",
    [
        lambda arrays: {**arrays, "variables_0": arrays["variables_0"] + 1},
        lambda arrays: {**arrays, "variables_0": arrays["variables_0"].T},
        lambda arrays: {**arrays, "variables_0": arrays["variables_0"].astype("float64")},
        lambda arrays: {name: array for name, array in arrays.items() if name != "variables_1"},
        lambda arrays: {**arrays, "variables_0": arrays["variables_1"], "variables_1": arrays["variables_0"]},
        lambda arrays: {**arrays, "best_0": np.zeros(3)},
        lambda arrays: with_state(arrays, history="loss"),
        lambda arrays: with_state(arrays, counts={}),
        lambda arrays: with_state(arrays, step=3),
        lambda arrays: {**arrays, "state": np.array("[" * 100_000)},
        lambda arrays: {**arrays, "state": np.zeros(3)},
        lambda arrays: {**arrays, "sha256": np.array("")},
    ],
)
def test_a_content_that_was_not_written_is_refused(tmp_path, damage):
    path = tmp_path / "checkpoint.npz"
    batches = saved(path).batches
    assert Checkpoint(path, batches, None, "a").epoch == 1
    with np.load(path) as content:
        np.savez(path, **damage(dict(content)))
    message = r"checkpoint\.npz: its content is not what was written; .*; use --force to restart$"
    with pytest.raises(InputError, match=message):
        Checkpoint(path, batches, None, "a")


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays: with_state(arrays, history=5),
        lambda arrays: with_state(arrays, history=["loss"]),
        lambda arrays: with_state(arrays, counts={"variables": 1, "metrics": 0}),
        lambda arrays: with_state(arrays, epoch="x"),
        lambda arrays: {**arrays, "state": np.array("[]")},
        lambda arrays: {**arrays, "state": np.array("[" * 100_000)},
        lambda arrays: {name: array for name, array in arrays.items() if name != "variables_1"},
    ],
)
def test_a_changed_content_with_a_hash_that_fits_is_refused(tmp_path, change):
    path = tmp_path / "checkpoint.npz"
    batches = saved(path).batches
    with np.load(path) as content:
        arrays = change(dict(content))
    del arrays["sha256"]
    groups = {name: array for name, array in arrays.items() if name != "state"}
    np.savez(path, sha256=np.array(_digest(str(arrays["state"]), groups)), **arrays)
    with pytest.raises(InputError, match=r"checkpoint\.npz: its content is not that of a checkpoint; .*--force"):
        Checkpoint(path, batches, None, "a")


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda file: np.savez(file, state=np.array("{}")), "has no hash, as a checkpoint of an earlier version"),
        (lambda file: np.savez(file, state=np.array([{}], object)), "holds Python objects, which are never loaded"),
        (lambda file: np.save(file, np.zeros(3)), "the archive is cut off, damaged"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path, write, message):
    path = tmp_path / "checkpoint.npz"
    with path.open("wb") as file:
        write(file)
    with pytest.raises(InputError, match=rf"checkpoint\.npz: .*{message}.*; .*use --force to restart$"):
        Checkpoint(path, None, None, "a")


def test_the_weights_of_another_model_are_refused(tmp_path):
    path = tmp_path / "checkpoint.npz"
    state = Checkpoint(path, saved(path).batches, None, "a")
    other = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4)])
    other.compile("sgd", "mse")
    state.set_model(other)
    with pytest.raises(InputError, match=r"checkpoint\.npz: holds the weights of another model; use --force"):
        state.on_train_begin()
