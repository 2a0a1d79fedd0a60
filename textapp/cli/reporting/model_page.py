"""The page of one model: what it scores, where it is wrong, how it was trained, what it costs."""

import html
import math
from collections.abc import Iterator, Sequence

from textapp.cli.reporting.content import NONE, Report, Variant
from textapp.cli.reporting.curves import Curve, curves
from textapp.cli.reporting.elements import (
    PARTS,
    cell,
    document,
    in_bytes,
    part_bar,
    part_keys,
    plain_table,
    shown,
)
from textapp.cli.reporting.reliability_diagram import reliability_diagram
from textapp.cli.reporting.tables import in_ms, in_points
from textapp.cli.reporting.training import Training, in_words, series
from textapp.tasks.examination import Confusion, Examination, Judged, percent
from textapp.tasks.intervals import Interval
from textapp.text.characters import agreeing, counted

_MOST_CLASSES = 12  # of a matrix that one can read
_MOST_CONFUSIONS = 20
_LONG = 12  # targets from which on the worst stand first
_SCALE = 160  # width of a drawn interval, in units


def model_page(report: Report) -> str:
    """The page of the only model of a report. All its content is escaped, so nothing in it is markup."""
    [variant], examination = report.variants, report.examination
    assert examination is not None  # a report of one model has it
    sections = [*_sections(report, variant, examination)]
    links = "".join(f'<a href="#{name}">{html.escape(title)}</a>' for name, title, _ in sections)
    blocks = [f'<nav aria-label="Sections">{links}</nav>']
    blocks += [
        f'<section aria-labelledby="{name}"><h2 id="{name}">{html.escape(title)}</h2>\n{content}</section>'
        for name, title, content in sections
    ]
    main = examination.scores[0]
    return document(
        f"{variant.name}: {main.title} {percent(main.value)} %",
        _about(report, variant, examination),
        blocks,
        report.notes(),
    )


def _about(report: Report, variant: Variant, examination: Examination) -> Iterator[str]:
    """Yields what the model is, and what the reader should know of the page before passing it on."""
    form = "Keras run" if variant.device is None else f"bundle, recipe {variant.device.recipe}"
    yield (
        f"{report.model_noun.capitalize()}, text to {report.comparison.result}; {form}, model file of "
        f"{in_bytes(variant.model_bytes)}. Scored on {report.data_name}, {counted(report.examples, 'example')}."
    )
    if examination.mistakes or examination.unsure:
        yield "This page holds texts of that data. With --mistakes 0 it holds none."


def _sections(report: Report, variant: Variant, examination: Examination) -> Iterator[tuple[str, str, str]]:
    """Yields name, title and content of each section that has something to show."""
    yield "scores", "Scores", _scores(examination)
    training = report.training
    if training is not None and training.history:
        yield "training", "Training", _curves(training, variant, report.comparison.metric)
    noun = examination.header[0]
    yield "targets", f"By {noun}", _targets(examination)
    if examination.confusion is not None:
        yield "confusions", "Confusions", _confusions(examination.confusion) + _errors(examination)
    if variant.reliability:
        yield "calibration", "Calibration", _calibration(variant)
    if examination.mistakes:
        yield "mistakes", "Mistakes", _mistakes(report, examination)
    if examination.unsure:
        yield "unsure", "Least sure", _unsure(examination)
    if training is not None:
        yield "data", "Data of the training", _data(training)
    yield "cost", "Bytes and time", _cost(report, variant)
    yield "made", "What was done", _made(variant, training)


def _scores(examination: Examination) -> str:
    """The scores with their intervals, as numbers and drawn on one scale."""
    least = min([one.interval.low if one.interval else one.value for one in examination.scores])
    start = max(0.0, math.floor(10 * least) / 10 - 0.1) if least > 0.2 else 0.0
    rows = []
    for one in examination.scores:
        method = NONE if one.interval is None else one.interval.method
        drawn = f"<td>{_range(one.title, one.value, one.interval, start)}</td>"
        rows.append((one.title, cell(percent(one.value)), cell(in_points(one.interval)), drawn, cell(method)))
    header = ("score", "%", "95 % interval", f"from {100 * start:.0f} to 100 %", "method")
    return plain_table("Scores", header, rows)


