"""The page in Chromium: as a folder from a server, and as one file from the disk without network.

    python clients/check.py browser

What the page shows is compared with what Python predicts. It takes some minutes, so that `make test` skips it.
"""

import base64
import hashlib
import json
import os
import random
import shutil
from pathlib import Path

import pytest

from clients.conformance.mutants import mutant
from clients.web.browser import browser, served
from tests.export.clients.samples import SAMPLES
from textapp.errors import InputError
from textapp.export.clients.files import core_wasm
from textapp.export.clients.page import single_page
from textapp.export.verb import export
from textapp.runtime import load

pytestmark = pytest.mark.skipif("CHROMEDRIVER" not in os.environ, reason="`python clients/check.py browser` runs it")

TOLERANCE = 0.02  # of probabilities, of int8 recipes
OFFLINE = ("--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:1")
TEXTS = [
    "a good film, truly charming",
    "Das Café war schrecklich naïve!",
    "这部电影很好看，演员也精彩",
    "yesterday Ms Anbeda Norsotä sang in Luminor .",
    "昨天李小龙到了乌鲁木齐。Mr Miáo lives near 北京, and he likes it",
    '👍🏽 ｇｏｏｄ <b>film</b> &amp; "x" ½ ﬁne',
    "tab\tand\nline \u2028 \u202e good",
    "lone \ud800 surrogate",
    "😀",
    "a good film " * 40,
]
ATTACK = "</script><img src=x onerror=document.title='hit'>"

_SHOWN = """
const read = one => one.textContent.toWellFormed(); // chromedriver writes no lone surrogates
const text = selector => [...document.querySelectorAll(selector)].map(read);
return {
  headline: text('#headline span'), reading: text('#reading').join(''), cut: text('#reading s').join(''),
  names: text('#bars .name'), values: text('#bars .value'), chosen: text('#bars .chosen .name'),
  marks: [...document.querySelectorAll('mark')].map(one => [...one.childNodes].map(read)),
  note: document.getElementById('note').hidden ? '' : text('#note')[0],
  error: document.getElementById('error').hidden ? '' : text('#error')[0],
  facts: text('#facts')[0], isEmpty: document.getElementById('result').hidden,
};
"""
_TYPING = """
const type = async text => {
  const box = document.getElementById('text'), end = performance.now() + 120000;
  box.value = text;
  box.dispatchEvent(new Event('input'));
  do {
    await new Promise(requestAnimationFrame);
    if (performance.now() > end) throw new Error('the page hangs');
  } while (document.getElementById('result').getAttribute('aria-busy') === 'true');
};
"""
_TYPE = f"{_TYPING} await type(JSON.parse(given[0]));"
_DROP = """
const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
const drop = files => {
  const dataTransfer = new DataTransfer();
  for (const [name, content] of Object.entries(files)) dataTransfer.items.add(new File([bytes(content)], name));
  dispatchEvent(new DragEvent('drop', {dataTransfer, cancelable: true}));
};
const idle = document.getElementById('drop-text').textContent;
const finished = async () => {
  const end = performance.now() + 120000;
  do {
    await new Promise(requestAnimationFrame);
    if (performance.now() > end) throw new Error('the page hangs');
  } while (document.getElementById('drop-text').textContent !== idle);
};
"""


@pytest.fixture(scope="module")
def core():
    return core_wasm("simd")


@pytest.fixture(scope="module")
def chromium():
    """Chromium without network."""
    with browser(os.environ["CHROMEDRIVER"], *OFFLINE) as started:
        yield started


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """Task -> a bundle. That of several labels has the model of the classifier."""
    multilabel = copied(SAMPLES["classifier"], tmp_path_factory.mktemp("multilabel") / "包")
    describe(multilabel, task="multilabel", thresholds=[0.3, 0.4])
    return {
        "classification": SAMPLES["classifier"],
        "tagging": SAMPLES["tagger"],
        "multilabel": multilabel,
    }


