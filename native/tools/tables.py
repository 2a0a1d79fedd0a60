"""Writes native/src/tables.c and tables.h: the tables of the core's tokenizer and normalization.

    python native/tools/tables.py

The source is textapp/text, whose tables are Unicode 14's, and Python's `unicodedata` for decompositions, which are the
same in every later version. Code points that are not in textapp's tables take no part, so that the files do not depend
on Python's version.
"""

import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[2]))

from textapp.runtime.windows import SENTENCE_ENDS
from textapp.text import bert
from textapp.text.characters import CLASS_OF, CLASSES, LOWER_OF, RangeMap, parse_lower, parse_ranges
from textapp.text.normalization import LONGEST_CHUNK, ROLES
from textapp.text.word_shape import DIGIT, FIRST_CAPITAL, MARK, OTHER_CAPITAL, SMALL

SOURCES = Path(__file__).parents[1] / "src"

# The numbers of classes and roles in the byte of a code point: 4 bits, 3 bits, and a bit for capitals.
CLASS_NAMES = {"S": "SPACE", "L": "LETTER", "D": "DIGIT", "M": "MARK", "Q": "APOSTROPHE", "P": "POINT", "U": "UNSPACED"}
CLASS_NAMES |= {"I": "IGNORABLE", "O": "OTHER", "B": "PUNCTUATION"}  # B: of class O, and punctuation to BERT
ROLE_NAMES = {".": "FIXED", "i": "DROPPED", "q": "QUOTE", "j": "JOINING", "b": "BASE", "c": "CHANGING"}
CLASS_LETTERS, ROLE_LETTERS = "".join(CLASS_NAMES), "".join(ROLE_NAMES)
# UTF-8 holds no surrogates, so they need no role.
ROLE_OF = RangeMap({role: table for role, table in ROLES.items() if role != "s"}, default=".")
_IS_PUNCTUATION = RangeMap({"B": bert.PUNCTUATION}, default=".")

CODE_POINTS = [*range(0x40000), *range(0xE0000, 0xE1000)]
"""The tables of textapp/text have no others."""

TRIE_END = 0x20000  # code points from here on are a few ranges
HANGUL = range(0xAC00, 0xD7A4)  # decomposed by arithmetic

# Most bytes of tokens: GROWTH for each byte of the text, and TOKEN_GROWTH for each token.
GROWTH, TOKEN_GROWTH = 3, 8
NFKC_GROWTH = 10  # or so many for each byte of the text, and with the other forms GROWTH alone
TOKENS_A_BYTE = 5  # most tokens for each byte of the text,
WORDS_A_BYTE = 2  # fewer where a token is a word,
UNCHANGED_TOKENS_A_BYTE = 1  # and fewer without NFKC


class Decompositions(NamedTuple):
    """What normalization needs, for the code points that it may meet.

    Attributes:
        pairs: Code point -> the two code points of its canonical decomposition.
        singles: Code point -> the one code point of its canonical decomposition.
        compatible: Code point -> all code points of its compatibility decomposition.
        composites: Those of `pairs` that the pair composes to.
        ranks: Code point -> its combining class.
    """

    pairs: dict[int, tuple[int, int]]
    singles: dict[int, int]
    compatible: dict[int, list[int]]
    composites: list[int]
    ranks: dict[int, int]


def decompositions() -> Decompositions:
    """Reads them from `unicodedata`, from the code points of textapp's tables on."""
    found = Decompositions({}, {}, {}, [], {})
    waiting = [point for point in CODE_POINTS if ROLE_OF[point] in "cbj"]
    # What a chunk composes to may be decomposed again.
    waiting += [point for point in CODE_POINTS if _is_composite(point)]
    while waiting:
        point = waiting.pop()
        if point in found.ranks or point in HANGUL:
            continue
        found.ranks[point] = unicodedata.combining(chr(point))
        fields = unicodedata.decomposition(chr(point)).split()
        if not fields:
            continue
        if fields[0].startswith("<"):
            parts = list(map(ord, unicodedata.normalize("NFKD", chr(point))))
            found.compatible[point] = parts
        else:
            parts = [int(field, 16) for field in fields]
            if len(parts) == 1:
                found.singles[point] = parts[0]
            else:
                found.pairs[point] = (parts[0], parts[1])
        waiting += parts
    found.composites.extend(point for point in found.pairs if _is_composite(point))
    return found


def _is_composite(point: int) -> bool:
    """Whether a code point is what its decomposition composes to, and all of that has a role."""
    character = chr(point)
    fields = unicodedata.decomposition(character).split()
    if len(fields) != 2 or fields[0].startswith("<"):
        return False
    first, *marks = unicodedata.normalize("NFD", character)
    known = ROLE_OF[ord(first)] in "cbj" and all(ROLE_OF[ord(mark)] == "j" for mark in marks)
    return known and unicodedata.normalize("NFC", character) == character


