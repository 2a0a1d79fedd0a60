"""Writes a report as Markdown."""

import re

from textapp.cli.reporting import MARK
from textapp.cli.reporting.content import Report
from textapp.cli.reporting.tables import Table, tables


def markdown(report: Report) -> str:
    """The report: title, tables and notes."""
    blocks = [f"# {escaped(report.title)}"]
    for table in tables(report):
        blocks += [f"## {table.title}", _table(table)]
    blocks.append("\n".join(f"- {escaped(note)}" for note in report.notes()))
    blocks.append(f"<!-- {MARK} -->")
    return "\n\n".join(blocks) + "\n"


def escaped(text: str) -> str:
    """A text with the characters escaped that have a meaning in Markdown or HTML."""
    return re.sub(r"([\\`*\[\]<>&|~$]|(?<!\w)_|_(?!\w))", r"\\\1", text)  # `_` within a word has no meaning


def _table(table: Table) -> str:
    """A table with its best cells in bold."""
    lines = [table.header, (":-", ":-", *[":-" if table.of_words else "-:"] * (len(table.header) - 2))]
    cells = [[escaped(cell) for cell in row] for row in table.rows]
    for row, column in table.best:
        cells[row][column] = f"**{cells[row][column]}**"
    return "\n".join(f"| {' | '.join(line)} |" for line in [*lines, *cells])
