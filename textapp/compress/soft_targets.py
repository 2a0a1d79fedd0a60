"""Soft targets: the probabilities that teachers give to each text, or to each token of it, on disk.

A file holds a JSON object a line, and may be gzipped. Of a task about texts:

    {"text": "...", "probs": {"negative": 0.03, "positive": 0.97}}

and of a task about tokens, where a tag that is left out has the probability 0:

    {"tokens": ["Paris", "!"], "probs": [{"S-LOC": 0.98, "O": 0.02}, {"O": 1.0}]}

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
from textapp.files import digest, named_errors, replacing
from textapp.task import Task
from textapp.text.characters import replace_surrogates

CHUNK = 4096  # items that a teacher is asked about at once, and that a killed run loses at most
TOLERANCE = 1e-3  # of a sum of probabilities
TEXT_DIGITS = 7  # of a probability on disk, all that float32 has
TOKEN_DIGITS = 5
SMALLEST = 1e-6  # probability of a tag that is written down


class Teacher(Protocol):
    """What a student can learn from."""

    @property
    def name(self) -> str:
        """Its path, for messages and `metrics.json`."""

    @property
    def targets(self) -> Any:
        """What it chooses from, in the order of its probabilities."""

    @property
    def parameters(self) -> int | None:
        """Number of weights; None where it is not known."""

    @property
    def sha256(self) -> str:
        """Identifies all that its answers depend on, hexadecimal."""

    def __contains__(self, item: object) -> bool:
        """Whether it has an answer for an item."""

    def probabilities(self, items: Sequence[Any]) -> np.ndarray:
        """Probabilities of items that it contains: float `(N, C)`, or `(tokens of all, C)`."""


class SoftTargets:
    """The soft targets of a file in memory; a teacher for the items in it.

    Items are known by their words: white space does not tell them apart. Of an item that stands there twice the first
    line counts.

    Args:
        name: Path of the file.
        task: The task.
        targets: What the columns of `probs` are.
        places: First and last row, exclusive, of each item in `probs`, by its key, see `key_of`.
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
            targets: What the probabilities must be of; by default what the lines name.

        Raises:
            InputError: A line breaks a rule; the message names it.
        """
        lines = list(_parsed(path, task, None if targets is None else targets.names))
        if not lines:
            raise InputError(f"{path}: no soft target in it")
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
        """Of the file, hexadecimal."""
        return digest(self.name)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, item: object) -> bool:
        return key_of(self.task, item) in self._places

    def probabilities(self, items: Sequence[Any]) -> np.ndarray:
        """Probabilities of items of the file, float32 `(units, C)`.

        Raises:
            InputError: The file has another number of tokens for an item.
        """
        places = [self._places[key_of(self.task, item)] for item in items]
        for item, (start, end) in zip(items, places, strict=True):
            if end - start != units_of(self.task, item):
                raise InputError(
                    f"{self.name}: has {end - start} tokens of a text that has {units_of(self.task, item)}: "
                    f"{self.task.item_text(item)[:80]!r}; soft targets must be of the same tokens"
                )
        return np.concatenate([self.probs[start:end] for start, end in places]) if places else self.probs[:0]

    def items(self) -> Iterator[Any]:
        """The items, read anew from the file."""
        for item, _ in _parsed(self.name, self.task, self.targets.names):
            yield item


def key_of(task: Task[Any, Any, Any], item: Any) -> bytes:
    """Sixteen bytes that stand for an item, whatever its white space."""
    words = " ".join(clean_text(replace_surrogates(task.item_text(item))).split())
    return hashlib.blake2b(words.encode("utf-8"), digest_size=16).digest()


def units_of(task: Task[Any, Any, Any], item: Any) -> int:
    """How many units, and so rows of probabilities, an item has."""
    return len(item) if task.unit == "token" else 1


def known_to_all(item: Any, teachers: Sequence[Teacher]) -> bool:
    """Whether every teacher has an answer for an item."""
    return all(item in teacher for teacher in teachers)


def mean_probabilities(teachers: Sequence[Teacher], items: Sequence[Any], names: Sequence[str]) -> np.ndarray:
    """The mean of the probabilities of several teachers, float64 `(units, C)`.

    Hinton et al. name the arithmetic and the geometric mean (of probabilities, or of logits). The arithmetic one is
    the mixture of the models as Lakshminarayanan et al. form it, which is better calibrated than its members: where
    they disagree it says so, while in a mean of logits one that is too sure of itself outvotes the others. It also asks
    of a teacher no more than a file of soft targets holds. The marginals of a mixture of models are the mean of theirs.

    Args:
        teachers: One or more, of the same targets in any order.
        items: Items that all of them have an answer for.
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
    """Asks for the soft targets of items and writes them, resuming where a killed call stopped.

    Args:
        path: The file, gzipped; there once it is whole.
        part: Where the lines gather until then.
        task: The task.
        items: The items, the same in the same order at each call. Those that `part` has are not asked about again.
        probabilities: Gives the probabilities of up to `CHUNK` items, `(units, C)`; always the same items together.
        names: The names of the columns.
        report: Is given the number of items that are done, after each chunk.

    Raises:
        InputError: `part` is of other items, or a file cannot be written.
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
            gzip.GzipFile("", "wb", fileobj=target, mtime=0) as packed,  # without a time: the same bytes each time
        ):
            shutil.copyfileobj(lines, packed)
        part.unlink()


def _resume(file: IO[bytes], task: Task[Any, Any, Any], items: Sequence[Any], part: Path) -> int:
    """Finds where a killed call stopped, and cuts off the chunk that it was writing. Returns how many items are done.

    Only whole chunks are kept: a teacher that is asked about fewer items at once may answer otherwise in the last
    digits.
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
                    f"{part}:{number + 1}: another text than the transfer set has there; its files have changed since: "
                    "restore them, or use --force"
                )
        done += CHUNK


def _line(task: Task[Any, Any, Any], item: Any, rows: list[list[float]], names: Sequence[str]) -> bytes:
    """An item and its probabilities as a line of JSON."""
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
    """Yields item and probabilities of each line; blank lines are skipped."""
    for number, line in enumerate(read_lines(path), start=1):
        if line.strip():
            item, units = parse_line(line, task, f"{path}:{number}", names)
            if task.unit == "text":
                names = sorted(units[0]) if names is None else names
            yield item, units


def parse_line(
    line: str, task: Task[Any, Any, Any], location: str, names: Iterable[str] | None
) -> tuple[Any, list[dict[str, float]]]:
    """Reads a line. Raises `InputError` naming `location` where it breaks a rule."""
    try:
        row: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{location}: each line must be a JSON object: {str(error)[:80]}") from error
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
            shown = ", ".join(sorted(known)[:8])
            raise InputError(f"{location}: the names must be {shown}. Received: {', '.join(list(unit)[:8]) or 'none'}")
        _check_probabilities(unit, location, task.exclusive)
    return item, units


def _check_probabilities(unit: dict[str, Any], location: str, exclusive: bool) -> None:
    """Raises `InputError` unless values are probabilities that, of exclusive targets, sum to 1."""
    for name, prob in unit.items():
        if type(prob) not in (int, float) or not 0 <= prob <= 1:
            raise InputError(
                f"{location}: a probability must be from 0 to 1. Received: {json.dumps(prob)[:80]} for {name[:80]}"
            )
    total = math.fsum(unit.values())
    if exclusive and abs(total - 1) > TOLERANCE:
        raise InputError(f"{location}: the probabilities must sum to 1, within {TOLERANCE:g}. Received: {total:.6g}")
