"""Uses a file of word vectors in a training: extra words, initial values of the embedding, a report."""

import dataclasses
import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from textapp.config import ModelConfig, Training
from textapp.errors import InputError
from textapp.files import named_errors
from textapp.text.characters import counted
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import SPECIALS, Vocabulary
from textapp.text.word_form import WordForm
from textapp.vectors.coverage import Coverage, mismatch_hints
from textapp.vectors.embedding_table import embedding_table, extend_vocabulary, names_in_file
from textapp.vectors.formats import read_vectors

LOW_COVERAGE = 0.9  # of the tokens; good vectors cover more, unless their words were tokenized differently


@dataclasses.dataclass(frozen=True)
class Pretrained:
    """Word vectors in the row order of a vocabulary; the file itself is no longer in memory.

    Attributes:
        vocabulary: The words of the training split, then the extra words.
        num_train_words: Number of entries before the extra words.
        table: Initial embedding, float32 `(V, E)`.
        sha256: SHA-256 of the file, hexadecimal.
        summary: The entry of `metrics.json`: path, hash, dimension, coverage.
    """

    vocabulary: Vocabulary
    num_train_words: int
    table: np.ndarray
    sha256: str
    summary: dict[str, Any]


def read_pretrained(
    path: str | os.PathLike[str],
    vocabulary: Vocabulary,
    counts: Mapping[str, int],
    *,
    report: Callable[[str], None],
    tokenizer: Tokenizer | None = None,
    form: WordForm | None = None,
    extra_words: int = 0,
    embedding_dim: int | None = None,
    seed: int = 0,
) -> Pretrained:
    """Reads word vectors to train a model of any task.

    Args:
        path: The file, in any format that `textapp.vectors.formats` reads.
        vocabulary: The vocabulary of the training split.
        counts: Count of each word in the training split, including words that the vocabulary lacks.
        report: Receives each line of progress: coverage, and hints if it is low.
        tokenizer: The tokenizer of the texts; None if tokens come from files.
        form: How tokens are normalized for the look-up; None for no change.
        extra_words: Number of words of the file to add to the vocabulary, the most frequent ones.
        embedding_dim: Required dimension of the vectors; by default any.
        seed: Seed of the random rows for words without a vector.

    Raises:
        InputError: The file is broken, has another dimension, or has none of the words.
    """
    vectors = read_vectors(path)
    with named_errors(path), Path(path).open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    report(f"read {os.fspath(path)}: {counted(len(vectors), 'vector')} of {vectors.dim} dimensions")
    if embedding_dim not in (None, vectors.dim):
        raise InputError(
            f"setting embedding_dim: is {embedding_dim}, but the vectors of {os.fspath(path)} have {vectors.dim} "
            "dimensions; set embedding_dim=none to use that"
        )
    num_train_words = len(vocabulary)
    vocabulary = extend_vocabulary(vocabulary, vectors, extra_words, tokenizer, form)
    names = names_in_file(vectors, vocabulary.tokens, tokenizer, form)
    table, found = embedding_table(vectors, vocabulary, counts, seed, names)
    coverage = Coverage.count(vocabulary, found, counts)
    missing = [vocabulary.tokens[row] for row in np.flatnonzero(~found) if row >= len(SPECIALS)]
    hints = [] if (tokenizer or form) is None else mismatch_hints(vectors, tokenizer, missing, form)
    if not coverage.words_found:
        reason = "; ".join(hints or ["the vectors may be of another language"])
        raise InputError(f"{os.fspath(path)}: holds none of the training split's words: {reason}")
    composed = sum(
        names.get(token, token) not in vectors for token, has in zip(vocabulary.tokens, found, strict=True) if has
    )
    report(
        f"vectors: {coverage} of the training split have one"
        + (f", {composed:,} of the words only by their n-grams" if composed else "")
        + (f"; {counted(len(vocabulary) - num_train_words, 'extra word')}" if extra_words else "")
    )
    if coverage.share_of_tokens < LOW_COVERAGE:
        report(
            f"warning: less than {LOW_COVERAGE:.0%} of the tokens have a vector{''.join(f'; {hint}' for hint in hints)}"
        )
    summary = {
        "path": os.fspath(path),
        "sha256": sha256,
        "dim": vectors.dim,
        **dataclasses.asdict(coverage),
        "words_composed": composed,
        "extra_words": len(vocabulary) - num_train_words,
    }
    return Pretrained(vocabulary, num_train_words, table, sha256, summary)


def check_settings(config: ModelConfig, vectors: str | os.PathLike[str] | None) -> None:
    """Raises `InputError` if a setting needs vectors or excludes them, or if their file is missing.

    Call it before reading texts, which may take minutes.
    """
    words, training = config.words, config.training
    if vectors is not None:
        with named_errors(vectors):
            Path(vectors).stat()
        if words.embedding_rank is not None:
            raise InputError("setting embedding_rank: --vectors need a plain table; leave one of them out")
        return
    if words.embedding_dim is None:
        raise InputError("setting embedding_dim: none means the dimension of the vectors, and needs --vectors")
    if words.extra_words:
        raise InputError("setting extra_words: these words come from a file of vectors, and need --vectors")
    if training.freeze_epochs or not training.embedding_rate:
        key = "freeze_epochs" if training.freeze_epochs else "embedding_rate"
        raise InputError(f"setting {key}: random word vectors must be trained; give --vectors to freeze them")


def describe_embedding_training(training: Training) -> str:
    """Describes how the word vectors are trained, as text."""
    if training.embedding_frozen:
        return "frozen for the whole training"
    rate = training.embedding_rate
    then = "trained" if rate == 1 else f"trained at {rate:g} of the learning rate"
    if not training.freeze_epochs:
        return then
    return f"frozen for {training.freeze_epochs} of {training.epochs} epochs, then {then}"
