"""The settings of `textapp vectors train`."""

import dataclasses
from typing import Annotated, Literal

from textapp.errors import InputError
from textapp.settings import MOST, Config, Range, not_with


@dataclasses.dataclass(frozen=True)
class VectorsConfig(Config):
    """Settings of `textapp vectors train`. Their names are those of word2vec if it has the setting."""

    # Text
    tokenizer: Literal["word", "char", "whitespace", "jieba"] = "word"
    lowercase: bool = True
    normalization: Literal["none", "nfc", "nfkc"] = "nfkc"
    min_count: Annotated[int, Range(1, MOST)] = 5  # words with fewer occurrences have too few neighbours to learn from
    vocabulary_size: Annotated[int | None, Range(2, MOST)] = None  # so many of the most frequent words; all by default
    # Model
    model: Literal["skip_gram", "cbow"] = "skip_gram"
    dim: Annotated[int | None, Range(1, 4096)] = None  # 100, or that of --init
    window: Annotated[int, Range(1, 15)] = (
        5  # words to each side; a neighbour has the weight (window - distance + 1) / window
    )
    negatives: Annotated[int, Range(1, 1000)] = 5  # noise words for each pair of neighbours
    sample: Annotated[float, Range(0)] = 1e-3  # words with a larger share of the corpus are subsampled; 0 keeps all
    subwords: bool = False  # a word's vector is the mean of its row and the rows of its character n-grams
    min_n: Annotated[int, Range(1, 20)] = 3  # characters of the shortest n-gram
    max_n: Annotated[int, Range(1, 20)] = 6
    buckets: Annotated[int, Range(1, 100_000_000)] = 200_000  # number of rows that the n-grams are hashed to
    # Training
    epochs: Annotated[int, Range(1, MOST)] = 5
    learning_rate: Annotated[float, Range(0, open_low=True)] = (
        0.5  # the highest, of row-wise Adagrad; falls linearly to nearly 0
    )
    threads: Annotated[int | None, Range(1, 256)] = (
        None  # that train in parallel (Hogwild); one a core by default; 1 is exactly repeatable
    )
    seed: Annotated[int, Range(0, MOST)] = 0
    probes: str = ""  # words, separated by spaces, whose neighbours TensorBoard shows; frequent ones by default

    def check(self) -> None:
        """Raises `InputError` if the n-grams' lengths contradict each other."""
        super().check()
        if self.min_n > self.max_n:
            raise InputError(f"setting min_n: must be at most max_n, {self.max_n}; received {self.min_n}")

    def unused(self) -> dict[str, str]:
        """The settings of n-grams, if there are none."""
        return {} if self.subwords else dict.fromkeys(("min_n", "max_n", "buckets"), not_with("subwords", False))
