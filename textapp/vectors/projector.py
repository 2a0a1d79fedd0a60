"""The files of TensorBoard's embedding projector: vectors, and what to show of each."""

import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import tensorflow as tf
from tensorboard.plugins import projector

from textapp.errors import InputError

FOLDER = "projector"


def write_projector(
    log_folder: str | os.PathLike[str], vectors: np.ndarray, columns: Mapping[str, Sequence[object]], title: str
) -> None:
    """Writes vectors to a TensorBoard log folder, which may be remote (page "Projector").

    Args:
        log_folder: Folder that `tensorboard --logdir` reads, made where it is not there.
        vectors: Finite float `(N, E)`.
        columns: What the page tells of each point: by the column's name, its N values. The first is the label.
            Two or more columns: of a single one, the page would take the header for a word.
        title: The name of the vectors on the page, beside their number.

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
        _write_lines(f"{folder}/words.tsv", ["\t".join(columns), *rows])
        _write_lines(f"{folder}/vectors.tsv", ("\t".join(f"{x:.5g}" for x in row.tolist()) for row in vectors))
        projector.visualize_embeddings(os.fspath(log_folder), config)
    except tf.errors.OpError as error:
        reason = error.message.splitlines()[0].rpartition("; ")[2]
        raise InputError(f"{folder}: the projector's files cannot be written here: {reason}") from error


def printable(word: str) -> str:
    r"""A word that shows as itself in one cell of the page: tabs, line ends and the like as escapes (`\t`)."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in word)
    return shown if shown.strip() else f"'{shown}'"


def _write_lines(path: str, lines: Iterable[str]) -> None:
    """Writes a file, whole or not at all."""
    with tf.io.gfile.GFile(f"{path}.new", "w") as file:
        for line in lines:
            file.write(f"{line}\n")
    tf.io.gfile.rename(f"{path}.new", path, overwrite=True)
