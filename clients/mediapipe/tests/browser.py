"""Classifies texts with MediaPipe for the web, in Chromium.

It needs the package of npm: `npm install --prefix clients/tests @mediapipe/tasks-text`.
"""

import contextlib
import functools
import http.server
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from clients.web.browser import browser

_PAGE = b"""<!doctype html><meta charset="utf-8">
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


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Serves the page, a model, and the package of npm under /package/."""

    def __init__(self, *arguments: object, model: Path, package: Path):
        self._model, self._package = model, package
        super().__init__(*arguments, directory=str(package))  # type: ignore[arg-type]

    def translate_path(self, path: str) -> str:
        """The file of a path."""
        if path == "/model.tflite":
            return str(self._model)
        return super().translate_path(path.removeprefix("/package"))

    def do_GET(self) -> None:
        """Sends the page or a file."""
        if self.path != "/":
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(_PAGE)

    def log_message(self, *_: object) -> None:
        """Logs nothing."""


def classify(model: Path, texts: Sequence[str], package: Path, chromedriver: str) -> list[dict[str, float]]:
    """The probability of each label for each text.

    Args:
        model: The file.
        texts: The texts.
        package: The folder of `@mediapipe/tasks-text`.
        chromedriver: The path of chromedriver.
    """
    with _served(model, package) as address, browser(chromedriver) as open_page:
        open_page.go(address)
        open_page.wait("return window.scores !== undefined", seconds=60)
        scores: list[dict[str, float]] = open_page.run("return scores(...arguments)", list(texts))
        return scores


@contextlib.contextmanager
def _served(model: Path, package: Path) -> Iterator[str]:
    """The address of the page while it is served."""
    handler = functools.partial(_Handler, model=model, package=package)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
