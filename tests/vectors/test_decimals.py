"""Many decimals at once are what `float` makes of each."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textapp.vectors.decimals import parse_rows


def bits(values):
    """The doubles' bits, which tell -0.0 from 0.0."""
    return [struct.pack("<d", value) for value in values]


@pytest.mark.parametrize(
    "text",
    [
        "0.1", "-0.1", ".5", "-.5", "5.", "-0.0", "0.0", "12.5", "-12345678.25", "123456789.5", "0.12345678",
        "0.123456789", "-0.1234567890123456", "0.12345678901234567", "3.1234567890123456", "99999999.99999999",
        "9007199254740991.0", "0.9007199254740993", "1", "-1", "+1.5", "12", "1e-05", "-1.5E+3", "2.5e-308", "nan",
        "inf", "0.00000001", "0.0000000000000001", "00000000000.1", "1.7976931348623157e308",
    ],
)  # fmt: skip
def test_a_number_equals_float(text):
    for lines in (f"{text}\n", f"0.5 {text}\n{text} -0.25\n"):
        expected = [float(part) for part in lines.split()]
        values = parse_rows(lines.encode(), len(lines.split("\n")[0].split()))
        assert bits(values.ravel()) == bits(expected)


SPELLINGS = ["%.5g", "%.6f", "%.9g", "%r", "%.17g", "%d.", "%e"]


@given(st.lists(st.tuples(st.floats(allow_nan=False), st.sampled_from(SPELLINGS)), min_size=1, max_size=12))
def test_any_row_equals_float(numbers):
    parts = [spelling % number for number, spelling in numbers if np.isfinite(number) or spelling != "%d."]
    if parts:
        values = parse_rows((" ".join(parts) + "\n").encode(), len(parts))
        assert bits(values[0]) == bits(map(float, parts))


@given(st.text("0123456789.-+eE", min_size=1, max_size=20))
def test_any_garble_is_what_float_says(text):
    try:
        expected = float(text)
    except ValueError:
        assert parse_rows(f"{text}\n".encode(), 1) is None
    else:
        assert bits(parse_rows(f"{text}\n".encode(), 1)[0]) == bits([expected])


@pytest.mark.parametrize(
    "lines",
    [
        b"", b"\n", b"0.1 0.2", b"0.1\n", b"0.1 0.2 0.3\n", b"0.1 0.2\n0.3\n", b"0.1\n0.2 0.3\n0.4\n", b"0.1  0.2\n",
        b"0.1\t0.2\n", b" 0.1 0.2\n", b"0.1 0.2 \n", b"0.1 0.2\r\n", b"0.1 0,2\n", b"0.1 0.2.3\n", b"0.1 --0.2\n",
        b"0.1 -\n", b"0.1 .\n", b"0.1 0.2\xe5\xa5\xbd\n", b"0.1 \xff.2\n", b"0.1 0.\x002\n", b"0.1 :.1\n", b"0.1 /.1\n",
    ],
)  # fmt: skip
def test_what_is_no_table_of_two_columns_is_none(lines):
    assert parse_rows(lines, 2) is None
