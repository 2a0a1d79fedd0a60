"""Exported model files in LiteRT.js, in Chromium: those that bundle.json says it runs, and one that it refuses.

`python clients/check.py litert-js` runs these tests. The outputs must be those of the Interpreter of Python.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from clients.web.browser import BrowserError, browser, served

PACKAGES = Path(os.environ.get("PACKAGES", ""))
"""The folder node_modules with LiteRT.js."""
pytestmark = pytest.mark.skipif(
    "CHROMEDRIVER" not in os.environ or not (PACKAGES / "@litertjs").is_dir(),
    reason="`clients/check.py litert-js` runs it",
)

SAMPLES = Path(__file__).parents[2] / "samples"
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


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder that is served."""
    made = tmp_path_factory.mktemp("сайт")
    (made / "index.html").write_text(PAGE, encoding="utf-8")
    (made / "@litertjs").symlink_to((PACKAGES / "@litertjs").resolve())
    return made


@pytest.fixture(scope="module")
def outputs(folder):
    """A function from the name of an exported folder, a signature and inputs to the outputs by name."""
    with served(folder) as address, browser(os.environ["CHROMEDRIVER"]) as page:
        page.go(address)
        page.wait("return window.isReady")
        yield lambda name, *given: page.run("return outputs(...arguments)", f"{address}{name}/model.tflite", *given)


def export(sample, folder, **options):
    import textapp

    return textapp.export(SAMPLES / sample / "run", folder, lengths=LENGTHS, **options)


@pytest.mark.parametrize("sample", ["classifier", "tagger"])
@pytest.mark.parametrize(
    ("recipe", "tolerance"),  # of logits; in int8, activations are rounded otherwise
    [("float32", 1e-5), ("dynamic_wi8_afp32", 0.02)],
)
def test_all_signatures_give_the_outputs_of_the_interpreter(outputs, folder, sample, recipe, tolerance):
    from ai_edge_litert.interpreter import Interpreter

    from textapp.runtime.clients import NO_VARIABLES

    name = f"{sample}-{recipe}"
    made = export(sample, folder / name, lowering="unrolled", recipe=recipe)
    assert set(NO_VARIABLES) <= set(made["clients"])
    interpreter = Interpreter(model_path=str(folder / name / "model.tflite"))
    rng = np.random.default_rng(0)
    assert len(interpreter.get_signature_list()) == len(LENGTHS)
    for signature in interpreter.get_signature_list():
        runner = interpreter.get_signature_runner(signature)
        details = runner.get_input_details()
        ids = {key: rng.integers(1, 5, one["shape"]).astype(np.int32) for key, one in details.items()}
        for one in ids.values():
            one[:, 3:] = 0
        given = {key: {"ids": one.ravel().tolist(), "shape": list(one.shape)} for key, one in ids.items()}
        received = outputs(name, signature, given)
        for key, expected in runner(**ids).items():
            np.testing.assert_allclose(received[key], expected.ravel(), atol=tolerance, err_msg=signature)


def test_a_fused_recurrent_layer_is_refused(outputs, folder):
    from textapp.runtime.clients import NO_VARIABLES

    made = export("classifier", folder / "fused", lowering="fused")
    assert not set(NO_VARIABLES) & set(made["clients"])
    with pytest.raises(BrowserError, match="Failed to load model"):  # else change textapp/runtime/clients.py
        outputs("fused", "tokens_4", {})