def _range(title: str, value: float, interval: Interval | None, start: float) -> str:
    """A score as a dot, and its interval as a bar, on a scale from `start` to 1."""

    def x(share: float) -> float:
        return _SCALE * (share - start) / (1 - start)

    label = html.escape(f"{title}: {percent(value)} %" + (f", {in_points(interval)} %" if interval else ""))
    bar = ""
    if interval is not None:
        width = x(interval.high) - x(interval.low)
        bar = f'<rect class="range" x="{x(interval.low):.1f}" y="5" width="{width:.1f}" height="6"/>'
    return (
        f'<svg viewBox="0 0 {_SCALE} 16" style="width:{_SCALE}px" role="img" aria-label="{label}">'
        f'<rect class="track" y="7.5" width="{_SCALE}" height="1"/>{bar}'
        f'<circle class="dot" cx="{x(value):.1f}" cy="8" r="4"/></svg>'
    )


def _curves(training: Training, variant: Variant, metric: str) -> str:
    """The curves of the loss and of the monitored score, and the course of the training."""
    figures = []
    for name in dict.fromkeys(("val_loss", f"val_{metric}", training.monitor)):
        if name is None:
            continue
        plain = name.removeprefix("val_")
        drawn = [
            Curve(in_words(key).partition(" ")[0], series(training.history, key), kind)
            for key, kind in ((plain, "first"), (name, "second"))
        ]
        drawn = [curve for curve in drawn if any(map(math.isfinite, curve.values))]
        if not drawn:
            continue
        level = None
        if variant.baseline is not None and plain == metric and "valid" in variant.baseline.splits:
            level = ("baseline", variant.baseline.splits["valid"][1])
        title = in_words(plain).partition(" ")[2]
        figures.append(f"<figure>{curves(title, drawn, training.best, level)}</figure>")
    course = html.escape(" ".join(training.course()))
    return f'<div class="plots">{"".join(figures)}</div>\n<p class="note">{course}</p>'


def _targets(examination: Examination) -> str:
    """The table of each target; F1 also as a bar."""
    rows, note = examination.targets, ""
    if len(rows) > _LONG:
        rows = sorted(rows, key=lambda row: float(row[3]))
        note = f'<p class="note">The {len(rows)} of them by rising F1.</p>'
    lines = [
        (row[0], *(_barred(text) if column == 3 else cell(text) for column, text in enumerate(row) if column))
        for row in rows
    ]
    return plain_table(f"By {examination.header[0]}", examination.header, lines) + note


def _barred(text: str) -> str:
    """A cell with a share in percent, which is also a bar."""
    fill = f"linear-gradient(90deg,rgba(var(--fill),.25) {float(text):.1f}%,transparent 0)"
    return f'<td style="background:{fill};min-width:6em">{html.escape(text)}</td>'


def _confusions(confusion: Confusion) -> str:
    """The confusion matrix, or for many targets the commonest confusions."""
    names, units = confusion.names, agreeing(2, confusion.unit)
    totals = [sum(row) for row in confusion.counts]
    if len(names) <= _MOST_CLASSES:
        rows = [
            (name, *(_count(count, total, row == column) for column, count in enumerate(counts)))
            for row, (name, counts, total) in enumerate(zip(names, confusion.counts, totals, strict=True))
        ]
        note = f"Rows: true; columns: predicted. Numbers of {units}; the tint is the share of the row."
        return plain_table("Confusions", ("true \\ predicted", *names), rows, "plain matrix") + (
            f'<p class="note">{note}</p>'
        )
    pairs = [
        (count, row, column)
        for row, counts in enumerate(confusion.counts)
        for column, count in enumerate(counts)
        if count and row != column
    ]
    if not pairs:
        return f'<p class="note">No {confusion.unit} is confused with another.</p>'
    pairs.sort(key=lambda pair: -pair[0])
    lines = [
        (
            names[row],
            f"<td><bdi>{shown(names[column])}</bdi></td>",
            cell(f"{count:,}"),
            cell(percent(count / totals[row])),
        )
        for count, row, column in pairs[:_MOST_CONFUSIONS]
    ]
    wrong = sum(count for count, *_ in pairs)
    covered = sum(count for count, *_ in pairs[:_MOST_CONFUSIONS])
    note = f"The commonest of {counted(len(pairs), 'confusion')}: {covered:,} of {wrong:,} wrong {units}."
    return plain_table("Confusions", ("true", "predicted", units, "% of the true ones"), lines) + (
        f'<p class="note">{note}</p>'
    )