@pytest.fixture
def opened(chromium, core, tmp_path):
    """A function that opens the single page of a bundle from the disk."""

    def open_page(bundle, wait=True, change=lambda content: content):
        path = tmp_path / "页 ä.html"
        path.write_bytes(change(single_page(read(bundle), core)))
        chromium.go(path.as_uri())
        if wait:
            chromium.wait("return !document.getElementById('page').hidden")
        return chromium

    yield open_page
    assert chromium.messages() == []


def read(bundle):
    return {path.name: path.read_bytes() for path in sorted(bundle.iterdir())}


def copied(bundle, folder):
    """A copy of a bundle; those who change a file of it call `describe`."""
    return Path(shutil.copytree(bundle, folder))


def describe(bundle, **fields):
    """Writes new fields into bundle.json, and the hashes of the files as they are."""
    path = bundle / "bundle.json"
    description = {**json.loads(path.read_bytes()), **fields}
    description["sha256"] = {
        name: hashlib.sha256((bundle / name).read_bytes()).hexdigest() for name in description["sha256"]
    }
    path.write_text(json.dumps(description), encoding="utf-8")


def encoded(files):
    return {name: base64.b64encode(content).decode() for name, content in files.items()}


def typed(page, text):
    """What the page shows for a text."""
    page.run_later(_TYPE, json.dumps(text))  # chromedriver reads no lone surrogates
    return page.run(_SHOWN)


def share(shown):
    """The number in a percentage of the page."""
    return float(shown.rpartition(" ")[2].removesuffix("%")) / 100


def check(page, bundle, texts=TEXTS):
    """Compares what the page shows with what Python predicts."""
    reader = load(bundle, engine="litert")
    for text, expected in zip(texts, reader.predict([text.replace("\ud800", "\ufffd") for text in texts]), strict=True):
        shown, wanted = typed(page, text), expected.to_dict()
        assert shown["error"] == ""
        if "spans" in wanted:
            [sure] = reader.predict([text.replace("\ud800", "\ufffd")], confidence=True)
            spans = [(span.text, span.type or "span") for span in sure.spans]
            assert [(part, kind) for part, kind, _ in shown["marks"]] == spans
            for (_, _, percent), span in zip(shown["marks"], sure.spans, strict=True):
                assert share(percent) == pytest.approx(span.confidence, abs=TOLERANCE)
            assert shown["values"] == [] or len(shown["values"]) == min(len(spans), 8)
            continue
        chosen = wanted["labels"] if "labels" in wanted else [wanted["label"]]
        assert shown["headline"] == chosen
        assert shown["chosen"] == chosen
        assert shown["names"] == list(wanted["probs"])
        for percent, probability in zip(shown["values"], wanted["probs"].values(), strict=True):
            assert share(percent) == pytest.approx(probability, abs=TOLERANCE)
        assert shown["reading"] == text.replace("\ud800", "\ufffd")
        assert ("cut" in shown["note"]) == wanted["truncated"] == bool(shown["cut"])
        assert ("no word" in shown["note"]) == (not wanted["tokens"])


@pytest.mark.parametrize("task", ["classification", "tagging", "multilabel"])
def test_the_single_page_says_what_python_says(opened, bundles, task):
    page = opened(bundles[task])
    check(page, bundles[task])
    assert page.run("return performance.getEntriesByType('resource').length") == 0


def test_the_folder_says_what_python_says(tmp_path, bundles):
    folder = tmp_path / "сайт"
    export(bundles["classification"], folder, clients=["web"])
    with browser(os.environ["CHROMEDRIVER"]) as page, served(folder) as address:
        for task in ("classification", "tagging"):
            shutil.rmtree(folder / "bundle")
            for path in copied(bundles[task], folder / "bundle").iterdir():
                path.touch()  # newer than those before, for the browser's cache
            page.go(address)
            page.wait("return !document.getElementById('page').hidden")
            check(page, bundles[task])
            loaded = page.run("return performance.getEntriesByType('resource').map(entry => entry.name)")
            assert all(name.startswith(address) for name in loaded)
        assert page.messages() == []


