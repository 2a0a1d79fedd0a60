"""Ordinary and hostile strings of Unicode, as code points, from a seed.

Two surrogates that UTF-16 reads as one code point never stand side by side. So a string has the same code points in
Python, JavaScript, Java, Swift and C.
"""

import random
from collections.abc import Iterator, Sequence

from textapp.text import bert
from textapp.text.characters import CLASSES, parse_lower, parse_ranges
from textapp.text.normalization import BASES, CHANGING, COMPOSING, QUOTES


def _pool(table: str) -> list[int]:
    """The code points of a table of ranges."""
    return [point for first, last in parse_ranges(table) for point in range(first, last + 1)]


_POOLS = {name: _pool(table) for name, table in {**CLASSES, "c": CHANGING, "b": BASES, "j": COMPOSING}.items()}
_POOLS |= {
    "q": _pool(QUOTES),
    "BERT's": _pool(bert.SYMBOLS),
    "capitals": [point for points, _ in parse_lower() for point in points],
    "emoji": [*range(0x1F300, 0x1F650), 0x2764, *range(0x1F1E6, 0x1F200)],
    "jamo": [*range(0x1100, 0x1113), *range(0x1161, 0x1176), *range(0x11A7, 0x11C4), *range(0xAC00, 0xAC40)],
    "ascii": list(range(0x80)),
    "chinese": list(range(0x4E00, 0x9FA6)),
    "kana": [*range(0x3041, 0x3097), *range(0x30A1, 0x30FB), 0x3099, 0x309A, 0x309B, *range(0xFF66, 0xFFA0)],
}
_NAMES = list(_POOLS)
_WORDS = """
    don't Don’t 3.5 1,000 mp3 80s e-mail U.S. http://a.b/c?d=1 #tag @you :-) naïve café Cafe\u0301 İstanbul ΣΊΣΥΦΟΣ
    straße ﬁne ½ ㍿ Ａ１ 好吃 ありがとう ｶﾞｷﾞ 안녕하세요 สวัสดี नमस्ते مرحبا ﷺ 👍🏽 👨\u200d👩\u200d👧 🇩🇪 №5 x² H₂O 10⁻³ ... —
    “quoted” ‘single’ \xad soft\xadhyphen zero\u200bwidth joi\u200dner \ufeffbom a''b a'b'c 1.2.3,4 1. .5 a1.5b ’tis
    Don't.1
"""
WORDS = tuple(_WORDS.split())
FIXED = ["", " ", "\0", "a", "'", "''a''", "\u0301", "e\u0301" * 3, "\u1100\u1161\u11a8", "\U0001d15e", "A" * 300]
FIXED += [
    "e" + "\u0301" * 100,
    "ﷺ" * 40,
    "½" * 30,
    "\r\n\t",
    "ǅ ẞ \u2126 \u212a \u212b",
    "e\u00ad\u0301\u200d",
    "[PAD]",
    *("a" * 100, "a" * 101, "é" * 50, "é" * 50 + "a,b", "て" * 33 + "A", "て" * 34),
]
_LONE_SURROGATES = ["\ud800", "a\udfff\ud800b", "don\udc00't", "\udbff👍", "e\ud834\u0301"]


def random_points(seeded: random.Random) -> list[int]:
    """The code points of one string; any may be surrogates."""
    kind = seeded.random()
    if kind < 0.35:
        return list(map(ord, " ".join(seeded.choices(WORDS, k=seeded.randint(0, 12)))))
    if kind < 0.75:  # few kinds of characters together
        chosen = seeded.choices(_NAMES, k=seeded.randint(1, 4))
        return [seeded.choice(_POOLS[seeded.choice(chosen)]) for _ in range(seeded.randint(0, 24))]
    if kind < 0.9:  # a base and many marks
        points: list[int] = []
        for _ in range(seeded.randint(1, 3)):
            points.append(seeded.choice(_POOLS[seeded.choice(["b", "c", "L", "jamo", "kana"])]))
            points += seeded.choices(_POOLS[seeded.choice("Mj")], k=seeded.choice([1, 2, 3, 31, 32, 33, 40]))
        return points
    return [seeded.randrange(0x110000) for _ in range(seeded.randint(0, 16))]


def strings(count: int, seed: int = 7) -> Iterator[str]:
    """Yields `count` strings, the same ones for a seed."""
    seeded = random.Random(seed)
    first = [*FIXED, *_LONE_SURROGATES]
    yield from first[:count]
    for _ in range(count - len(first)):
        yield _without_pairs(random_points(seeded))


def _without_pairs(points: Sequence[int]) -> str:
    """A string of code points, without those that UTF-16 would join with the code point before."""
    found: list[int] = []
    for point in points:
        if not (found and 0xD800 <= found[-1] < 0xDC00 <= point < 0xE000):
            found.append(point)
    return "".join(map(chr, found))
