"""The page of one model: its sections and figures, read back from the HTML, and that no text becomes markup."""

import dataclasses
import math
import re
import shutil
import subprocess
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from tests.cli.reporting.conftest import HOSTILE
from textapp.answers import ReliabilityBin
from textapp.cli.reporting.content import Baseline
from textapp.cli.reporting.curves import HEIGHT, WIDTH, Curve, curves
from textapp.cli.reporting.training import Split, Training
from textapp.tasks.examination import Confusion, Examination, Judged, Scored
from textapp.tasks.intervals import WILSON, Interval
from textapp.text.marked import Marked, weighted, with_spans

VOID = {"meta", "wbr"}


class Page(HTMLParser):
    """Sections by name with their text, tables as cells, and all elements; refuses tags that do not nest."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.tables, self.sections, self.links = [], [], [], {}, []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.elements.append((tag, found))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "section":
            self.sections[found["aria-labelledby"]] = ""
        if tag == "a":
            self.links.append(found["href"])
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("th", "td"):
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "td" in self.open or "th" in self.open:
            self.tables[-1][-1][-1] += data
        if "section" in self.open:
            self.sections[list(self.sections)[-1]] += data

    def table(self, first):
        """The table whose first cell is this text."""
        return next(table for table in self.tables if table[0][0] == first)


def judged(number, right=False):
    marked = weighted(f"{HOSTILE} 很好 {number}", [(0, 5, 0.5)])
    return Judged(f"t.tsv:{number}", right, HOSTILE, "好", 0.75, (("", marked),), f"{HOSTILE} 0.50")


def examination(classes=3, mistakes=4):
    names = (HOSTILE, *(f"类{number}" for number in range(1, classes)))
    counts = tuple(tuple(10 * (r == c) + (r + c) % 3 for c in range(classes)) for r in range(classes))
    return Examination(
        scores=(Scored("accuracy", "accuracy", 0.9, Interval(0.88, 0.915, WILSON)), Scored("x", "плюс", 0.5, None)),
        header=("label", "precision, %", "recall, %", "F1, %", "texts"),
        targets=[(name, "50.0", "60.0", f"{90 - number}.0", "7") for number, name in enumerate(names)],
        confusion=Confusion(names, counts, "text"),
        wrong=104,
        mistakes=tuple(judged(number) for number in range(mistakes)),
        unsure=(judged(99, right=True),) if mistakes else (),
        searched=1000,
        order="the most confident first",
        errors={"right": 3, "missed": 1},
    )


TRAINING = Training(
    history=(
        {"loss": 2.0, "val_loss": 1.5, "accuracy": 0.4, "val_accuracy": 0.5},
        {"loss": 1.0, "val_loss": 1.25, "accuracy": 0.6, "val_accuracy": 0.75},
        {"loss": math.nan, "val_loss": 1.3, "accuracy": 0.9, "val_accuracy": 0.75},
    ),
    monitor="val_accuracy",
    splits=(Split("train", 2000, 9000, 12, 0.025), Split("valid", 200, 900, None, 0.04)),
    target_counts={},
    seconds=61.5,
    most_epochs=8,
    settings=(("units", "32", f"because {HOSTILE}"),),
    versions={"keras": "3.15"},
    parameters=7000,
)


@pytest.fixture
def one(make_report):
    """A report of a bundle, or with `run` of a run."""

    def make(run=False, **changes):
        variant = make_report().variants[2 if run else 0]
        variant = dataclasses.replace(
            variant,
            name=HOSTILE,
            scores={**variant.scores, "ece": 0.05},
            reliability=(ReliabilityBin(250, 0.5, 0.25),),
            baseline=Baseline("linear", {"valid": (0.75, 0.7)}) if run else None,
        )
        fields = {"examination": examination(), "examples": 1000, "model_noun": "classifier"}
        return make_report((variant,), **{**fields, "training": TRAINING if run else None, **changes})

    return make


def test_the_page_of_a_run_has_its_sections_and_links_to_each(one):
    page = Page(one(run=True).html())
    assert page.links == [f"#{name}" for name in page.sections]
    names = "scores training targets confusions calibration mistakes unsure data cost made"
    assert list(page.sections) == names.split()
    assert {attributes["id"] for tag, attributes in page.elements if tag == "h2"} == set(page.sections)


def test_the_page_of_a_bundle_has_bytes_and_times_in_place_of_curves(one):
    page = Page(one().html())
    assert not {"training", "data"} & set(page.sections)
    parts = page.table("part")[1:]
    sizes = [int(row[1].replace(",", "")) for row in parts]
    assert sum(sizes[:4]) == sizes[4] == 4_000_000
    assert [row[1] for row in page.table("")[1:]] == ["0.500", "1.00", "0.250", "0.450 to 0.750"]


def test_scores_stand_with_their_intervals(one):
    rows = Page(one().html()).table("score")[1:]
    assert [[row[0], row[1], row[2], row[4]] for row in rows] == [
        ["accuracy", "90.0", "88.0 to 91.5", "Wilson"],
        ["плюс", "50.0", "–", "–"],
    ]
    drawn = re.search(r'<rect class="range" x="([\d.]+)" y="5" width="([\d.]+)"', one().html())
    scale = 160 / (1 - 0.4)  # the axis begins a tenth below the least
    assert [float(part) for part in drawn.groups()] == pytest.approx([0.48 * scale, 0.035 * scale], abs=0.1)


def test_few_classes_are_a_matrix_and_many_a_list(one):
    matrix = Page(one().html()).table("true \\ predicted")
    assert [row[1:] for row in matrix[1:]] == [["10", "1", "2"], ["1", "12", "0"], ["2", "0", "11"]]
    many = Page(one(examination=examination(classes=13)).html())
    rows = many.table("true")[1:]
    assert len(rows) == 20
    counts = [int(row[2]) for row in rows]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] == 2
    assert "by rising F1" in many.sections["targets"]
    values = [float(row[3]) for row in many.table("label")[1:]]
    assert values == sorted(values)


def test_mistakes_show_what_is_true_what_was_predicted_and_where(one):
    page = Page(one().html())
    text = page.sections["mistakes"]
    assert "104 of 1,000 examples have a mistake. Shown: 4, the most confident first." in text
    assert "t.tsv:3" in text
    assert "confidence 75.0%" in text
    signs = [a.get("aria-label") for tag, a in page.elements if tag == "span" and a.get("role") == "img"]
    assert signs == ["wrong"] * 4 + ["right"]


def test_spans_stand_true_above_and_predicted_below(one):
    lines = (
        ("true", with_spans("张伟 went", [("人", 0, 2, None)], ["人"])),
        ("predicted", Marked("张伟 went", ())),
    )
    mistake = Judged("f:1", False, "", "", 0.25, lines, of="least sure tag")
    found = dataclasses.replace(examination(), mistakes=(mistake,), unsure=())
    text = Page(one(examination=found).html()).sections["mistakes"]
    assert re.search("least sure tag 25.0%.*true张伟人 went.*predicted张伟 went", text, re.S)


def test_without_mistakes_the_page_holds_no_text_and_does_not_say_so(one):
    with_texts, without = one().html(), one(examination=examination(mistakes=0)).html()
    assert "This page holds texts of that data." in with_texts
    assert "holds texts" not in without
    assert "很好" not in without
    assert not {"mistakes", "unsure"} & set(Page(without).sections)


def test_the_training_is_told(one):
    page = Page(one(run=True).html())
    text = page.sections["training"]
    assert "7,000 parameters, trained for 3 epochs in 62 s." in text
    assert "The weights are those of epoch 2, the best by validation accuracy." in text  # the first of two equal ones
    assert "It stopped before epoch 8" in text
    assert page.table("split")[1:] == [["train", "2,000", "9,000", "12", "2.5"], ["valid", "200", "900", "–", "4.0"]]
    assert page.table("setting")[1][:2] == ["units", "32"]
    assert "compared with a baseline, linear: valid 75.0 % against 70.0 %" in page.sections["made"]


def test_no_text_becomes_markup_and_nothing_is_loaded(one):
    for text in (one().html(), one(run=True, examination=examination(classes=13)).html()):
        page = Page(text)
        assert not {"script", "link", "img", "iframe", "object", "form"} & {tag for tag, _ in page.elements}
        for _, attributes in page.elements:
            assert not any(name.startswith("on") or name == "src" for name in attributes)
            assert attributes.get("href", "#").startswith("#")
        assert not re.search(r"https?://|@import|url\(|<script", text)
        assert "default-src 'none'" in text
        assert "prefers-color-scheme: dark" in text


def test_boxes_that_scroll_can_be_reached_by_keyboard_and_have_names(one):
    page = Page(one(run=True).html())
    boxes = [attributes for tag, attributes in page.elements if attributes.get("class") == "scroll"]
    assert len(boxes) == len(page.tables)
    assert all(box["tabindex"] == "0" and box["role"] == "region" and box["aria-label"] for box in boxes)
    for tag, attributes in page.elements:
        if tag == "svg" and attributes.get("aria-hidden") != "true":
            assert attributes["role"] == "img"
            assert attributes["aria-label"]
        if tag == "th":
            assert attributes["scope"] in ("row", "col")


def test_a_phone_shows_it_without_overflow(one, tmp_path):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if not browser:
        pytest.skip("no Chromium is installed")
    probe = (
        "<script>document.title = [document.documentElement.scrollWidth <= innerWidth, "
        "[...document.querySelectorAll('.scroll')].some(box => box.scrollWidth > box.clientWidth)].join(' ')</script>"
    )
    text = one(run=True).html().replace("style-src", "script-src 'unsafe-inline'; style-src")
    path = tmp_path / "报告.html"
    path.write_text(text.replace("</body>", f"{probe}</body>"), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=500,900", "--dump-dom"]
    done = subprocess.run([browser, *flags, path.as_uri()], capture_output=True, text=True, timeout=60, check=True)
    assert "<title>true true</title>" in done.stdout


def test_a_notebook_shows_the_page_in_a_frame(one):
    frame = one()._repr_html_()
    [(tag, attributes)] = Page(frame).elements
    assert tag == "iframe"
    assert attributes["srcdoc"] == one().html()


def test_curves_are_where_their_values_are():
    svg = ElementTree.fromstring(
        curves(
            "loss <&>",
            [Curve("a", [4.0, 2.0, math.nan, 1.0]), Curve("b", [3.0, 3.0, 3.0, 3.0], "second")],
            1,
            ("l", 3.0),
        )
    )
    first, second = (
        [(float(c.get("cx")), float(c.get("cy"))) for c in svg.iter("circle") if c.get("class") == kind]
        for kind in ("first-name", "second-name")
    )
    assert len(first) == 3
    assert (first[1][1] - first[0][1]) / 2 == pytest.approx(first[2][1] - first[1][1], abs=0.2)
    assert second[1][0] - second[0][0] == pytest.approx((first[2][0] - first[0][0]) / 3, abs=0.2)
    path = next(p.get("d") for p in svg.iter("path") if p.get("class") == "first")
    assert path.count("M") == 2  # there is a gap at the value that is not a number
    best, level = (p.get("d") for p in svg.iter("path") if p.get("class") == "honest")
    assert best.startswith(f"M{first[1][0]:.1f} ")
    assert level.startswith(f"M52 {second[0][1]:.1f}H")
    for left, top in (*first, *second):
        assert 0 < left < WIDTH
        assert 0 < top < HEIGHT
    assert svg.get("aria-label") == "loss <&> by epoch: a from 4 to 1; b from 3 to 3"


@pytest.mark.parametrize("values", [[0.5], [1.0, 1.0], [0.0, 0.0], [1e-9, 5e4], [-1.0, 1.0]])
def test_any_values_have_axes(values):
    svg = ElementTree.fromstring(curves("x", [Curve("a", values)], 0))
    marks = [t.text for t in svg.iter("text") if t.get("text-anchor") == "end" and t.get("class") == "axis"]
    assert len([mark for mark in marks if re.fullmatch(r"-?[\d.e+-]+", mark)]) >= 2
    for circle in svg.iter("circle"):
        assert 0 < float(circle.get("cy")) < HEIGHT
