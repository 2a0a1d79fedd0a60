"""Draws scores against a cost as SVG. The style sheet of the page gives the colours, for light and dark screens.

The drawing shows the numbers of the models; their names are in the table above it, and in tooltips.
"""

import html
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

WIDTH, HEIGHT = 520, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, WIDTH - 14, 14, HEIGHT - 46  # of the field, in pixels
_LINE, _DIGIT, _DOT = 14, 7.5, 5  # height of a line, width of a digit, radius of a point, in pixels
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20)  # between the marks of the scores, in points
_LEAST_POINTS = 2  # least span of the score axis in points: a difference by chance must not look large
_LEAST_FACTOR = 4  # least quotient of the two ends of the cost axis


class Point(NamedTuple):
    """A model in the drawing.

    Attributes:
        number: Number of the model in the report.
        name: Name of the model.
        cost: Bytes or milliseconds, more than 0.
        score: Score in points, from 0 to 100.
        hollow: Whether the point is a ring, not a dot.
        low: The lower end of the score's confidence interval, in points; None if not known.
        high: The upper end.
    """

    number: int
    name: str
    cost: float
    score: float
    hollow: bool
    low: float | None = None
    high: float | None = None

    @property
    def ends(self) -> tuple[float, ...]:
        """The score, and the ends of its interval if they are known."""
        return (self.score,) if self.low is None or self.high is None else (self.low, self.score, self.high)


class _Label(NamedTuple):
    """The numbers of one or more points, and the position of the highest of these points in pixels."""

    numbers: tuple[int, ...]
    x: float
    y: float

    @property
    def text(self) -> str:
        """The numbers, separated by commas."""
        return ", ".join(map(str, self.numbers))

    @property
    def middle(self) -> float:
        """The middle of the text in pixels: above the point, or as near to that as the field allows."""
        half = _DIGIT * len(self.text) / 2
        return min(max(self.x, _LEFT + half), _RIGHT - half)


class _Axes(NamedTuple):
    """Converts costs (on a logarithmic scale) and scores to pixels.

    Attributes:
        costs: The costs at the two ends of the horizontal axis.
        scores: The scores at the two ends of the vertical axis.
    """

    costs: tuple[float, float]
    scores: tuple[float, float]

    def x(self, cost: float) -> float:
        """Returns pixels from the left."""
        first, last = map(math.log, self.costs)
        return _LEFT + (math.log(cost) - first) / (last - first) * (_RIGHT - _LEFT)

    def y(self, score: float) -> float:
        """Returns pixels from the top."""
        first, last = self.scores
        return _BOTTOM - (score - first) / (last - first) * (_BOTTOM - _TOP)


def scatter(points: Sequence[Point], cost_title: str, score_title: str, shown: Callable[[float], str]) -> str:
    """Draws models by cost and score, and a line through the models that no other model beats in both.

    Args:
        points: The models, at least one.
        cost_title: Title of the horizontal axis.
        score_title: Title of the vertical axis.
        shown: Converts a cost to text.

    Returns:
        An `<svg>` element. It uses the classes `axis`, `grid`, `front`, `error`, `dot`, `ring` and `name`.
    """
    axes = _Axes(_cost_range([p.cost for p in points]), _score_range([end for p in points for end in p.ends]))
    description = html.escape(f"{score_title} against {cost_title}")
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{description}">']
    parts += _frame(axes, cost_title, score_title, shown)
    front = _front(points)
    if len(front) > 1:
        path = f"M{axes.x(front[0].cost):.1f} {axes.y(front[0].score):.1f}"
        path += "".join(f"H{axes.x(point.cost):.1f}V{axes.y(point.score):.1f}" for point in front[1:])
        parts.append(f'<path class="front" d="{path}"/>')
    centres = [(axes.x(point.cost), axes.y(point.score)) for point in points]
    for point, (x, _) in zip(points, centres, strict=True):
        if len(ends := point.ends) > 1:
            parts.append(f'<path class="error" d="{_error_bar(x, axes.y(ends[0]), axes.y(ends[-1]))}"/>')
    for point, (x, y) in zip(points, centres, strict=True):
        tip = html.escape(f"{point.number} {point.name}: {point.score:.2f} %, {shown(point.cost)}")
        kind = "ring" if point.hollow else "dot"
        parts.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{_DOT}"><title>{tip}</title></circle>')
    parts += _labels(points, centres)
    return "".join([*parts, "</svg>"])


