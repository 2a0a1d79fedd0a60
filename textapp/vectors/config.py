"""What `textapp vectors train` was asked to do."""

import dataclasses
from typing import Literal

from textapp.config import LARGEST
from textapp.errors import InputError
from textapp.settings import Config


@dataclasses.dataclass(frozen=True)
class VectorsConfig(Config):
    """`textapp vectors train`: how to read the corpus, what to learn; word2vec's names where word2vec has one."""

    # Text
    tokenizer: Literal["word", "char", "whitespace", "jieba"] = "word"
    lowercase: bool = True
    normalization: Literal["none", "nfc", "nfkc"] = "nfkc"
    min_count: int = 5  # rarer words have too few neighbours to learn from
    vocabulary_size: int | None = None  # the most frequent words; all by default
    # Model
    model: Literal["skip_gram", "cbow"] = "skip_gram"
    dim: int | None = None  # 100, or that of --init
    window: int = 5  # words to each side, the nearer the heavier: (window - distance + 1) / window
    negatives: int = 5  # noise words for each pair of neighbours
    sample: float = 1e-3  # words of a larger share of the corpus are thinned out; 0 keeps all
    subwords: bool = False  # a word is the mean of its own vector and those of its character n-grams
    min_n: int = 3  # characters of the shortest n-gram
    max_n: int = 6
    buckets: int = 200_000  # rows that the n-grams are hashed to
    # Training
    epochs: int = 5
    learning_rate: float = 0.5  # of row-wise Adagrad, at its highest; falls linearly to nearly 0
    threads: int | None = None  # that train side by side (Hogwild); one a core by default, 1 is exactly repeatable
    seed: int = 0
    probes: str = ""  # words, separated by spaces, whose neighbours TensorBoard shows; frequent ones by default

    def check(self) -> None:
        """Raises `InputError` naming the first setting that is out of range."""
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
