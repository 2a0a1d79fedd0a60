"""The page of a map: what it says, and that no word can become a part of it."""

import html
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest

from textapp.vectors.page import page, save_page
from textapp.vectors.word_map import WordMap

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
    text = page(MAP, "<b>__DATA__ & 题</b>")
    tags = Tags(text)
    assert [tag for tag, _ in tags.found if tag in ("script", "b")] == ["script", "script"]
    data = json.loads(tags.content["data"])
    assert tuple(data["words"]) == WORDS
    assert tags.content["title"].strip() == "<b>__DATA__ & 题</b>"
    assert html.escape("<b>__DATA__ & 题</b>") in text


def test_places_are_those_of_the_map_with_y_downwards():
    data = json.loads(Tags(page(MAP, "t")).content["data"])
    np.testing.assert_allclose(data["x"], MAP.places[:, 0], atol=1e-5)
    np.testing.assert_allclose(data["y"], 1 - MAP.places[:, 1], atol=1e-5)
    assert data["neighbors"] == MAP.neighbors.tolist()
    assert data["ranks"] == list(range(7))


def test_it_needs_no_network():
    text = page(MAP, "t")
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
