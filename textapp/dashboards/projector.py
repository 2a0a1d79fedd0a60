"""TensorBoard's embedding projector: its files, and the callback that writes them for an embedding."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from tensorboard.plugins import projector
from tensorboard.plugins.projector.metadata import PROJECTOR_FILENAME

from textapp.dashboards.log import Dashboard, EventLog
from textapp.errors import InputError
from textapp.files import read_bytes

FOLDER = "projector"
PROJECTOR_FILES = (PROJECTOR_FILENAME, f"{FOLDER}/words.tsv", f"{FOLDER}/vectors.tsv")
"""The files of the page in a log folder."""


class EmbeddingProjector(Dashboard):
    """Writes the vectors of the first words of the vocabulary (page "Projector").

    The files are replaced after every epoch. TensorBoard reads them once, so restart it to see later vectors.

    `keras.callbacks.TensorBoard(embeddings_freq=...)` (3.15) is not used here: it names a tensor that the weights file
    of Keras 3 does not have, so the page stays empty (keras-team/keras issue 20210).

    Args:
        log: An `EventLog`, or the path of a folder.
        vocabulary: The words, in the order of the embedding's rows.
        layer: Name of the `Embedding` layer. By default the model's first.
        most_words: Number of words to write. The page is slow with more.
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
        # The padding row is never trained, so it is left out.
        first = 1 if self._embedding.mask_zero else 0
        self._rows = range(first, min(len(self.vocabulary), first + self.most_words))

    def write(self) -> None:
        """Writes the words, the vectors, and the configuration of the page."""
        table = ops.convert_to_numpy(self._embedding.embeddings)[self._rows.start : self._rows.stop]
        if not np.isfinite(table).all():  # the page cannot show NaN: keep the last finite vectors
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


def write_projector(
    log_folder: str | os.PathLike[str], vectors: np.ndarray, columns: Mapping[str, Sequence[object]], title: str
) -> None:
    """Writes vectors to a TensorBoard log folder, which may be remote (page "Projector").

    Args:
        log_folder: Folder that `tensorboard --logdir` reads; it is made if it does not exist.
        vectors: Finite float `(N, E)`.
        columns: The columns that the page shows: name -> N values, one for each point. The first column is the label.
            There must be two or more; with only one, the page reads the header as a word.
        title: The name of the vectors on the page; their number follows it there.

    Raises:
        InputError: A file cannot be written.
    """
    folder = f"{os.fspath(log_folder)}/{FOLDER}"
    rows = ("\t".join(printable(str(value)) for value in row) for row in zip(*columns.values(), strict=True))
    config = projector.ProjectorConfig()
    config.embeddings.add(
        tensor_name=f"{title} ({len(vectors):,} words)",
        tensor_path=f"{FOLDER}/vectors.tsv",
        metadata_path=f"{FOLDER}/words.tsv",
    )
    try:
        tf.io.gfile.makedirs(folder)
        projector.visualize_embeddings(os.fspath(log_folder), config)  # first: it marks the files as those of textapp
        _write_lines(f"{folder}/words.tsv", ["\t".join(columns), *rows])
        _write_lines(f"{folder}/vectors.tsv", ("\t".join(f"{x:.5g}" for x in row.tolist()) for row in vectors))
    except tf.errors.OpError as error:
        reason = error.message.splitlines()[0].rpartition("; ")[2]
        raise InputError(f"{folder}: the projector's files cannot be written here: {reason}") from error


def check_projector(log_folder: Path, overwrite: bool) -> None:
    """Raises `InputError` if a log folder has a projector that may not be replaced.

    Args:
        log_folder: A local folder.
        overwrite: Whether a projector that `write_projector` wrote may be replaced.
    """
    existing = [log_folder / name for name in PROJECTOR_FILES if os.path.lexists(log_folder / name)]
    if existing and not overwrite:
        raise InputError(f"{log_folder}: has a projector; use --force to replace it, or another --out")
    if existing and not _is_ours(log_folder / PROJECTOR_FILENAME):
        raise InputError(f"{existing[0]}: is not of a projector of textapp; move it away, or choose another --out")


def _is_ours(path: Path) -> bool:
    """Whether a file is a projector's configuration as `write_projector` writes it."""
    if not path.is_file():
        return False
    text = read_bytes(path)
    names = (f'tensor_path: "{FOLDER}/vectors.tsv"', f'metadata_path: "{FOLDER}/words.tsv"')
    return text.count(b"embeddings {") == 1 and all(name.encode() in text for name in names)


def printable(word: str) -> str:
    r"""Returns a word for one cell of the page: control characters such as tabs become escapes (`\t`)."""
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in word)
    return text if text.strip() else f"'{text}'"


def _write_lines(path: str, lines: Iterable[str]) -> None:
    """Writes a file, completely or not at all."""
    with tf.io.gfile.GFile(f"{path}.new", "w") as file:
        for line in lines:
            file.write(f"{line}\n")
    tf.io.gfile.rename(f"{path}.new", path, overwrite=True)
