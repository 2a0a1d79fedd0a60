"""Unicode normalization that keeps offsets, and whose result is the same with every Unicode version of a library.

The steps, before a text is cut into tokens:

1. Surrogates, which a Python string may hold, become U+FFFD; the code points of `IGNORABLES` are dropped.
2. Form "nfkc" only: the typographic apostrophes `QUOTES` become `'` (U+0027).
3. Forms "nfc" and "nfkc": each chunk of the text is normalized separately. With `J` = `MARKS` and `COMPOSING`,
   `C` = `CHANGING`, `B` = `BASES`, a chunk is a match of `[CB]J{1,31}|J{1,32}|C`. The rest stays as it is.

By the Unicode stability policy, strings of code points of version 14.0 normalize alike in every later version. A chunk
has no other code points, so that Python 3.11 and 3.12, TensorFlow's ICU and future browsers agree. For texts of such
code points without `IGNORABLES` and `QUOTES` the result equals that of `unicodedata.normalize`, up to the 32nd mark in
a row. No language needs more marks, and the limit keeps the time linear on hostile texts; the Stream-Safe Text Format
of UAX #15 has the same purpose.

Reference: Unicode Standard Annex #15, Unicode Normalization Forms.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple, get_args

from textapp.text.characters import IGNORABLES, MARKS, SURROGATES, RangeMap, parse_ranges, replace_surrogates

Form = Literal["none", "nfc", "nfkc"]
FORMS: tuple[Form, ...] = get_args(Form)

QUOTES = "B4 2018-2019 201B"
"""Acute accent and typographic apostrophes: don´t and don’t are don't."""

COMPOSING = """
    1161-1175 11A8-11C2 3133 3135-3136 313A-313F 314F-3163 FF9E-FF9F FFA3 FFA5-FFA6 FFAA-FFAF FFC2-FFC7 FFCA-FFCF
    FFD2-FFD7 FFDA-FFDC
"""
"""May change together with the code point before, as `MARKS` may: jamo vowels and finals, half-width voice marks."""

CHANGING = """
    A0 A8 AA AF B2-B3 B5 B8-BA BC-BE 132-133 13F-140 149 17F 1C4-1CC 1F1-1F3 2B0-2B8 2D8-2DD 2E0-2E4 374 37A 37E
    384-385 387 3D0-3D6 3F0-3F2 3F4-3F5 3F9 587 675-678 958-95F 9DC-9DD 9DF A33 A36 A59-A5B A5E B5C-B5D E33 EB3
    EDC-EDD F0C F43 F4D F52 F57 F5C F69 10FC 1D2C-1D2E 1D30-1D3A 1D3C-1D4D 1D4F-1D6A 1D78 1D9B-1DBF 1E9A-1E9B 1F71
    1F73 1F75 1F77 1F79 1F7B 1F7D 1FBB 1FBD-1FC1 1FC9 1FCB 1FCD-1FCF 1FD3 1FDB 1FDD-1FDF 1FE3 1FEB 1FED-1FEF 1FF9
    1FFB 1FFD-1FFE 2000-200A 2011 2017 2024-2026 202F 2033-2034 2036-2037 203C 203E 2047-2049 2057 205F 2070-2071
    2074-208E 2090-209C 20A8 2100-2103 2105-2107 2109-2113 2115-2116 2119-211D 2120-2122 2124 2126 2128 212A-212D
    212F-2131 2133-2139 213B-2140 2145-2149 2150-217F 2189 222C-222D 222F-2230 2329-232A 2460-24EA 2A0C 2A74-2A76
    2ADC 2C7C-2C7D 2D6F 2E9F 2EF3 2F00-2FD5 3000 3036 3038-303A 309B-309C 309F 30FF 3131-3132 3134 3137-3139
    3140-314E 3165-318E 3192-319F 3200-321E 3220-3247 3250-327E 3280-33FF A69C-A69D A770 A7F2-A7F4 A7F8-A7F9
    AB5C-AB5F AB69 F900-FA0D FA10 FA12 FA15-FA1E FA20 FA22 FA25-FA26 FA2A-FA6D FA70-FAD9 FB00-FB06 FB13-FB17 FB1D
    FB1F-FB36 FB38-FB3C FB3E FB40-FB41 FB43-FB44 FB46-FBB1 FBD3-FD3D FD50-FD8F FD92-FDC7 FDF0-FDFC FE10-FE19
    FE30-FE44 FE47-FE52 FE54-FE66 FE68-FE6B FE70-FE72 FE74 FE76-FEFC FF01-FF9D FFA1-FFA2 FFA4 FFA7-FFA9 FFB0-FFBE
    FFE0-FFE6 FFE8-FFEE 10781-10785 10787-107B0 107B2-107BA 1D15E-1D164 1D1BB-1D1C0 1D400-1D454 1D456-1D49C
    1D49E-1D49F 1D4A2 1D4A5-1D4A6 1D4A9-1D4AC 1D4AE-1D4B9 1D4BB 1D4BD-1D4C3 1D4C5-1D505 1D507-1D50A 1D50D-1D514
    1D516-1D51C 1D51E-1D539 1D53B-1D53E 1D540-1D544 1D546 1D54A-1D550 1D552-1D6A5 1D6A8-1D7CB 1D7CE-1D7FF
    1EE00-1EE03 1EE05-1EE1F 1EE21-1EE22 1EE24 1EE27 1EE29-1EE32 1EE34-1EE37 1EE39 1EE3B 1EE42 1EE47 1EE49 1EE4B
    1EE4D-1EE4F 1EE51-1EE52 1EE54 1EE57 1EE59 1EE5B 1EE5D 1EE5F 1EE61-1EE62 1EE64 1EE67-1EE6A 1EE6C-1EE72
    1EE74-1EE77 1EE79-1EE7C 1EE7E 1EE80-1EE89 1EE8B-1EE9B 1EEA1-1EEA3 1EEA5-1EEA9 1EEAB-1EEBB 1F100-1F10A
    1F110-1F12E 1F130-1F14F 1F16A-1F16C 1F190 1F200-1F202 1F210-1F23B 1F240-1F248 1F250-1F251 1FBF0-1FBF9
    2F800-2FA1D
"""
"""Change by NFKC or NFC even on their own; without those in `MARKS`, `COMPOSING`, `IGNORABLES` and `QUOTES`."""

