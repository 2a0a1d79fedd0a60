"""Soft targets on disk: the probabilities that teachers give to each text, or to each token.

A file has one JSON object per line, and may be gzipped. For a task about texts:

    {"text": "...", "probs": {"negative": 0.03, "positive": 0.97}}

For a task about tokens, where a missing tag has the probability 0:

    {"tokens": ["Paris", "!"], "probs": [{"S-LOC": 0.98, "O": 0.02}, {"O": 1.0}]}

So any model can be a teacher, even if textapp cannot run it: write such a file with it.
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
from textapp.errors import InputError, excerpt, list_names, quoted
from textapp.files import digest, json_fault, named_errors, replacing
from textapp.task import Task
from textapp.text.characters import replace_surrogates

CHUNK = 4096  # items per call of a teacher; a killed run loses at most one chunk
TOLERANCE = 1e-3  # of a sum of probabilities
TEXT_DIGITS = 7  # digits of a probability on disk, the precision of float32
TOKEN_DIGITS = 5
SMALLEST = 1e-6  # smallest probability of a tag that is written


class Teacher(Protocol):
    """A model, or a file of its results, from which a student learns."""

    @property
    def name(self) -> str:
        """Its path, for messages and `metrics.json`."""

    @property
    def targets(self) -> Any:
        """Its targets, in the order of its probabilities."""

    @property
    def parameters(self) -> int | None:
        """Number of parameters; None if unknown."""

    @property
    def sha256(self) -> str:
        """Identifies everything that its probabilities depend on, hexadecimal."""

    def __contains__(self, item: object) -> bool:
        """Whether it has probabilities for an item."""

    def probabilities(self, items: Sequence[Any]) -> np.ndarray:
        """Probabilities of items that it contains: float `(N, C)`, or `(sum of lengths, C)` for tokens."""


class SoftTargets:
    """The soft targets of a file, in memory: a teacher for the items of the file.

    Items are found by their words, so white space does not matter. If the file has an item twice, the first line
    counts.

    Args:
        name: Path of the file.
        task: The task.
        targets: The targets of the columns of `probs`.
        places: First row and end row (exclusive) of each item in `probs`, by the item's key, see `key_of`.
        probs: float32 `(units, C)`.
    """

    parameters = None

    def __init__(
        self,
        name: str,
        task: Task[Any, Any, Any],
        targets: Any,
        places: dict[bytes, tuple[int, int]],
        probs: np.ndarray,
    ):
        self.name, self.task, self.targets, self.probs = name, task, targets, probs
        self._places = places

    @classmethod
    def read(cls, path: str | os.PathLike[str], task: Task[Any, Any, Any], targets: Any = None) -> "SoftTargets":
        """Reads a file of soft targets.

        Args:
            path: The file.
            task: The task.
            targets: The targets that the lines must have; by default those that they name.

        Raises:
            InputError: A line breaks a rule; the message names it.
        """
        lines = list(_parsed(path, task, None if targets is None else targets.names))
        if not lines:
            raise InputError(f"{path}: no soft target in the file")
        if targets is None:
            targets = task.targets_of_names({name for _, units in lines for unit in units for name in unit}, str(path))
        column = {name: number for number, name in enumerate(targets.names)}
        probs = np.zeros((sum(len(units) for _, units in lines), len(column)))
        places: dict[bytes, tuple[int, int]] = {}
        row = 0
        for item, units in lines:
            if key_of(task, item) in places:
                continue
            places[key_of(task, item)] = (row, row + len(units))
            for unit in units:
                for name, prob in unit.items():
                    probs[row, column[name]] = prob
                row += 1
        table = probs[:row]
        if task.exclusive:
            table = table / table.sum(axis=1, keepdims=True)
        return cls(os.fspath(path), task, targets, places, table.astype(np.float32))

    @property
    def sha256(self) -> str:
        """SHA-256 of the file, hexadecimal."""
        return digest(self.name)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, item: object) -> bool:
        return key_of(self.task, item) in self._places

    def probabilities(self, items: Sequence[Any]) -> np.ndarray:
        """Probabilities of items of the file, float32 `(units, C)`.

        Raises:
            InputError: The file has a different number of tokens for an item.
        """
        places = [self._places[key_of(self.task, item)] for item in items]
        for item, (start, end) in zip(items, places, strict=True):
            if end - start != units_of(self.task, item):
                raise InputError(
                    f"{self.name}: has {end - start} tokens of a text that has {units_of(self.task, item)}: "
                    f"{quoted(self.task.item_text(item))}; soft targets must be of the same tokens"
                )
        return np.concatenate([self.probs[start:end] for start, end in places]) if places else self.probs[:0]

    def items(self) -> Iterator[Any]:
        """Yields the items, read again from the file."""
        for item, _ in _parsed(self.name, self.task, self.targets.names):
            yield item


def key_of(task: Task[Any, Any, Any], item: Any) -> bytes:
    """Sixteen bytes that identify an item, without regard to white space."""
    words = " ".join(clean_text(replace_surrogates(task.item_text(item))).split())
    return hashlib.blake2b(words.encode("utf-8"), digest_size=16).digest()


def units_of(task: Task[Any, Any, Any], item: Any) -> int:
    """The number of units of an item, which is its number of rows of probabilities."""
    return len(item) if task.unit == "token" else 1


def all_have_answer(item: Any, teachers: Sequence[Teacher]) -> bool:
    """Whether every teacher has probabilities for an item."""
    return all(item in teacher for teacher in teachers)


def mean_probabilities(teachers: Sequence[Teacher], items: Sequence[Any], names: Sequence[str]) -> np.ndarray:
    """The mean of the probabilities of several teachers, float64 `(units, C)`.

    Hinton et al. name the arithmetic mean of probabilities and the geometric mean (of logits). The arithmetic mean is
    the mixture of the models, as in Lakshminarayanan et al., and better calibrated than its members: it is uncertain
    where they disagree, but in a mean of logits one overconfident model outvotes the others. It also needs only what a
    file of soft targets holds. The marginals of a mixture of models are the mean of the models' marginals.

    Args:
        teachers: One or more teachers with the same targets, in any order.
        items: Items for which all teachers have probabilities.
        names: The order of the columns.

    Reference:
        Hinton et al. 2015, Distilling the Knowledge in a Neural Network; Lakshminarayanan et al. 2017, Deep Ensembles.
    """
    total: Any = 0.0
    for teacher in teachers:
        known = list(teacher.targets.names)
        total = total + np.asarray(teacher.probabilities(items), np.float64)[:, [known.index(name) for name in names]]
    return np.asarray(total / len(teachers))


def write_soft_targets(
    path: Path,
    part: Path,
    task: Task[Any, Any, Any],
    items: Sequence[Any],
    probabilities: Callable[[list[Any]], np.ndarray],
    names: Sequence[str],
    report: Callable[[int], None],
) -> None:
    """Computes the soft targets of items and writes them. The same call resumes after a killed one.

    Args:
        path: The file, gzipped. It appears when it is complete.
        part: The file of finished lines until then.
        task: The task.
        items: The items, the same in the same order at each call. Items in `part` are not computed again.
        probabilities: Returns the probabilities of up to `CHUNK` items, `(units, C)`. It always gets the same chunks.
        names: The names of the columns.
        report: Receives the number of finished items, after each chunk.

    Raises:
        InputError: `part` has other items, or a file cannot be written.
    """
    with named_errors(part):
        part.parent.mkdir(parents=True, exist_ok=True)
        with part.open("a+b") as file:
            done = _resume(file, task, items, part)
            for start in range(done, len(items), CHUNK):
                chunk = list(items[start : start + CHUNK])
                rows = iter(probabilities(chunk).tolist())
                file.writelines(
                    _line(task, item, list(itertools.islice(rows, units_of(task, item))), names) for item in chunk
                )
                file.flush()
                os.fsync(file.fileno())
                report(start + len(chunk))
        with (
            replacing(path) as temporary,
            part.open("rb") as lines,
            temporary.open("wb") as target,
            gzip.GzipFile("", "wb", fileobj=target, mtime=0) as packed,  # without a time stamp: always the same bytes
        ):
            shutil.copyfileobj(lines, packed)
        part.unlink()


def _resume(file: IO[bytes], task: Task[Any, Any, Any], items: Sequence[Any], part: Path) -> int:
    """Finds where a killed call stopped, and removes its unfinished chunk. Returns the number of finished items.

    Only whole chunks are kept: with fewer items per call, a teacher's probabilities may differ in the last digits.
    """
    file.seek(0)
    done = 0
    while True:
        start = file.tell()
        lines = list(itertools.islice(file, CHUNK))
        if len(lines) < CHUNK or not lines[-1].endswith(b"\n"):
            file.truncate(start)
            return done
        for number, line in enumerate(lines, done):
            known, _ = parse_line(line.decode("utf-8", "replace"), task, f"{part}:{number + 1}", None)
            if number >= len(items) or key_of(task, known) != key_of(task, items[number]):
                raise InputError(
                    f"{part}:{number + 1}: not the text of the transfer set; its files have changed since: "
                    "restore them, or use --force"
                )
        done += CHUNK


def _line(task: Task[Any, Any, Any], item: Any, rows: list[list[float]], names: Sequence[str]) -> bytes:
    """A line of JSON with an item and its probabilities."""
    if task.unit == "text":
        probs: Any = {name: float(f"{prob:.{TEXT_DIGITS}g}") for name, prob in zip(names, rows[0], strict=True)}
    else:
        probs = [
            {name: float(f"{p:.{TOKEN_DIGITS}g}") for name, p in zip(names, row, strict=True) if p >= SMALLEST}
            for row in rows
        ]
    line = json.dumps({**task.item_to_json(item), "probs": probs}, ensure_ascii=False)
    return f"{line}\n".encode()


def _parsed(
    path: str | os.PathLike[str], task: Task[Any, Any, Any], names: Sequence[str] | None
) -> Iterator[tuple[Any, list[dict[str, float]]]]:
    """Yields item and probabilities of each line, without blank lines."""
    for number, line in enumerate(read_lines(path), start=1):
        if line.strip():
            item, units = parse_line(line, task, f"{path}:{number}", names)
            if task.unit == "text":
                names = sorted(units[0]) if names is None else names
            yield item, units


def parse_line(
    line: str, task: Task[Any, Any, Any], location: str, names: Iterable[str] | None
) -> tuple[Any, list[dict[str, float]]]:
    """Parses a line. Raises `InputError` naming `location` if it breaks a rule."""
    try:
        row: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{location}: each line must be a JSON object; {json_fault(error)}") from error
    if not isinstance(row, dict):
        raise InputError(f"{location}: each line must be a JSON object")
    item, per_text = task.item_from_json(row, location), task.unit == "text"
    units = [row.get("probs")] if per_text else row.get("probs")
    count = 1 if per_text else len(item)
    if not isinstance(units, list) or len(units) != count or not all(isinstance(unit, dict) for unit in units):
        what = '{"NAME": PROBABILITY, ...}' if per_text else "a list of such objects, one for each token"
        raise InputError(f'{location}: "probs" must be {what}')
    known = None if names is None else set(names)
    for unit in units:
        if known is not None and (set(unit) != known if per_text else not set(unit) <= known):
            shown = list_names(sorted(known))
            raise InputError(f"{location}: the names must be {shown}. Received: {list_names(list(unit)) or 'none'}")
        _check_probabilities(unit, location, task.exclusive)
    return item, units


def _check_probabilities(unit: dict[str, Any], location: str, exclusive: bool) -> None:
    """Raises `InputError` unless values are probabilities; those of exclusive targets must sum to 1."""
    for name, prob in unit.items():
        if type(prob) not in (int, float) or not 0 <= prob <= 1:
            raise InputError(
                f"{location}: a probability must be from 0 to 1. "
                f"Received: {excerpt(json.dumps(prob))} for {excerpt(name)}"
            )
    total = math.fsum(unit.values())
    if exclusive and abs(total - 1) > TOLERANCE:
        raise InputError(f"{location}: the probabilities must sum to 1, within {TOLERANCE:g}. Received: {total:.6g}")
