"""No encoder: tokens get no context, as in a bag of words."""

from typing import Any

from textapp.config import Encoder


def encode(config: Encoder, embedded: Any, mask: Any) -> Any:
    """Returns `embedded` unchanged. The head of a classifier then weighs and sums word vectors: a model of few bytes.

    Reference:
        Joulin et al. 2017, Bag of Tricks for Efficient Text Classification (the mean of word vectors).
    """
    del config, mask
    return embedded
