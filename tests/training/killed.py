"""A training that is killed after some steps."""

import keras


class Killed(Exception):
    """Stands for `kill -9`: nothing after it runs."""


class KillAt(keras.callbacks.Callback):
    """Raises after some steps; the checkpoint before it in the list has saved by then, or has not."""

    def __init__(self, steps: int):
        super().__init__()
        self.left = steps

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if not self.left:
            raise Killed
