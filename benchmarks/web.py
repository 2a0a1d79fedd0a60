"""The core in JavaScript engines: bytes, loading, latency in Node and in Chromium, beside LiteRT.js.

    npm install --prefix clients/tests @litertjs/core
    python -m benchmarks.web [--rounds 5]

Models have random weights, as in `benchmarks.latency`. One text a call, random tokens at full length; contestants
compute in turn, LiteRT.js in the same page as the core. A call sets the ids and reads the logits. LiteRT.js runs the
`unrolled` file, as it refuses the other. It wants clang (19 or later) or ziglang, node, chromedriver and chromium. What
is missing is left out, with a line that says so. It writes results/web.json and results/web.md.
"""

import argparse
import gzip
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.environment import describe_environment, environment_line
from benchmarks.native import WORDS, write_bundle
from clients.web.browser import Browser, browser, served
from native.check import relaxed_options
from textapp.export.clients.web import KINDS
from textapp.export.verb import export
from textapp.files import write_json, write_text

ROOT = Path(__file__).parents[1]
PACKAGES = ["tensorflow", "keras"]
SIZES = [(64, 64), (64, 16), (128, 128)]  # units, tokens
RECIPE = "dynamic_wi8_afp32"
REFERENCE = "LiteRT.js"
TOLERANCE = 0.02  # of logits: kernels round activations differently
LITERT = ("@litertjs/core", "@litertjs/wasm-utils")
SAMPLES = ROOT / "tests/samples"
ISOLATED = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}
"""Headers of a page whose clock is fine."""

_IMPORTS = {name: f"./node_modules/{name}/dist/index.js" for name in LITERT}
_PAGE = f"""<!DOCTYPE html><meta charset="utf-8"><title>timing</title>
<script type="importmap">{json.dumps({"imports": _IMPORTS})}</script>"""
_MEASURE = """
const [task] = given;
const {cores, litert, measure} = await import('./web_timing.mjs');
const read = async url => new Uint8Array(await (await fetch(url)).arrayBuffer());
const folder = new URL('./web/', location.href), bundle = new URL(task.bundle, location.href);
const files = {};
for (const name of task.files) files[name] = await read(new URL(name, bundle));
const contestants = await cores(folder, task.names, files, read);
let start = null;
if (task.unrolled) {
  const module = await import('@litertjs/core');
  const before = performance.now();
  if (!window.isLoaded) await module.loadLiteRt('./node_modules/@litertjs/core/wasm/');
  start = window.isLoaded ? null : performance.now() - before;
  window.isLoaded = true;
  contestants.push(await litert(module, await read(new URL(task.unrolled, location.href)), task.length));
}
return {start, results: await measure(contestants, task.rows, task.texts, task.rounds, task.count)};
"""


def write_models(folder: Path, units: int, lengths: Sequence[int], seed: int) -> None:
    """Writes the bundle of a model of random weights, and its unrolled file."""
    import keras
    import tensorflow as tf

    from textapp.config import Encoder, Words
    from textapp.export import convert, lower
    from textapp.models.model import text_model
    from textapp.tasks.classification.head import classification_head

    tf.config.set_visible_devices([], "GPU")
    keras.utils.set_random_seed(seed)
    vectors = np.random.default_rng(seed).normal(size=(WORDS, 64))
    words, encoder, head = Words(embedding_dim=64), Encoder(units=units), classification_head(num_classes=2)
    model = text_model(words, encoder, head, vocabulary_size=WORDS, vectors=vectors)
    write_bundle(folder / f"bundle_{units}", convert(lower(model, "fused"), lengths, RECIPE), lengths, RECIPE)
    (folder / f"unrolled_{units}.tflite").write_bytes(convert(lower(model, "unrolled"), lengths, RECIPE))


