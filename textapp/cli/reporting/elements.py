"""What the pages of a report are made of: the document, its style, tables and bars, for light and dark and for paper.

A page is one file without network and script. Its security policy allows nothing but its own style.
"""

import html
import re
from collections.abc import Iterable, Sequence

from textapp.cli.reporting import MARK
from textapp.cli.reporting.content import Device
from textapp.cli.reporting.tables import Table
from textapp.text.characters import printable

# The parts have Okabe and Ito's colours, which differ for colour-blind people too, and a grey.
PARTS = {
    "embeddings": "embedding tables",
    "recurrent": "recurrent weights",
    "dense": "dense and convolution",
    "rest": "graph and rest",
}
_STYLE = """
:root { color-scheme: light dark; --page: #fff; --text: #1d2329; --faint: #5d6771; --line: #d5dae0; --band: #f4f6f8;
  --dot: #0072b2; --other: #b45300; --good: #00714f; --bad: #b3261e; --fill: 0, 114, 178;
  --embeddings: #0072b2; --recurrent: #e69f00; --dense: #009e73; --rest: #9aa4ae; }
@media screen and (prefers-color-scheme: dark) {
  :root { --page: #14181d; --text: #e8ecf0; --faint: #9aa5b0; --line: #39424c; --band: #1c2229; --dot: #56b4e9;
    --other: #f0a35e; --good: #4cc79b; --bad: #ff8a80; --fill: 86, 180, 233;
    --embeddings: #3f97d4; --recurrent: #e69f00; --dense: #19b58b; --rest: #6d7883; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px 20px 40px; max-width: 1160px; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "PingFang SC", "Microsoft YaHei",
    "Noto Sans CJK SC", "Noto Sans SC", sans-serif; }
h1 { margin: 0 0 4px; font-size: 24px; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 36px 0 8px; font-size: 18px; scroll-margin-top: 12px; }
h3 { margin: 20px 0 6px; font-size: 15px; }
p { margin: 0 0 16px; color: var(--faint); overflow-wrap: anywhere; }
a { color: var(--dot); }
nav { margin: 12px 0 0; padding: 8px 0; border: solid var(--line); border-width: 1px 0; font-size: 14px; }
nav a { display: inline-block; margin-right: 18px; padding: 4px 0; text-decoration: none; }
nav a:hover { text-decoration: underline; }
:focus-visible { outline: 2px solid var(--dot); outline-offset: 2px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 10px; text-align: right; vertical-align: top; border-bottom: 1px solid var(--line); }
td { white-space: nowrap; }
th { color: var(--faint); font-size: 13px; font-weight: 500; vertical-align: bottom; line-height: 1.3; }
tbody th { color: var(--text); font-size: inherit; font-weight: inherit; line-height: inherit; vertical-align: top;
  text-align: left; min-width: 6em; max-width: 18em; overflow-wrap: break-word; }
tbody tr:nth-child(even) { background: var(--band); }
.numbered th:first-child, .numbered td:first-child { width: 1%; padding-right: 0; color: var(--faint); }
.numbered th:nth-child(2), .numbered td:nth-child(2), .text th, .text td { text-align: left; }
.numbered td:nth-child(2), .text td:last-child { white-space: normal; overflow-wrap: anywhere;
  min-width: min(18em, 45vw); }
.plain { width: auto; min-width: min(100%, 26em); }
.plain th:first-child { text-align: left; }
.matrix td { text-align: center; min-width: 4em; }
.settings td { text-align: left; white-space: normal; overflow-wrap: anywhere; } .why { color: var(--faint); }
.best { font-weight: 650; }
figure { margin: 0; break-inside: avoid; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr)); gap: 8px 24px;
  margin-top: 20px; }
.plots figure { max-width: 640px; }
.reliability { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(220px, 100%), 1fr)); gap: 8px 24px;
  margin-top: 20px; }
.reliability figure { max-width: 300px; }
figcaption, .note { color: var(--faint); font-size: 13px; margin: 8px 0 0; }
svg { display: block; width: 100%; height: auto; font: 12px system-ui, sans-serif; overflow: visible; }
.axis { fill: var(--faint); }
.grid { stroke: var(--line); stroke-width: 1; fill: none; }
.front { stroke: var(--dot); stroke-width: 1.5; stroke-dasharray: 4 4; fill: none; opacity: .6; }
.honest { stroke: var(--text); stroke-width: 1; stroke-dasharray: 4 4; fill: none; }
.dot { fill: var(--dot); stroke: var(--page); stroke-width: 1; }
.ring { fill: var(--page); stroke: var(--dot); stroke-width: 2; }
.error { stroke: var(--dot); stroke-width: 1.5; fill: none; opacity: .75; }
.first { stroke: var(--dot); stroke-width: 2; fill: none; } .second { stroke: var(--other); stroke-width: 2;
  fill: none; stroke-dasharray: 7 3; }
.first-name { fill: var(--dot); font-weight: 600; } .second-name { fill: var(--other); font-weight: 600; }
.track { fill: var(--line); } .range { fill: var(--dot); opacity: .35; }
.name { fill: var(--text); stroke: var(--page); stroke-width: 3; paint-order: stroke; stroke-linejoin: round;
  font-weight: 650; font-variant-numeric: tabular-nums; }
.embeddings { fill: var(--embeddings); } .recurrent { fill: var(--recurrent); }
.dense { fill: var(--dense); } .rest { fill: var(--rest); }
.bars { margin-top: 16px; }
.bars div { display: flex; align-items: center; gap: 10px; margin-bottom: 6px; }
.bars span { flex: 0 0 1.4em; text-align: right; color: var(--faint); }
.bars div svg { height: 18px; overflow: hidden; }
.key { display: inline-block; width: 12px; height: 12px; margin: 0 5px -1px 14px; }
.key:first-child { margin-left: 0; }
.bars div + figcaption .key:first-child { margin-left: calc(1.4em + 12px); }
.judged { list-style: none; margin: 12px 0 0; padding: 0; }
.judged li { padding: 10px 0; border-top: 1px solid var(--line); break-inside: avoid; }
.judged .about { display: flex; flex-wrap: wrap; gap: 2px 14px; margin: 0 0 4px; font-size: 13px; color: var(--faint); }
.judged .about b { color: var(--text); font-weight: 600; overflow-wrap: anywhere; }
.judged .right { color: var(--good); } .judged .wrong { color: var(--bad); }
.judged .line { display: grid; grid-template-columns: auto 1fr; gap: 0 10px; align-items: baseline; }
.judged .line > span { width: 5.2em; font-size: 13px; color: var(--faint); }
.judged li > bdi, .judged .line bdi { display: block; overflow-wrap: anywhere; line-height: 1.75; }
.judged .note { margin: 2px 0 0; overflow-wrap: anywhere; }
.notes { margin: 36px 0 0; padding: 16px 0 0 18px; border-top: 1px solid var(--line); color: var(--faint);
  font-size: 13px; overflow-wrap: anywhere; }
summary { cursor: pointer; padding: 6px 0; color: var(--dot); }
@media (max-width: 600px) {
  body { padding: 16px 14px 32px; }
  h1 { font-size: 21px; }
  .judged .line { grid-template-columns: 1fr; }
}
@media print {
  @page { margin: 14mm; }
  body { padding: 0; max-width: none; font-size: 9.5pt; }
  nav { display: none; }
  th, td { padding: 3px 5px; } th { font-size: 8pt; }
  h2 { break-after: avoid; } tr { break-inside: avoid; } .scroll { overflow: visible; }
  .plots { grid-template-columns: 1fr 1fr; }
}
"""
_BAR = 1000  # width of the longest bar, in units of its drawing