def test_examples_are_one_click_away(opened, bundles):
    page = opened(bundles["classification"])
    texts = page.run("return [...document.querySelectorAll('#examples button')].map(one => one.textContent)")
    assert len({*texts}) == 5
    page.run("document.querySelectorAll('#examples button')[3].click()")
    page.wait("return document.getElementById('reading').textContent === arguments[0]", texts[3])
    pressed = page.run("return document.querySelector('[aria-pressed=true]').textContent")
    assert pressed == texts[3]
    assert typed(page, "")["isEmpty"]
    assert typed(page, " \n")["isEmpty"]


def test_a_long_text_is_not_shown_whole(opened, bundles):
    page = opened(bundles["tagging"])
    text = "Ms Anbeda lives near 北京, and he likes it. " * 25_000  # a megabyte
    shown = typed(page, text)
    assert shown["reading"].startswith("Ms Anbeda")
    assert f"{len(text) - 20_000:,}" in shown["note"]
    check(page, bundles["tagging"], TEXTS[:4])


@pytest.mark.parametrize("task", ["classification", "tagging"])
def test_names_of_a_bundle_are_text(opened, bundles, tmp_path, task):
    bundle = copied(bundles[task], tmp_path / "b")
    if task == "classification":
        (bundle / "labels.txt").write_text(f"{ATTACK}\n{ATTACK}\u2028__proto__\n", encoding="utf-8")
    else:
        tags = (bundle / "tags.txt").read_text(encoding="utf-8").replace("人名", ATTACK.replace("-", ""))
        (bundle / "tags.txt").write_text(tags, encoding="utf-8")
    words = (bundle / "vocabulary.txt").read_text(encoding="utf-8").split("\n")
    words[2] = ATTACK
    (bundle / "vocabulary.txt").write_text("\n".join(words), encoding="utf-8")
    describe(bundle)
    page = opened(bundle)
    check(page, bundle, [*TEXTS, ATTACK])
    assert page.run("return [document.images.length, document.title]")[0] == 0
    assert "hit" not in page.run("return document.title")
    names = page.run(
        "return document.getElementById('about').textContent + document.getElementById('bars').textContent"
    )
    assert task == "tagging" or ATTACK in names


def test_a_folder_can_be_chosen_and_dropped(opened, bundles):
    page = opened(bundles["classification"])
    page.choose("#folder", bundles["tagging"])
    page.wait("return document.title.startsWith('Tagger')")
    check(page, bundles["tagging"], TEXTS[:4])
    page.run_later(f"{_DROP} drop(given[0]); await finished();", encoded(read(bundles["multilabel"])))
    page.wait("return document.title.startsWith('Multi')")
    check(page, bundles["multilabel"], TEXTS[:4])


def test_a_broken_bundle_is_one_line_and_the_model_stays(opened, bundles):
    page, bundle = opened(bundles["classification"]), bundles["classification"]
    files = read(bundles["tagging"])
    cases = [
        ({"notes.txt": b"x"}, "There is no bundle.json: choose a folder that textapp export has made."),
        ({**files, "tags.txt": b"O\nB-X\n"}, "tags.txt"),
        ({name: content for name, content in files.items() if name != "crf.json"}, "crf.json"),
        ({**files, "bundle.json": b"{"}, "bundle.json"),
        ({**files, "bundle.json": b"[" * 100_000}, "bundle.json"),
        ({"bundle.json": b""}, "bundle.json"),
    ]
    for broken, part in cases:
        page.run_later(f"{_DROP} drop(given[0]); await finished();", encoded(broken))
        error = page.run(_SHOWN)["error"]
        assert part in error
        assert "\n" not in error
        assert error.endswith("The previous model stays.")
        page.run_later(_TYPE, json.dumps(TEXTS[1]))
        assert page.run(_SHOWN)["headline"] == [load(bundle, engine="litert").predict([TEXTS[1]])[0].label]
    page.run_later(f"{_DROP} drop(given[0]); await finished();", encoded(files))
    assert page.run(_SHOWN)["error"] == ""
    check(page, bundles["tagging"], TEXTS[:2])


