"""The drawing of scores against costs: read back from the SVG."""

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
    """Place and text of each label."""
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


def test_every_point_is_labelled_inside_the_drawing_and_apart():
    crowd = [Point(n, f"variant_{n}", 1e6 * (1 + n / 100), 90 + n / 50, False) for n in range(1, 13)]
    for points in (POINTS, crowd, POINTS[:1]):
        found = labels(draw(points))
        assert [int(text.split()[0]) for *_, text in found] == [point.number for point in points]
        places = [(x, y) for x, y, _ in found]
        assert len(set(places)) == len(points)
        for index, (x, y, text) in enumerate(found):
            assert x >= 0
            assert x + 6 * len(text) <= WIDTH
            assert 0 < y < HEIGHT
            for other_x, other_y, other in found[:index]:
                assert abs(y - other_y) > 12 or x > other_x + 6 * len(other) or other_x > x + 6 * len(text)
    assert labels(draw(POINTS))[1][2] == "2 a<b>&\"'"
    assert len(labels(draw(POINTS))[4][2]) < 40


def test_points_of_one_place_keep_their_numbers():
    found = labels(draw([Point(n, "same", 5.0, 50.0, False) for n in range(1, 6)]))
    assert [text.split()[0] for *_, text in found] == ["1", "2", "3", "4", "5"]
    assert len({(x, y) for x, y, _ in found}) == 5


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
