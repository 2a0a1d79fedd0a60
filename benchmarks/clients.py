r"""The clients: do they answer as Python does, how long do they take, and how many bytes does an app add?

    npm install --prefix clients/tests @litertjs/core @mediapipe/tasks-text onnxruntime-web
    python -m benchmarks.clients --classifier BUNDLE --tagger BUNDLE --texts FILE \
        [--classifier-run RUN --tagger-run RUN] [--parts strings timing page] [--again]

- `strings`: the golden files of `clients/conformance` with 100,000 strings, through each binding that this machine has
  the tools for. `benchmarks.native_equality` does so for the core, and for WebAssembly.
- `timing`: each client and Python, and in Chromium also LiteRT.js, MediaPipe and onnxruntime-web, on the same bundles
  and the same texts, in turn. LiteRT.js and onnxruntime-web do not run the bundle's own file: theirs are made from the
  run that the bundle was exported from. FILE has a text on each line.
- `page`: the bytes of the single page of both bundles.

Each result is kept in results/clients.json and is not measured again, so the run can be stopped; `--again` measures the
parts again. What is missing is left out, with the reason.
"""

import argparse
import functools
import gzip
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.clients_strings import COUNT, measure_strings
from benchmarks.clients_table import table
from benchmarks.clients_timing import (
    BUILDERS,
    ENGINES,
    PACKAGES,
    Contestant,
    Times,
    chosen,
    in_page,
    other_files,
    pages,
    prepared,
    python,
    same_answers,
)
from benchmarks.environment import describe_environment
from benchmarks.record import Record, Row
from clients.check import Skipped
from clients.web.browser import BrowserError
from textapp.export.clients.files import core_wasm
from textapp.export.clients.page import single_page
from textapp.files import read_object
from textapp.runtime import load

ROOT = Path(__file__).parents[1]
PARTS = ("strings", "timing", "page")
VERSIONS = ["keras", "ai-edge-litert", "numpy"]


def measure_timing(record: Record, arguments: argparse.Namespace) -> None:
    """Each client and other runtimes, in turn."""
    bundles = {"classification": arguments.classifier, "tagging": arguments.tagger}
    runs = {"classification": arguments.classifier_run, "tagging": arguments.tagger_run}
    tasks = [task for task in bundles if not record.has(part="timing", task=task)]
    if not tasks:
        return
    lines = arguments.texts.read_text(encoding="utf-8").splitlines()
    texts = chosen(lines, list(bundles.values()), arguments.count)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        programs: dict[str, Any] = {f"Python, {engine}": python(engine) for engine in ENGINES}
        sizes: dict[str, list[bytes]] = {}
        for client, build in BUILDERS.items():
            print(f"timing: builds {client}", file=sys.stderr, flush=True)
            try:
                programs[client], more = build(folder, bundles[tasks[0]])
                sizes |= more
            except Skipped as reason:
                programs[client] = str(reason)
        with pages(folder, arguments.packages) as (page, address):
            version = page.run("return navigator.userAgent.match(/Chrom[^ ]*/)[0]")
            for task in tasks:
                base = {"part": "timing", "task": task}
                task_folder = folder / task
                shutil.copytree(bundles[task], task_folder / "bundle")
                given = prepared(texts, bundles[task], task_folder)
                result = "label" if task == "classification" else "spans"
                contestants: list[Contestant] = []
                skipped: list[Row] = []
                for client, program in programs.items():
                    if isinstance(program, str):
                        skipped.append({**base, "client": client, "skipped": program})
                    else:
                        run = functools.partial(program, bundles[task].resolve(), given.path)
                        contestants.append(Contestant(client, f"text to {result}", run))
                web = {"maker": "textapp", "bundle": f"{task}/bundle/", "inputs": f"{task}/inputs.json"}
                run = functools.partial(in_page, page, address, folder, web)
                contestants.append(Contestant("JavaScript in Chromium", f"text to {result}", run))
                others = other_files(arguments.work, bundles[task], runs[task])
                for other, (maker, file) in others.items():
                    package = arguments.packages / PACKAGES[other]
                    if not package.is_dir():
                        file = f"no {PACKAGES[other]}: npm install --prefix clients/tests {PACKAGES[other]}"
                    if isinstance(file, str):
                        skipped.append({**base, "client": other, "skipped": file})
                        continue
                    model = f"{task}/{maker}{file.suffix}"
                    shutil.copyfile(file, folder / model)
                    setting = {"maker": maker, "inputs": f"{task}/inputs.json", "file": model}
                    what = f"text to {result}" if maker == "mediapipe" else "the model alone, ids to logits"
                    run = functools.partial(in_page, page, address, folder, setting)
                    contestants.append(Contestant(other, what, run))
                found = in_turn(contestants, arguments.rounds)
                rows = []
                for contestant in contestants:
                    row: Row = {**base, "client": contestant.name, "what": contestant.what, "skipped": None}
                    times = found[contestant.name]
                    if isinstance(times, str):
                        skipped.append({**row, "skipped": times})
                        continue
                    rounds = [{"load": one.load, "p50": one.p50, "p95": one.p95} for one in times]
                    if contestant.name in others:
                        assert times[0].answers is not None
                        classes = len(load(bundles[task]).targets.names) if given.labels else _tags(bundles[task])
                        row["same"] = same_answers(times[0].answers, given, classes)
                    if files := times[0].files:
                        sizes[_library_name(contestant.name)] = [path.read_bytes() for path in dict.fromkeys(files)]
                    rows.append({**row, "rounds": rounds})
                about = {
                    **base,
                    "about": {
                        **described(bundles[task], len(texts), statistics.median(given.counts)),
                        **versions(version, arguments.packages),
                    },
                }
                record.add(about, *rows, *skipped)
        record.drop(lambda row: row["part"] == "bytes")
        record.add(*({"part": "bytes", "name": name, **packed(contents)} for name, contents in sizes.items()))


