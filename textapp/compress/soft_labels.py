"""Soft labels: what teachers say of texts, as class probabilities on disk.

A file holds a JSON object a line, `{"text": "...", "probs": {"negative": 0.03, "positive": 0.97}}`, and may be gzipped.
So any model can teach, also one that textapp cannot run: let it write such a file.
"""

import gzip
import hashlib
import itertools
import json
import math
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np

from textapp.data.lines import read_lines
from textapp.data.readers import clean_text
from textapp.errors import InputError
from textapp.files import named_errors, replacing
from textapp.text.characters import replace_surrogates

CHUNK = 4096  # texts that a teacher is asked about at once, and that a killed run loses at most
TOLERANCE = 1e-3  # of a sum of probabilities
DIGITS = 7  # of a probability on disk, all that float32 has


class Teacher(Protocol):
    """What a student can learn from."""

    @property
    def name(self) -> str:
        """Its path, for messages and `metrics.json`."""

    @property
    def labels(self) -> Sequence[str]:
        """The classes, in the order of the probabilities."""

    @property
    def parameters(self) -> int | None:
        """Number of weights; None where it is not known."""

    @property
    def sha256(self) -> str:
        """Identifies all that its answers depend on, hexadecimal."""

    def __contains__(self, text: object) -> bool:
        """Whether it has an answer for a text."""

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """Class probabilities of texts that it contains, float `(N, C)`."""


class SoftLabels:
    """The soft labels of a file in memory; a teacher for the texts that stand in it.

    Texts are known by their words: white space does not tell them apart. Of a text that stands there twice the first
    line counts.

    Args:
        name: Path of the file.
        labels: The classes.
        rows: Row of each text's key, see `key_of`.
        probs: float32 `(N, C)`.
        sha256: Of the file, hexadecimal.
    """

    parameters = None

    def __init__(self, name: str, labels: Sequence[str], rows: dict[bytes, int], probs: np.ndarray, sha256: str):
        self.name, self.labels, self.probs, self.sha256 = name, tuple(labels), probs, sha256
        self._rows = rows

    @classmethod
    def read(cls, path: str | os.PathLike[str], labels: Sequence[str] | None = None) -> "SoftLabels":
        """Reads a file of soft labels.

        Args:
            path: The file.
            labels: The classes that each line must have; by default those of the first line, sorted.

        Raises:
            InputError: A line breaks a rule; the message names it.
        """
        rows: dict[bytes, int] = {}
        probs: list[list[float]] = []
        for text, values in _parsed(path, labels):
            labels = sorted(values) if labels is None else labels
            if rows.setdefault(key_of(text), len(probs)) == len(probs):
                probs.append([values[label] for label in labels])
        if labels is None or not probs:
            raise InputError(f"{path}: no soft label in it")
        table = np.asarray(probs)
        with named_errors(path), Path(path).open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return cls(os.fspath(path), labels, rows, (table / table.sum(axis=1, keepdims=True)).astype(np.float32), sha256)

    def __len__(self) -> int:
        return len(self.probs)

    def __contains__(self, text: object) -> bool:
        return isinstance(text, str) and key_of(text) in self._rows

    def rows(self, keys: Iterable[bytes]) -> np.ndarray:
        """The row of each key in `probs`, int64 `(N,)`; -1 for one that is not there."""
        return np.fromiter((self._rows.get(key, -1) for key in keys), np.int64)

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """Class probabilities of texts that stand in the file, float32 `(N, C)`."""
        return self.probs[[self._rows[key_of(text)] for text in texts]]

    def texts(self) -> Iterator[str]:
        """The texts, read anew from the file."""
        for text, _ in _parsed(self.name, self.labels):
            yield text


def key_of(text: str) -> bytes:
    """Sixteen bytes that stand for a text, whatever its white space."""
    words = " ".join(clean_text(replace_surrogates(text)).split())
    return hashlib.blake2b(words.encode("utf-8"), digest_size=16).digest()


def mean_probabilities(teachers: Sequence[Teacher], texts: Sequence[str], labels: Sequence[str]) -> np.ndarray:
    """What several teachers say together: the mean of their probabilities, float64 `(N, C)`.

    Hinton et al. name the arithmetic and the geometric mean (of probabilities, or of logits). The arithmetic one is
    the mixture of the models as Lakshminarayanan et al. form it, which is better calibrated than its members: where
    they disagree it says so, while in a mean of logits one that is too sure of itself outvotes the others. It also asks
    of a teacher no more than a file of soft labels holds.

    Args:
        teachers: One or more, of the same classes in any order.
        texts: Texts that all of them have an answer for.
        labels: The order of the columns.

    Reference:
        Hinton et al. 2015, Distilling the Knowledge in a Neural Network; Lakshminarayanan et al. 2017, Deep Ensembles.
    """
    return mean_of([(teacher.labels, teacher.probabilities(texts)) for teacher in teachers], labels)


