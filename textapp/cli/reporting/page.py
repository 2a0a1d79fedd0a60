"""The page that compares models."""

from textapp.cli.reporting.content import Report, bundles
from textapp.cli.reporting.elements import document, in_bytes, numbered_table, part_bar, part_keys
from textapp.cli.reporting.plot import Point, scatter
from textapp.cli.reporting.reliability_diagram import reliability_diagram
from textapp.cli.reporting.tables import tables


def page(report: Report) -> str:
    """The report as HTML. All its content is escaped, so nothing in it is markup."""
    first, *others = tables(report)
    blocks = [numbered_table(first), _plots(report)]
    if report.differences:
        blocks.append(numbered_table(others.pop(0)))
    if report.has_confidence:
        blocks += [numbered_table(others.pop(0)), _reliability(report)]
    blocks += map(numbered_table, others)
    if report.timed:
        blocks.append(_bars(report))
    return document(report.title, [f"on {report.data_name}"], blocks, report.notes())


def _plots(report: Report) -> str:
    """Plots of score against bytes and, if bundles were timed, against latency."""
    title = f"{report.comparison.title}, %"
    numbered = list(enumerate(report.variants, start=1))
    sizes = [Point(n, v.name, v.model_bytes, 100 * v.score, v.device is None, *v.bounds) for n, v in numbered]
    drawn = [scatter(sizes, "model file", title, in_bytes)]
    if report.timed:
        times = [Point(n, v.name, d.timing.ms_p50, 100 * v.score, False, *v.bounds) for n, v, d in bundles(report)]
        drawn.append(scatter(times, f"text to {report.comparison.result}, median", title, lambda ms: f"{ms:.3g} ms"))
    figures = "".join(f"<figure>{svg}</figure>" for svg in drawn)
    rings = ", rings: Keras runs" if any(point.hollow for point in sizes) else ""
    bars = " Vertical lines: 95 % confidence intervals." if any(point.low is not None for point in sizes) else ""
    caption = (
        f"Dots: bundles{rings}; their numbers are those of the table.{bars} A dashed line joins the models that no "
        "other model beats in both. Costs are on a log scale."
    )
    return f'<div class="plots">{figures}</div>\n<p class="note">{caption}</p>'


def _reliability(report: Report) -> str:
    """The reliability diagram of each model."""
    numbered = enumerate(report.variants, start=1)
    figures = "".join(
        f"<figure>{reliability_diagram(str(number), variant.name, variant.reliability)}</figure>"
        for number, variant in numbered
    )
    caption = (
        "Bars: predictions of similar confidence, and the share of right ones among them; the fewer, the paler. Bars "
        "of honest probabilities end at the dashed line."
    )
    return f'<div class="reliability">{figures}</div>\n<p class="note">{caption}</p>'


def _bars(report: Report) -> str:
    """The parts of each file as a bar, all on one scale."""
    shown = bundles(report)
    longest = max(device.parts.total for _, _, device in shown)
    bars = "".join(
        f"<div><span>{number}</span>{part_bar(variant.name, device, longest)}</div>"
        for number, variant, device in shown
    )
    return f'<figure class="bars">{bars}\n<figcaption>{part_keys()}</figcaption></figure>'
