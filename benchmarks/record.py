"""Stores the rows of a benchmark. Each row is stored when it is measured, so a benchmark can stop and resume."""

import json
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from textapp.files import write_text

Row = dict[str, Any]


class Record:
    """A JSON file with one row a line, and the Markdown table beside it.

    Args:
        path: The JSON file. The table has the same name with the suffix `.md`.
        table: Writes the rows as Markdown.
        order: Sort key of the rows; by default they stay in the order in which they were added.
    """

    def __init__(self, path: Path, table: Callable[[list[Row]], str], order: Callable[[Row], Any] | None = None):
        self.path, self.table, self.order = path, table, order

    @property
    def rows(self) -> list[Row]:
        """The rows so far. The file is read each time, because another process may have added rows."""
        if not self.path.exists():
            return []
        rows: list[Row] = json.loads(self.path.read_text(encoding="utf-8"))
        return rows

    def has(self, **fields: Any) -> bool:
        """Whether a row has these values."""
        return any(all(row.get(key) == value for key, value in fields.items()) for row in self.rows)

    def add(self, *new: Row) -> None:
        """Stores rows and writes the table again."""
        self._write([*self.rows, *new])

    def drop(self, dropped: Callable[[Row], bool]) -> None:
        """Removes rows, so that they are measured again, and writes the table again."""
        self._write([row for row in self.rows if not dropped(row)])

    def _write(self, rows: list[Row]) -> None:
        if self.order is not None:
            rows.sort(key=self.order)
        write_text(self.path, "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
        write_text(self.path.with_suffix(".md"), self.table(rows))


def spread(values: Sequence[float], form: str = ".2f", sign: str = "") -> str:
    """Mean ± standard deviation over seeds, or the value of a single seed; `sign` is the sign format of the mean."""
    ends = f" ± {statistics.stdev(values):{form}}" if len(values) > 1 else ""
    return f"{statistics.mean(values):{sign}{form}}{ends}"
