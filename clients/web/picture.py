"""Takes a picture of the page: a classifier in light colours, and a tagger in dark ones beside it.

    python clients/web/picture.py CLASSIFIER TAGGER OUT.png [--texts TEXT TEXT]

CLASSIFIER and TAGGER are bundles. A page with a Chinese text is in Chinese. It needs chromium and chromedriver, and a
compiler of WebAssembly.
"""

import argparse
import io
import shutil
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from clients.web.browser import Browser, browser  # noqa: E402
from textapp.export.clients.files import core_wasm  # noqa: E402
from textapp.export.clients.page import single_page  # noqa: E402

WIDTH, HEIGHT, SCALE = 720, 800, 1.25  # of one page, in CSS pixels; pixels of the picture for each
TEXTS = (
    "Not bad at all: the plot is simple, but the actors are wonderful and the music is beautiful.",
    "Angela Merkel met Tim Cook in Paris on Monday, and the German team beat Spain in London.",
)


def main() -> None:
    """Writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("classifier", type=Path)
    parser.add_argument("tagger", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--texts", nargs=2, default=TEXTS)
    arguments = parser.parse_args()
    chromedriver = shutil.which("chromedriver")
    if chromedriver is None:
        sys.exit("no chromedriver here")
    core = core_wasm("simd")
    with browser(chromedriver) as page, tempfile.TemporaryDirectory() as folder:
        both = []
        bundles = arguments.classifier, arguments.tagger
        for bundle, text, colours in zip(bundles, arguments.texts, ("light", "dark"), strict=True):
            path = Path(folder, f"{colours}.html")
            files = {part.name: part.read_bytes() for part in sorted(bundle.iterdir())}
            path.write_bytes(single_page(files, core))
            both.append(_picture(page, path, text, colours))
    whole = Image.new("RGB", (sum(one.width for one in both), both[0].height))
    for number, one in enumerate(both):
        whole.paste(one, (number * one.width, 0))
    # 256 colours are enough for flat ones, and a third of the bytes.
    whole.quantize(256, dither=Image.Dither.NONE).save(arguments.out, optimize=True)
    print(f"{arguments.out}: {arguments.out.stat().st_size:,} bytes")


def _picture(page: Browser, path: Path, text: str, colours: str) -> Image.Image:
    """The window with a page and its text."""
    scheme = {"name": "prefers-color-scheme", "value": colours}
    page.devtools("Emulation.setEmulatedMedia", features=[scheme])
    page.devtools(
        "Emulation.setDeviceMetricsOverride", width=WIDTH, height=HEIGHT, deviceScaleFactor=SCALE, mobile=False
    )
    page.go(path.as_uri())
    page.wait("return !document.getElementById('page').hidden")
    if any("\u4e00" <= letter <= "\u9fff" for letter in text):
        page.run("document.getElementById('language').click()")
    page.run(
        "const box = document.getElementById('text'); box.value = arguments[0]; box.dispatchEvent(new Event('input'));",
        text,
    )
    page.wait("return document.getElementById('facts').textContent.includes(' ms')")
    time.sleep(1)  # until the bars rest
    return Image.open(io.BytesIO(page.picture())).convert("RGB")


if __name__ == "__main__":
    main()
