"""Decimal numbers of text, parsed in blocks, faster than by `numpy.loadtxt`.

Eight digits are a 64-bit integer to NumPy, and three multiplications give their value: of pairs of digits, then of
fours, then of all eight. The result is exact: an integer below 2^53 divided by a power of ten up to 10^22 gives the
double nearest to the decimal. Numbers in another form than `-0.123` (with an exponent, or whole) are left to `float`.
`python -m benchmarks.decimals` compares them: 7 to 10 million numbers a second of CPU time; 5 with `numpy.loadtxt`, 4
with `float`.

Reference: Clinger 1990, How to Read Floating Point Numbers Accurately; Lemire 2021, Number Parsing at a Gigabyte per
Second.
"""

import numpy as np

_EXACT = 2**53
_MAX_FRACTION = 16  # digits after the point: two groups of eight
_POWERS = 10 ** np.arange(_MAX_FRACTION + 1, dtype=np.int64)
_FLOAT_POWERS = _POWERS.astype(np.float64)
_LAST_BYTES = np.array([2**64 - 2 ** (8 * (8 - n)) for n in range(9)], np.uint64)  # masks of a little-endian integer
_ZERO, _MINUS, _POINT, _SPACE, _NEWLINE = b"0-. \n"
_PADDING = b"0" * 16  # so that sixteen bytes precede the end of every number


def parse_rows(lines: bytes, num_columns: int) -> np.ndarray | None:
    r"""Parses a table of decimal numbers.

    Args:
        lines: Rows that end in `\n`, of numbers separated by single spaces.
        num_columns: Numbers a row, `E`.

    Returns:
        float64 `(rows, E)`, each number equal to that of `float`, also NaN and infinity. None if the text is no such
        table.

    Example:
        >>> parse_rows(b"0.25 -1\n3e-2 .5\n", 2).tolist()
        [[0.25, -1.0], [0.03, 0.5]]
        >>> parse_rows(b"0.25 -1\n3e-2\n", 2) is None
        True
    """
    content = np.frombuffer(_PADDING + lines, np.uint8)
    ends = np.flatnonzero(content <= _SPACE)  # the byte after each number
    if not _is_table(content[ends], num_columns) or not lines.endswith(b"\n"):
        return None
    starts = np.concatenate([[len(_PADDING)], ends[:-1] + 1])
    negative = content[starts] == _MINUS
    points = np.flatnonzero(content == _POINT)
    if len(points) != len(ends) or (points < starts).any() or (points > ends).any():
        # The first point after each number's start; if the number has none, its last byte, so that `float` parses it.
        points = np.append(points, len(content))[np.searchsorted(points, starts)]
        points = np.where(points < ends, points, ends - 1)
    values, valid = _parse(content, starts + negative, points, ends)
    np.negative(values, where=negative, out=values)
    for index in np.flatnonzero(~valid):
        try:
            values[index] = float(content[starts[index] : ends[index]].tobytes())
        except ValueError:
            return None
    return values.reshape(-1, num_columns)


def _is_table(separators: np.ndarray, num_columns: int) -> bool:
    """Whether the separators are those of a table: single spaces within rows and a newline after each."""
    if not len(separators) or len(separators) % num_columns:
        return False
    table = separators.reshape(-1, num_columns)
    return bool((table[:, :-1] == _SPACE).all() and (table[:, -1] == _NEWLINE).all())


def _parse(
    content: np.ndarray, starts: np.ndarray, points: np.ndarray, ends: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Parses numbers without a sign, given the offsets of their first byte, of their point and after their last byte.

    Returns:
        The numbers, float64, and whether each is valid: digits, a point and digits, few enough to be exact. Numbers
        that are not valid have arbitrary values.
    """
    words = np.ndarray(len(content) - 7, "<u8", content, strides=(1,))  # the eight bytes from each offset on
    whole_length, fraction_length = points - starts, ends - points - 1
    valid = (content[points] == _POINT) & (ends - starts > 1)
    valid &= (whole_length <= 8) & (fraction_length <= _MAX_FRACTION)
    fraction_length[~valid] = whole_length[~valid] = 0

    digits, are_digits = _eight_digits(words[ends - 8], np.minimum(fraction_length, 8))
    valid &= are_digits
    longer = np.flatnonzero(fraction_length > 8)
    if len(longer):
        high, are_digits = _eight_digits(words[ends[longer] - 16], fraction_length[longer] - 8)
        valid[longer] &= are_digits
        digits[longer] += high * 10**8

    whole = (content[points - 1] - _ZERO).astype(np.int64)  # usually a single digit
    whole[whole_length == 0] = 0
    valid &= whole <= 9
    longer = np.flatnonzero(whole_length > 1)
    if len(longer):
        whole[longer], are_digits = _eight_digits(words[points[longer] - 8], whole_length[longer])
        valid[longer] &= are_digits

    # Eight digits before the point and sixteen after it may overflow int64; doubles are large enough for this check.
    scale = _FLOAT_POWERS[fraction_length]
    valid &= whole * scale + digits < _EXACT
    whole *= _POWERS[fraction_length]
    whole += digits
    return whole / scale, valid


def _eight_digits(words: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Parses the last `lengths` (at most 8) of each eight characters as an integer.

    Returns:
        The integers, int64, and whether all these characters are digits; otherwise the integer is arbitrary.
    """
    digits = words ^ np.uint64(0x3030303030303030)  # only "0" to "9" become 0 to 9
    digits &= _LAST_BYTES[lengths]
    over_nine = ((digits & np.uint64(0x7F7F7F7F7F7F7F7F)) + np.uint64(0x7676767676767676)) | digits
    valid = over_nine & np.uint64(0x8080808080808080) == 0
    for factor, shift, mask in ((10, 8, 0x00FF00FF00FF00FF), (100, 16, 0x0000FFFF0000FFFF), (10_000, 32, 0xFFFFFFFF)):
        digits = (digits * np.uint64(factor) + (digits >> np.uint64(shift))) & np.uint64(mask)
    return digits.view(np.int64), valid