@pytest.mark.parametrize(("task", "count"), [("classification", 700), ("tagging", 300)])
def test_a_thousand_mutated_bundles(opened, bundles, tmp_path, task, count):
    """Each is refused in one line, or gives what Python gives.

    Python refuses some files for parts that nobody reads, which the core accepts: then the answer is that of the
    unchanged bundle.
    """
    good, text = read(bundles[task]), "昨天李小龙 good film Ms Anbeda Norsotä"
    rng = random.Random(0)
    page = opened(bundles[task])
    unchanged, _ = expected(good, tmp_path / "m", text)
    refused = 0
    for start in range(0, count, 20):
        rows = [mutant(good, rng) for _ in range(start, min(start + 20, count))]
        wanted = [expected(files, tmp_path / "m", text) for files in rows]
        changed = [encoded({name: part for name, part in files.items() if good[name] != part}) for files in rows]
        found = page.run_later(_MUTANTS, encoded(good), changed, text)
        for one, (answer, error), files in zip(found, wanted, rows, strict=True):
            if one["error"]:
                assert "\n" not in one["error"]
                assert one["error"].endswith("The previous model stays.")
                refused += 1
            else:
                changes = sorted(name for name in files if files[name] != good[name])
                assert one["answer"] == (unchanged if error else answer), f"{changes}: {error}"
    assert 0 < refused < count


_MUTANTS = f"""
{_DROP}
{_TYPING}
const [good, changed, text] = given, found = [];
for (const files of changed) {{
  drop({{...good, ...files}});
  await finished();
  const error = document.getElementById('error').hidden ? '' : document.getElementById('error').textContent;
  await type(text);
  const chosen = document.querySelectorAll('#headline span');
  const parts = mark => [...mark.childNodes].slice(0, 2).map(part => part.textContent);
  const marks = [...document.querySelectorAll('mark')].map(parts);
  found.push({{error, answer: chosen.length ? [...chosen].map(one => one.textContent) : marks}});
}}
return found;
"""


