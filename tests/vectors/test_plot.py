"""The picture of a map, with labels where there is room, and its page, of which no word can become a part."""

import html
import itertools
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.image import imread
from matplotlib.text import Text

from textapp import figures
from textapp.errors import InputError
from textapp.vectors.plot import draw_map, html_page, place_labels, save_page, save_picture
from textapp.vectors.word_map import WordMap


def word_map(words, seed=0) -> WordMap:
    count = len(words)
    positions = np.random.default_rng(seed).random((count, 2)).astype(np.float32)
    nobody = np.zeros((count, 0))
    return WordMap(tuple(words), positions, np.arange(count) % 10, nobody.astype(int), nobody, np.arange(1, count + 1))


def test_no_two_labels_overlap_and_the_first_have_precedence():
    rng = np.random.default_rng(0)
    dots, sizes = 300 * rng.random((150, 2)), np.full((150, 2), [50.0, 12.0])
    labels = place_labels(dots, sizes, (300, 300), [True] * 150)
    boxes = [(x.left, x.bottom, x.left + 50, x.bottom + 12) for x in labels if x is not None]
    for one, other in itertools.combinations(boxes, 2):
        assert one[0] >= other[2] or other[0] >= one[2] or one[1] >= other[3] or other[1] >= one[3]
    assert all(left >= 0 and bottom >= 0 and right <= 300 and top <= 300 for left, bottom, right, top in boxes)
    assert labels[0] is not None
    assert 20 < len(boxes) < 150


def test_a_label_stands_beside_its_dot_or_is_led_to():
    alone, crowded = np.array([[100.0, 100.0]]), np.full((12, 2), 100.0)
    (label,) = place_labels(alone, np.array([[30.0, 10.0]]), (300, 300), [True])
    assert label == (107.0, 95.0, False)
    labels = place_labels(crowded, np.full((12, 2), [30.0, 10.0]), (300, 300), [True] * 12)
    assert any(label is not None and label.moved for label in labels)
    assert place_labels(alone, np.array([[30.0, 10.0]]), (300, 300), [False]) == [None]
    assert place_labels(alone, np.array([[301.0, 10.0]]), (300, 300), [True]) == [None]


def test_the_picture_has_the_labels_as_they_are(tmp_path):
    words = ["слово", "$x^2$", "naïve", "_a_", "x" * 50]
    drawn = save_picture(word_map(words), tmp_path / "карта.png", "Слова $1$")
    shown = [text.get_text() for text in drawn.figure.axes[0].findobj(Text)]
    assert {"слово", "$x^2$", "naïve", "_a_", "x" * 23 + "…", "Слова $1$"} <= set(shown)
    assert (drawn.labelled, drawn.without_font) == (5, 0)
    picture = imread(tmp_path / "карта.png")
    assert picture.shape[:2] == tuple(round(inches * 150) for inches in drawn.figure.get_size_inches()[::-1])
    assert (picture[..., :3] < 0.5).any()
    assert [path.name for path in tmp_path.iterdir()] == ["карта.png"]


def test_words_that_no_font_draws_have_no_label(monkeypatch):
    monkeypatch.setattr(figures, "_installed", list)
    drawn = draw_map(word_map(["好", "слово", "word", "🎉", "b"]), "标题")
    assert (drawn.labelled, drawn.without_font) == (3, 2)
    with pytest.raises(InputError, match="no installed font can draw these words"):
        draw_map(word_map(["好", "坏"]), "x")


WORDS = (
    "好",
    "</script><script>document.title='hacked'</script>",
    "<!--",
    "__TITLE__",
    "a&amp;\"'",
    "\u2028",
    "\ud800",
)
MAP = WordMap(
    WORDS,
    np.linspace(0, 1, 14, dtype=np.float32).reshape(7, 2),
    np.arange(7),
    np.array([[(i + 1) % 7, (i + 2) % 7] for i in range(7)]),
    np.full((7, 2), 0.5, np.float32),
    np.arange(7),
)


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found, self.content = [], {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        key = self.found[-1][1].get("id") or self.found[-1][0] if self.found else ""
        self.content[key] = self.content.get(key, "") + data


def test_words_are_data_and_never_markup():
    text = html_page(MAP, "<b>__DATA__ & 题</b>")
    tags = Tags(text)
    assert [tag for tag, _ in tags.found if tag in ("script", "b")] == ["script", "script"]
    data = json.loads(tags.content["data"])
    assert tuple(data["words"]) == WORDS
    assert tags.content["title"].strip() == "<b>__DATA__ & 题</b>"
    assert html.escape("<b>__DATA__ & 题</b>") in text


def test_positions_are_those_of_the_map_with_y_downwards():
    data = json.loads(Tags(html_page(MAP, "t")).content["data"])
    np.testing.assert_allclose(data["x"], MAP.positions[:, 0], atol=1e-5)
    np.testing.assert_allclose(data["y"], 1 - MAP.positions[:, 1], atol=1e-5)
    assert data["neighbors"] == MAP.neighbors.tolist()
    assert data["ranks"] == list(range(7))


def test_it_needs_no_network():
    text = html_page(MAP, "t")
    assert not re.search(r"https?://|@import|url\(|\b(src|href)=|fetch\(|innerHTML", text)
    assert "default-src 'none'" in text


def test_a_browser_runs_it(tmp_path):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if not browser:
        pytest.skip("no Chromium is installed")
    save_page(MAP, tmp_path / "карта.html", "题")
    source = (tmp_path / "карта.html").read_text(encoding="utf-8")
    probe = """<script>setTimeout(() => {
        input.value = "好"; input.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter"}));
        draw();
        setTimeout(() => { document.title = chosen + " " + card.hidden + " " + card.textContent; }, 300);
    }, 300)</script></body>"""
    (tmp_path / "probe.html").write_text(source.replace("</body>", probe), encoding="utf-8")
    arguments = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    shown = subprocess.run(
        [browser, *arguments, "--virtual-time-budget=5000", "--dump-dom", (tmp_path / "probe.html").as_uri()],
        capture_output=True,
        timeout=120,
        check=True,
    ).stdout.decode()
    title = html.unescape(re.search(r"<title>(.*?)</title>", shown, re.S)[1])
    assert title.startswith("0 false 好not in the vocabulary</script><script>document.title='hacked'</script>0.50")
