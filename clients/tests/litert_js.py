"""Runs exported model files in LiteRT.js, in Chromium: those that bundle.json says it runs, and one that it refuses.

    npm install --prefix clients/tests @litertjs/core
    python clients/tests/litert_js.py

Their outputs must be those of the Interpreter of Python.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import textapp  # noqa: E402
from clients.web.browser import Browser, BrowserError, browser, served  # noqa: E402
from textapp.runtime.clients import NO_VARIABLES  # noqa: E402

PACKAGES = Path(__file__).parent / "node_modules"
TOLERANCES = {"float32": 1e-5, "dynamic_wi8_afp32": 0.02}  # of logits; in int8, activations are rounded otherwise
LENGTHS = (4, 16)
PAGE = """<!doctype html><meta charset="utf-8">
<script type="importmap">
{"imports": {
  "@litertjs/core": "/@litertjs/core/dist/index.js",
  "@litertjs/wasm-utils": "/@litertjs/wasm-utils/dist/index.js"
}}
</script>
<script type="module">
import {loadLiteRt, loadAndCompile, Tensor} from '@litertjs/core';
await loadLiteRt('/@litertjs/core/wasm/');
window.outputs = async (url, signature, inputs) => {
  const model = await loadAndCompile(url, {accelerator: 'wasm'});
  const given = Object.entries(inputs).map(([name, {ids, shape}]) => [name, new Tensor(Int32Array.from(ids), shape)]);
  const outputs = await model.run(signature, Object.fromEntries(given));
  return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, [...tensor.toTypedArray()]]));
};
window.isReady = true;
</script>
"""


def check(open_page: Browser, content: bytes, url: str, tolerance: float, number: np.random.Generator) -> None:
    """Raises `AssertionError` unless all signatures of a file give the Interpreter's outputs."""
    interpreter = Interpreter(model_content=content)
    for signature in interpreter.get_signature_list():
        runner = interpreter.get_signature_runner(signature)
        details = runner.get_input_details()
        ids = {name: number.integers(1, 5, one["shape"]).astype(np.int32) for name, one in details.items()}
        for one in ids.values():
            one[:, 3:] = 0
        given = {name: {"ids": one.ravel().tolist(), "shape": list(one.shape)} for name, one in ids.items()}
        received: dict[str, Any] = open_page.run("return outputs(...arguments)", url, signature, given)
        for name, expected in runner(**ids).items():
            np.testing.assert_allclose(received[name], expected.ravel(), atol=tolerance, err_msg=f"{url} {signature}")


def main() -> int:
    """Checks the files of both samples."""
    number = np.random.default_rng(0)
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder)) as address,
        browser("chromedriver") as open_page,
    ):
        Path(folder, "index.html").write_text(PAGE, encoding="utf-8")
        Path(folder, "@litertjs").symlink_to(PACKAGES / "@litertjs")
        open_page.go(address)
        open_page.wait("return window.isReady")
        for sample in ("classifier", "tagger"):
            for recipe, tolerance in TOLERANCES.items():
                out = Path(folder, f"{sample}-{recipe}")
                run = ROOT / "tests/samples" / sample / "run"
                made = textapp.export(run, out, lowering="unrolled", recipe=recipe, lengths=LENGTHS)
                assert set(NO_VARIABLES) <= set(made["clients"]), made["clients"]
                content = (out / "model.tflite").read_bytes()
                check(open_page, content, f"{address}{out.name}/model.tflite", tolerance, number)
                print(f"LiteRT.js: {sample}, {recipe}: equal to the Interpreter within {tolerance}")
        out = Path(folder, "fused")
        made = textapp.export(ROOT / "tests/samples/classifier/run", out, lowering="fused", lengths=LENGTHS)
        assert not set(NO_VARIABLES) & set(made["clients"]), made["clients"]
        refusal = "none: change textapp/runtime/clients.py"
        try:
            open_page.run("return outputs(...arguments)", f"{address}fused/model.tflite", "tokens_4", {})
        except BrowserError as error:
            refusal = str(error)
        assert "Failed to load model" in refusal, refusal
    return 0


if __name__ == "__main__":
    sys.exit(main())
