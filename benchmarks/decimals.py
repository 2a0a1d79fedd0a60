"""Speed of parsing a text file of vectors: textapp's parser, `numpy.loadtxt` and `float`.

    python -m benchmarks.decimals

The tables have 280 lines of 100 random numbers, in three formats of decimals. All parsers take turns. It prints the
median of 15 rounds, in million numbers a second of CPU time.
"""

import io
import statistics
import time
from collections.abc import Callable

import numpy as np

from textapp.vectors.decimals import parse_rows

LINES, COLUMNS, ROUNDS = 280, 100, 15


def with_float(content: bytes) -> np.ndarray:
    """Parses each number with Python's `float`."""
    return np.array([[float(number) for number in line.split()] for line in content.splitlines()])


def with_loadtxt(content: bytes) -> np.ndarray:
    """Parses with NumPy's reader."""
    return np.loadtxt(io.BytesIO(content))


def with_textapp(content: bytes) -> np.ndarray:
    """Parses with `parse_rows`."""
    parsed = parse_rows(content, COLUMNS)
    assert parsed is not None
    return parsed


def main() -> None:
    """Measures and prints."""
    parsers: dict[str, Callable[[bytes], np.ndarray]] = {
        "textapp": with_textapp,
        "numpy.loadtxt": with_loadtxt,
        "float": with_float,
    }
    table = np.random.default_rng(0).standard_normal((LINES, COLUMNS))
    for form in ("%.5f", "%.6f", "%.9f"):
        content = "".join(" ".join(form % number for number in row) + "\n" for row in table).encode()
        seconds: dict[str, list[float]] = {name: [] for name in parsers}
        for _ in range(ROUNDS):
            for name, parse in parsers.items():
                began = time.process_time()
                parsed = parse(content)
                seconds[name].append(time.process_time() - began)
                np.testing.assert_array_equal(parsed, with_float(content))
        speeds = (f"{name} {table.size / statistics.median(times) / 1e6:.1f}" for name, times in seconds.items())
        print(f"{form}: {', '.join(speeds)} million numbers a second")


if __name__ == "__main__":
    main()
