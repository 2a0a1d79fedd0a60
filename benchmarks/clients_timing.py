"""Loading, and the time of each text, of every client and of other runtimes for the web: what is timed, and how.

    python -m benchmarks.clients_timing BUNDLE ENGINE < TEXTS

times Python with an engine: it prints microseconds of loading, and of each text. `benchmarks.clients` is the caller.

Each contestant is a new process or a new page in each round, all in turn. It loads, warms up on all texts, and is then
timed text by text.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlparse

import numpy as np

from benchmarks.models import exported
from benchmarks.web import ISOLATED, LITERT
from clients.android.tests.kotlin import compile_kotlin, kotlin_output
from clients.tools import kotlin_compiler
from clients.web.browser import Browser, browser, served
from native import library
from native.check import Skipped, needed
from textapp.errors import InputError
from textapp.export.verb import export
from textapp.files import read_object
from textapp.runtime import load

ROOT = Path(__file__).parents[1]
PASSES = 6  # over all texts, in Python; the first warms up
CALLS = 10  # of a text in a row, in a page
ENGINES = ("native", "litert")
KOTLIN = re.compile(r"first load (\S+) ms; load (?:\S+) ms; a text: p50 (\S+), p95 (\S+) µs")
PACKAGES = {"LiteRT.js": LITERT[0], "MediaPipe": "@mediapipe/tasks-text", "onnxruntime-web": "onnxruntime-web"}
"""Name of another runtime for the web -> its package of npm."""

_MAPPED = {"native": "/textapp/runtime/", "litert": "/ai_edge_litert/"}
"""Engine -> what is in the path of its libraries."""

_IMPORTS = {name: f"./packages/{name}/dist/index.js" for name in LITERT}
_PAGE = f"""<!DOCTYPE html><meta charset="utf-8"><title>timing</title>
<script type="importmap">{json.dumps({"imports": _IMPORTS})}</script>"""
_MEASURE = """
const [{maker, bundle, file, inputs, calls}] = given;
const {makers, measure} = await import('./clients_timing.mjs');
const texts = await (await fetch(inputs)).json();
performance.clearResourceTimings();
performance.setResourceTimingBufferSize(1000);
const at = path => path && new URL(path, location.href);
const options = {web: at('web/'), packages: at('packages/'), bundle: at(bundle), file: at(file)};
const found = await measure(() => makers[maker](options), texts, calls);
return {...found, fetched: performance.getEntriesByType('resource').map(one => one.name)};
"""


class Times(NamedTuple):
    """Of one contestant in one round: milliseconds of loading, microseconds a text at 50 and 95 of 100."""

    load: float
    p50: float
    p95: float
    answers: list[Any] | None = None
    files: Sequence[Path] = ()  # that it has read to run, without the model; empty where nobody tells


class Contestant(NamedTuple):
    """What is timed. `run` gives the times of a round."""

    name: str
    what: str
    run: Callable[[], Times]


Program = Callable[[Path, Path], Times]
"""From a bundle and a file of texts to times."""


def times_of(output: str) -> Times:
    """The times that a program has printed."""
    words = [line.split(maxsplit=1) for line in output.splitlines()]
    [loaded] = [float(value) for word, value in words if word == "load"]
    texts = [float(value) for word, value in words if word == "text"]
    files = [Path(value) for word, value in words if word == "file"]
    return Times(loaded / 1e3, *percentiles(texts), files=files)


def percentiles(times: Sequence[float]) -> tuple[float, float]:
    """Of 50 and 95 of 100."""
    ordered = sorted(times)
    return ordered[len(ordered) // 2], ordered[len(ordered) * 19 // 20]


def timed_command(command: Sequence[str | Path]) -> Program:
    """A program that takes a bundle, and texts from its standard input."""

    def run(bundle: Path, texts: Path) -> Times:
        given = texts.read_bytes()
        done = subprocess.run([*command, bundle], input=given, stdout=subprocess.PIPE, cwd=ROOT, check=True)
        return times_of(done.stdout.decode())

    return run


def python(engine: str) -> Program:
    """Python with an engine."""
    command = [sys.executable, "-m", "benchmarks.clients_timing"]

    def run(bundle: Path, texts: Path) -> Times:
        given = texts.read_bytes()
        done = subprocess.run([*command, bundle, engine], input=given, stdout=subprocess.PIPE, cwd=ROOT, check=True)
        return times_of(done.stdout.decode())

    return run


def build_c(folder: Path, bundle: Path) -> tuple[Program, dict[str, list[bytes]]]:
    """Client c, and its bytes as a shared library."""
    client, compiler = folder / "c", library.compiler()
    export(bundle, client, clients=["c"])
    shutil.copyfile(ROOT / "benchmarks/clients_timing.c", client / "timing.c")
    options = ["-std=c99", "-O2", "-ffp-contract=off"]
    shared = ["-shared", "-fPIC", "-fvisibility=hidden", "-DTEXTAPP_BUILD_SHARED", "-s"]
    for arguments in (["timing.c", "textapp.c", "-o", "timing"], [*shared, "textapp.c", "-o", "textapp.so"]):
        subprocess.run([*compiler, *options, *arguments], cwd=client, check=True)
    return timed_command([client / "timing"]), {"C: the core, x86-64": [(client / "textapp.so").read_bytes()]}


def build_rust(folder: Path, bundle: Path) -> tuple[Program, dict[str, list[bytes]]]:
    """Client rust, and the bytes of the program that times it."""
    cargo, crate = needed(os.environ.get("CARGO", "cargo")), folder / "rust"
    export(bundle, crate, clients=["rust"])
    shutil.copyfile(ROOT / "benchmarks/clients_timing.rs", crate / "examples/timing.rs")
    environment = {**os.environ, "CARGO_TARGET_DIR": str(crate / "target"), "RUSTFLAGS": "-C strip=symbols"}
    command = [cargo, "build", "--quiet", "--offline", "--release", "--example", "timing"]
    subprocess.run(command, cwd=crate, env=environment, check=True)
    program = crate / "target/release/examples/timing"
    return timed_command([program]), {"Rust: a whole program, with Rust's own library": [program.read_bytes()]}


def build_kotlin(folder: Path, bundle: Path) -> tuple[Program, dict[str, list[bytes]]]:
    """Client android on this machine's Java, and the bytes of its libraries."""
    needed("java")
    project = folder / "android"
    compiler = kotlin_compiler()
    export(bundle, project, clients=["android"])
    libraries = project / "textapp/src/main/jniLibs"
    if not (libraries / library.machine()).is_dir():
        raise Skipped((project / "README.md").read_text(encoding="utf-8").splitlines()[-1])
    classes = compile_kotlin(compiler, project, folder / "all.jar")

    def run(bundle: Path, texts: Path) -> Times:
        output = kotlin_output(classes, libraries / library.machine(), "time", bundle, texts)
        found = KOTLIN.match(output)
        if found is None:
            raise RuntimeError(f"Check.kt: {output}")
        loaded, p50, p95 = map(float, found.groups())
        return Times(loaded, p50, p95)

    sizes = {f"Android: the core, {path.parent.name}": [path.read_bytes()] for path in sorted(libraries.rglob("*.so"))}
    return run, sizes


