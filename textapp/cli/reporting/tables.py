"""The tables of a report that compares models."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from textapp.cli.output import printable
from textapp.cli.reporting.content import NONE, SPLITS, Report, Variant, bundles
from textapp.tasks.intervals import Interval, holm


class Table(NamedTuple):
    """A table of text.

    Attributes:
        title: Title of the table.
        header: Title of each column.
        rows: The cells of each model; the first is its number, the second its name.
        best: Row and column of the cells that are the best of their column.
        of_words: Whether its cells are words, not numbers.
    """

    title: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]
    best: set[tuple[int, int]]
    of_words: bool = False


def tables(report: Report) -> list[Table]:
    """All tables of a report that are not empty."""
    made = [_results(report)]
    if report.differences:
        made.append(_differences(report))
    if report.has_confidence:
        made.append(_calibration(report))
    made.append(_making(report))
    if any(variant.baseline for variant in report.variants):
        made.append(_baselines(report))
    return [*made, _parts(report)] if report.timed else made


def _results(report: Report) -> Table:
    """The table of scores, bytes and latencies."""
    header: tuple[str, ...] = ("", "model", f"{report.comparison.title}, %", "95 % interval", "model file, bytes")
    rows: list[tuple[str, ...]] = [
        (str(number), variant.name, percent(variant.score), in_points(variant.interval), f"{variant.model_bytes:,}")
        for number, variant in enumerate(report.variants, start=1)
    ]
    best = _best(report.variants, 2, lambda variant: -variant.score, percent)
    best |= _best(report.variants, 4, lambda variant: variant.model_bytes if variant.device else None, str)
    if report.timed:
        header += (f"text to {report.comparison.result}, p50 ms", "rounds", "p95 ms", "model alone, p50 ms")
        rows = [row + _times(variant) for row, variant in zip(rows, report.variants, strict=True)]
        for column, key in ((5, "ms_p50"), (7, "ms_p95"), (8, "model_ms_p50")):
            best |= _best(report.variants, column, partial(_time, key), in_ms)
    return Table("Results", header, rows, best if len(rows) > 1 else set())


def _differences(report: Report) -> Table:
    """The table of the differences to the first model."""
    known = [one for one in report.differences if one is not None]
    raised = iter(holm([one.p for one in known]))
    rows: list[tuple[str, ...]] = []
    for number, (variant, one) in enumerate(zip(report.variants[1:], report.differences, strict=True), start=2):
        cells = (NONE,) * 4
        if one is not None:
            range_ = f"{100 * one.low:+.2f} to {100 * one.high:+.2f}"
            cells = (f"{100 * one.value:+.2f}", range_, probability(next(raised)), one.method)
        rows.append((str(number), variant.name, *cells))
    header = ("", "model", f"{report.comparison.title}, points", "95 % interval", "p", "test")
    return Table("Difference to model 1", header, rows, set())


def in_points(interval: Interval | None) -> str:
    """An interval of a score for people, in percent."""
    return NONE if interval is None else f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"


def probability(p: float) -> str:
    """A probability of a test for people."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _making(report: Report) -> Table:
    """The table of how each model was made."""
    header = ("", "model", "form", "recipe", "lowering", "lengths", "parameters", "before the export")
    rows = []
    for number, variant in enumerate(report.variants, start=1):
        lineage, device = variant.lineage, variant.device
        form = ("Keras", NONE, NONE, NONE)
        if device is not None:
            form = ("bundle", device.recipe, device.lowering, ", ".join(map(str, device.lengths)))
        parameters = NONE if lineage is None or lineage.parameters is None else f"{lineage.parameters:,}"
        steps = NONE if lineage is None else "; ".join(lineage.steps()) or "trained on labels"
        rows.append((str(number), variant.name, *map(printable, form), parameters, printable(steps)))
    return Table("What was done to each", header, rows, set(), of_words=True)


def _calibration(report: Report) -> Table:
    """The table of how honest the probabilities of each model are."""
    header = ("", "model", "mean confidence, %", "right, %", "expected calibration error, %")
    rows: list[tuple[str, ...]] = []
    for number, variant in enumerate(report.variants, start=1):
        bins = variant.reliability
        count = sum(one.count for one in bins)
        sums = (sum(getattr(one, key) * one.count for one in bins) for key in ("confidence", "accuracy"))
        means = (percent(value / count) for value in sums)
        rows.append((str(number), variant.name, *means, percent(variant.scores["ece"])))
    best = _best(report.variants, 4, lambda variant: float(variant.scores["ece"]), percent)
    return Table("Calibration of the probabilities", header, rows, best if len(rows) > 1 else set())


def _parts(report: Report) -> Table:
    """The table of the bytes of each bundle's parts."""
    header = (
        *("", "model", "embedding tables", "recurrent weights", "dense and convolution", "graph and rest"),
        *("model.tflite, bytes", "files beside it, bytes"),
    )
    rows = []
    for number, variant, device in bundles(report):
        figures = (*device.parts.to_dict().values(), device.parts.total, device.beside_bytes)
        rows.append((str(number), variant.name, *(f"{figure:,}" for figure in figures)))
    return Table("Where the bytes are", header, rows, set())


def _baselines(report: Report) -> Table:
    """The table of the scores of trainings and of their baselines, each on the held-out splits of the training."""
    columns = [f"{split}: {who}, %" for split in SPLITS for who in ("model", "baseline")]
    rows = []
    for number, variant in enumerate(report.variants, start=1):
        if variant.baseline is not None:
            pairs = [variant.baseline.splits.get(split) for split in SPLITS]
            cells = [cell for pair in pairs for cell in (map(percent, pair) if pair else (NONE, NONE))]
            rows.append((str(number), variant.name, printable(variant.baseline.model), *cells))
    return Table("Beside a baseline, at the end of the training", ("", "model", "baseline", *columns), rows, set())


def _times(variant: Variant) -> tuple[str, ...]:
    """The cells of a variant's latency."""
    if variant.device is None:
        return (NONE,) * 4
    timing = variant.device.timing
    spread = f"{in_ms(min(timing.rounds))} to {in_ms(max(timing.rounds))}"
    return in_ms(timing.ms_p50), spread, in_ms(timing.ms_p95), in_ms(timing.model_ms_p50)


def _time(key: str, variant: Variant) -> float | None:
    """A field of a variant's `Timing`; None for a run."""
    return None if variant.device is None else float(getattr(variant.device.timing, key))


def _best(
    variants: Sequence[Variant],
    column: int,
    cost: Callable[[Variant], float | None],
    shown: Callable[[float], str],
) -> set[tuple[int, int]]:
    """The cells of a column that show the lowest cost."""
    costs = [cost(variant) for variant in variants]
    known = [value for value in costs if value is not None]
    if not known:
        return set()
    best = shown(min(known))
    return {(row, column) for row, value in enumerate(costs) if value is not None and shown(value) == best}


def in_ms(milliseconds: float) -> str:
    """A time for people, with three digits."""
    return f"{milliseconds:.{3 if milliseconds < 1 else 2 if milliseconds < 10 else 1}f}"


def percent(share: float) -> str:
    """A score for people."""
    return f"{100 * share:.2f}"
