"""What the insides of teachers say of each text, on disk: where their attention is, and their contexts.

A file is a NumPy archive (`.npz`) without objects, of texts one after the other:

| array       | type             | what                                                               |
|-------------|------------------|--------------------------------------------------------------------|
| `key`       | uint8 `(32,)`    | SHA-256 of all that the rest depends on: teachers, texts, tokens   |
| `attention` | float16 `(T,)`   | their mean attention on each token that the student reads          |
| `contexts`  | float16 `(N, D)` | the contexts that their attention pools, side by side              |

A text whose tokens all have 0 has no attention. What is not asked for has no numbers. float16 keeps a number to one
part in 2,048. The 58,911 sentences and phrases of SST-2 take 1.1 MB of attention, and 45 MB of contexts of three
teachers of 64 units in each direction.
"""

import dataclasses
import hashlib
import itertools
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np

from textapp.compress.attention_alignment import aligned
from textapp.compress.teachers import RunTeacher
from textapp.errors import InputError
from textapp.files import named_errors, replacing
from textapp.text.tokenizer import Token, Tokenizer
from textapp.training import run

CHUNK = 4096  # texts that a teacher is asked about at once, and that a killed run loses at most


@dataclasses.dataclass(frozen=True)
class TeacherStates:
    """What a file says.

    Attributes:
        attention: float16 `(T,)`, the tokens of all texts one after the other; `(0,)` where it was not asked for.
        contexts: float16 `(N, D)`; `(N, 0)` likewise.
        key: Hexadecimal, see the module.
    """

    attention: np.ndarray
    contexts: np.ndarray
    key: str


