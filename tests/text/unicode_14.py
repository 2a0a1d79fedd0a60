"""Python's Unicode data as of version 14.0, that of textapp's tables, whatever Python's own version is."""

import functools
import unicodedata

from textapp.text.characters import parse_ranges

ASSIGNED_LATER = """
    CF3 ECE 2FFC-2FFF 31EF 10EFD-10EFF 1123F-11241 11B00-11B09 11F00-11F10 11F12-11F3A 11F3E-11F59 1342F 13439-13455
    1B132 1B155 1D2C0-1D2D3 1DF25-1DF2A 1E030-1E06D 1E08F 1E4D0-1E4F9 1F6DC 1F774-1F776 1F77B-1F77F 1F7D9 1FA75-1FA77
    1FA87-1FA88 1FAAD-1FAAF 1FABB-1FABD 1FABF 1FACE-1FACF 1FADA-1FADB 1FAE8 1FAF7-1FAF8 2B739 2EBF0-2EE5D 31350-323AF
"""
"""Assigned in 15.0 and 15.1, which Python 3.12 and 3.13 have. No older code point changed its category or its case."""


@functools.cache
def _later() -> frozenset[int]:
    ranges = parse_ranges(ASSIGNED_LATER)
    return frozenset(code_point for first, last in ranges for code_point in range(first, last + 1))


def category(character: str) -> str:
    """The general category in Unicode 14.0: "Cn" of a code point that was not assigned then."""
    return "Cn" if ord(character) in _later() else unicodedata.category(character)
