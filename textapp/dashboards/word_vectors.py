"""Writes a training of word vectors to TensorBoard: loss, learning rate, speed, neighbours, projector."""

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from textapp.dashboards.figures import escape_markdown
from textapp.dashboards.log import Dashboard, EventLog
from textapp.dashboards.projector import write_projector
from textapp.vectors.word_vectors import WordVectors

_DESCRIPTIONS = {
    "loss": "Loss per positive pair over the last words. Before training it is (1 + negatives) log 2.",
    "learning_rate": "Learning rate of row-wise Adagrad. It rises in the first hundredth, then falls linearly.",
    "words_per_second": "Words of the corpus per second, including those that subsampling leaves out.",
}


class VectorsDashboard(Dashboard):
    """Writes scalars `vectors/...` at each step, and after each epoch neighbours of some words and the projector.

    Args:
        log: An `EventLog`, or the path of a folder.
        words: The vocabulary, in the order of the rows.
        probes: Words whose neighbours are shown.
        words_per_step: Words of the corpus in a step of `fit`.
        most_words: Number of words in the projector.
    """

    def __init__(
        self,
        log: EventLog | str | os.PathLike[str],
        words: Sequence[str],
        probes: Sequence[str],
        words_per_step: float,
        most_words: int = 5000,
    ):
        super().__init__(log)
        self.words, self.probes = tuple(words), tuple(probes)
        self.words_per_step, self.most_words = words_per_step, most_words

    @property
    def step(self) -> int:
        """Steps of `fit` so far, including those of the processes that this one resumes."""
        return int(self.model.steps_done)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Starts the clock."""
        del epoch, logs
        self._at = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Writes the scalars."""
        del batch
        now = time.monotonic()
        scalars = {**(logs or {}), "words_per_second": self.words_per_step / (now - self._at)}
        self._at = now
        with self.log.writing(self.run, self.step):
            for name, value in scalars.items():
                tf.summary.scalar(f"vectors/{name}", value, description=_DESCRIPTIONS.get(name))

    def write(self) -> None:
        """Writes the neighbours and the projector's files."""
        table = self.model.vectors()
        if not np.isfinite(table).all():  # diverged: the training ends with an error
            return
        vectors = WordVectors(self.words, table)
        # The wide first column keeps the page from breaking words.
        page = [f"| word{'&nbsp;' * 20} | nearest words, by cosine |", "|---|---|"]
        for probe in self.probes:
            nearest = ", ".join(f"{escape_markdown(word)} {cosine:.2f}" for word, cosine in vectors.neighbors(probe))
            page.append(f"| {escape_markdown(probe)} | {nearest} |")
        tf.summary.text("vectors/neighbors", "\n".join(page))
        words = self.words[: self.most_words]
        columns = {"word": words, "id": range(len(words))}
        write_projector(self.log.run_folder(self.run), table[: len(words)], columns, "word vectors")