def document(title: str, about: Iterable[str], blocks: Iterable[str], notes: Iterable[str]) -> str:
    """A whole page.

    Args:
        title: The headline, as text.
        about: Paragraphs below it, as text.
        blocks: The content, as HTML.
        notes: Sentences at the end, as text.
    """
    paragraphs = "".join(f"<p>{html.escape(text)}</p>\n" for text in about)
    items = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<!-- {MARK} -->\n"
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{html.escape(title)}</h1>\n{paragraphs}" + "\n".join(blocks) + f'\n<ul class="notes">{items}</ul>\n'
        "</main>\n</body>\n</html>\n"
    )


def scrolling(title: str, table: str) -> str:
    """A table in a box that scrolls if the screen is narrow, also by the keyboard."""
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{html.escape(title)}">{table}</div>'


def numbered_table(table: Table) -> str:
    """A table about models, with its headline; a table of words is aligned to the left."""
    style = "numbered text" if table.of_words else "numbered"
    header = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in table.header)
    rows = []
    for row, cells in enumerate(table.rows):
        columns = []
        for column, cell in enumerate(cells):
            kind = ' class="best"' if (row, column) in table.best else ""
            text = breakable(cell) if column in (1, len(cells) - 1) else html.escape(cell)
            columns.append(f"<td{kind}>{text}</td>")
        rows.append(f"<tr>{''.join(columns)}</tr>\n")
    content = f'<table class="{style}">\n<thead><tr>{header}</tr></thead>\n<tbody>\n{"".join(rows)}</tbody>\n</table>'
    return f"<h2>{html.escape(table.title)}</h2>\n{scrolling(table.title, content)}"


def plain_table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "plain") -> str:
    """A table whose first column names its rows. The other cells are HTML."""
    names = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in header)
    lines = "".join(
        f'<tr><th scope="row"><bdi>{shown(first)}</bdi></th>{"".join(cells)}</tr>\n' for first, *cells in rows
    )
    return scrolling(
        title, f'<table class="{kind}">\n<thead><tr>{names}</tr></thead>\n<tbody>\n{lines}</tbody></table>'
    )


def cell(text: str) -> str:
    """A cell of a `plain_table`."""
    return f"<td>{html.escape(text)}</td>"


def shown(text: str) -> str:
    """A name as HTML: control characters as escapes."""
    return html.escape(printable(text))


def breakable(text: str) -> str:
    """A text that may break into a new line after each `/` and `_`."""
    return re.sub("([/_])", r"\1<wbr>", html.escape(text))


def in_bytes(count: float) -> str:
    """Bytes in a short form, in powers of ten."""
    for size, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f} B"


def part_keys() -> str:
    """What the colours of a bar mean."""
    return "".join(
        f'<svg class="key" viewBox="0 0 1 1" aria-hidden="true"><rect class="{key}" width="1" height="1"/></svg>{title}'
        for key, title in PARTS.items()
    )


def part_bar(name: str, device: Device, longest: int) -> str:
    """The parts of a bundle's file as a bar, on a scale on which a file of `longest` bytes fills the line."""
    drawn, left, scale = [], 0.0, _BAR / longest
    for key, count in device.parts.to_dict().items():
        share = count / device.parts.total
        tip = html.escape(f"{name}, {PARTS[key]}: {count:,} bytes, {share:.1%}")
        drawn.append(
            f'<rect class="{key}" x="{left:.2f}" width="{scale * count:.2f}" height="1"><title>{tip}</title></rect>'
        )
        left += scale * count
    label = html.escape(f"{name}: bytes by part")
    return (
        f'<svg viewBox="0 0 {_BAR} 1" preserveAspectRatio="none" role="img" aria-label="{label}">{"".join(drawn)}</svg>'
    )
