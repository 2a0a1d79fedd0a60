"""Draws score against the bytes of the shipped model, docs/score_by_bytes.svg.

    python -m benchmarks.score_by_bytes

Points of textapp, fastText and the feature CRF are means over the seeds of results/*.json, on the test split of the
data set. Scores of pretrained models are published by others, and stand in `PUBLISHED` with their source. They are not
of the same split: each is marked with its own (GLUE's server, GLUE's development sentences, validation data). Such a
model has no file here, so it is drawn as a bar: from 1 byte a parameter (int8) to 4 bytes (float32).

The picture is one SVG of a few kilobytes, with light and dark colours.
"""

import argparse
import json
import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
OUT = ROOT / "docs" / "score_by_bytes.svg"
INT8 = "dynamic_wi8_afp32"

WIDTH, HEIGHT = 900, 472
LEFT, TOP, PANEL, TALL, GAP = 44, 62, 386, 324, 60
"""Pixels: place and size of the first panel, and the space before the second."""

BYTES = (3e4, 6e8)
TICKS = ((1e5, "100 KB"), (1e6, "1 MB"), (1e7, "10 MB"), (1e8, "100 MB"))


class Point(NamedTuple):
    """A model.

    Attributes:
        name: Its label in the picture; points of textapp are labelled by their score alone.
        score: Percent.
        low: Bytes; of a published model those of int8.
        high: Bytes; of a published model those of float32; else the same, or where the size was not measured the most.
        kind: `textapp`, `rival` (measured here) or `published`.
        side: Where the label stands: `above`, `below`, `left` or `right`.
    """

    name: str
    score: float
    low: float
    high: float
    kind: str
    side: str = "above"


PUBLISHED = {
    "SST-2": (
        # Turc et al. 2019, Well-Read Students Learn Better (arXiv 1908.08962); scores: README of google-research/bert.
        ("BERT-Tiny, GLUE test", 83.2, 4.4e6, "below"),
        ("BERT-Mini, GLUE test", 85.9, 11.3e6, "above"),
        # Sun et al. 2020, MobileBERT (arXiv 2004.02984), table 4.
        ("MobileBERT, GLUE test", 92.8, 25.3e6, "left"),
        # Sanh et al. 2019, DistilBERT (arXiv 1910.01108), tables 1 and 3.
        ("DistilBERT, GLUE dev", 91.3, 66e6, "left"),
    ),
    "CoNLL-2003": (
        # Devlin et al. 2019, BERT (arXiv 1810.04805), table 7: fine-tuned BERT-base, mean of five runs.
        ("BERT-base, test", 92.4, 110e6, "left"),
        # The model card of alvarobartt/distilbert-base-cased-ner: F1 on the validation split.
        ("DistilBERT, validation", 94.1, 66e6, "left"),
    ),
}
"""Name and split, score in percent, parameters, and the side of the label."""


def rows(name: str, **fields: Any) -> list[dict[str, Any]]:
    """The rows of a file of results that have some values."""
    found = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return [row for row in found if all(row.get(key) == value for key, value in fields.items())]


def point(
    name: str, found: Sequence[dict[str, Any]], score: str, size: str | None, kind: str = "textapp", side: str = "above"
) -> Point:
    """The mean of some rows. Without a key for its size a model has any: it was not measured."""
    low, high = (statistics.mean(row[size] for row in found),) * 2 if size else BYTES
    return Point(name, 100 * statistics.mean(row[score] for row in found), low, high, kind, side)


def points() -> dict[str, list[Point]]:
    """The models of each data set."""
    small, tagger = "dynamic_wi8_afp32_emb4", f"{INT8}_test"
    tiny = rows("compression", student="tiny")
    medium = rows("compression", student="medium")
    budget, fasttext = (rows("budget", task="sst2", kind=kind) for kind in ("student", "fasttext"))
    students = [row for row in rows("tagger_students") if row["seed"] != "teachers"]
    accuracy = {name: rows("accuracy", task=name) for name in ("sst2", "sst2_phrases", "sst2_phrases_vectors")}
    features = rows("tagging", task="conll2003_features")
    fused = (f"{INT8}_fused", f"{INT8}_fused_bytes")
    found = {
        "SST-2": [
            point("student of 59,000 parameters", tiny, f"{small}_test", f"{small}_bytes", side="above"),
            point("student within 150 KB", budget, "test", "bytes", side="below"),
            point("student of 184,000 parameters", medium, f"{small}_test", f"{small}_bytes"),
            point("sentences", accuracy["sst2"], *fused, side="below"),
            point("phrases", accuracy["sst2_phrases"], *fused),
            point("phrases, vectors", accuracy["sst2_phrases_vectors"], *fused, side="below"),
            point("fastText, 150 KB", fasttext, "test", "bytes", "rival", "below"),
        ],
        "CoNLL-2003": [
            point("student, rows of 4 bits", students, f"{small}_test", f"{small}_bytes", side="below"),
            point("student", students, tagger, f"{INT8}_bytes", side="above"),
            point("no vectors", rows("tagging", task="conll2003"), "int8", "int8_bytes"),
            point("own vectors", rows("tagging", task="conll2003_vectors"), "int8", "int8_bytes"),
            point("CRF over features, size not measured", features, "keras", None, "rival"),
        ],
    }
    for name, published in PUBLISHED.items():
        found[name] += [
            Point(title, score, parameters, 4 * parameters, "published", side)
            for title, score, parameters, side in published
        ]
    return found