def info(point: int) -> int:
    """The byte of a code point."""
    letter = "B" if CLASS_OF[point] == "O" and _IS_PUNCTUATION[point] == "B" else CLASS_OF[point]
    letter_number, role = CLASS_LETTERS.index(letter), ROLE_LETTERS.index(ROLE_OF[point])
    return letter_number | role << 4 | (LOWER_OF[point] != point) << 7


def check_rules(found: Decompositions) -> None:
    """Checks what the core takes for granted."""
    covered = {*CODE_POINTS}
    for table in (*CLASSES.values(), *ROLES.values(), *bert.CLASSES.values()):
        assert all({first, last} <= covered for first, last in parse_ranges(table))
    for point in CODE_POINTS:
        lower = LOWER_OF[point]
        assert CLASS_OF[lower] == CLASS_OF[point], "the byte of a capital is that of its small letter, but for bit 7"
        assert LOWER_OF[lower] == lower
        assert (_IS_PUNCTUATION[point] == "B") <= (CLASS_OF[point] in "QPO")
        assert (CLASS_OF[point] in "QP") <= (_IS_PUNCTUATION[point] == "B"), "BERT's punctuation is three classes"
    for point, parts in found.pairs.items():
        assert {part >> 16 for part in parts} == {point >> 16}, "a pair is in the plane of its code point"
        assert not {parts[1]} & {*found.pairs, *found.singles, *found.compatible, *HANGUL}, "the second is final"
    assert all(CLASS_OF[point] == "M" for point, rank in found.ranks.items() if rank)
    assert all(ROLE_OF[found.pairs[point][1]] == "j" for point in found.composites)
    for part in found.singles.values():
        assert part >> 16 in (0, 2)
        assert part not in found.singles
        assert part not in HANGUL
    for parts in found.compatible.values():
        assert not {*parts} & {*found.pairs, *found.singles, *found.compatible, *HANGUL}, "the parts are final"
    check_growth(found)


def check_growth(found: Decompositions) -> None:
    """Checks the most bytes that tokens may have.

    A composite weighs at most as much as its parts, so decompositions give the bound. What is no UTF-8 is a token of
    three bytes for each byte at least.
    """

    def weight(point: int) -> int:
        return max(len(chr(one).encode()) for one in (point, LOWER_OF[point]))

    for composite in found.composites:
        assert weight(composite) <= sum(map(weight, found.pairs[composite]))
    for capitals, delta in parse_lower():
        for point in capitals:
            assert len(chr(point + delta).encode()) <= GROWTH * len(chr(point).encode())
    for point in CODE_POINTS:
        if ROLE_OF[point] not in "cbj" or point in HANGUL:
            continue
        size = len(chr(point).encode())
        for form in ("NFD", "NFKD"):
            parts = unicodedata.normalize(form, chr(point))
            # Jamo that stand together always compose.
            parts = re.sub("[\u1100-\u11c2]+", lambda jamo: unicodedata.normalize("NFC", jamo[0]), parts)
            letters = "".join(CLASS_OF[ord(part)] for part in parts)
            grown = sum(weight(ord(part)) for part in parts if CLASS_OF[ord(part)] != "S")
            # Tokens that surely begin here: words after a space, and letters of scripts without spaces.
            begun = letters.count("U") + letters.count("O") + sum(map(bool, letters.split("S")[1:]))
            assert grown <= GROWTH * size + TOKEN_GROWTH * begun, hex(point)
            assert grown <= (NFKC_GROWTH if form == "NFKD" else GROWTH) * size, hex(point)
            words = sum(1 for _ in re.finditer("[LD][LDM]*|[^S]M*", letters))
            assert words <= WORDS_A_BYTE * size, hex(point)
            # A mark that takes a composite apart has a byte more than code points, and sets one part free.
            composed = unicodedata.normalize(form.replace("D", "C"), chr(point))
            tokens = sum(CLASS_OF[ord(part)] != "S" for part in composed)
            assert tokens <= (TOKENS_A_BYTE if form == "NFKD" else UNCHANGED_TOKENS_A_BYTE) * size, hex(point)


def trie() -> tuple[list[int], list[int], list[int]]:
    """The bytes below `TRIE_END` in three steps: of 128 code points, of 16, of one. Equal blocks are kept once."""

    def shared(values: Sequence[int], size: int) -> tuple[list[int], list[int]]:
        blocks: dict[tuple[int, ...], int] = {}
        numbers = [blocks.setdefault(tuple(values[at : at + size]), len(blocks)) for at in range(0, len(values), size)]
        return numbers, [value for block in blocks for value in block]

    numbers, last = shared([info(point) for point in range(TRIE_END)], 16)
    first, middle = shared(numbers, 8)
    return first, middle, last


