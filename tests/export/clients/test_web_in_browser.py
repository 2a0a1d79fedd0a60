"""Client web in Chromium: each kind of core, a worker, and a page whose policy forbids WebAssembly, against Python.

`python clients/check.py web-browser` runs it: it compiles the cores, so that `make test` skips it.
"""

import os

import pytest

from clients.web.browser import BrowserError, browser, served
from native.check import DIGESTS, check_digests, close, kernels_module
from tests.export.clients.samples import SAMPLES
from textapp.export.clients.web import KINDS
from textapp.export.verb import export
from textapp.runtime import load

pytestmark = pytest.mark.skipif("CHROMEDRIVER" not in os.environ, reason="`clients/check.py web-browser` runs it")

TEXTS = [
    "yesterday Ms Anbeda Norsotä sang in Luminor .",
    "昨天李小龙到了乌鲁木齐。Mr Miáo lives near 北京, and he likes it",
    "👍🏽 ｇｏｏｄ film ½ ﬁne ㍿",
    "",
    "word " * 1000,
]
_PREDICT = """
const [module, wasm, texts] = given;
const {load} = await import(new URL(module, location.href).href);
const model = await load('bundle', wasm ? {wasm} : {});
const predict = text => model.predict(text, {offsets: 'code-points', confidence: true});
return {kernel: model.kernel, predictions: texts.map(predict)};
"""
_WORKER = f"""
import {{load}} from './textapp.js';
onmessage = async ({{data: given}}) => postMessage(await (async () => {{{_PREDICT}}})());
"""
_IN_WORKER = """
const worker = new Worker('worker.js', {type: 'module'});
return await new Promise((done, failed) => {
  worker.onmessage = ({data}) => done(data);
  worker.onerror = event => failed(event.message);
  worker.postMessage(given);
});
"""
_POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The exported folder, and a page with a policy, and one without."""
    out = tmp_path_factory.mktemp("网") / "web"
    export(SAMPLES["tagger"], out, clients=["web"])
    (out / "worker.js").write_text(_WORKER, encoding="utf-8")
    (out / "free.html").write_text("<!DOCTYPE html><title>free</title>", encoding="utf-8")
    policy = f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    (out / "strict.html").write_text(f"<!DOCTYPE html><title>strict</title>{policy}", encoding="utf-8")
    return out


@pytest.fixture(scope="module")
def address(folder):
    with served(folder) as found:
        yield found


@pytest.fixture(scope="module")
def chromium():
    with browser(os.environ["CHROMEDRIVER"]) as started:
        yield started


@pytest.fixture(scope="module")
def expected():
    return [one.to_dict() for one in load(SAMPLES["tagger"], engine="litert").predict(TEXTS, confidence=True)]


def check(found, kernel, expected):
    # Relaxed SIMD is used where its dot product is an instruction of the processor.
    assert found["kernel"] in ({kernel, "simd"} if kernel == "relaxed" else {kernel})
    for text, prediction, wanted in zip(TEXTS, found["predictions"], expected, strict=True):
        assert close(prediction, wanted), text


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_core(chromium, address, expected, kind):
    chromium.go(f"{address}free.html")
    check(chromium.run_later(_PREDICT, "textapp.js", f"textapp-{kind}.wasm", TEXTS), kind, expected)


def test_each_set_of_kernels_computes_the_same(chromium, folder, address):
    kernels_module(folder)
    chromium.go(f"{address}free.html")
    rows = chromium.run_later(
        f"const bytes = await (await fetch('digest.wasm')).arrayBuffer(); {DIGESTS}; return rows;"
    )
    check_digests(rows)
    assert len(rows) == 3  # the definition, SIMD, relaxed SIMD


def test_the_fastest_kind_is_taken_also_in_a_worker(chromium, address, expected):
    chromium.go(f"{address}free.html")
    check(chromium.run_later(_PREDICT, "textapp.js", None, TEXTS), "relaxed", expected)
    check(chromium.run_later(_IN_WORKER, "textapp.js", None, TEXTS), "relaxed", expected)


def test_a_policy_without_webassembly_is_named_and_the_core_in_javascript_runs(chromium, address, folder, expected):
    chromium.go(f"{address}strict.html")
    with pytest.raises(BrowserError, match=r"TextappError: .*wasm-unsafe-eval.*without-wasm\.js"):
        chromium.run_later(_PREDICT, "textapp.js", None, TEXTS)
    if not (folder / "without-wasm.js").exists():
        pytest.skip("no wasm2js here, of binaryen")
    check(chromium.run_later(_PREDICT, "without-wasm.js", None, TEXTS), "plain", expected)