STYLE = """
text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 }
.small { font-size: 11px; fill: #59636e }
.grid { stroke: #d1d9e0; stroke-width: 1 }
.textapp { fill: #0969da; stroke: #0969da } .rival { fill: #bc4c00; stroke: #bc4c00 }
.published { fill: none; stroke: #59636e; stroke-width: 2 }
text.textapp { stroke: none; font-weight: 600 } text.rival { stroke: none }
text.published { fill: #59636e; stroke: none }
.level { fill: none; stroke-width: 1.5; stroke-dasharray: 5 4 }
.line { fill: none; stroke: #0969da; stroke-width: 1.5; opacity: .45 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc } .small, text.published { fill: #9198a1 } .grid { stroke: #3d444d }
.textapp { fill: #4493f8; stroke: #4493f8 } .line { stroke: #4493f8 }
.rival { fill: #f0883e; stroke: #f0883e } .published { stroke: #9198a1 }
}
""".strip()


def picture(found: dict[str, list[Point]]) -> str:
    """The picture as SVG."""
    described = "; ".join(
        f"{data}: " + ", ".join(f"{one.name} {one.score:.1f} % at {one.low / 1e6:.2f} MB" for one in some)
        for data, some in found.items()
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'role="img">',
        f"<title>Score against bytes of the shipped model</title><desc>{escape(described)}</desc>",
        f"<style>{STYLE}</style>",
    ]
    for number, (data, unit) in enumerate((("SST-2", "accuracy, %"), ("CoNLL-2003", "entity F1, %"))):
        parts += _panel(found[data], data, unit, LEFT + number * (PANEL + GAP))
    legend = (
        ("textapp", "textapp, test split"),
        ("rival", "measured by textapp, test split"),
        ("published", "published by others for the named split, from 1 to 4 bytes a parameter"),
    )
    place = LEFT
    for kind, title in legend:
        parts.append(_mark(place + 5, HEIGHT - 16, kind))
        parts.append(f'<text x="{place + 20}" y="{HEIGHT - 12}">{escape(title)}</text>')
        place += 44 + 6.2 * len(title)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(found: Sequence[Point], data: str, unit: str, left: float) -> Iterable[str]:
    """The parts of the picture of one data set."""
    low = math.floor(min(one.score for one in found) / 5 - 0.2) * 5
    high = math.ceil(max(one.score for one in found) / 5) * 5

    def x(size: float) -> float:
        return left + PANEL * math.log(size / BYTES[0]) / math.log(BYTES[1] / BYTES[0])

    def y(score: float) -> float:
        return TOP + TALL * (high - score) / (high - low)

    yield f'<text class="title" x="{left}" y="24">{data}</text>'
    yield f'<text class="small" x="{left}" y="42">{unit}</text>'
    for score in range(low, high + 1, 5):
        yield f'<path class="grid" d="M{left} {y(score):.1f}h{PANEL}"/>'
        yield f'<text class="small" x="{left - 8}" y="{y(score) + 4:.1f}" text-anchor="end">{score}</text>'
    for size, title in TICKS:
        yield f'<path class="grid" d="M{x(size):.1f} {TOP}v{TALL}"/>'
        yield f'<text class="small" x="{x(size):.1f}" y="{TOP + TALL + 18}" text-anchor="middle">{title}</text>'
    yield (
        f'<text class="small" x="{left + PANEL}" y="{TOP + TALL + 36}" text-anchor="end">bytes of the model file, log '
        "scale</text>"
    )
    best: list[Point] = []
    for one in sorted((one for one in found if one.kind == "textapp"), key=lambda one: one.low):
        if not best or one.score > best[-1].score:
            best.append(one)
    line = " ".join(f"{x(one.low):.1f},{y(one.score):.1f}" for one in best)
    yield f'<polyline class="line" points="{line}"/>'
    for one in found:
        yield from _drawn(one, x, y)


def _drawn(one: Point, x: Callable[[float], float], y: Callable[[float], float]) -> Iterable[str]:
    """A point with its label."""
    middle, height = (x(one.low) + x(one.high)) / 2, y(one.score)
    if one.kind == "published":
        yield f'<path class="published" d="M{x(one.low):.1f} {height:.1f}H{x(one.high):.1f}m0 -4v8M{x(one.low):.1f} '
        yield f'{height - 4:.1f}v8"/>'
    elif one.low < one.high:
        yield f'<path class="rival level" d="M{x(one.low):.1f} {height:.1f}H{x(one.high):.1f}"/>'
    else:
        yield _mark(middle, height, one.kind)
    half = (x(one.high) - x(one.low)) / 2 + 9
    across, down, anchor = {
        "above": (0, -9, "middle"),
        "below": (0, 19, "middle") if one.low == one.high else (9 - half, 19, "start"),
        "left": (-half, 4, "end"),
        "right": (half, 4, "start"),
    }[one.side]
    name = f"{one.score:.1f}" if one.kind == "textapp" else f"{one.name}: {one.score:.1f}"
    yield f'<text class="{one.kind}" x="{middle + across:.1f}" y="{height + down:.1f}" text-anchor="{anchor}">'
    yield f"{escape(name)}</text>"


def _mark(x: float, y: float, kind: str) -> str:
    """The mark of a kind of model."""
    if kind == "published":
        return f'<path class="published" d="M{x - 5:.1f} {y:.1f}h12m0 -4v8M{x - 5:.1f} {y - 4:.1f}v8"/>'
    if kind == "rival":
        return f'<rect class="rival" x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8"/>'
    return f'<circle class="textapp" cx="{x:.1f}" cy="{y:.1f}" r="5"/>'


def main() -> None:
    """Writes the picture."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    OUT.write_text(picture(points()), encoding="utf-8")
    print(OUT.relative_to(ROOT))


if __name__ == "__main__":
    main()