def ranges_of(function: Callable[[int], int], default: int) -> list[tuple[int, int, int]]:
    """(first, last, value) of the code points from `TRIE_END` on whose value is not the default."""
    ranges: list[tuple[int, int, int]] = []
    for point in CODE_POINTS[TRIE_END:]:
        value = function(point)
        if value == default:
            continue
        if ranges and ranges[-1][1:] == (point - 1, value):
            ranges[-1] = (ranges[-1][0], point, value)
        else:
            ranges.append((point, point, value))
    return ranges


def rank_runs(ranks: dict[int, int]) -> list[int]:
    """Each run of one combining class as (first code point * 256 + class). Other code points belong to any run."""
    runs = [0]
    for point in sorted(ranks):
        if ranks[point] != runs[-1] % 256:
            runs.append(point * 256 + ranks[point])
    return runs


def pool(strings: Iterable[list[int]]) -> tuple[list[int], dict[tuple[int, ...], int]]:
    """All strings in one list of UTF-16 units, each with its length before it, and the place of each."""
    units: list[int] = []
    places: dict[tuple[int, ...], int] = {}
    for string in strings:
        if tuple(string) not in places:
            places[tuple(string)] = len(units)
            content = "".join(map(chr, string)).encode("utf-16-le")
            units += [len(content) // 2, *(content[at] | content[at + 1] << 8 for at in range(0, len(content), 2))]
    return units, places


def low(points: Iterable[int]) -> list[int]:
    """The low 16 bits of code points."""
    return [point & 0xFFFF for point in points]


def first_beyond(points: Sequence[int]) -> int:
    """The number of code points below U+10000, in a sorted list."""
    return sum(point < 0x10000 for point in points)


def arrays(found: Decompositions) -> dict[str, tuple[str, list[int]]]:
    """Name -> (type, numbers) of each table."""
    first, middle, last = trie()
    pairs = sorted(found.pairs)
    singles = sorted(found.singles)
    ones = sorted(point for point, parts in found.compatible.items() if len(parts) == 1 and parts[0] < 0x10000)
    more = sorted({*found.compatible} - {*ones})
    strings, places = pool(found.compatible[point] for point in more)
    beyond = [0] * (len(singles) // 8 + 1)
    for number, point in enumerate(singles):
        beyond[number // 8] |= (found.singles[point] >= 0x10000) << number % 8
    composites = sorted(found.composites, key=found.pairs.__getitem__)
    capitals = [(run[0], run[-1], run.step, delta) for run, delta in parse_lower()]
    return {
        "ta_ascii": ("uint8_t", [info(point) for point in range(128)]),
        "ta_trie_first": ("uint8_t", first),
        "ta_trie_middle": ("uint16_t", middle),
        "ta_trie_last": ("uint8_t", last),
        "ta_far_ranges": ("uint32_t", [part for one in ranges_of(info, info(0xFFFF)) for part in one]),
        "ta_capitals": ("int32_t", [part for one in capitals for part in one]),
        "ta_rank_runs": ("uint32_t", rank_runs(found.ranks)),
        "ta_pair_keys": ("uint16_t", low(pairs)),
        "ta_pair_firsts": ("uint16_t", low(found.pairs[point][0] for point in pairs)),
        "ta_pair_seconds": ("uint16_t", low(found.pairs[point][1] for point in pairs)),
        "ta_composites": ("uint16_t", [pairs.index(point) for point in composites]),
        "ta_single_keys": ("uint16_t", low(singles)),
        "ta_singles": ("uint16_t", low(found.singles[point] for point in singles)),
        "ta_single_beyond": ("uint8_t", beyond),
        "ta_one_keys": ("uint16_t", low(ones)),
        "ta_ones": ("uint16_t", [found.compatible[point][0] for point in ones]),
        "ta_more_keys": ("uint16_t", low(more)),
        "ta_mores": ("uint16_t", [places[tuple(found.compatible[point])] for point in more]),
        "ta_more_units": ("uint16_t", strings),
        "ta_han_ranges": ("uint32_t", [end for one in parse_ranges(bert.HAN) for end in one]),
        "ta_sentence_ends": ("uint16_t", sorted(ord(end) for end in SENTENCE_ENDS if len(end) == 1)),
        "ta_planes": (
            "uint16_t",
            list(map(first_beyond, (pairs, singles, ones, more))),
        ),
    }


COMMENTS = {
    "ta_ascii": "The byte of each code point of ASCII.",
    "ta_trie_first": "The byte of a code point below TA_TRIE_END, by its bits from 7 on, 4 to 6, and 0 to 3.",
    "ta_far_ranges": "First, last, byte of the code points from TA_TRIE_END on; the others have TA_FAR_BYTE.",
    "ta_capitals": "First, last, step, difference to the lower-case code points.",
    "ta_rank_runs": "Runs of combining classes: first code point * 256 + class.",
    "ta_pair_keys": "Canonical decompositions into two code points. Keys are low 16 bits, those below U+10000 first.",
    "ta_composites": "Numbers of the pairs that compose, sorted by pair.",
    "ta_single_keys": "Canonical decompositions into one code point: low 16 bits, and a bit for plane 2.",
    "ta_one_keys": "Compatibility decompositions into one code point below U+10000.",
    "ta_more_keys": "Other compatibility decompositions: places in ta_more_units, where a length comes before UTF-16.",
    "ta_han_ranges": "First, last of the Han characters of BERT, in ascending order.",
    "ta_sentence_ends": "Tokens of one code point that end a sentence.",
    "ta_planes": "How many keys are below U+10000: of pairs, singles, ones and mores.",
}


def lines(numbers: Iterable[int]) -> str:
    """Numbers, separated by commas, in lines of at most 120 columns."""
    rows = [""]
    for number in map(str, numbers):
        if len(rows[-1]) + len(number) > 116:
            rows.append("")
        rows[-1] += f"{number},"
    return "\n".join(f"  {row}" for row in rows)


def c_files() -> dict[str, str]:
    """The name and the content of both files."""
    found = decompositions()
    check_rules(found)
    tables = arrays(found)
    source = '/* Written by native/tools/tables.py: do not edit. Unicode 14. */\n#include "tables.h"\n'
    header = "/* Written by native/tools/tables.py: do not edit. Tables of textapp/text, of Unicode 14. */\n"
    header += '#ifndef TA_TABLES_H\n#define TA_TABLES_H\n\n#include "base.h"\n\n'
    header += (
        "/* The byte of a code point: its class in 4 bits, its role in normalization in 3, a bit for capitals. */\n"
    )
    header += "".join(f"#define TA_CLASS_{name} {number}u\n" for number, name in enumerate(CLASS_NAMES.values()))
    header += "".join(f"#define TA_ROLE_{name} {number}u\n" for number, name in enumerate(ROLE_NAMES.values()))
    header += "#define TA_CLASS(byte) ((byte) & 15u)\n#define TA_ROLE(byte) ((byte) >> 4 & 7u)\n"
    header += "#define TA_IS_CAPITAL(byte) ((byte) >> 7)\n\n/* The bits of a word's shape. */\n"
    shapes = {"FIRST_CAPITAL": FIRST_CAPITAL, "OTHER_CAPITAL": OTHER_CAPITAL, "SMALL": SMALL, "DIGIT": DIGIT}
    header += "".join(f"#define TA_SHAPE_{name} {bit}\n" for name, bit in {**shapes, "MARK": MARK}.items())
    most = max(map(len, found.compatible.values()))
    header += f"""
#define TA_BERT_BYTES {bert.MOST_BYTES}u        /* of a word; longer ones are unknown to BERT */
#define TA_TRIE_END 0x{TRIE_END:X}u
#define TA_FAR_BYTE {info(0xFFFF)}u
#define TA_LONGEST_CHUNK {LONGEST_CHUNK}u      /* code points that are normalized together */
#define TA_LONGEST_PARTS {most}u      /* code points of a decomposition */
#define TA_GROWTH {GROWTH}u              /* bytes of tokens for each byte of a text, */
#define TA_TOKEN_GROWTH {TOKEN_GROWTH}u        /* and for each token; */
#define TA_NFKC_GROWTH {NFKC_GROWTH}u       /* or so many for each byte of a text, and TA_GROWTH without NFKC */
#define TA_TOKENS_A_BYTE {TOKENS_A_BYTE}u       /* most tokens for each byte of a text, */
#define TA_WORDS_A_BYTE {WORDS_A_BYTE}u        /* where tokens are words, */
#define TA_UNCHANGED_TOKENS_A_BYTE {UNCHANGED_TOKENS_A_BYTE}u /* and without NFKC */

"""
    for name, (kind, numbers) in tables.items():
        comment = f"/* {COMMENTS[name]} */\n" if name in COMMENTS else ""
        header += f"{comment}extern const {kind} {name}[{len(numbers)}];\n"
        source += f"\nconst {kind} {name}[{len(numbers)}] = {{\n{lines(numbers)}\n}};\n"
    return {"tables.c": source, "tables.h": header + "\n#endif\n"}


if __name__ == "__main__":
    for name, content in c_files().items():
        (SOURCES / name).write_text(content, encoding="ascii")
