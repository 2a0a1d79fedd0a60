"""Soft tags: what teachers say of sentences, as the probability of each tag at each token, on disk.

A file is a NumPy archive (`.npz`) without objects:

| array       | type             | what                                                        |
|-------------|------------------|-------------------------------------------------------------|
| `tokens`    | uint8            | UTF-8 text, a token a line, an empty line after a sentence  |
| `tags`      | uint8            | UTF-8 text, a tag a line, in the order of the columns       |
| `marginals` | float16 `(N, K)` | the probabilities, of all tokens one after the other        |

float16 keeps a probability to one part in 2,048. The 17,291 sentences of CoNLL-2003's training and validation splits
take 4.3 MB, with 17 tags.
"""

import hashlib
import itertools
import os
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import numpy as np

from textapp.errors import InputError
from textapp.files import named_errors, replacing

CHUNK = 1024  # sentences that teachers are asked about at once, and that a killed run loses at most
DIGEST = 16  # bytes

Sentences = Sequence[Sequence[str]]


def write_soft_tags(
    path: Path,
    part: Path,
    sentences: Sentences,
    marginals: Callable[[Sentences], np.ndarray],
    tags: Sequence[str],
    report: Callable[[int], None],
) -> None:
    """Asks for the soft tags of sentences and writes them, going on where a killed call stopped.

    Args:
        path: The file; there once it is whole.
        part: Where the probabilities gather until then: of each chunk a digest of its tokens, then its rows. It stays.
        sentences: The sentences, the same in the same order at each call. What `part` has is not asked about again.
        marginals: Gives the probabilities of up to `CHUNK` sentences, float `(tokens, K)`.
        tags: The tags, in the order of the columns.
        report: Is given the number of sentences that are done, after each chunk.

    Raises:
        InputError: `part` is of other sentences, or a file cannot be written.
    """
    chunks = [sentences[start : start + CHUNK] for start in range(0, len(sentences), CHUNK)]
    with named_errors(part):
        part.parent.mkdir(parents=True, exist_ok=True)
        with part.open("a+b") as file:
            tables = _resumed(file, chunks, len(tags), part)
            for chunk in chunks[len(tables) :]:
                tables.append(np.asarray(marginals(chunk)).astype("<f2"))
                file.write(_digest(chunk) + tables[-1].tobytes())
                file.flush()
                os.fsync(file.fileno())
                report(sum(map(len, chunks[: len(tables)])))
    with replacing(path) as temporary, temporary.open("wb") as target:
        np.savez_compressed(
            target,
            tokens=_as_bytes(_listed(sentences)),
            tags=_as_bytes("".join(f"{tag}\n" for tag in tags)),
            marginals=np.concatenate(tables),
        )


def read_soft_tags(path: str | os.PathLike[str], sentences: Sentences, tags: Sequence[str]) -> np.ndarray:
    """Reads the probabilities of a file, which must be of these very sentences and tags.

    Returns:
        float16 `(N, K)`.

    Raises:
        InputError: The file is of others, or broken.
    """
    try:
        with named_errors(path), np.load(path, allow_pickle=False) as content:
            tokens, names, marginals = (content[name] for name in ("tokens", "tags", "marginals"))
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        if isinstance(error, InputError):
            raise
        # NumPy's own words on foreign files advise to load pickles.
        reason = f" ({error.args[0]})" if isinstance(error, KeyError) else ""
        raise InputError(f"{path}: not a file of soft tags{reason}; distil the student anew with --force") from error
    same = names.tobytes() == _as_bytes("".join(f"{tag}\n" for tag in tags)).tobytes()
    if not same or tokens.tobytes() != _as_bytes(_listed(sentences)).tobytes():
        raise InputError(f"{path}: is of other sentences; the files have changed since: go back, or use --force")
    if marginals.dtype != np.float16 or marginals.shape != (sum(map(len, sentences)), len(tags)):
        raise InputError(
            f"{path}: has not a probability for each tag of each token; distil the student anew with --force"
        )
    return marginals


def _resumed(file: IO[bytes], chunks: Sequence[Sentences], tags: int, part: Path) -> list[np.ndarray]:
    """Reads the chunks that a killed call has finished, and cuts off the one that it was writing."""
    tables: list[np.ndarray] = []
    file.seek(0)
    for chunk in chunks:
        start, size = file.tell(), sum(map(len, chunk)) * tags * 2
        digest, rows = file.read(DIGEST), file.read(size)
        if len(digest) < DIGEST or len(rows) < size:
            file.truncate(start)
            break
        if digest != _digest(chunk):
            raise InputError(
                f"{part}: is of other sentences than the transfer set has now; its files have changed since: go back, "
                "or use --force"
            )
        tables.append(np.frombuffer(rows, "<f2").reshape(-1, tags))
    return tables


def _digest(sentences: Sentences) -> bytes:
    """Stands for some sentences."""
    return hashlib.blake2b(_listed(sentences).encode("utf-8"), digest_size=DIGEST).digest()


def _listed(sentences: Sentences) -> str:
    """A token a line, an empty line after each sentence."""
    return "".join(itertools.chain.from_iterable((*(f"{token}\n" for token in tokens), "\n") for tokens in sentences))


def _as_bytes(text: str) -> np.ndarray:
    """UTF-8, uint8 `(bytes,)`."""
    return np.frombuffer(text.encode("utf-8"), np.uint8)