BASES = """
    3C-7A C2-113 14C-16B 1A0-1B7 1EA-1EB 226-292 391-3A1 3A5-3CE 406-475 4D8-4E9 627-64A 6C1-6D5 928-933 B92 1025
    1100-1112 1B05-1B11 1E36-1E63 1EA0-1F11 1F18-1F19 1F20-1F41 1F48-1F49 1F50-1F51 1F59 1F60-1F70 1F74 1F7C 1FB6
    1FC6 1FF6 2190-2225 223C-22B5 3046-307B 309D 30A6-30FD AC00-D788 11099-110A5
"""
"""May change together with a mark, jamo or voice mark after them; the ranges also have some letters that do not."""

LONGEST_CHUNK = 32
"""Maximum number of code points in a chunk."""

ROLES = {"i": IGNORABLES, "s": SURROGATES, "q": QUOTES, "j": f"{MARKS} {COMPOSING}", "c": CHANGING, "b": BASES}
"""The role of a code point in normalization, a letter each. The tables are disjoint; other code points never change."""

_ROLE_OF = RangeMap(ROLES, default=".")
_QUOTE_OF = str.maketrans({chr(quote): "'" for first, last in parse_ranges(QUOTES) for quote in range(first, last + 1)})
_IGNORED = re.compile("i+")
_CHUNK = re.compile(f"[cb]j{{1,{LONGEST_CHUNK - 1}}}|j{{1,{LONGEST_CHUNK}}}|c")


class Normalized(NamedTuple):
    """A normalized text, and the origin of each of its code points in the original text.

    Attributes:
        text: The normalized text.
        starts: For each code point, the offset of its first original code point.
        ends: For each code point, the offset after its last original code point.
    """

    text: str
    starts: Sequence[int]
    ends: Sequence[int]


def unchanged(text: str) -> Normalized:
    """Returns a text as it is, each code point with its own place."""
    return Normalized(text, range(len(text)), range(1, len(text) + 1))


def normalize(text: str, form: Form) -> Normalized:
    """Normalizes a text by the steps of this file's docstring, and keeps the offsets.

    The origin of a code point in a changed chunk is the whole chunk: that of "é" is both e and U+0301, and those of "f"
    and "i" are both the ligature "ﬁ".

    Args:
        text: Any text.
        form: "none", "nfc" or "nfkc".

    Example:
        >>> normalize("ﬁn", "nfkc")
        Normalized(text='fin', starts=[0, 0, 1], ends=[1, 1, 2])
    """
    original = unchanged(text)
    if text.isascii():  # nothing in ASCII changes
        return original
    roles = text.translate(_ROLE_OF)
    if "s" in roles:
        text = replace_surrogates(text)
    if "q" in roles and form == "nfkc":
        text = text.translate(_QUOTE_OF)
    normalized = original._replace(text=text)
    if "i" in roles:
        normalized = _replace(normalized, ((*match.span(), "") for match in _IGNORED.finditer(roles)))
        roles = roles.replace("i", "")
    if form != "none":
        normalized = _replace(normalized, _changes(normalized.text, roles, "NFKC" if form == "nfkc" else "NFC"))
    return normalized


def is_boundary(text: str, position: int) -> bool:
    """Whether the parts before and after a position may be normalized separately.

    They may if the code point there is neither dropped nor joined to those before it: every chunk that holds such a
    code point begins with it.
    """
    return text[position].isascii() or _ROLE_OF[ord(text[position])] not in "ij"


def _changes(text: str, roles: str, form: Literal["NFC", "NFKC"]) -> Iterator[tuple[int, int, str]]:
    """Yields (start, end, normalized) for each chunk that normalization changes."""
    for match in _CHUNK.finditer(roles):
        start, end = match.span()
        chunk = text[start:end]
        changed = unicodedata.normalize(form, chunk)
        if changed != chunk:
            yield start, end, changed


def _replace(normalized: Normalized, changes: Iterable[tuple[int, int, str]]) -> Normalized:
    """Replaces text[start:end] by `new` for each (start, end, new) of `changes`, which are in order."""
    text, starts, ends = normalized
    pieces: list[str] = []
    new_starts: list[int] = []
    new_ends: list[int] = []
    done = 0
    for start, end, new in changes:
        pieces += text[done:start], new
        new_starts += starts[done:start]
        new_starts += [starts[start]] * len(new)
        new_ends += ends[done:start]
        new_ends += [ends[end - 1]] * len(new)
        done = end
    if done == 0:
        return normalized
    pieces.append(text[done:])
    new_starts += starts[done:]
    new_ends += ends[done:]
    return Normalized("".join(pieces), new_starts, new_ends)