def build_node(folder: Path, bundle: Path) -> tuple[Program, dict[str, list[bytes]]]:
    """Client web in Node; its bytes are those that a page fetches."""
    node = needed("node")
    known = subprocess.run([node, "--v8-options"], stdout=subprocess.PIPE, text=True, check=True).stdout
    flag = "--experimental-wasm-relaxed-simd"  # of V8 before 11.4
    export(bundle, folder / "web", clients=["web"])
    program = ROOT / "benchmarks/clients_timing.mjs"
    return timed_command([node, *([flag] if flag in known else []), program, folder / "web"]), {}


BUILDERS = {"C": build_c, "Rust": build_rust, "Kotlin on the JVM": build_kotlin, "JavaScript in Node": build_node}


class Texts(NamedTuple):
    """The texts that are timed: in a file, and as the inputs of a model with the classes that Python gives."""

    path: Path
    inputs: list[dict[str, Any]]
    counts: list[int]  # of tokens
    labels: list[str] | None  # of a classifier
    classes: list[list[int]]  # with the largest logit


def chosen(lines: Sequence[str], bundles: Sequence[Path], count: int) -> list[str]:
    """Texts at equal distances that each model reads in one call."""
    predictors = [load(bundle, engine="litert") for bundle in bundles]
    longest = min(predictor.model.lengths[-1] for predictor in predictors)
    fits = [
        line for line in lines if all(2 <= len(predictor.tokenizer.words(line)) <= longest for predictor in predictors)
    ]
    if len(fits) < count:
        raise SystemExit(f"--texts: {count} texts of 2 to {longest} tokens are needed. Received: {len(fits)}")
    return [fits[len(fits) * number // count] for number in range(count)]


def prepared(texts: Sequence[str], bundle: Path, folder: Path) -> Texts:
    """Writes the texts and their inputs to a folder that is served."""
    predictor = load(bundle, engine="litert")
    rows, counts, classes = [], [], []
    for text in texts:
        ids = predictor.encode(predictor.tokenizer.words(text))
        count = len(ids["token_ids"])
        lengths = predictor.model.lengths
        length = lengths[bisect_left(lengths, count)]
        padded = {name: np.pad(one, [(0, length - count), *[(0, 0)] * (one.ndim - 1)]) for name, one in ids.items()}
        signature = read_object(bundle / "bundle.json")["signatures"][str(length)]
        rows.append({"text": text, "signature": signature, "padded": _flat(padded), "exact": _flat(ids)})
        counts.append(count)
        classes.append(np.atleast_2d(predictor.score(ids).logits).argmax(-1).tolist())
    (folder / "texts.txt").write_text("".join(f"{text}\n" for text in texts), encoding="utf-8", newline="\n")
    (folder / "inputs.json").write_text(json.dumps(rows), encoding="utf-8")
    labels = None if predictor.task == "tagging" else list(predictor.targets.names)
    return Texts(folder / "texts.txt", rows, counts, labels, classes)


def _flat(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs as JSON values, of a batch of one text."""
    return {name: {"ids": ids.ravel().tolist(), "shape": [1, *ids.shape]} for name, ids in inputs.items()}


def same_answers(answers: Sequence[Any], texts: Texts, classes: int) -> int:
    """The number of texts whose label, or all of whose tokens' largest logits, are those of Python's LiteRT."""
    same = 0
    for answer, count, wanted in zip(answers, texts.counts, texts.classes, strict=True):
        if isinstance(answer, str):
            assert texts.labels is not None
            same += answer == texts.labels[wanted[0]]
        else:
            logits = np.array(answer).reshape(-1, classes)[: count if len(wanted) > 1 else 1]
            same += logits.argmax(-1).tolist() == wanted
    return same


@contextmanager
def pages(folder: Path, packages: Path) -> Iterator[tuple[Browser, str]]:
    """A browser, and the address of a folder with the page that times."""
    driver = needed("chromedriver")
    needed("chromium")
    shutil.copyfile(ROOT / "benchmarks/clients_timing.mjs", folder / "clients_timing.mjs")
    (folder / "page.html").write_text(_PAGE, encoding="utf-8")
    (folder / "packages").symlink_to(packages.resolve())
    with served(folder, {**ISOLATED, "Cache-Control": "no-store"}) as address, browser(driver) as page:
        yield page, address


def in_page(page: Browser, address: str, folder: Path, task: Mapping[str, Any]) -> Times:
    """The times of a maker of clients_timing.mjs in a new page."""
    page.go(f"{address}page.html")
    page.call("POST", "/timeouts", {"script": 110_000})
    found: dict[str, Any] = page.run_later(_MEASURE, {"calls": CALLS, **task})
    paths = [urlparse(url).path.lstrip("/") for url in dict.fromkeys(found["fetched"])]
    files = [folder / path for path in paths if path.startswith(("web/", "packages/"))]
    return Times(found["load"] / 1e3, *percentiles(found["texts"]), answers=found["answers"], files=files)


def other_files(work: Path, bundle: Path, run: Path | None) -> dict[str, tuple[str, Path | str]]:
    """Name of another runtime for the web -> maker of clients_timing.mjs, and its model's file or why there is none.

    The files of a run are kept in a folder of `work`, as the unrolled one takes minutes.
    """
    description = read_object(bundle / "bundle.json")
    found: dict[str, tuple[str, Path | str]] = {}
    folder = work / f"{description['task']}-{description['sha256']['model.tflite'][:12]}"
    if description["task"] == "classification":
        exported(bundle, folder / "mediapipe", clients=["mediapipe"])
        found["MediaPipe"] = ("mediapipe", folder / "mediapipe/model.tflite")
    else:
        found["MediaPipe"] = ("mediapipe", "it has no task that gives spans")
    if run is None:
        reason = "its file is made from the run: name it"
        return {**found, "LiteRT.js": ("litert", reason), "onnxruntime-web": ("onnx", reason)}
    recipe, lengths = description["recipe"], description["lengths"]
    exported(run, folder / "unrolled", recipe=recipe, lowering="unrolled", lengths=lengths)
    found["LiteRT.js"] = ("litert", folder / "unrolled/model.tflite")
    try:
        exported(run, folder / "onnx", lengths=lengths, clients=["onnx"])
        found["onnxruntime-web"] = ("onnx", folder / "onnx/model.onnx")
    except (ModuleNotFoundError, InputError) as error:
        found["onnxruntime-web"] = ("onnx", f"no file of client onnx: {error}")
    return found


def main() -> None:
    """Times Python with an engine."""
    bundle, engine = Path(sys.argv[1]), sys.argv[2]
    texts = sys.stdin.buffer.read().decode().splitlines()
    start = time.perf_counter()
    model = load(bundle, engine=engine)  # type: ignore[arg-type]
    print(f"load {(time.perf_counter() - start) * 1e6}")
    for number in range(PASSES):
        for text in texts:
            start = time.perf_counter()
            model.predict([text])
            seconds = time.perf_counter() - start
            if number:
                print(f"text {seconds * 1e6}")
    maps = Path("/proc/self/maps")
    if maps.exists():
        paths = {line.split(maxsplit=5)[5] for line in maps.read_text().splitlines() if line.count(" /") == 1}
        for path in sorted(one for one in paths if _MAPPED[engine] in one):
            print(f"file {path}")


if __name__ == "__main__":
    main()
