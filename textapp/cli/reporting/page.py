"""Writes a report as one HTML file without network and script, for light and dark screens and for paper."""

import html
import re

from textapp.cli.reporting import MARK
from textapp.cli.reporting.content import Device, Report, Table, Variant, bundles, tables
from textapp.cli.reporting.plot import Point, scatter
from textapp.cli.reporting.reliability_diagram import reliability_diagram

# The parts have Okabe and Ito's colours, which differ for colour-blind people too, and a grey.
_PARTS = {
    "embeddings": "embedding tables",
    "recurrent": "recurrent weights",
    "dense": "dense and convolution",
    "rest": "graph and rest",
}
_STYLE = """
:root { color-scheme: light dark; --page: #fff; --text: #1d2329; --faint: #5d6771; --line: #d5dae0; --band: #f4f6f8;
  --dot: #0072b2; --embeddings: #0072b2; --recurrent: #e69f00; --dense: #009e73; --rest: #9aa4ae; }
@media screen and (prefers-color-scheme: dark) {
  :root { --page: #14181d; --text: #e8ecf0; --faint: #9aa5b0; --line: #39424c; --band: #1c2229; --dot: #56b4e9;
    --embeddings: #3f97d4; --recurrent: #e69f00; --dense: #19b58b; --rest: #6d7883; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px 20px 40px; max-width: 1160px; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { margin: 0 0 4px; font-size: 24px; line-height: 1.25; }
h2 { margin: 32px 0 8px; font-size: 18px; }
p { margin: 0 0 16px; color: var(--faint); overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 10px; text-align: right; vertical-align: top; border-bottom: 1px solid var(--line); }
td { white-space: nowrap; }
th { color: var(--faint); font-size: 13px; font-weight: 500; vertical-align: bottom; line-height: 1.3; }
tbody tr:nth-child(even) { background: var(--band); }
th:first-child, td:first-child { width: 1%; padding-right: 0; color: var(--faint); }
th:nth-child(2), td:nth-child(2), .text th, .text td { text-align: left; }
td:nth-child(2), .text td:last-child { white-space: normal; overflow-wrap: anywhere; min-width: min(18em, 45vw); }
.best { font-weight: 650; }
figure { margin: 0; break-inside: avoid; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr)); gap: 8px 24px;
  margin-top: 20px; }
.plots figure { max-width: 640px; }
.reliability { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(220px, 100%), 1fr)); gap: 8px 24px;
  margin-top: 20px; }
.reliability figure { max-width: 300px; }
figcaption { color: var(--faint); font-size: 13px; }
svg { display: block; width: 100%; height: auto; font: 12px system-ui, sans-serif; overflow: visible; }
.axis { fill: var(--faint); }
.grid { stroke: var(--line); stroke-width: 1; fill: none; }
.front { stroke: var(--dot); stroke-width: 1.5; stroke-dasharray: 4 4; fill: none; opacity: .6; }
.honest { stroke: var(--text); stroke-width: 1; stroke-dasharray: 4 4; fill: none; }
.dot { fill: var(--dot); stroke: var(--page); stroke-width: 1; }
.ring { fill: var(--page); stroke: var(--dot); stroke-width: 2; }
.name { fill: var(--text); stroke: var(--page); stroke-width: 3; paint-order: stroke; stroke-linejoin: round;
  font-weight: 650; font-variant-numeric: tabular-nums; }
.embeddings { fill: var(--embeddings); } .recurrent { fill: var(--recurrent); }
.dense { fill: var(--dense); } .rest { fill: var(--rest); }
.bars { margin-top: 16px; }
.bars div { display: flex; align-items: center; gap: 10px; margin-bottom: 6px; }
.bars span { flex: 0 0 1.4em; text-align: right; color: var(--faint); }
.bars div svg { height: 18px; overflow: hidden; }
.key { display: inline-block; width: 12px; height: 12px; margin: 0 5px -1px 14px; }
.key:first-child { margin-left: calc(1.4em + 12px); }
ul { margin: 32px 0 0; padding: 16px 0 0 18px; border-top: 1px solid var(--line); color: var(--faint);
  font-size: 13px; overflow-wrap: anywhere; }
@media print {
  @page { margin: 14mm; }
  body { padding: 0; max-width: none; font-size: 9.5pt; }
  th, td { padding: 3px 5px; } th { font-size: 8pt; }
  h2 { break-after: avoid; } tr { break-inside: avoid; } .scroll { overflow: visible; }
  .plots { grid-template-columns: 1fr 1fr; }
}
"""
_BAR = 1000  # width of the longest bar, in units of its drawing