@dataclasses.dataclass(frozen=True)
class Question:
    """What is asked of teachers.

    Args:
        teachers: Runs, one or more.
        tokenizer: Cuts the student's texts.
        max_tokens: How many tokens of a text the student reads.
        attention: Whether their attention is asked for.
        contexts: Whether their contexts are.
    """

    teachers: Sequence[RunTeacher]
    tokenizer: Tokenizer
    max_tokens: int
    attention: bool
    contexts: bool

    @property
    def width(self) -> int:
        """D: numbers that are asked for of each text."""
        return sum(teacher.context_width for teacher in self.teachers) if self.contexts else 0

    def tokens(self, lengths: np.ndarray) -> np.ndarray:
        """Numbers that are asked for of the tokens of each text, int64 `(N,)`, given how many the student reads."""
        return lengths if self.attention else np.zeros_like(lengths)

    def key(self, texts: Sequence[bytes], lengths: np.ndarray) -> bytes:
        """Stands for the question about some texts, given by `key_of` and by the tokens that the student reads."""
        asked = {
            "teachers": [teacher.sha256 for teacher in self.teachers],
            "tokenizer": self.tokenizer.to_dict(),
            "max_tokens": self.max_tokens,
            "asked": [self.attention, self.contexts],
        }
        digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode("utf-8"))
        digest.update(lengths.astype("<i8").tobytes())
        for text in texts:
            digest.update(text)
        return digest.digest()

    def answer(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Asks the teachers.

        Returns:
            Attention, float64, of the tokens of all texts one after the other, and contexts, float32 `(N, D)`; the mean
            of the distributions of those teachers that have one, and the contexts side by side.
        """
        onto = [spans_of(self.tokenizer.tokenize(text)[: self.max_tokens]) for text in texts]
        totals = [np.zeros(len(spans)) for spans in onto]
        contexts = []
        for teacher in self.teachers:
            weights, pooled = teacher.states(texts)
            contexts.append(pooled)
            if self.attention:
                for text, total, spans, said in zip(texts, totals, onto, weights, strict=True):
                    total += aligned(said, spans_of(teacher.read(text)), spans, len(text))
        # Each distribution sums to 1, so that a total sums to the number of teachers that have one.
        attention = [total / max(total.sum(), 1.0) for total in totals] if self.attention else []
        side_by_side = np.concatenate(contexts, axis=1) if self.contexts else np.zeros((len(texts), 0))
        return np.concatenate([np.zeros(0), *attention]), side_by_side


def spans_of(tokens: Sequence[Token]) -> np.ndarray:
    """Where tokens stand, int64 `(T, 2)`."""
    return np.array([(token.start, token.end) for token in tokens], np.int64).reshape(-1, 2)


def ask_for_states(
    folder: Path,
    question: Question,
    texts: Callable[[], Iterator[str]],
    keys: Sequence[bytes],
    lengths: np.ndarray,
    answers: str | os.PathLike[str] | None,
    report: Callable[[str], None],
) -> TeacherStates:
    """What the teachers say: asked for, unless a killed process has done so, or another student with the same question.

    Args:
        folder: The run of the student.
        question: What is asked.
        texts: Reads the texts, the same in the same order at each call.
        keys: What each is known by, see `textapp.compress.soft_labels.key_of`.
        lengths: int64 `(N,)`, the tokens of each that the student reads.
        answers: A file in the run of the other student, or None.
        report: Is given each line of progress.

    Raises:
        InputError: What the folder holds is of other texts or broken, or a file cannot be written.
    """
    path, part = folder / run.TEACHER_STATES, folder / run.TEACHER_STATES_PART
    key = question.key(keys, lengths)
    if not path.exists():
        other = None if answers is None else Path(answers).with_name(run.TEACHER_STATES)
        if other is not None and other.exists() and _read(other, "key")["key"].tobytes() == key:
            with replacing(path) as temporary:
                shutil.copyfile(other, temporary)
        else:
            write_states(
                path,
                part,
                key,
                texts(),
                question.answer,
                question.tokens(lengths),
                question.width,
                lambda done: report(f"attention and contexts: {done:,} texts"),
            )
    part.unlink(missing_ok=True)
    return read_states(path, key)


def read_states(path: Path, key: bytes) -> TeacherStates:
    """Reads a file. Raises `InputError` where it answers another question or is broken."""
    content = _read(path, "key", "attention", "contexts")
    if content["key"].tobytes() != key:
        raise InputError(f"{path}: is of other texts; the files have changed since: go back, or use --force")
    return TeacherStates(content["attention"], content["contexts"], key.hex())


def write_states(
    path: Path,
    part: Path,
    key: bytes,
    texts: Iterable[str],
    answer: Callable[[list[str]], tuple[np.ndarray, np.ndarray]],
    tokens: np.ndarray,
    width: int,
    report: Callable[[int], None],
) -> None:
    """Asks and writes, going on where a killed call stopped.

    Args:
        path: The file; there once it is whole.
        part: Where answers gather until then: the key, then of each chunk its attention and its contexts.
        key: Stands for all that the answers depend on.
        texts: The texts, the same in the same order at each call. Those that `part` has are not asked about again.
        answer: Gives attention and contexts of up to `CHUNK` texts, always the same texts together.
        tokens: int64 `(N,)`, numbers of attention of each text.
        width: Numbers of a context.
        report: Is given the number of texts that are done, after each chunk.

    Raises:
        InputError: `part` is of another question, the texts are other ones by now, or a file cannot be written.
    """
    texts, offsets = iter(texts), np.concatenate([[0], np.cumsum(tokens)])
    attention = np.zeros(int(offsets[-1]), "<f2")
    contexts = np.zeros((len(tokens), width), "<f2")
    with named_errors(part):
        part.parent.mkdir(parents=True, exist_ok=True)
        with part.open("a+b") as file:
            _begin(file, key, part)
            going_on = True
            for start in range(0, len(tokens), CHUNK):
                rows = slice(start, min(start + CHUNK, len(tokens)))
                places = slice(int(offsets[rows.start]), int(offsets[rows.stop]))
                chunk = list(itertools.islice(texts, rows.stop - rows.start))
                going_on = going_on and _resumed(file, attention[places], contexts[rows])
                if not going_on:
                    said = answer(chunk)
                    if (len(said[0]), len(said[1])) != (places.stop - places.start, rows.stop - rows.start):
                        raise InputError(f"{part}: the texts have changed while they were read; run the command again")
                    attention[places], contexts[rows] = said
                    file.write(attention[places].tobytes() + contexts[rows].tobytes())
                    file.flush()
                    os.fsync(file.fileno())
                    report(rows.stop)
    with replacing(path) as temporary, temporary.open("wb") as target:
        np.savez(target, key=np.frombuffer(key, np.uint8), attention=attention, contexts=contexts)  # noise packs badly


def _begin(file: IO[bytes], key: bytes, part: Path) -> None:
    """Writes the key into a new file, or goes behind that of a killed call."""
    file.seek(0)
    found = file.read(len(key))
    if found == key:
        return
    if len(found) == len(key):
        raise InputError(
            f"{part}: is of other texts than the transfer set has now; its files have changed since: go back, or use "
            "--force"
        )
    file.truncate(0)
    file.write(key)


def _resumed(file: IO[bytes], attention: np.ndarray, contexts: np.ndarray) -> bool:
    """Reads a chunk that a killed call has finished into arrays; else cuts off what it has written of it."""
    start = file.tell()
    for array in (attention, contexts):
        found = file.read(array.nbytes)
        if len(found) < array.nbytes:
            file.seek(start)
            file.truncate()
            return False
        array[...] = np.frombuffer(found, array.dtype).reshape(array.shape)
    return True


def _read(path: Path, *names: str) -> dict[str, np.ndarray]:
    """Some arrays of a file. Raises `InputError` where it is none."""
    try:
        with named_errors(path), np.load(path, allow_pickle=False) as content:
            arrays = {name: content[name] for name in names}
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        if isinstance(error, InputError):
            raise
        # NumPy's own words on foreign files advise to load pickles.
        reason = f" ({error.args[0]})" if isinstance(error, KeyError) else ""
        raise InputError(
            f"{path}: not a file of attention and contexts{reason}; distil the student anew with --force"
        ) from error
    return arrays
