"""Numbers the n-grams of a text by a hash, for a linear model over them.

The exact rule, for an implementation in another language:

1. A text is the list of its words, as they are looked up in the vocabulary. Only the first `WORD_LENGTH` code points of
   a word count.
2. An n-gram of words is n successive words, joined by a space (U+0020). Its hash is the CRC-32 of its UTF-8 bytes (that
   of zlib, of Ethernet and of PNG files: polynomial 0x04C11DB7 reflected, initial value and final XOR 0xFFFFFFFF).
3. An n-gram of characters is n successive code points of U+0002, one word, U+0003. Its hash is the CRC-32 of the byte
   0x01 and its UTF-8 bytes.
4. The row of an n-gram is its hash modulo the number of rows, a power of two. Rows count once, however often a text has
   their n-grams.

A lone surrogate, which JSON may hold, has the three bytes that UTF-8 would give it.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from zlib import crc32

WORD_LENGTH = 32  # code points: enough to tell words apart, and a word of a megabyte takes no time
SHORTEST_SPELLING = 2  # characters of the shortest n-gram inside a word


class NgramRows(NamedTuple):
    """The rows of the n-grams of a text, each once, in no order.

    Attributes:
        words: Those of n-grams of words.
        characters: Those of n-grams of characters.
    """

    words: list[int]
    characters: list[int]


@dataclass(frozen=True)
class NgramHash:
    """Turns words into the rows of their n-grams.

    Attributes:
        order: Most words of an n-gram.
        rows: Number of rows for n-grams of words, a power of two.
        characters: Most characters of an n-gram inside a word; 0 for none.
        character_rows: Number of rows for n-grams of characters, a power of two; 0 for none.

    Example:
        >>> hashed = NgramHash(order=2, rows=1024, characters=3, character_rows=256)
        >>> rows = hashed(["so", "good"])
        >>> sorted(rows.words), len(rows.characters)
        ([3, 658, 717], 13)
    """

    order: int
    rows: int
    characters: int = 0
    character_rows: int = 0

    def __call__(self, words: Sequence[str]) -> NgramRows:
        """The rows of the n-grams of a text."""
        last, found = self.rows - 1, set()
        started: list[int] = []  # the hash of each n-gram that ends at the word before, the shortest first
        for word in words:
            content = _bytes(word[:WORD_LENGTH])
            following = b" " + content
            started = [crc32(content), *(crc32(following, value) for value in started[: self.order - 1])]
            found.update([value & last for value in started])
        spelled: set[int] = set()
        if self.characters:
            last = self.character_rows - 1
            for word in set(words):
                spelled.update([value & last for value in _spelling(word[:WORD_LENGTH], self.characters)])
        return NgramRows(list(found), list(spelled))


@functools.lru_cache(maxsize=1 << 16)
def _spelling(word: str, longest: int) -> tuple[int, ...]:
    """The hashes of the n-grams of characters of a word."""
    marked = f"\x02{word}\x03"
    return tuple(
        crc32(b"\x01" + _bytes(marked[start : start + count]))
        for count in range(SHORTEST_SPELLING, longest + 1)
        for start in range(len(marked) - count + 1)
    )


def _bytes(text: str) -> bytes:
    """The UTF-8 bytes of a text."""
    return text.encode("utf-8", "surrogatepass")