def bytes_of(web: Path) -> list[dict[str, Any]]:
    """The bytes of each file of the client, and compressed."""
    names = [f"textapp-{kind}.wasm" for kind in KINDS] + ["textapp-wasm2js.js"]
    groups = {name: [name] for name in names} | {
        "textapp.js, model.js, sources.js": ["textapp.js", "model.js", "sources.js"]
    }
    rows = []
    for name, files in groups.items():
        contents = [(web / file).read_bytes() for file in files if (web / file).exists()]
        if contents:
            sizes = {"raw": sum(map(len, contents)), "gzip": sum(len(gzip.compress(one, 9)) for one in contents)}
            rows.append({"name": name, **sizes, "brotli": _brotli(contents)})
    return rows


def _brotli(contents: Sequence[bytes]) -> int | None:
    """Bytes with brotli, of contents compressed one by one; None without the program."""
    program = shutil.which("brotli")
    if program is None:
        return None
    return sum(
        len(subprocess.run([program, "-q", "11", "-c"], input=one, stdout=subprocess.PIPE, check=True).stdout)
        for one in contents
    )


def tasks(folder: Path, arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """What is measured: of each size the bundle, the unrolled file, rows of ids, and texts of as many words."""
    generator = np.random.default_rng(arguments.seed)
    names = [f"textapp-{kind}.wasm" for kind in KINDS]
    if (folder / "web/textapp-wasm2js.js").exists():
        names.append("textapp-wasm2js.js")
    for units, length in SIZES:
        rows = generator.integers(2, WORDS, (50, length)).tolist()
        yield {
            "units": units,
            "length": length,
            "bundle": f"bundle_{units}",
            "unrolled": f"unrolled_{units}.tflite",
            "names": names,
            "rows": rows,
            "texts": [" ".join(f"w{number}" for number in row) for row in rows],
            "rounds": arguments.rounds,
            "count": arguments.samples,
        }


def in_node(folder: Path, task: dict[str, Any]) -> list[dict[str, Any]]:
    """Times a task in Node."""
    paths = {"bundle": str(folder / task["bundle"]), "folder": str(folder / "web")}
    (folder / "task.json").write_text(json.dumps({**task, **paths}), encoding="utf-8")
    command = ["node", *relaxed_options("node"), str(folder / "web_timing.mjs"), str(folder / "task.json")]
    results: list[dict[str, Any]] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return results


def in_chromium(page: Browser, address: str, task: dict[str, Any], files: Sequence[str]) -> dict[str, Any]:
    """Times a task in a new page."""
    page.go(f"{address}page.html")
    page.call("POST", "/timeouts", {"script": 600_000})
    result: dict[str, Any] = page.run_later(_MEASURE, {**task, "bundle": f"{task['bundle']}/", "files": files})
    return result


def checked(results: list[dict[str, Any]], reference: list[float]) -> list[dict[str, Any]]:
    """Results without logits. Raises `RuntimeError` if logits differ from those of the first contestant."""
    for one in results:
        if not np.allclose(one.pop("logits"), reference, rtol=0, atol=TOLERANCE):
            raise RuntimeError(f"{one['name']}: its logits are not those of the others")
    return results


@contextmanager
def chromium(litert: bool) -> Iterator[Browser | None]:
    """A browser, or None if it is not here."""
    driver = shutil.which("chromedriver")
    if driver is None or shutil.which("chromium") is None:
        print("no chromium and chromedriver here: Chromium is left out", file=sys.stderr)
        yield None
        return
    if not litert:
        print("no LiteRT.js here (npm install --prefix clients/tests @litertjs/core): left out", file=sys.stderr)
    with browser(driver) as page:
        yield page


def measure(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Builds everything in a folder, and measures it."""
    export(SAMPLES / "classifier/bundle", folder / "web", clients=["web"])
    shutil.copyfile(ROOT / "benchmarks/web_timing.mjs", folder / "web_timing.mjs")
    (folder / "page.html").write_text(_PAGE, encoding="utf-8")
    has_litert = all((arguments.packages / name).is_dir() for name in LITERT)
    for name in LITERT if has_litert else ():
        shutil.copytree(arguments.packages / name, folder / "node_modules" / name)
    for units in sorted({units for units, _ in SIZES}):
        write_models(folder, units, sorted(length for one, length in SIZES if one == units), arguments.seed)
    result: dict[str, Any] = {"bytes": bytes_of(folder / "web"), "latency": []}
    with served(folder, ISOLATED) as address, chromium(has_litert) as page:
        if page is not None:
            result["browser"] = page.run("return navigator.userAgent.match(/Chrom[^ ]*/)[0]")
        for task in tasks(folder, arguments):
            task["unrolled"] = task["unrolled"] if has_litert else None
            files = sorted(path.name for path in (folder / task["bundle"]).iterdir())
            print(f"{task['units']} units, {task['length']} tokens", file=sys.stderr)
            node = in_node(folder, task)
            reference = node[0]["logits"]
            row = {"units": task["units"], "tokens": task["length"], "node": checked(node, reference)}
            if page is not None:
                found = in_chromium(page, address, task, files)
                row |= {"chromium": checked(found["results"], reference), "litert_start_ms": found["start"]}
            result["latency"].append(row)
    return result


def table(result: dict[str, Any]) -> str:
    """The result as Markdown."""
    lines = [
        "# The core in JavaScript engines",
        "",
        f"`{result['command']}`: random weights, int8; median of {result['rounds']} rounds, all in turn.",
        "",
        environment_line(result["environment"]),
        f"Node {result['node']}" + (f", {result['browser']}." if "browser" in result else "."),
        "",
        "| file | bytes | gzip | brotli |",
        "|---|--:|--:|--:|",
    ]
    for row in result["bytes"]:
        brotli = "" if row["brotli"] is None else f"{row['brotli']:,}"
        lines.append(f"| {row['name']} | {row['raw']:,} | {row['gzip']:,} | {brotli} |")
    for model in result["latency"]:
        lines += [
            "",
            f"## {model['units']} units, {model['tokens']} tokens",
            "",
            f"| engine | core | kernel | model, p50 ms | p95 | of {REFERENCE} | text to label, p50 | p95 | load |",
            "|---|---|---|--:|--:|--:|--:|--:|--:|",
        ]
        for engine, name in (("node", "Node"), ("chromium", "Chromium")):
            rows = model.get(engine, [])
            rival = next((row["run"] for row in rows if row["name"] == REFERENCE), None)
            for row in rows:
                ratio = ""
                if rival:
                    ratios = [mine["p50"] / theirs["p50"] for mine, theirs in zip(row["run"], rival, strict=True)]
                    ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
                times = [row["run"], *([row["predict"]] if row["predict"] else [])]
                cells = [
                    f"{statistics.median(one[key] for one in rounds):.3f}" for rounds in times for key in ("p50", "p95")
                ]
                cells = [*cells[:2], ratio, *(cells[2:] or ["", ""]), f"{row['load']:.1f}"]
                lines.append(f"| {name} | {row['name']} | {row['kernel']} | {' | '.join(cells)} |")
    lines += ["", "Loading is compiling, and reading and packing the bundle, from bytes in memory."]
    if starts := [model["litert_start_ms"] for model in result["latency"] if model.get("litert_start_ms")]:
        lines[-1] += f" LiteRT.js itself took {max(starts):,.0f} ms before that."
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures, and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    packages = ROOT / "clients/tests/node_modules"
    parser.add_argument("--packages", type=Path, default=packages, help="folder of npm's packages, with LiteRT.js")
    parser.add_argument("--out", type=Path, default=ROOT / "results/web", help="results, without the suffix")
    parser.add_argument("--rounds", type=int, default=5, help="turns of all contestants")
    parser.add_argument("--samples", type=int, default=200, help="samples of a contestant in a round at most")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    version = subprocess.run(["node", "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    with tempfile.TemporaryDirectory() as folder:
        result = {
            "command": f"python -m benchmarks.web --rounds {arguments.rounds} --samples {arguments.samples}",
            "environment": describe_environment(PACKAGES),
            "node": version.removeprefix("v"),
            "rounds": arguments.rounds,
            **measure(Path(folder), arguments),
        }
    write_json(arguments.out.with_suffix(".json"), result)
    write_text(arguments.out.with_suffix(".md"), table(result))
    print(table(result))


if __name__ == "__main__":
    main()