def _tags(bundle: Path) -> int:
    """The number of tags of a tagger."""
    return len((bundle / "tags.txt").read_text(encoding="utf-8").splitlines())


def _library_name(client: str) -> str:
    """What the files are that a contestant reads beside the bundle."""
    return {
        "Python, native": "Python: the core",
        "Python, litert": "Python: LiteRT",
        "JavaScript in Chromium": "JavaScript: modules and the core, as WebAssembly with relaxed SIMD",
    }.get(client, client)


def in_turn(contestants: Sequence[Contestant], rounds: int) -> dict[str, list[Times] | str]:
    """The times of each contestant in each round; or what a browser said if it does not run the model."""
    found: dict[str, list[Times] | str] = {one.name: [] for one in contestants}
    for number in range(rounds):
        for one in contestants:
            times = found[one.name]
            if isinstance(times, str):
                continue
            print(f"timing: round {number + 1}, {one.name}", file=sys.stderr, flush=True)
            try:
                times.append(one.run())
            except BrowserError as error:
                found[one.name] = f"it does not run the model: {' '.join(str(error).split())[:200]}"
    return found


def described(bundle: Path, texts: int, tokens: float) -> Row:
    """A bundle, and the texts that it is timed on."""
    content = read_object(bundle / "bundle.json")
    files = {path.name: path.read_bytes() for path in sorted(bundle.iterdir())}
    return {
        "task": content["task"],
        "parameters": content["lineage"]["parameters"],
        "recipe": content["recipe"],
        "lengths": content["lengths"],
        "texts": texts,
        "tokens": tokens,
        "bundle": packed(list(files.values())),
        "model": len(files["model.tflite"]),
    }


def versions(chromium: str, packages: Path) -> Row:
    """The machine, its load, and the versions of the tools and packages."""
    found: Row = {"environment": describe_environment(VERSIONS), "load": [round(one, 1) for one in os.getloadavg()]}
    commands = {"Node": ["node", "--version"], "Rust": ["rustc", "--version"], "Java": ["java", "--version"]}
    tools = {"Chromium": chromium.partition("/")[2]}
    for name, command in commands.items():
        if shutil.which(command[0]):
            output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
            numbers = re.search(r"\d+(\.\d+)+", output)
            tools[name] = numbers[0] if numbers else output.strip()
    for name, package in PACKAGES.items():
        if (packages / package / "package.json").exists():
            tools[name] = read_object(packages / package / "package.json")["version"]
    return {**found, "tools": tools}


def packed(contents: Sequence[bytes]) -> Row:
    """Bytes of files, and of each compressed on its own; brotli's without the program are None."""
    brotli = shutil.which("brotli")
    small = None
    if brotli is not None:
        small = 0
        for content in contents:
            command = [brotli, "-q", "11", "-c"]
            small += len(subprocess.run(command, input=content, stdout=subprocess.PIPE, check=True).stdout)
    return {
        "bytes": sum(map(len, contents)),
        "gzip": sum(len(gzip.compress(one, 9)) for one in contents),
        "brotli": small,
    }


def measure_page(record: Record, bundles: Sequence[Path]) -> None:
    """The bytes of the single page of each bundle."""
    for bundle in bundles:
        content = read_object(bundle / "bundle.json")
        if record.has(part="page", task=content["task"]):
            continue
        files = {path.name: path.read_bytes() for path in sorted(bundle.iterdir())}
        page = single_page(files, core_wasm("simd"))
        record.add(
            {
                "part": "page",
                "task": content["task"],
                "parameters": content["lineage"]["parameters"],
                "recipe": content["recipe"],
                "model": len(files["model.tflite"]),
                "bundle": sum(map(len, files.values())),
                **packed([page]),
            }
        )


def main() -> None:
    """Measures what is missing in the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for task in ("classifier", "tagger"):
        parser.add_argument(f"--{task}", type=Path, required=True, help=f"bundle of a {task}")
        parser.add_argument(f"--{task}-run", type=Path, help="the run that it was exported from")
    parser.add_argument("--texts", type=Path, required=True, help="a text on each line")
    folder = ROOT / "saved_models/native_equality" / f"golden-{COUNT}"
    parser.add_argument("--golden", type=Path, default=folder, help="golden files; they are made if they are missing")
    work = ROOT / "saved_models/clients"
    parser.add_argument("--work", type=Path, default=work, help="folder that keeps model files of other runtimes")
    packages = ROOT / "clients/tests/node_modules"
    parser.add_argument("--packages", type=Path, default=packages, help="folder of npm's packages")
    parser.add_argument("--out", type=Path, default=ROOT / "results/clients.json", help="results")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--rounds", type=int, default=3, help="turns of all contestants")
    parser.add_argument("--count", type=int, default=200, help="texts that are timed")
    parser.add_argument("--again", action="store_true", help="measure the parts again")
    arguments = parser.parse_args()
    record = Record(arguments.out, table)
    if arguments.again:
        record.drop(lambda row: row["part"] in arguments.parts)
    if "page" in arguments.parts:
        measure_page(record, [arguments.classifier, arguments.tagger])
    if "timing" in arguments.parts:
        measure_timing(record, arguments)
    if "strings" in arguments.parts:
        measure_strings(record, arguments.golden)
    print(table(record.rows))


if __name__ == "__main__":
    main()
