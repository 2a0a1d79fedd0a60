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
from textapp.data.rows import EncodedRows
from textapp.errors import InputError
from textapp.files import read_bytes

FOLDER = "projector"
PROJECTOR_FILES = (PROJECTOR_FILENAME, f"{FOLDER}/words.tsv", f"{FOLDER}/vectors.tsv")
"""The files of the page in a log folder."""

_SMOOTHING, _LEANS = 5, 1.5  # see `word_columns`


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
        columns: More columns of the page, by which it can colour the words: name -> a value for each of the vocabulary.
            See `word_columns`.
    """

    def __init__(
        self,
        log: EventLog | str | os.PathLike[str],
        vocabulary: Sequence[str],
        layer: str | None = None,
        most_words: int = 5000,
        columns: Mapping[str, Sequence[object]] | None = None,
    ):
        super().__init__(log)
        self.vocabulary = tuple(vocabulary)
        self.layer = layer
        self.most_words = most_words
        self.columns = columns or {}

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
        columns: dict[str, Sequence[object]] = {
            "word": [self.vocabulary[row] for row in self._rows],
            "id": self._rows,
            **{name: values[self._rows.start : self._rows.stop] for name, values in self.columns.items()},
        }
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


def word_columns(
    token_ids: np.ndarray, targets: np.ndarray, names: Sequence[str], vocabulary_size: int
) -> dict[str, list[object]]:
    r"""How often each word occurs, and the label that it leans to, as columns for the page.

    A word leans to the label c with the highest lift $P(c | word) / P(c)$, where $P(c | word)$ is smoothed by 5
    occurrences of an average word. It leans to none if that lift is below 1.5.

    Args:
        token_ids: The id of each token of a training split, `(N,)`.
        targets: Which of the C labels the token, or its text, has: bool or 0 and 1 `(N, C)`, or the number of the label
            `(N,)`, -1 for none.
        names: The C labels.
        vocabulary_size: The number of words, V.

    Returns:
        `log10 count`, `count` and `leans to`, V values each. The page colours words by a gradient of the first, because
        few words have almost all occurrences.

    Example:
        >>> columns = word_columns(np.array([2] * 9 + [3] * 9), np.array([0] * 9 + [0, 1, 1] * 3), ["a", "b"], 4)
        >>> columns["count"], columns["leans to"]
        ([0, 0, 9, 9], ['-', '-', '-', 'b'])
    """
    kept = token_ids < vocabulary_size
    token_ids, targets = token_ids[kept], targets[kept]
    count = np.bincount(token_ids, minlength=vocabulary_size)
    of_label = np.stack(
        [
            np.bincount(token_ids, targets == label if targets.ndim == 1 else targets[:, label] > 0, vocabulary_size)
            for label in range(len(names))
        ],
        axis=1,
    )
    share = of_label.sum(axis=0) / max(1, len(token_ids))
    smoothed = (of_label + _SMOOTHING * share) / (count[:, None] + _SMOOTHING)
    lift = np.divide(smoothed, share, out=np.zeros_like(smoothed), where=share > 0)
    best = lift.argmax(axis=1)
    leans = [names[at] if lift[word, at] >= _LEANS else "-" for word, at in enumerate(best.tolist())]
    return {
        "log10 count": np.log10(np.maximum(count, 1)).round(2).tolist(),
        "count": count.tolist(),
        "leans to": leans,
    }


def row_columns(
    rows: EncodedRows | None, names: Sequence[str], vocabulary_size: int, places: Sequence[int] | None = None
) -> dict[str, list[object]]:
    """`word_columns` of training rows; none if no rows are in memory, or if their targets are those of a teacher.

    Args:
        rows: The rows.
        names: The labels.
        vocabulary_size: The number of words.
        places: For each target the place of its label in `names`, -1 for none; by default its own.
    """
    if rows is None or not np.issubdtype(rows.targets.dtype, np.integer):
        return {}
    targets = rows.targets if rows.per_token else np.repeat(rows.targets, rows.lengths, axis=0)
    if places is not None:
        targets = np.array([*places, -1])[targets]  # the last is for the number -1
    return word_columns(rows.token_ids(), targets, names, vocabulary_size)


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
