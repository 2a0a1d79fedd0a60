"""Scores against a cost as a drawing in SVG, whose colours are those of the page around it."""

import html
import math
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

WIDTH, HEIGHT = 520, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, WIDTH - 14, 14, HEIGHT - 46  # of the field, in pixels
_FONT, _DOT = 12, 5
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20)  # between the marks of the scores, in points
_LEAST_POINTS = 2  # that the axis of the scores spans: chance shall not look like a cliff
_LEAST_FACTOR = 4  # that the axis of the cost spans
_BESIDE = 12  # pixels from its point: what is farther is tied to it by a line
_LONGEST = 34  # of a label, in characters

Box = tuple[float, float, float, float]
"""Left, top, right, bottom; pixels, y downwards."""


class Point(NamedTuple):
    """A model in the plane.

    Attributes:
        number: Its number in the report.
        name: Its name.
        cost: Bytes or milliseconds, more than 0.
        score: In points, from 0 to 100.
        hollow: Whether it is drawn as a ring.
    """

    number: int
    name: str
    cost: float
    score: float
    hollow: bool


class _Axes(NamedTuple):
    """Where costs (logarithmic) and scores are in the drawing."""

    costs: tuple[float, float]
    scores: tuple[float, float]

    def x(self, cost: float) -> float:
        """Pixels from the left."""
        first, last = map(math.log, self.costs)
        return _LEFT + (math.log(cost) - first) / (last - first) * (_RIGHT - _LEFT)

    def y(self, score: float) -> float:
        """Pixels from the top."""
        first, last = self.scores
        return _BOTTOM - (score - first) / (last - first) * (_BOTTOM - _TOP)


def scatter(points: Sequence[Point], cost_title: str, score_title: str, shown: Callable[[float], str]) -> str:
    """Draws models by cost and score, and a line through those that none beats in both.

    Args:
        points: At least one.
        cost_title: Of the horizontal axis.
        score_title: Of the vertical axis.
        shown: A cost in words.

    Returns:
        An `<svg>` element. It uses the classes `axis`, `grid`, `front`, `dot`, `ring`, `leader` and `name`.
    """
    axes = _Axes(_cost_range([p.cost for p in points]), _score_range([p.score for p in points]))
    description = html.escape(f"{score_title} against {cost_title}")
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{description}">']
    parts += _frame(axes, cost_title, score_title, shown)
    front = _front(points)
    if len(front) > 1:
        path = f"M{axes.x(front[0].cost):.1f} {axes.y(front[0].score):.1f}"
        path += "".join(f"H{axes.x(point.cost):.1f}V{axes.y(point.score):.1f}" for point in front[1:])
        parts.append(f'<path class="front" d="{path}"/>')
    centres = [(axes.x(point.cost), axes.y(point.score)) for point in points]
    for point, (x, y) in zip(points, centres, strict=True):
        tip = html.escape(f"{point.number} {point.name}: {point.score:.2f} %, {shown(point.cost)}")
        kind = "ring" if point.hollow else "dot"
        parts.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{_DOT}"><title>{tip}</title></circle>')
    parts += _labels(points, centres)
    return "".join([*parts, "</svg>"])


def _frame(axes: _Axes, cost_title: str, score_title: str, shown: Callable[[float], str]) -> Iterator[str]:
    """Yields grid lines, their numbers and the titles."""
    for score in _score_marks(*axes.scores):
        y = axes.y(score)
        yield f'<path class="grid" d="M{_LEFT} {y:.1f}H{_RIGHT}"/>'
        yield f'<text class="axis" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{score:.10g}</text>'
    for cost in _cost_marks(*axes.costs):
        x = axes.x(cost)
        yield f'<path class="grid" d="M{x:.1f} {_TOP}V{_BOTTOM}"/>'
        text = html.escape(shown(cost))
        yield f'<text class="axis" x="{x:.1f}" y="{_BOTTOM + 18}" text-anchor="middle">{text}</text>'
    middle = (_TOP + _BOTTOM) / 2
    yield (
        f'<text class="axis" x="{(_LEFT + _RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">'
        f"{html.escape(cost_title)}</text>"
        f'<text class="axis" transform="translate(14 {middle})rotate(-90)" text-anchor="middle">'
        f"{html.escape(score_title)}</text>"
    )


def _front(points: Sequence[Point]) -> list[Point]:
    """The points that no other beats, the cheapest first: each costs more than the one before, and scores higher."""
    front: list[Point] = []
    for point in sorted(points, key=lambda point: (point.cost, -point.score)):
        if not front or point.score > front[-1].score:
            front.append(point)
    return front


