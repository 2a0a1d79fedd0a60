"""The transfer set: the texts on which a student learns what its teachers say."""

import dataclasses
import hashlib
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from textapp.data.class_folders import read_unlabelled_tar
from textapp.data.lines import read_lines
from textapp.data.readers import Examples, clean_text, iterate_texts
from textapp.data.splits import overlap_key
from textapp.text.tokenizer import Tokenizer

MASK = "\N{REPLACEMENT CHARACTER}"  # a token by itself that no vocabulary has: a word that the reader does not know
LONGEST_NGRAM = 5
TABLES = (".tsv", ".tab", ".csv", ".jsonl", ".ndjson", ".json")
ARCHIVES = (".tar", ".tgz")


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """New texts from old ones, for a teacher to label: words masked, and n-grams cut out.

    Each word is masked with the probability `mask_rate`, by a character that no vocabulary has. With the probability
    `ngram_rate` only an n-gram of the result is kept, n being drawn from 1 to 5 (or to the text's length). The third
    operation of the paper, words exchanged for others of the same part of speech, would need a tagger of the language
    and is left out.

    Args:
        tokenizer: What a word is. The rest of the text stays as its author wrote it.
        copies: New texts from each text, at most: `n_iter` in the paper, 20 there.
        mask_rate: `p_mask`, from 0 to 1.
        ngram_rate: `p_ng`, from 0 to 1.
        seed: With the text's number it fixes the result.

    Reference:
        Tang et al. 2019, Distilling Task-Specific Knowledge from BERT into Simple Neural Networks, section 3.3.
    """

    tokenizer: Tokenizer
    copies: int = 20
    mask_rate: float = 0.1
    ngram_rate: float = 0.25
    seed: int = 0

    def texts(self, text: str, number: int) -> Iterator[str]:
        """Yields new texts from one text, those among them that stay as they were too."""
        # The parts of a character that normalization expands have all its place: they are one word here.
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
    """Yields words, masked or not, and what stands between them."""
    behind = words[0][0]
    for (start, end), hidden in zip(words, masked, strict=True):
        yield text[behind:start]
        yield MASK if hidden else text[start:end]
        behind = end


@dataclasses.dataclass(frozen=True)
class TransferText:
    """A text of the transfer set.

    Attributes:
        text: The text.
        label: What people say of it, or None.
        augmented: Whether it was made from another one.
    """

    text: str
    label: str | None = None
    augmented: bool = False


@dataclasses.dataclass(frozen=True)
class TransferSet:
    """Labelled texts, then unlabelled ones, then new ones made from the labelled; each time the same, in one order.

    An unlabelled or new text is left out where it stands in a held-out split or has come before, whatever its case and
    punctuation (`textapp.data.splits.overlap_key`). Unlabelled texts are read anew at each iteration: only 16 bytes or
    so of each are held.

    Args:
        labelled: Training examples, without held-out ones among them.
        held_out: What must not be learned.
        unlabelled: Functions that read unlabelled texts from the start.
        augmentation: How new texts are made; None for none.
    """

    labelled: Examples
    held_out: Sequence[Examples] = ()
    unlabelled: Sequence[Callable[[], Iterable[str]]] = ()
    augmentation: Augmentation | None = None

    def __iter__(self) -> Iterator[TransferText]:
        """Yields the texts."""
        for text, label in zip(self.labelled.texts, self.labelled.labels, strict=True):
            yield TransferText(text, label)
        seen = {_key(text) for examples in (self.labelled, *self.held_out) for text in examples.texts}
        for text, augmented in itertools.chain(
            ((text, False) for read in self.unlabelled for text in read()), ((text, True) for text in self._augmented())
        ):
            key = _key(text)
            if key not in seen:
                seen.add(key)
                yield TransferText(text, augmented=augmented)

    def _augmented(self) -> Iterator[str]:
        """Yields new texts."""
        if self.augmentation:
            for number, text in enumerate(self.labelled.texts):
                yield from self.augmentation.texts(text, number)


def unlabelled_texts(path: str | os.PathLike[str]) -> Iterator[str]:
    """Yields the texts of a file, one by one, empty ones left out.

    Args:
        path: A text a line; or, told by the suffix, a table or JSON lines as `textapp.data.readers` reads them, whose
            labels, if any, are not looked at, or a tar archive with a text in each of its `*.txt` files. Each may be
            gzipped.

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


def _key(text: str) -> bytes:
    """Sixteen bytes for what doubles have in common: of 50,000 reviews the texts would take as much as the training."""
    return hashlib.blake2b(overlap_key(text).encode("utf-8", "surrogatepass"), digest_size=16).digest()
