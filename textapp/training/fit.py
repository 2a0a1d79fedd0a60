"""Keras' `fit` with early stopping and best weights, which resumes after a killed process."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import tensorflow as tf

from textapp.data.batches import TrainingBatches
from textapp.data.stream import StreamedBatches
from textapp.errors import InputError
from textapp.task import Report
from textapp.training.checkpoint import Checkpoint
from textapp.training.distributed import distributed, prepare_model
from textapp.training.progress import Progress, describe_end
from textapp.training.workers import LogsOfChief, file_from_chief, is_chief


def fit(
    model: keras.Model,
    batches: TrainingBatches | StreamedBatches,
    validation: tf.data.Dataset,
    *,
    epochs: int,
    patience: int,
    checkpoint: Path,
    fingerprint: str,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    monitor: str = "val_accuracy",
    scores: Sequence[keras.callbacks.Callback] = (),
    cycles: int = 1,
    report: Report = lambda _: None,
) -> list[dict[str, float]]:
    """Trains a compiled model and leaves it with the weights of its best epoch.

    Args:
        model: Compiled, with the metric `accuracy` unless another is monitored.
        batches: The training batches.
        validation: Batches of the validation split, for early stopping.
        epochs: The most epochs of a cycle.
        patience: Epochs without a better `monitor` before training stops.
        checkpoint: File for the state; if it exists, training resumes from it.
        fingerprint: Identifies data and settings, see `Checkpoint`.
        callbacks: More Keras callbacks.
        monitor: Name of the value in an epoch's logs that early stopping monitors; higher is better, except of
            `val_loss`.
        scores: Callbacks that add values to an epoch's logs; they run before early stopping.
        cycles: The most cycles. After each, `still_learns` decides about another one.
        report: Receives a line about each further cycle, and one about the best epoch and the end.

    Returns:
        The logs of each epoch, including those of earlier calls that were killed.

    Raises:
        InputError: The checkpoint belongs to another training, the training diverged, or there is not enough memory.
    """
    mode = "min" if monitor == "val_loss" else "max"
    stopping = keras.callbacks.EarlyStopping(monitor, mode=mode, patience=patience)
    strategy = model.distribute_strategy
    several = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
    file_from_chief(checkpoint, strategy)
    # All workers read the running metrics together, and their clocks differ: they save between epochs only.
    state = Checkpoint(checkpoint, batches, stopping, fingerprint, within_epochs=not several, writes=is_chief())
    for callback in callbacks:
        if isinstance(callback, Progress):
            callback.judge_by(monitor, state.history)
    prepare_model(model)
    train_batches, valid_batches = distributed(batches.dataset, strategy), distributed(validation, strategy)
    first_callbacks = [*scores, *([LogsOfChief()] if several else [])]

    def train(until: int, steps: int) -> None:
        model.fit(
            train_batches,
            validation_data=valid_batches,
            initial_epoch=state.epoch,
            epochs=until,
            steps_per_epoch=steps,
            callbacks=[*first_callbacks, stopping, state, *callbacks],
            shuffle=False,  # the batches are shuffled already
            verbose=0,
        )

    try:
        # Create the variables of optimizer and metrics now. If the first step created them, TensorFlow would trace it
        # twice, and a checkpoint could not set them.
        with strategy.scope():
            model.optimizer.build(model.trainable_variables)
        model.evaluate(distributed(validation.take(1), strategy), verbose=0)
        if state.step:  # killed within an epoch: first the rest of it
            train(until=state.epoch + 1, steps=batches.steps_per_epoch - state.step)
        for end in range(epochs, epochs * cycles + 1, epochs):
            if state.epoch < end and not state.stopped:
                train(until=end, steps=batches.steps_per_epoch)
            if state.stopped or end == epochs * cycles:
                break
            reason = still_learns(state.history[:end], epochs)
            if reason is None:
                break
            if state.epoch == end:  # otherwise the next cycle had begun when the training was killed
                state.begin_cycle()
                report(f"epoch {end}: {reason}; {epochs} more epochs")
    except tf.errors.ResourceExhaustedError as error:
        raise InputError(
            "out of memory; a smaller batch_size, max_tokens, vocabulary_size, embedding_dim or units needs less"
        ) from error
    if not state.best_weights:
        name = next(key for key, value in state.history[0].items() if not math.isfinite(value)).replace("_", " ")
        raise InputError(f"training diverged: {name} was not finite after the first epoch; lower learning_rate")
    report(describe_end(state.history, monitor, patience, state.stopped))
    model.set_weights(state.best_weights)
    return state.history


def still_learns(history: Sequence[Mapping[str, float]], epochs: int) -> str | None:
    """Why a training should go on after a cycle; None if it should not.

    A model that has begun to learn its training texts by heart has a lower loss on them than on others, although
    dropout makes the former higher. As long as it is not lower, a training ends too early. A further cycle must also
    have paid: the loss on validation texts at its end must be below that at the end of the cycle before.

    Args:
        history: The logs of each epoch, of whole cycles.
        epochs: The epochs of a cycle.
    """
    ends = history[epochs - 1 :: epochs]
    losses = [logs["val_loss"] for logs in ends]
    if not ends[-1]["loss"] >= losses[-1] or (len(losses) > 1 and not losses[-1] < losses[-2]):
        return None
    return f"the training loss {ends[-1]['loss']:.4f} is not below the validation loss {losses[-1]:.4f}"
