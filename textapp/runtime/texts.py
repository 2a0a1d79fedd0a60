"""The strings that a caller gives, checked."""

from collections.abc import Iterable, Iterator
from itertools import count


def strings(texts: Iterable[str]) -> Iterator[str]:
    """Iterates over the texts. One string in the place of a list would be read as a text per character.

    Raises:
        TypeError: `texts` is one string, or holds something else than strings.
    """
    if isinstance(texts, str):
        raise TypeError("`texts` must be a list of strings. Received: one string; put it in a list")
    return map(_string, texts, count())


def _string(text: object, index: int) -> str:
    """`text`, which must be a string."""
    if not isinstance(text, str):
        raise TypeError(f"`texts` must hold strings. Received: {type(text).__name__} at index {index}")
    return text