def page(report: Report) -> str:
    """The report as HTML. All its content is escaped, so nothing in it is markup."""
    first, *others = tables(report)
    blocks = [_table(first), _plots(report)]
    if report.has_confidence:
        blocks += [_table(others.pop(0)), _reliability(report)]
    blocks += map(_table, others)
    if report.timed:
        blocks.append(_bars(report))
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in report.notes())
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<!-- {MARK} -->\n"
        f"<title>{html.escape(report.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{html.escape(report.title)}</h1>\n<p>on {html.escape(report.data)}</p>\n"
        + "\n".join(blocks)
        + f"\n<ul>{notes}</ul>\n</body>\n</html>\n"
    )


def in_bytes(count: float) -> str:
    """Bytes in a short form, in powers of ten."""
    for size, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f} B"


def _table(table: Table) -> str:
    """A table; a table of words is aligned to the left."""
    style = ' class="text"' if table.of_words else ""
    header = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in table.header)
    rows = []
    for row, cells in enumerate(table.rows):
        columns = []
        for column, cell in enumerate(cells):
            kind = ' class="best"' if (row, column) in table.best else ""
            text = _breakable(cell) if column in (1, len(cells) - 1) else html.escape(cell)
            columns.append(f"<td{kind}>{text}</td>")
        rows.append(f"<tr>{''.join(columns)}</tr>\n")
    return (
        f'<h2>{html.escape(table.title)}</h2>\n<div class="scroll"><table{style}>\n<thead><tr>{header}</tr></thead>\n'
        f"<tbody>\n{''.join(rows)}</tbody>\n</table></div>"
    )


def _breakable(text: str) -> str:
    """A text that may break into a new line after each `/` and `_`."""
    return re.sub("([/_])", r"\1<wbr>", html.escape(text))


def _plots(report: Report) -> str:
    """Plots of score against bytes and, if bundles were timed, against latency."""
    title = f"{report.comparison.title}, %"
    numbered = list(enumerate(report.variants, start=1))
    sizes = [Point(n, v.name, v.model_bytes, 100 * v.score, v.device is None) for n, v in numbered]
    drawn = [scatter(sizes, "model file", title, in_bytes)]
    if report.timed:
        times = [Point(n, v.name, d.timing.ms_p50, 100 * v.score, False) for n, v, d in bundles(report)]
        drawn.append(scatter(times, f"text to {report.comparison.result}, median", title, lambda ms: f"{ms:.3g} ms"))
    figures = "".join(f"<figure>{svg}</figure>" for svg in drawn)
    rings = ", rings: Keras runs" if any(point.hollow for point in sizes) else ""
    caption = (
        f"Dots: bundles{rings}; their numbers are those of the table. A dashed line joins the models that no other "
        "model beats in both. Costs are on a log scale."
    )
    return f'<div class="plots">{figures}</div>\n<figcaption>{caption}</figcaption>'


def _reliability(report: Report) -> str:
    """The reliability diagram of each model."""
    numbered = enumerate(report.variants, start=1)
    figures = "".join(
        f"<figure>{reliability_diagram(number, variant.name, variant.reliability)}</figure>"
        for number, variant in numbered
    )
    caption = (
        "Bars: predictions of similar confidence, and the share of right ones among them; the fewer, the paler. Bars "
        "of honest probabilities end at the dashed line."
    )
    return f'<div class="reliability">{figures}</div>\n<figcaption>{caption}</figcaption>'


def _bars(report: Report) -> str:
    """The parts of each file as a bar, all on one scale."""
    shown = bundles(report)
    scale = _BAR / max(device.parts.total for _, _, device in shown)
    bars = "".join(_bar(*each, scale) for each in shown)
    keys = "".join(
        f'<svg class="key" viewBox="0 0 1 1"><rect class="{key}" width="1" height="1"/></svg>{title}'
        for key, title in _PARTS.items()
    )
    return f'<figure class="bars">{bars}\n<figcaption>{keys}</figcaption></figure>'


def _bar(number: int, variant: Variant, device: Device, scale: float) -> str:
    """The bar of one file."""
    drawn, left = [], 0.0
    for key, count in device.parts.to_dict().items():
        share = count / device.parts.total
        tip = html.escape(f"{variant.name}, {_PARTS[key]}: {count:,} bytes, {share:.1%}")
        drawn.append(
            f'<rect class="{key}" x="{left:.2f}" width="{scale * count:.2f}" height="1"><title>{tip}</title></rect>'
        )
        left += scale * count
    label = html.escape(f"{variant.name}: bytes by part")
    return (
        f'<div><span>{number}</span><svg viewBox="0 0 {_BAR} 1" preserveAspectRatio="none" role="img" '
        f'aria-label="{label}">{"".join(drawn)}</svg></div>'
    )
