"""Attention weights carried from the tokens of one tokenizer to those of another, by places in the text."""

import numpy as np


def aligned(weights: np.ndarray, spans: np.ndarray, onto: np.ndarray, characters: int) -> np.ndarray:
    """Puts the weights of some tokens on other tokens of the same text.

    A token's weight is spread evenly over its characters, from which the other tokens gather it. A character in which
    several of these stand (½ gives three tokens) is shared evenly among them. What falls on characters that none of
    them reads is lost, and the rest is made to sum to 1 again.

    Args:
        weights: Float `(S,)`, none negative.
        spans: int64 `(S, 2)`, first character of each token and the one behind its last, as `Token` has them.
        onto: int64 `(T, 2)`, the same of the other tokens.
        characters: Of the text.

    Returns:
        float64 `(T,)` that sums to 1; all 0 where no weight falls on a token.

    Example:
        >>> word, letters = np.array([[0, 2], [3, 4]]), np.array([[0, 1], [1, 2], [3, 4]])
        >>> aligned(np.array([0.5, 0.5]), word, letters, characters=4).tolist()
        [0.25, 0.25, 0.5]
    """
    places, owners = _places(spans)
    lengths = np.maximum(spans[:, 1] - spans[:, 0], 1)
    of_characters = np.bincount(places, (weights / lengths)[owners], minlength=characters)
    places, owners = _places(onto)
    readers = np.bincount(places, minlength=characters)
    gathered = np.bincount(owners, of_characters[places] / readers[places], minlength=len(onto))
    total = gathered.sum()
    return gathered / total if total > 0 else np.zeros(len(onto))


def _places(spans: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The characters of all tokens, one token after the other, and the token of each: int64 `(C,)` both."""
    lengths = spans[:, 1] - spans[:, 0]
    owners = np.repeat(np.arange(len(spans)), lengths)
    firsts = np.cumsum(lengths) - lengths
    return np.arange(len(owners)) + (spans[:, 0] - firsts)[owners], owners