def _count(count: int, total: int, is_right: bool) -> str:
    """A cell of the matrix: blue on the diagonal, orange beside it."""
    share = count / total if total else 0.0
    colour = "0, 114, 178" if is_right else "213, 94, 0"
    style = f' style="background:rgba({colour}, {0.08 + 0.42 * share:.2f})"' if count else ""
    return f'<td{style} title="{share:.1%} of the row">{count:,}</td>'


def _errors(examination: Examination) -> str:
    """How often spans are wrong in each way."""
    if not examination.errors:
        return ""
    total = sum(examination.errors.values())
    rows = [
        (kind, cell(f"{count:,}"), cell(percent(count / max(total, 1)))) for kind, count in examination.errors.items()
    ]
    note = (
        "Missed: a true span that overlaps no predicted one. Spurious: a predicted span that overlaps no true one. The "
        "matrix above counts tokens, this table spans."
    )
    return f'<h3>Spans</h3>\n{plain_table("Spans", ("spans", "count", "%"), rows)}<p class="note">{note}</p>'


def _calibration(variant: Variant) -> str:
    """The reliability diagram, and the calibration error."""
    note = (
        f"Expected calibration error {percent(variant.scores['ece'])} %. Bars: predictions of similar confidence, and "
        "the share of right ones among them; the fewer, the paler. Bars of honest probabilities end at the dashed line."
    )
    diagram = reliability_diagram("", variant.name, variant.reliability)
    return f'<div class="reliability"><figure>{diagram}</figure></div>\n<p class="note">{note}</p>'


def _mistakes(report: Report, examination: Examination) -> str:
    """The mistakes."""
    note = (
        f"{examination.wrong:,} of {counted(report.examples, 'example')} have a mistake. "
        f"Shown: {len(examination.mistakes)}, "
        f"{examination.order}. A mistake may also be one of the data: look at the true label first."
    )
    if any(judged.heaviest for judged in examination.mistakes):
        note += " The more orange a token, the more attention the model paid to it."
    return f'<p class="note">{html.escape(note)}</p>{_list(examination.mistakes)}'


def _unsure(examination: Examination) -> str:
    """The examples that the model is least sure of."""
    note = (
        f"Of {counted(examination.searched, 'example')}, those about which the model is least sure: near its borders."
    )
    return f'<p class="note">{html.escape(note)}</p>{_list(examination.unsure)}'


def _list(examples: Sequence[Judged]) -> str:
    """Examples with their marks."""
    return f'<ol class="judged">{"".join(map(_item, examples))}</ol>'


def _item(judged: Judged) -> str:
    """An example: what is true, what was predicted, the text."""
    about = []
    if judged.true or judged.predicted:
        about.append(f"<span>true <b><bdi>{shown(judged.true)}</bdi></b></span>")
        kind = "right" if judged.right else "wrong"
        sign = f'<span role="img" aria-label="{kind}">{"✓" if judged.right else "✗"}</span>'
        about.append(f'<span>predicted <b class="{kind}"><bdi>{shown(judged.predicted)}</bdi> {sign}</b></span>')
    elif judged.right:
        about.append('<span class="right">✓ right</span>')
    if judged.confidence is not None:
        about.append(f"<span>{judged.of} {judged.confidence:.1%}</span>")
    about.append(f"<span>{html.escape(judged.place)}</span>")
    lines = "".join(
        f'<div class="line"><span>{name}</span>{marked.html()}</div>' if name else marked.html()
        for name, marked in judged.lines
    )
    heaviest = f'<p class="note">most attention: {html.escape(judged.heaviest)}</p>' if judged.heaviest else ""
    return f'<li><div class="about">{"".join(about)}</div>{lines}{heaviest}</li>'


