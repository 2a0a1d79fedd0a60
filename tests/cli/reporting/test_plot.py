"""The drawing of scores against costs: read back from the SVG."""

import itertools
import math
import re
from xml.etree import ElementTree

import pytest

from textapp.cli.reporting.plot import HEIGHT, WIDTH, Point, scatter


def draw(points):
    return ElementTree.fromstring(scatter(points, "bytes <&>", "точность, %", lambda cost: f"{cost:g} B & <"))


def dots(svg):
    return [(float(c.get("cx")), float(c.get("cy"))) for c in svg.iter("circle")]


def labels(svg):
    """Position and text of each label."""
    return [(float(t.get("x")), float(t.get("y")), "".join(t.itertext())) for t in svg.iter("text") if is_label(t)]


def is_label(text):
    return text.get("class") == "name"


POINTS = [
    Point(1, "большой 大", 4e6, 91.0, False),
    Point(2, "a<b>&\"'", 1e6, 90.5, False),
    Point(3, "слабее", 1.5e6, 89.0, False),
    Point(4, "прогон", 12e6, 91.0, True),
    Point(5, "x" * 80, 1e5, 88.0, False),
]


def test_points_are_where_their_figures_are():
    placed = dots(draw(POINTS))
    x = [place[0] for place in placed]
    y = [place[1] for place in placed]
    assert sorted(range(5), key=x.__getitem__) == [4, 1, 2, 0, 3]
    assert y[0] == y[3] < y[1] < y[2] < y[4]
    # logarithmic: equal factors are equal distances
    assert (x[0] - x[1]) / math.log(4) == pytest.approx((x[1] - x[4]) / math.log(10), rel=0.01)
    assert (y[2] - y[1]) / 1.5 == pytest.approx((y[4] - y[2]) / 1.0, rel=0.01)


def test_the_line_joins_those_that_none_beats():
    svg = draw(POINTS)
    path = next(p.get("d") for p in svg.iter("path") if p.get("class") == "front")
    placed = dots(svg)
    numbers = list(map(float, re.findall(r"[\d.]+", path)))
    assert numbers == [c for index in (4, 1, 0) for c in placed[index]]  # 3 is weaker than 2, 4 costs more than 1
    assert [c.get("class") for c in svg.iter("circle")] == ["dot", "dot", "dot", "ring", "dot"]


CROWD = [Point(n, f"variant_{n}", 1e6 * (1 + n / 100), 90 + n / 50, False) for n in range(1, 7)]
SCATTERED = [Point(n, "x", 1e5 * 1.4 ** (7 * n % 11), 90 + 0.3 * (5 * n % 13), False) for n in range(1, 21)]


@pytest.mark.parametrize("points", [POINTS, CROWD, SCATTERED, POINTS[:1]], ids=["few", "crowd", "scattered", "one"])
def test_the_number_of_every_point_is_inside_the_drawing_and_apart(points):
    svg = draw(points)
    found = labels(svg)
    numbers = [list(map(int, text.split(", "))) for *_, text in found]
    assert sorted(itertools.chain(*numbers)) == [point.number for point in points]
    boxes = [(x - 3.5 * len(text), y - 9, x + 3.5 * len(text), y) for x, y, text in found]
    for left, top, right, bottom in boxes:
        assert 0 <= left < right <= WIDTH
        assert 0 < top < bottom < HEIGHT
    of_number = dict(zip((point.number for point in points), dots(svg), strict=True))
    for box, own in zip(boxes, numbers, strict=True):
        others = [other for other in boxes if other != box]
        others += [(x - 4, y - 4, x + 4, y + 4) for number, (x, y) in of_number.items() if number not in own]
        assert not any(a < r and left < c and b < o and top < d for a, b, c, d in [box] for left, top, r, o in others)


def test_a_label_is_above_its_point_and_the_tooltip_has_the_name():
    svg = draw(POINTS)
    assert [text for *_, text in labels(svg)] == ["1", "2", "3", "4", "5"]
    for (x, y, _), (dot_x, dot_y) in zip(labels(svg), dots(svg), strict=True):
        assert x == pytest.approx(dot_x, abs=0.1)
        assert 5 < dot_y - y < 12
    titles = [title.text for title in svg.iter("title")]
    assert titles[1] == "2 a<b>&\"'" + ": 90.50 %, 1e+06 B & <"


def test_points_of_one_place_share_a_label():
    same = [Point(n, "same", 5.0, 50.0, False) for n in range(1, 10)]
    assert [text for *_, text in labels(draw(same))] == ["1, 2, 3, 4, 5, 6, 7, 8, 9"]


def test_a_wide_label_stays_inside_the_drawing():
    ends = [Point(n, "x", 1e3 if n < 8 else 1e9, 50.0, False) for n in range(1, 15)]
    found = labels(draw(ends))
    assert [text for *_, text in found] == ["1, 2, 3, 4, 5, 6, 7", "8, 9, 10, 11, 12, 13, 14"]
    for x, _, text in found:
        assert x - 3.5 * len(text) > 0
        assert x + 3.5 * len(text) < WIDTH


@pytest.mark.parametrize(("scores", "cost"), [((100.0, 99.9), 1e-3), ((0.0, 100.0), 5e9), ((33.3, 33.3), 1.0)])
def test_axes_have_marks_and_stay_in_range(scores, cost):
    svg = draw([Point(n, "m", cost * n, score, False) for n, score in enumerate(scores, start=1)])
    texts = [t.text for t in svg.iter("text") if t.get("class") == "axis"]
    marks = [float(text) for text in texts if re.fullmatch(r"[\d.]+", text)]
    assert len(marks) >= 2
    assert all(0 <= mark <= 100 for mark in marks)
    assert sum(text.endswith("B & <") for text in texts) >= 1
    for x, y in dots(svg):
        assert 0 < x < WIDTH
        assert 0 < y < HEIGHT


def test_chance_does_not_look_like_a_cliff():
    first, second = dots(draw([Point(1, "a", 1.0, 90.0, False), Point(2, "b", 2.0, 90.1, False)]))
    assert first[1] - second[1] < HEIGHT / 15
