"""Keras' `fit` with early stopping and best weights, which resumes after a killed process."""

import math
from collections.abc import Sequence
from pathlib import Path

import keras
import tensorflow as tf

from textapp.data.batches import TrainingBatches
from textapp.data.stream import StreamedBatches
from textapp.errors import InputError
from textapp.training.checkpoint import Checkpoint


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
) -> list[dict[str, float]]:
    """Trains a compiled model and leaves it with the weights of its best epoch.

    Args:
        model: Compiled, with the metric `accuracy` unless another is monitored.
        batches: The training batches.
        validation: Batches of the validation split, for early stopping.
        epochs: The most epochs.
        patience: Epochs without a better `monitor` before training stops.
        checkpoint: File for the state; if it exists, training resumes from it.
        fingerprint: Identifies data and settings, see `Checkpoint`.
        callbacks: More Keras callbacks.
        monitor: Name of the value in an epoch's logs that early stopping monitors; higher is better, except of
            `val_loss`.
        scores: Callbacks that add values to an epoch's logs; they run before early stopping.

    Returns:
        The logs of each epoch, including those of earlier calls that were killed.

    Raises:
        InputError: The checkpoint belongs to another training, the training diverged, or there is not enough memory.
    """
    mode = "min" if monitor == "val_loss" else "max"
    stopping = keras.callbacks.EarlyStopping(monitor, mode=mode, patience=patience)
    state = Checkpoint(checkpoint, batches, stopping, fingerprint)

    def train(until: int, steps: int) -> None:
        model.fit(
            batches.dataset,
            validation_data=validation,
            initial_epoch=state.epoch,
            epochs=until,
            steps_per_epoch=steps,
            callbacks=[*scores, stopping, state, *callbacks],
            shuffle=False,  # the batches are shuffled already
            verbose=0,
        )

    try:
        # Create the variables of optimizer and metrics now. If the first step created them, TensorFlow would trace it
        # twice, and a checkpoint could not set them.
        with model.distribute_strategy.scope():
            model.optimizer.build(model.trainable_variables)
        model.evaluate(validation.take(1), verbose=0)
        if state.step:  # killed within an epoch: first the rest of it
            train(until=state.epoch + 1, steps=batches.steps_per_epoch - state.step)
        if not state.stopped and state.epoch < epochs:
            train(until=epochs, steps=batches.steps_per_epoch)
    except tf.errors.ResourceExhaustedError as error:
        raise InputError(
            "out of memory; a smaller batch_size, max_tokens, vocabulary_size, embedding_dim or units needs less"
        ) from error
    if not state.best_weights:
        name = next(key for key, value in state.history[0].items() if not math.isfinite(value)).replace("_", " ")
        raise InputError(f"training diverged: {name} was not finite after the first epoch; lower learning_rate")
    model.set_weights(state.best_weights)
    return state.history
