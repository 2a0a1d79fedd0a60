"""The settings of `textapp vectors train`."""

import dataclasses
from typing import Annotated, Literal

from textapp.errors import InputError
from textapp.settings import MOST, Config, Range, not_with


@dataclasses.dataclass(frozen=True)
class VectorsConfig(Config):
    """Settings of `textapp vectors train`. Their names are those of word2vec if it has the setting."""

    # Text
    tokenizer: Annotated[
        Literal["word", "char", "whitespace", "jieba"], "What a token is; jieba finds Chinese words."
    ] = "word"
    lowercase: Annotated[bool, "Whether words are put into lower case."] = True
    normalization: Annotated[Literal["none", "nfc", "nfkc"], "Unicode normal form of the text."] = "nfkc"
    min_count: Annotated[int, Range(1, MOST), "Rarer words have too few neighbours to learn from."] = 5
    vocabulary_size: Annotated[int | None, Range(2, MOST), "Most words, the most frequent ones; none: all."] = None
    # Model
    model: Annotated[
        Literal["skip_gram", "cbow"], "skip_gram: a word predicts its neighbours; cbow: they predict it."
    ] = "skip_gram"
    dim: Annotated[int | None, Range(1, 4096), "Width of a vector; none: 100, or that of --init."] = None
    window: Annotated[
        int,
        Range(1, 15),
        "Words to each side; a neighbour has the weight (window - distance + 1) / window.",
    ] = 5
    negatives: Annotated[int, Range(1, 1000), "Noise words for each pair of neighbours."] = 5
    sample: Annotated[float, Range(0), "Words with a larger share of the corpus are subsampled; 0 keeps all."] = 1e-3
    subwords: Annotated[
        bool, "Whether a word's vector is the mean of its row and the rows of its character n-grams."
    ] = False
    min_n: Annotated[int, Range(1, 20), "Characters of the shortest n-gram."] = 3
    max_n: Annotated[int, Range(1, 20), "Characters of the longest n-gram."] = 6
    buckets: Annotated[int, Range(1, 100_000_000), "Rows that the n-grams are hashed to."] = 200_000
    # Training
    epochs: Annotated[int, Range(1, MOST), "Passes over the corpus."] = 5
    learning_rate: Annotated[
        float, Range(0, open_low=True), "The highest, of row-wise Adagrad; it falls linearly to nearly 0."
    ] = 0.5
    threads: Annotated[
        int | None,
        Range(1, 256),
        "Threads that train in parallel (Hogwild); none: one a core; 1 is exactly repeatable.",
    ] = None
    seed: Annotated[int, Range(0, MOST), "Seed of all random numbers."] = 0
    probes: Annotated[
        str, "Words, separated by spaces, whose neighbours TensorBoard shows; by default frequent ones."
    ] = ""

    def check(self) -> None:
        """Raises `InputError` if the n-grams' lengths contradict each other."""
        super().check()
        if self.min_n > self.max_n:
            raise InputError(f"setting min_n: must be at most max_n, {self.max_n}; received {self.min_n}")

    def unused(self) -> dict[str, str]:
        """The settings of n-grams, if there are none."""
        return {} if self.subwords else dict.fromkeys(("min_n", "max_n", "buckets"), not_with("subwords", False))
