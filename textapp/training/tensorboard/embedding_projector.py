"""Word vectors for TensorBoard's embedding projector."""

import os
from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from textapp.training.tensorboard.dashboard import Dashboard
from textapp.training.tensorboard.event_log import EventLog
from textapp.vectors.projector import write_projector


class EmbeddingProjector(Dashboard):
    """Writes the vectors of the first words of the vocabulary with their words (page "Projector").

    The files are written anew after every epoch; TensorBoard reads them once, so restart it to see later vectors.

    `keras.callbacks.TensorBoard(embeddings_freq=...)` (3.15) is not used here: it names a tensor that the weights
    file of Keras 3 does not have, so that the page stays empty (keras-team/keras issue 20210).

    Args:
        log: An `EventLog`, or the path of a folder.
        vocabulary: The words, in the order of the embedding's rows.
        layer: Name of the `Embedding` layer. By default the model's first.
        most_words: How many words to write. More make the page slow.
    """

    def __init__(
        self,
        log: EventLog | str | os.PathLike[str],
        vocabulary: Sequence[str],
        layer: str | None = None,
        most_words: int = 5000,
    ):
        super().__init__(log)
        self.vocabulary = tuple(vocabulary)
        self.layer = layer
        self.most_words = most_words

    def prepare(self) -> None:
        """Finds the embedding."""
        self._embedding = self._find()
        # A row for padding is never trained, and would be a lone point far from the others or amid them.
        first = 1 if self._embedding.mask_zero else 0
        self._rows = range(first, min(len(self.vocabulary), first + self.most_words))

    def write(self) -> None:
        """Writes words, vectors and what tells TensorBoard of them."""
        table = ops.convert_to_numpy(self._embedding.embeddings)[self._rows.start : self._rows.stop]
        if not np.isfinite(table).all():  # the page cannot place NaN: keep the last vectors that it can
            return
        columns = {"word": [self.vocabulary[row] for row in self._rows], "id": self._rows}
        write_projector(self.log.run_folder(self.run), table, columns, self._embedding.name)

    def _find(self) -> keras.layers.Embedding:
        found = [
            layer
            for layer in self.model.layers
            if isinstance(layer, keras.layers.Embedding) and self.layer in (None, layer.name)
        ]
        if not found:
            named = "" if self.layer is None else f" named {self.layer!r}"
            raise ValueError(f"the model has no `Embedding` layer{named}")
        if found[0].input_dim < len(self.vocabulary):
            raise ValueError(
                f"`vocabulary` must have at most the embedding's {found[0].input_dim} rows. "
                f"Received: {len(self.vocabulary)} words"
            )
        return found[0]
