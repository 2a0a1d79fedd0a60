"""Texts without labels for teachers to label, read from files or made from labelled texts."""

import dataclasses
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from textapp.data import parquet
from textapp.data.class_folders import read_unlabelled_tar
from textapp.data.lines import read_lines
from textapp.data.readers import clean_text, iterate_texts
from textapp.text.tokenizer import Tokenizer

MASK = "\N{REPLACEMENT CHARACTER}"  # always a separate token, and in no vocabulary, so it is an unknown word
LONGEST_NGRAM = 5
TABLES = (".tsv", ".tab", ".csv", ".jsonl", ".ndjson", ".json", *parquet.SUFFIXES)
ARCHIVES = (".tar", ".tgz")


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """New texts from old ones, for a teacher to label: words masked, and n-grams cut out.

    Each word is masked with the probability `mask_rate`, by a character that is in no vocabulary. With the probability
    `ngram_rate` only a random n-gram of the result is kept, n from 1 to 5 (or to the text's length). The third
    operation of the paper, replacing words by others of the same part of speech, is left out: it would need a tagger of
    the language.

    Args:
        tokenizer: Finds the words. The rest of the text does not change.
        copies: Most new texts from each text: `n_iter` in the paper, 20 there.
        mask_rate: `p_mask` in the paper, from 0 to 1.
        ngram_rate: `p_ng` in the paper, from 0 to 1.
        seed: With the text's number, the seed of the result.

    Reference:
        Tang et al. 2019, Distilling Task-Specific Knowledge from BERT into Simple Neural Networks, section 3.3.
    """

    tokenizer: Tokenizer
    copies: int = 20
    mask_rate: float = 0.1
    ngram_rate: float = 0.25
    seed: int = 0

    def texts(self, text: str, number: int) -> Iterator[str]:
        """Yields new texts from one text; some may equal the text."""
        # If normalization expands a character, all its parts have its position: they are one word here.
        words = list(dict.fromkeys((token.start, token.end) for token in self.tokenizer.tokenize(text)))
        rng = np.random.default_rng((self.seed, number))
        for _ in range(self.copies if words else 0):
            masked = rng.random(len(words)) < self.mask_rate
            first, last = 0, len(words)
            if rng.random() < self.ngram_rate:
                n = int(rng.integers(1, min(LONGEST_NGRAM, len(words)) + 1))
                first = int(rng.integers(0, len(words) - n + 1))
                last = first + n
            yield "".join(_pieces(text, words[first:last], masked[first:last]))


def _pieces(text: str, words: Sequence[tuple[int, int]], masked: np.ndarray) -> Iterator[str]:
    """Yields words, masked or not, and the text between them."""
    last_end = words[0][0]
    for (start, end), hidden in zip(words, masked, strict=True):
        yield text[last_end:start]
        yield MASK if hidden else text[start:end]
        last_end = end


def unlabelled_texts(path: str | os.PathLike[str]) -> Iterator[str]:
    """Yields the texts of a file, one by one, empty ones left out.

    Args:
        path: The format depends on the suffix: a table or JSON lines as in `textapp.data.readers`, whose labels are
            ignored; a tar archive with a text in each `*.txt` file; otherwise one text per line. Each may be gzipped.

    Raises:
        InputError: The file breaks a rule; the message names the file and the line.
    """
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    suffix = next(iter(reversed([suffix for suffix in suffixes if suffix != ".gz"])), "")
    texts: Iterable[str]
    if suffix in ARCHIVES:
        texts = (text for _, text in read_unlabelled_tar(path))
    elif suffix in TABLES:
        texts = iterate_texts(path)
    else:
        texts = read_lines(path)
    return (text for text in map(clean_text, texts) if text)