def mean_of(tables: Sequence[tuple[Sequence[str], np.ndarray]], labels: Sequence[str]) -> np.ndarray:
    """The mean, float64 `(N, C)`, of tables of probabilities `(N, C)`, each with the order of its own columns."""
    total = np.zeros((len(tables[0][1]), len(labels)))
    for names, probs in tables:
        columns = [list(names).index(label) for label in labels]
        total += np.asarray(probs, np.float64)[:, columns]
    return total / len(tables)


def write_soft_labels(
    path: Path,
    part: Path,
    texts: Iterable[str],
    probabilities: Callable[[list[str]], np.ndarray],
    labels: Sequence[str],
    report: Callable[[int], None],
) -> None:
    """Asks for the soft labels of texts and writes them, going on where a killed call stopped.

    Args:
        path: The file, gzipped; there once it is whole.
        part: Where the lines gather until then.
        texts: The texts, the same in the same order at each call. Those that `part` has are not asked about again.
        probabilities: Gives the probabilities of up to `CHUNK` texts, `(N, C)`; always the same texts together.
        labels: The classes.
        report: Is given the number of texts that are done, after each chunk.

    Raises:
        InputError: `part` is of other texts, or a file cannot be written.
    """
    texts = iter(texts)
    with named_errors(part):
        part.parent.mkdir(parents=True, exist_ok=True)
        with part.open("a+b") as file:
            done = _resumed(file, texts, part)
            while chunk := list(itertools.islice(texts, CHUNK)):
                rows = probabilities(chunk).tolist()
                file.writelines(_line(text, row, labels) for text, row in zip(chunk, rows, strict=True))
                file.flush()
                os.fsync(file.fileno())
                done += len(chunk)
                report(done)
        with (
            replacing(path) as temporary,
            part.open("rb") as lines,
            temporary.open("wb") as target,
            gzip.GzipFile("", "wb", fileobj=target, mtime=0) as packed,  # without a time: the same bytes each time
        ):
            shutil.copyfileobj(lines, packed)
        part.unlink()


def _resumed(file: IO[bytes], texts: Iterator[str], part: Path) -> int:
    """Finds where a killed call stopped, and cuts off the chunk that it was writing.

    Only whole chunks are kept: a teacher asked about fewer texts at once may answer otherwise in the last digits.

    Returns:
        How many texts are done; so many are taken from `texts`.
    """
    file.seek(0)
    done = 0
    while True:
        start = file.tell()
        lines = list(itertools.islice(file, CHUNK))
        if len(lines) < CHUNK or not lines[-1].endswith(b"\n"):
            file.truncate(start)
            return done
        for number, (line, text) in enumerate(itertools.zip_longest(lines, itertools.islice(texts, CHUNK)), done + 1):
            known, _ = _parse(line.decode("utf-8", "replace"), f"{part}:{number}", None)
            if text is None or key_of(known) != key_of(text):
                raise InputError(
                    f"{part}:{number}: another text than the transfer set has there; its files have changed since: "
                    "go back to them, or use --force"
                )
        done += CHUNK


def _line(text: str, probs: Sequence[float], labels: Sequence[str]) -> bytes:
    """A text and its probabilities as a line of JSON."""
    rounded = {label: float(f"{prob:.{DIGITS}g}") for label, prob in zip(labels, probs, strict=True)}
    return (json.dumps({"text": replace_surrogates(text), "probs": rounded}, ensure_ascii=False) + "\n").encode("utf-8")


def _parsed(path: str | os.PathLike[str], labels: Sequence[str] | None) -> Iterator[tuple[str, dict[str, float]]]:
    """Yields text and probabilities of each line; blank lines are skipped."""
    for number, line in enumerate(read_lines(path), start=1):
        if line.strip():
            text, probs = _parse(line, f"{path}:{number}", labels)
            labels = sorted(probs) if labels is None else labels
            yield text, probs


def _parse(line: str, place: str, labels: Sequence[str] | None) -> tuple[str, dict[str, float]]:
    """Reads a line. Raises `InputError` naming `place` where it breaks a rule."""
    try:
        row: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{place}: each line must be a JSON object: {error}") from error
    if not isinstance(row, dict) or not isinstance(row.get("text"), str) or not isinstance(row.get("probs"), dict):
        raise InputError(f'{place}: each line must read {{"text": "...", "probs": {{"LABEL": PROBABILITY, ...}}}}')
    probs: dict[str, Any] = row["probs"]
    if labels is not None and set(probs) != set(labels):
        raise InputError(f"{place}: the labels must be {', '.join(labels)}. Received: {', '.join(probs) or 'none'}")
    for label, prob in probs.items():
        if type(prob) not in (int, float) or not 0 <= prob <= 1:
            raise InputError(f"{place}: a probability must be from 0 to 1. Received: {json.dumps(prob)} for {label}")
    total = math.fsum(probs.values())
    if abs(total - 1) > TOLERANCE:
        raise InputError(f"{place}: the probabilities must sum to 1, within {TOLERANCE:g}. Received: {total:.6g}")
    return clean_text(replace_surrogates(row["text"])), probs