def _labels(points: Sequence[Point], centres: Sequence[tuple[float, float]]) -> Iterator[str]:
    """Yields each point's number and name where there is room, otherwise its number alone; none hides another."""
    taken: list[Box] = [(x - _DOT - 1, y - _DOT - 1, x + _DOT + 1, y + _DOT + 1) for x, y in centres]
    for point, own in zip(points, centres, strict=True):
        number, name = str(point.number), f" {_shortened(point.name)}"
        others = [centre for centre in centres if centre != own]
        for text, is_crowded in ((number + name, False), (number, False), (number, True)):
            free = [box for box in _places(*own, _width(text)) if not _any_meet([box], taken)]
            if not is_crowded:
                free = [box for box in free if not _is_beside_another(box, own, others)]
                free = [box for box in free if not _any_meet(_leader(box, own), taken)]
            if free:
                break
        else:
            left, top = own[0] + _DOT + 3, own[1] - _FONT  # nowhere: over others, rather than not at all
            free = [(left, top, left + _width(number), top + _FONT + 4)]
        left, _, _, bottom = free[0]
        leader = _leader(free[0], own)
        taken += [free[0], *leader]
        if leader:
            end = _nearest(free[0], own)
            yield f'<path class="leader" d="M{own[0]:.1f} {own[1]:.1f}L{end[0]:.1f} {end[1]:.1f}"/>'
        yield (
            f'<text class="name" x="{left:.1f}" y="{bottom - 4:.1f}"><tspan>{number}</tspan>'
            f"{html.escape(text.removeprefix(number))}</text>"
        )


def _leader(box: Box, own: tuple[float, float]) -> list[Box]:
    """The line that ties a label to its own point, as small boxes; none where the label is beside it."""
    end = _nearest(box, own)
    away = math.dist(end, own)
    steps = [step / away for step in range(_DOT + 3, math.ceil(away), 3)] if away > _BESIDE else []
    line = [(own[0] + share * (end[0] - own[0]), own[1] + share * (end[1] - own[1])) for share in steps]
    return [(x - 1, y - 1, x + 1, y + 1) for x, y in line]


def _is_beside_another(box: Box, own: tuple[float, float], others: Sequence[tuple[float, float]]) -> bool:
    """Whether a label would seem to be another point's."""
    reach = min(math.dist(_nearest(box, own), own), _BESIDE) + _DOT
    return any(math.dist(_nearest(box, other), other) < reach for other in others)


def _nearest(box: Box, point: tuple[float, float]) -> tuple[float, float]:
    """The place in a box that is nearest to a point."""
    left, top, right, bottom = box
    return min(max(point[0], left), right), min(max(point[1], top), bottom)


def _places(x: float, y: float, width: float) -> Iterator[Box]:
    """Boxes for a label of one line around a point, the best first, inside the field."""
    height = _FONT + 4
    for away in (_DOT + 3, 16, 32, 50, 70):
        for right, down in ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (-1, -1), (1, 1), (-1, 1)):
            left = x + right * away - (width if right < 0 else width / 2 if right == 0 else 0)
            top = y + down * away - (height if down < 0 else height / 2 if down == 0 else 0)
            if left >= _LEFT and left + width <= _RIGHT and top >= _TOP and top + height <= _BOTTOM:
                yield left, top, left + width, top + height


def _any_meet(some: Sequence[Box], others: Sequence[Box]) -> bool:
    """Whether a box of some overlaps one of the others."""
    return any(a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3] for a in some for b in others)


def _width(text: str) -> float:
    """About how wide a text is: fonts differ, so rather too much."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return 0.6 * _FONT * (len(text) - wide) + 1.1 * _FONT * wide


def _shortened(name: str) -> str:
    """A name without its middle where it is long: ends are what tells variants apart."""
    half = _LONGEST // 2
    return name if len(name) <= _LONGEST else f"{name[: half - 1]}…{name[-half:]}"


def _cost_range(costs: Sequence[float]) -> tuple[float, float]:
    """The ends of the axis: some room around the costs."""
    first, last = min(costs) / 1.3, max(costs) * 1.3
    wider = max(1.0, _LEAST_FACTOR / (last / first)) ** 0.5
    return first / wider, last * wider


def _score_range(scores: Sequence[float]) -> tuple[float, float]:
    """The ends of the axis: some room around the scores."""
    middle, span = (min(scores) + max(scores)) / 2, max(scores) - min(scores)
    half = max(_LEAST_POINTS, 1.3 * span) / 2
    return middle - half, middle + half


def _cost_marks(first: float, last: float) -> list[float]:
    """Round costs to mark: 1, 2, 5, 10, ...; over many decades 1, 10, 100, ..."""
    decades = range(math.floor(math.log10(first)), math.ceil(math.log10(last)) + 1)
    for digits in ((1, 2, 5), (1,)):
        marks = [digit * 10.0**decade for decade in decades for digit in digits]
        marks = [mark for mark in marks if first <= mark <= last]
        if len(marks) <= 7:
            break
    return marks


def _score_marks(first: float, last: float) -> list[float]:
    """Round scores to mark, about five."""
    step = next((step for step in _STEPS if (last - first) / step <= 6), 20.0)
    numbers = range(math.ceil(max(first, 0) / step), math.floor(min(last, 100) / step) + 1)
    return [number * step for number in numbers]
