"""The page: what it says, and that no name can become a part of it."""

import html
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from textapp.cli.reporting.page import in_bytes, page
from textapp.cli.reporting.tables import tables

VOID = {"meta", "wbr"}


class Tags(HTMLParser):
    """Tags opened, and the texts of table cells; refuses tags that do not nest."""

    def __init__(self, text):
        super().__init__()
        self.found, self.open, self.cells = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "td":
            self.cells.append("")

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "td" in self.open:
            self.cells[-1] += data


@pytest.mark.parametrize(("kind", "figures"), [("make_report", 3), ("with_confidence", 6)])
def test_it_says_what_the_report_says(request, kind, figures):
    report = request.getfixturevalue(kind)
    report = report() if kind == "make_report" else report
    text = page(report)
    tags = Tags(text)
    assert tags.cells == [cell for table in tables(report) for row in table.rows for cell in row]
    assert sum(tag == "figure" for tag, _ in tags.found) == figures
    for note in report.notes():
        assert html.escape(note) in text
    assert [attributes.get("class") for tag, attributes in tags.found if tag == "td"].count("best") == 6 + (
        kind != "make_report"
    )


def test_a_reliability_diagram_has_a_bar_for_each_bin(with_confidence):
    drawn = re.findall(r"<svg[^>]* share of right predictions by confidence.*?</svg>", page(with_confidence), re.S)
    assert len(drawn) == 3
    for text in drawn:
        bars = re.findall(r'<rect class="dot" x="([\d.]+)" y="([\d.]+)" width="9" height="([\d.]+)"', text)
        (left, top, height), (right, _, whole) = [tuple(map(float, bar)) for bar in bars]
        assert height / whole == pytest.approx(0.25, abs=0.01)
        assert (right - left) / whole == pytest.approx(0.4 * 192 / 168, abs=0.01)
        assert top > 28


def test_no_name_becomes_markup(make_report):
    text = page(make_report())
    known = (
        "html head meta title style body main h1 h2 p div span table thead tbody tr th td wbr ul li figure figcaption"
    )
    known += " svg path text circle rect"
    assert {tag for tag, _ in Tags(text).found} <= set(known.split())
    assert not any(name.startswith("on") for _, attributes in Tags(text).found for name in attributes)


def test_it_needs_no_network_and_no_script(make_report):
    text = page(make_report())
    assert not re.search(r"https?://|@import|url\(|\b(src|href)=|<script", text)
    assert "default-src 'none'" in text
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_the_bars_are_in_one_scale_and_full(make_report):
    bars = re.findall(r'preserveAspectRatio="none".*?</svg>', page(make_report()), re.S)
    widths = [sum(map(float, re.findall(r'width="([\d.]+)" height="1"', bar))) for bar in bars]
    assert widths == pytest.approx([1000, 1000 * 150_000 / 4_000_000], abs=0.05)


def test_runs_alone_make_a_page(make_report):
    tags = Tags(page(make_report(make_report().variants[2:])))
    assert sum(tag == "figure" for tag, _ in tags.found) == 1


@pytest.mark.parametrize(
    ("count", "shown"), [(999, "999 B"), (150_000, "150 kB"), (1_076_000, "1.08 MB"), (2e9, "2 GB")]
)
def test_bytes_have_a_short_form(count, shown):
    assert in_bytes(count) == shown


def test_a_browser_shows_it_without_overflow(make_report, tmp_path):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if not browser:
        pytest.skip("no Chromium is installed")
    path = tmp_path / "отчёт.html"
    probe = (
        "<script>document.title = [document.querySelectorAll('circle').length, "
        "document.documentElement.scrollWidth <= innerWidth, "
        "document.querySelector('.bars rect').getBoundingClientRect().height].join(' ')</script>"
    )
    text = page(make_report()).replace("style-src", "script-src 'unsafe-inline'; style-src")
    path.write_text(text.replace("</body>", f"{probe}</body>"), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=600,900", "--dump-dom"]
    done = subprocess.run([browser, *flags, path.as_uri()], capture_output=True, text=True, timeout=60, check=True)
    assert "<title>5 true 18</title>" in done.stdout