def _data(training: Training) -> str:
    """The splits of the data of the training."""
    rows = [
        (
            split.name,
            cell(f"{split.examples:,}"),
            cell(f"{split.tokens:,}"),
            cell(NONE if split.cut is None else f"{split.cut:,}"),
            cell(percent(split.unknown)),
        )
        for split in training.splits
    ]
    table = plain_table("Data of the training", ("split", "examples", "tokens", "cut", "unknown tokens, %"), rows)
    note = "Cut: examples longer than the model reads. Unknown: tokens that are not in the vocabulary."
    return f'{table}<p class="note">{note}</p>'


def _cost(report: Report, variant: Variant) -> str:
    """Bytes, and of a bundle their parts and the time of a call."""
    device = variant.device
    if device is None:
        text = (
            f"model.keras has {variant.model_bytes:,} bytes and runs in Keras. Parts and times are those of a bundle: "
            "textapp export makes one."
        )
        return f"<p>{html.escape(text)}</p>"
    sizes = [
        (PARTS[key], cell(f"{count:,}"), cell(percent(count / device.parts.total)))
        for key, count in device.parts.to_dict().items()
    ]
    sizes.append(("model.tflite", cell(f"{device.parts.total:,}"), cell(percent(1))))
    sizes.append(("files beside it", cell(f"{device.beside_bytes:,}"), cell(NONE)))
    timing = device.timing
    times = [
        (f"text to {report.comparison.result}, median", cell(in_ms(timing.ms_p50))),
        ("95th percentile", cell(in_ms(timing.ms_p95))),
        ("model alone, median", cell(in_ms(timing.model_ms_p50))),
        ("rounds", cell(f"{in_ms(min(timing.rounds))} to {in_ms(max(timing.rounds))}")),
    ]
    bar = (
        f'<figure class="bars"><div>{part_bar(variant.name, device, device.parts.total)}</div>\n'
        f"<figcaption>{part_keys()}</figcaption></figure>"
    )
    return (
        f"{bar}\n<h3>Bytes</h3>\n{plain_table('Bytes', ('part', 'bytes', '%'), sizes)}"
        f"\n<h3>Time of a call</h3>\n{plain_table('Time of a call', ('', 'ms'), times)}"
    )


def _made(variant: Variant, training: Training | None) -> str:
    """The steps from the training to the file, and the settings."""
    lineage, device = variant.lineage, variant.device
    steps = ["the bundle does not tell how its model was trained"]
    if lineage is not None:
        steps = lineage.steps() or ["trained on labels"]
        if lineage.parameters is not None:
            steps.append(f"{lineage.parameters:,} parameters")
    if variant.baseline is not None:
        pairs = ", ".join(
            f"{split} {percent(own)} % against {percent(other)} %"
            for split, (own, other) in variant.baseline.splits.items()
        )
        steps.append(f"compared with a baseline, {variant.baseline.model}: {pairs}")
    if device is not None:
        lengths = ", ".join(map(str, device.lengths))
        steps.append(f"exported: recipe {device.recipe}, lowering {device.lowering}, lengths {lengths}")
    blocks = [f"<ul>{''.join(f'<li>{shown(step)}</li>' for step in steps)}</ul>"]
    if training is not None:
        versions = ", ".join(f"{name} {version}" for name, version in training.versions.items())
        blocks.append(f'<p class="note">{html.escape(versions)}</p>')
        rows = [
            (name, cell(value), f'<td class="why">{html.escape(reason)}</td>')
            for name, value, reason in training.settings
        ]
        table = plain_table("Settings", ("setting", "value", "why it was chosen"), rows, "plain settings")
        blocks.append(f"<details><summary>{counted(len(rows), 'setting')}</summary>\n{table}</details>")
    return "\n".join(blocks)
