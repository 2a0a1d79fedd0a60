"""The rows of a benchmark on disk: measured once, kept at once, so that work can stop at any moment; their spread."""

import json
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from textapp.files import write_text

Row = dict[str, Any]


class Record:
    """A JSON file of rows, a line each, and the Markdown table beside it.

    Args:
        path: The JSON file; the table has its name.
        table: Writes the rows as Markdown.
        order: Sorts rows for people; by default as they came.
    """

    def __init__(self, path: Path, table: Callable[[list[Row]], str], order: Callable[[Row], Any] | None = None):
        self.path, self.table, self.order = path, table, order

    @property
    def rows(self) -> list[Row]:
        """What is measured so far; read anew, as another process may have added to it."""
        if not self.path.exists():
            return []
        rows: list[Row] = json.loads(self.path.read_text(encoding="utf-8"))
        return rows

    def has(self, **fields: Any) -> bool:
        """Whether some row has these values."""
        return any(all(row.get(key) == value for key, value in fields.items()) for row in self.rows)

    def add(self, *new: Row) -> None:
        """Keeps rows and writes the table anew."""
        rows = [*self.rows, *new]
        if self.order is not None:
            rows.sort(key=self.order)
        write_text(self.path, "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
        write_text(self.path.with_suffix(".md"), self.table(rows))


def spread(values: Sequence[float], form: str = ".2f", sign: str = "") -> str:
    """Mean ± standard deviation over seeds, the mean with a `sign` where asked; of one seed its value."""
    ends = f" ± {statistics.stdev(values):{form}}" if len(values) > 1 else ""
    return f"{statistics.mean(values):{sign}{form}}{ends}"
