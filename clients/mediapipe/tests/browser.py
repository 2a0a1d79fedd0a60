"""Classifies texts with MediaPipe for the web, in Chromium.

It needs the package of npm: `npm install --prefix clients/tests @mediapipe/tasks-text`.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from clients.web.browser import browser, served

_PAGE = """<!doctype html><meta charset="utf-8">
<script type="module">
import {FilesetResolver, TextClassifier} from '/package/text_bundle.mjs';
const wasm = await FilesetResolver.forTextTasks('/package/wasm');
const classifier = await TextClassifier.createFromModelPath(wasm, '/model.tflite');
window.scores = texts => texts.map(text => {
  const {categories} = classifier.classify(text).classifications[0];
  return Object.fromEntries(categories.map(({categoryName, score}) => [categoryName, score]));
});
</script>
"""


def classify(model: Path, texts: Sequence[str], package: Path, chromedriver: str) -> list[dict[str, float]]:
    """The probability of each label for each text.

    Args:
        model: The file.
        texts: The texts.
        package: The folder of `@mediapipe/tasks-text`.
        chromedriver: The path of chromedriver.
    """
    with tempfile.TemporaryDirectory() as name, served(Path(name)) as address, browser(chromedriver) as open_page:
        Path(name, "index.html").write_text(_PAGE, encoding="utf-8")
        Path(name, "model.tflite").symlink_to(model.absolute())
        Path(name, "package").symlink_to(package.absolute())
        open_page.go(address)
        open_page.wait("return window.scores !== undefined", seconds=60)
        scores: list[dict[str, float]] = open_page.run("return scores(...arguments)", list(texts))
        return scores
