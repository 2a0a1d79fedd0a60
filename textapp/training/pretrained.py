"""What a training takes from a file of word vectors: more words, the first values of the embedding, a report."""

import dataclasses
import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from textapp.config import NerConfig, SentimentConfig
from textapp.errors import InputError
from textapp.files import named_errors
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import SPECIALS, Vocabulary
from textapp.text.word_form import WordForm
from textapp.vectors.coverage import Coverage, mismatch_hints
from textapp.vectors.embedding_table import embedding_table, extend_vocabulary
from textapp.vectors.formats import read_vectors

LOW_COVERAGE = 0.9  # of the tokens; vectors for running text know more, unless their words are cut in another way


@dataclasses.dataclass(frozen=True)
class Pretrained:
    """Word vectors brought into the rows of a vocabulary; the file itself is in memory no more.

    Attributes:
        vocabulary: The training split's words, then the extra ones.
        own: How many of its entries are not extra words.
        table: float32 `(V, E)`, the embedding to start from.
        sha256: Of the file, hexadecimal.
        summary: What `metrics.json` says of it: path, hash, dimension, coverage.
    """

    vocabulary: Vocabulary
    own: int
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
    """Reads word vectors for a model that is to be trained, of any task.

    Args:
        path: The file, in any format that `textapp.vectors.formats` reads.
        vocabulary: The training split's own.
        counts: How often each word comes in the training split, words that the vocabulary lacks included.
        report: Is given each line of progress: coverage, and hints where it is low.
        tokenizer: What cuts the texts; None if the tokens are those of files.
        form: What tokens are looked up by; None if they are looked up as they are.
        extra_words: How many of the file's most frequent words the vocabulary takes beyond its own.
        embedding_dim: What the dimension must be; by default any.
        seed: Fixes the rows that are drawn.

    Raises:
        InputError: The file is broken, of another dimension, or knows none of the words.
    """
    vectors = read_vectors(path)
    with named_errors(path), Path(path).open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    report(f"read {os.fspath(path)}: {len(vectors):,} vectors of {vectors.dim} dimensions")
    if embedding_dim not in (None, vectors.dim):
        raise InputError(
            f"setting embedding_dim: is {embedding_dim}, but the vectors of {os.fspath(path)} have {vectors.dim} "
            "dimensions; leave it to them (embedding_dim=none)"
        )
    own = len(vocabulary)
    vocabulary = extend_vocabulary(vocabulary, vectors, extra_words, tokenizer, form)
    table, found = embedding_table(vectors, vocabulary, counts, seed)
    coverage = Coverage.count(vocabulary, found, counts)
    missing = [vocabulary.tokens[row] for row in np.flatnonzero(~found) if row >= len(SPECIALS)]
    hints = [] if (tokenizer or form) is None else mismatch_hints(vectors, tokenizer, missing, form)
    if not coverage.words_found:
        reason = "; ".join(hints or ["they may be of another language"])
        raise InputError(f"{os.fspath(path)}: holds none of the training split's words: {reason}")
    composed = sum(token not in vectors for token, has in zip(vocabulary.tokens, found, strict=True) if has)
    report(
        f"vectors: {coverage} of the training split have one"
        + (f", {composed:,} of the words by their n-grams alone" if composed else "")
        + (f"; {len(vocabulary) - own:,} extra words" if extra_words else "")
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
        "extra_words": len(vocabulary) - own,
    }
    return Pretrained(vocabulary, own, table, sha256, summary)


def check_settings(config: SentimentConfig | NerConfig, vectors: str | os.PathLike[str] | None) -> None:
    """Raises `InputError` where a setting makes sense with vectors only, or without them only, or these are not there.

    That they are not must not come out only after minutes of reading texts.
    """
    if vectors is not None:
        with named_errors(vectors):
            Path(vectors).stat()
        if isinstance(config, SentimentConfig) and config.embedding_rank is not None:
            raise InputError("setting embedding_rank: --vectors fill a whole table; leave one of them out")
        return
    if config.embedding_dim is None:
        raise InputError("setting embedding_dim: none means that of the vectors, and needs --vectors")
    if config.extra_words:
        raise InputError("setting extra_words: they come from a file of vectors, and need --vectors")
    if config.freeze_epochs or not config.embedding_rate:
        key = "freeze_epochs" if config.freeze_epochs else "embedding_rate"
        raise InputError(f"setting {key}: word vectors that are random must be trained; give --vectors to freeze some")


def way_of_training(config: SentimentConfig | NerConfig) -> str:
    """How the word vectors are trained, in words."""
    if config.embedding_frozen:
        return "frozen for good"
    then = "trained" if config.embedding_rate == 1 else f"trained at {config.embedding_rate:g} of the learning rate"
    return f"frozen for {config.freeze_epochs} of {config.epochs} epochs, then {then}" if config.freeze_epochs else then
