"""Reports with made-up figures, and names that no page or table should take for its own."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from textapp.answers import ReliabilityBin
from textapp.cli.reporting.content import Comparison, Device, Report, Timing, Variant
from textapp.compress.lineage import Lineage, Quantized
from textapp.runtime.size_breakdown import FileParts
from textapp.tasks.intervals import MCNEMAR, WILSON, Difference, Interval

LABELS = Comparison("classification", "label", "accuracy", "accuracy", "texts")
HOSTILE = "</title><script>alert('x')</script> & | `*_[a](b)_ 好"


@pytest.fixture
def make_report() -> Callable[..., Report]:
    """A report of two bundles and a run, or of others."""

    def make(variants: tuple[Variant, ...] | None = None, comparison: Comparison = LABELS, **changes: Any) -> Report:
        if variants is None:
            variants = (
                variant("большой 大", 0.9, 4_000_000, 0.5),
                variant(HOSTILE, 0.885, 150_000, 0.25, Lineage(7000, (HOSTILE,), 8, Quantized(8, 4, trained=True))),
                variant("прогон", 0.9, 9_000_000, None, Lineage(1_000_000)),
            )
        fields = {"timed": 20 if any(each.device for each in variants) else 0, "rounds": 3, "threads": 1}
        fields["differences"] = (Difference(-0.015, -0.04, 0.01, 0.25, MCNEMAR), None)[: len(variants) - 1]
        return Report(comparison, f"data {HOSTILE}", variants, **(fields | changes), machine="CPU <x>")

    return make


@pytest.fixture
def with_confidence(make_report: Callable[..., Report]) -> Report:
    """The same report of models whose predictions have a confidence."""
    bins = (ReliabilityBin(250, 0.5, 0.25), ReliabilityBin(750, 0.9, 1.0))
    scores = {"accuracy": 0.8125, "ece": 0.1375, "count": 1000}
    variants = make_report().variants
    return make_report(
        tuple(
            dataclasses.replace(each, reliability=bins, scores=scores | {"ece": 0.1375 + n / 100})
            for n, each in enumerate(variants)
        )
    )


def variant(name: str, score: float, size: int, ms: float | None, lineage: Lineage | None = None) -> Variant:
    """A run, or a bundle that takes some milliseconds."""
    device = None
    if ms is not None:
        parts = FileParts(size // 2, size // 4, size // 8, size - size // 2 - size // 4 - size // 8)
        timing = Timing(ms, 2 * ms, ms / 2, (ms, 1.5 * ms, 0.9 * ms))
        device = Device("dynamic_wi8_afp32", "fused", (16, 64), parts, 1000, timing)
    interval = Interval(score - 0.02, score + 0.015, WILSON)
    scores = {"accuracy": score, "count": 1000}
    return Variant(
        name,
        f"folder/{name}",
        scores,
        score,
        size,
        lineage,
        device,
        intervals={"accuracy": interval},
        interval=interval,
    )