def expected(files, folder, text):
    """What Python shows for a bundle: labels, or the marks of spans; and why it refuses the bundle."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    try:
        [found] = load(folder, engine="litert").predict([text])
    except InputError as error:
        return None, str(error)
    if hasattr(found, "spans"):
        return [[span.text, span.type or "span"] for span in found.spans], None
    return [found.label], None


def test_an_old_browser_is_told_so(opened, bundles, chromium):
    added = chromium.devtools("Page.addScriptToEvaluateOnNewDocument", source="WebAssembly.validate = () => false")
    try:
        page = opened(bundles["classification"], wait=False)
        page.wait("return !document.getElementById('old').hidden")
        assert "WebAssembly SIMD" in page.run("return document.body.innerText")
        assert page.run("return document.getElementById('page').hidden")
    finally:
        chromium.devtools("Page.removeScriptToEvaluateOnNewDocument", identifier=added["identifier"])


def test_a_damaged_file_is_told_so(opened, bundles):
    def change(content):
        place = len(content) // 2 & ~1
        return content[:place] + "字".encode("utf-16-le") + content[place + 2 :]

    page = opened(bundles["classification"], wait=False, change=change)
    page.wait("return !document.getElementById('damaged').hidden")
    assert page.run("return document.getElementById('page').hidden")


def test_a_screen_reader_hears_a_result_only_when_the_keys_rest(opened, bundles):
    """The clock is one of the test, so that a busy machine makes no rest between two keys."""
    page = opened(bundles["classification"])
    page.wait("return document.getElementById('announcement').textContent !== ''")
    page.run(
        """window.heard = [];
        const live = document.getElementById('announcement');
        new MutationObserver(() => heard.push(live.textContent)).observe(live, {childList: true, characterData: true});
        let now = 0, last = 1e9; // no number of a real timer
        const timers = new Map();
        window.setTimeout = (call, milliseconds) => timers.set(++last, {call, at: now + milliseconds}) && last;
        window.clearTimeout = number => timers.delete(number);
        window.pass = milliseconds => {
          now += milliseconds;
          for (const [number, {call, at}] of [...timers]) {
            if (at > now || !timers.delete(number)) continue;
            call();
          }
        };"""
    )
    for letter in "a good film":
        page.run("document.getElementById('text').value += arguments[0]", letter)
        page.run("document.getElementById('text').dispatchEvent(new Event('input'))")
        page.run("pass(300)")  # a slow text is predicted after 250 ms without a key
        page.wait("return document.getElementById('result').getAttribute('aria-busy') === 'false'")
    # A result is heard after 700 ms without a key. The last prediction was made up to 300 ms ago.
    page.run("pass(350)")
    assert page.run("return heard.length") == 0
    page.run("pass(400)")
    page.wait("return heard.length === 1")
    [label] = page.run(_SHOWN)["headline"]
    assert page.run("return heard[0]").startswith(label)
    assert page.run("return document.getElementById('announcement').getAttribute('role')") == "status"


def test_every_control_has_a_name_and_the_languages_are_marked(opened, bundles):
    page = opened(bundles["classification"])
    controls = "[...document.querySelectorAll('button, input, textarea')]"
    assert all(page.run(f"return {controls}.map(one => one.labels?.[0]?.textContent || one.textContent)"))
    assert page.run("return document.documentElement.lang") == "en"
    page.run("document.getElementById('language').click()")
    assert page.run("return document.documentElement.lang") == "zh-Hans"
    assert page.run("return document.getElementById('title').textContent") == "文本分类"
    page.run_later(_TYPE, json.dumps("很好看"))
    assert page.run("return document.getElementById('reading').lang") == "zh-Hans"
    assert page.run("return document.getElementById('language').lang") == "en"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("task", ["classification", "tagging"])
def test_all_words_have_contrast_on_a_phone(opened, bundles, chromium, task, scheme):
    chromium.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    chromium.devtools("Emulation.setDeviceMetricsOverride", width=360, height=700, deviceScaleFactor=2, mobile=True)
    try:
        page = opened(bundles[task])
        page.run_later(_TYPE, json.dumps("昨天李小龙到了北京 Ms Anbeda Norsotä sang in Luminor . " * 3))
        page.wait("return document.getAnimations().length === 0")  # the bars glide
        low = page.run(_CONTRAST)
        assert low == []
        assert page.run("return document.documentElement.scrollWidth") == 360
    finally:
        chromium.devtools("Emulation.clearDeviceMetricsOverride")
        chromium.devtools("Emulation.setEmulatedMedia", features=[])


_CONTRAST = """
const canvas = Object.assign(document.createElement('canvas'), {width: 1, height: 1});
const context = canvas.getContext('2d', {willReadFrequently: true});
const paint = colours => {
  for (const colour of colours) {
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
  }
  return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
};
const luminance = rgb => {
  const linear = one => one <= .04045 ? one / 12.92 : ((one + .055) / 1.055) ** 2.4;
  const [red, green, blue] = rgb.map(one => linear(one / 255));
  return .2126 * red + .7152 * green + .0722 * blue;
};
const low = [];
const walker = document.createTreeWalker(document.getElementById('page'), NodeFilter.SHOW_TEXT);
for (let node = walker.nextNode(); node; node = walker.nextNode()) {
  const element = node.parentElement;
  if (!node.data.trim() || !element.checkVisibility() || element.closest('.unseen')) continue;
  const below = [];
  for (let one = element; one; one = one.parentElement) below.unshift(getComputedStyle(one).backgroundColor);
  const both = [paint(below), paint([...below, getComputedStyle(element).color])];
  const [dark, light] = both.map(luminance).sort((one, other) => one - other);
  const contrast = (light + .05) / (dark + .05);
  if (contrast < 4.5) low.push([node.data, contrast]);
}
return low;
"""
