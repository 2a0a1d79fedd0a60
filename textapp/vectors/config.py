"""The settings of `textapp vectors train`."""

import dataclasses
from typing import Literal

from textapp.config import LARGEST
from textapp.errors import InputError
from textapp.settings import Config


@dataclasses.dataclass(frozen=True)
class VectorsConfig(Config):
    """Settings of `textapp vectors train`. Their names are those of word2vec if it has the setting."""

    # Text
    tokenizer: Literal["word", "char", "whitespace", "jieba"] = "word"
    lowercase: bool = True
    normalization: Literal["none", "nfc", "nfkc"] = "nfkc"
    min_count: int = 5  # words with fewer occurrences have too few neighbours to learn from
    vocabulary_size: int | None = None  # so many of the most frequent words; all by default
    # Model
    model: Literal["skip_gram", "cbow"] = "skip_gram"
    dim: int | None = None  # 100, or that of --init
    window: int = 5  # words to each side; a neighbour has the weight (window - distance + 1) / window
    negatives: int = 5  # noise words for each pair of neighbours
    sample: float = 1e-3  # words with a larger share of the corpus are subsampled; 0 keeps all
    subwords: bool = False  # a word's vector is the mean of its row and the rows of its character n-grams
    min_n: int = 3  # characters of the shortest n-gram
    max_n: int = 6
    buckets: int = 200_000  # number of rows that the n-grams are hashed to
    # Training
    epochs: int = 5
    learning_rate: float = 0.5  # the highest, of row-wise Adagrad; falls linearly to nearly 0
    threads: int | None = None  # that train in parallel (Hogwild); one a core by default; 1 is exactly repeatable
    seed: int = 0
    probes: str = ""  # words, separated by spaces, whose neighbours TensorBoard shows; frequent ones by default

    def check(self) -> None:
        """Raises `InputError` that names the first setting out of its range."""
        limits = {
            "min_count": (1, LARGEST),
            "vocabulary_size": (2, LARGEST),
            "dim": (1, 4096),
            "window": (1, 15),  # within a segment of 16 words
            "negatives": (1, 1000),
            "min_n": (1, 20),
            "max_n": (1, 20),
            "buckets": (1, 100_000_000),
            "epochs": (1, LARGEST),
            "threads": (1, 256),
            "seed": (0, LARGEST),
        }
        for key, (least, most) in limits.items():
            value = getattr(self, key)
            if value is not None and not least <= value <= most:
                raise InputError(f"setting {key}: must be from {least} to {most}; received {value}")
        if self.min_n > self.max_n:
            raise InputError(f"setting min_n: must be at most max_n, {self.max_n}; received {self.min_n}")
        if not 0 <= self.sample < float("inf"):
            raise InputError(f"setting sample: must be 0 or more; received {self.sample}")
        if not 0 < self.learning_rate < float("inf"):
            raise InputError(f"setting learning_rate: must be above 0; received {self.learning_rate}")