def _frame(axes: _Axes, cost_title: str, score_title: str, shown: Callable[[float], str]) -> Iterator[str]:
    """Yields the grid lines, their numbers, and the titles of the axes."""
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


def _error_bar(x: float, low: float, high: float) -> str:
    """Returns the path of a vertical line with a cap at each end, from pixels."""
    return f"M{x:.1f} {low:.1f}V{high:.1f}M{x - 4:.1f} {low:.1f}h8M{x - 4:.1f} {high:.1f}h8"


def _front(points: Sequence[Point]) -> list[Point]:
    """Returns the points that no other beats, by rising cost; their scores rise too."""
    front: list[Point] = []
    for point in sorted(points, key=lambda point: (point.cost, -point.score)):
        if not front or point.score > front[-1].score:
            front.append(point)
    return front


def _labels(points: Sequence[Point], centres: Sequence[tuple[float, float]]) -> Iterator[str]:
    """Yields the number of each point, above it. Points whose numbers would overlap share a label: `2, 5`."""
    labels = [_Label((point.number,), *centre) for point, centre in zip(points, centres, strict=True)]
    while pair := next((pair for pair in itertools.combinations(labels, 2) if _overlap(*pair)), None):
        labels = [label for label in labels if label not in pair]
        numbers = tuple(sorted((*pair[0].numbers, *pair[1].numbers)))
        labels.append(_Label(numbers, (pair[0].x + pair[1].x) / 2, min(pair[0].y, pair[1].y)))
    for label in labels:
        x, y = label.middle, label.y - _DOT - 4
        yield f'<text class="name" x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{label.text}</text>'


def _overlap(one: _Label, other: _Label) -> bool:
    """Whether a label, or the point below it, overlaps another label or its point."""
    width = _DIGIT * (len(one.text) + len(other.text)) / 2
    return abs(one.middle - other.middle) < width and abs(one.y - other.y) < 2 * _DOT + _LINE


def _cost_range(costs: Sequence[float]) -> tuple[float, float]:
    """Returns the two ends of the cost axis, with some room around the costs."""
    first, last = min(costs) / 1.3, max(costs) * 1.3
    wider = max(1.0, _LEAST_FACTOR / (last / first)) ** 0.5
    return first / wider, last * wider


def _score_range(scores: Sequence[float]) -> tuple[float, float]:
    """Returns the two ends of the score axis, with some room around the scores."""
    middle, span = (min(scores) + max(scores)) / 2, max(scores) - min(scores)
    half = max(_LEAST_POINTS, 1.3 * span) / 2
    return middle - half, middle + half


def _cost_marks(first: float, last: float) -> list[float]:
    """Returns the round costs with a grid line: 1, 2, 5, 10, ...; over many decades 1, 10, 100, ..."""
    decades = range(math.floor(math.log10(first)), math.ceil(math.log10(last)) + 1)
    for digits in ((1, 2, 5), (1,)):
        marks = [digit * 10.0**decade for decade in decades for digit in digits]
        marks = [mark for mark in marks if first <= mark <= last]
        if len(marks) <= 7:
            break
    return marks


def _score_marks(first: float, last: float) -> list[float]:
    """Returns the round scores with a grid line, about five."""
    step = next((step for step in _STEPS if (last - first) / step <= 6), 20.0)
    numbers = range(math.ceil(max(first, 0) / step), math.floor(min(last, 100) / step) + 1)
    return [number * step for number in numbers]
