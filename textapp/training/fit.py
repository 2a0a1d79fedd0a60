"""Keras' `fit` with early stopping, the best weights kept, resumed where it was killed."""

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
        batches: What to train on.
        validation: What early stopping looks at.
        epochs: The most epochs.
        patience: Epochs without a higher `monitor` before training stops.
        checkpoint: File for the state; if it is there, training goes on from it.
        fingerprint: Identifies data and settings, see `Checkpoint`.
        callbacks: More Keras callbacks.
        monitor: What early stopping looks at: the name of a figure in an epoch's logs, the higher the better.
        scores: Callbacks that put figures of their own into an epoch's logs, before early stopping looks at them.

    Returns:
        The logs of each epoch, those of earlier, killed calls included.

    Raises:
        InputError: The checkpoint belongs to another training, the training diverged, or memory does not suffice.
    """
    stopping = keras.callbacks.EarlyStopping(monitor, mode="max", patience=patience)
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
        # The variables of optimizer and metrics: were they created by the first step, TensorFlow would trace it twice,
        # and a checkpoint could not set them.
        with model.distribute_strategy.scope():
            model.optimizer.build(model.trainable_variables)
        model.evaluate(validation.take(1), verbose=0)
        if state.step:  # killed inside an epoch: first its rest
            train(until=state.epoch + 1, steps=batches.steps_per_epoch - state.step)
        if not state.stopped and state.epoch < epochs:
            train(until=epochs, steps=batches.steps_per_epoch)
    except tf.errors.ResourceExhaustedError as error:
        raise InputError(
            "out of memory; a smaller batch_size, max_tokens, vocabulary_size, embedding_dim or units needs less"
        ) from error
    if not state.best_weights:
        wrong = next(name for name, value in state.history[0].items() if not math.isfinite(value)).replace("_", " ")
        raise InputError(f"training diverged: {wrong} was no number after the first epoch; lower learning_rate")
    model.set_weights(state.best_weights)
    return state.history
