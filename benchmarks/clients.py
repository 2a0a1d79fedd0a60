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
import contextlib
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

from benchmarks.clients_strings import COUNT, measure_strings
from benchmarks.clients_table import table
from benchmarks.clients_timing import (
    BUILDERS,
    ENGINES,
    PACKAGES,
    Contestant,
    Program,
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
from clients.web.browser import Browser, BrowserError
from native.check import Skipped
from textapp.export.clients.files import core_wasm
from textapp.export.clients.page import single_page
from textapp.export.verb import export
from textapp.files import read_object

ROOT = Path(__file__).parents[1]
PARTS = ("strings", "timing", "page")
VERSIONS = ["keras", "ai-edge-litert", "numpy"]
CHROMIUM = "JavaScript in Chromium"
MOST_BROTLI = 20_000_000  # bytes; of more, which no page fetches, it would take minutes
TO = {"classification": "text to label", "tagging": "text to spans"}
LIBRARIES = {
    "Python, native": "Python: the core",
    "Python, litert": "Python: LiteRT",
    CHROMIUM: "JavaScript: modules and the core, as WebAssembly with relaxed SIMD",
}
"""Name of a contestant -> what the files are that it reads to run."""


def measure_timing(record: Record, arguments: argparse.Namespace) -> None:
    """Each client and other runtimes, in turn."""
    bundles = {"classification": arguments.classifier, "tagging": arguments.tagger}
    runs = {"classification": arguments.classifier_run, "tagging": arguments.tagger_run}
    tasks = [task for task in bundles if not record.has(part="timing", task=task)]
    if not tasks:
        return
    busy = os.getloadavg()  # of other programs, as nothing was started yet
    lines = arguments.texts.read_text(encoding="utf-8").splitlines()
    texts = chosen(lines, list(bundles.values()), arguments.count)
    with tempfile.TemporaryDirectory() as work, contextlib.ExitStack() as stack:
        folder = Path(work)
        programs, missing, sizes = built(folder, bundles[tasks[0]])
        opened = None
        try:
            opened = stack.enter_context(pages(folder, arguments.packages))
        except Skipped as reason:
            missing |= dict.fromkeys((CHROMIUM, *PACKAGES), str(reason))
        for task in tasks:
            bundle, base = bundles[task], {"part": "timing", "task": task}
            (folder / task).mkdir()
            given = prepared(texts, bundle, folder / task)
            contestants = [
                Contestant(client, TO[task], functools.partial(program, bundle.resolve(), given.path))
                for client, program in programs.items()
            ]
            not_here = dict(missing)
            if opened is not None:
                more, reasons = in_browser(opened, folder, task, bundle, runs[task], arguments)
                contestants += more
                not_here |= reasons
            found, failed = in_turn(contestants, arguments.rounds)
            rows = []
            for contestant in contestants:
                if contestant.name in failed:
                    continue
                times = found[contestant.name]
                row: Row = {**base, "client": contestant.name, "what": contestant.what, "skipped": None}
                if contestant.name in PACKAGES:
                    row["same"] = same_answers(times[0].answers or (), given, _classes(bundle))
                if files := times[0].files:
                    sizes[LIBRARIES.get(contestant.name, contestant.name)] = [path.read_bytes() for path in files]
                rounds = [{"load": one.load, "p50": one.p50, "p95": one.p95} for one in times]
                rows.append({**row, "rounds": rounds})
            about = {
                **described(bundle, len(texts), statistics.median(given.counts)),
                "environment": describe_environment(VERSIONS),
                "load": [round(one, 1) for one in busy],
                "tools": versions(arguments.packages, opened),
            }
            skipped = [{**base, "client": client, "skipped": why} for client, why in (not_here | failed).items()]
            record.add({**base, "about": about}, *rows, *skipped)
            for name, contents in sizes.items():
                if not record.has(part="bytes", name=name):
                    record.add({"part": "bytes", "name": name, **packed(contents)})


def built(folder: Path, bundle: Path) -> tuple[dict[str, Program], dict[str, str], dict[str, list[bytes]]]:
    """The programs of the clients; why others are not here; and the files that an app adds, by what they are."""
    programs = {f"Python, {engine}": python(engine) for engine in ENGINES}
    missing: dict[str, str] = {}
    sizes: dict[str, list[bytes]] = {}
    for client, build in BUILDERS.items():
        print(f"timing: builds {client}", file=sys.stderr, flush=True)
        try:
            programs[client], files = build(folder, bundle)
            sizes |= files
        except Skipped as reason:
            missing[client] = str(reason)
    return programs, missing, sizes


def in_browser(
    opened: tuple[Browser, str], folder: Path, task: str, bundle: Path, run: Path | None, arguments: argparse.Namespace
) -> tuple[list[Contestant], dict[str, str]]:
    """What is timed in Chromium: client web, and other runtimes; and why others are not."""
    (page, address), inputs = opened, f"{task}/inputs.json"
    shutil.copytree(bundle, folder / task / "bundle")
    missing: dict[str, str] = {}
    settings: dict[str, dict[str, str]] = {CHROMIUM: {"maker": "textapp", "bundle": f"{task}/bundle/"}}
    if not (folder / "web").is_dir():
        export(bundle, folder / "web", clients=["web"])
    for other, (maker, file) in other_files(arguments.work, bundle, run).items():
        if not (arguments.packages / PACKAGES[other]).is_dir():
            file = f"its package is not here: npm install --prefix clients/tests {PACKAGES[other]}"
        if isinstance(file, str):
            missing[other] = file
        else:
            copy = f"{task}/{maker}{file.suffix}"
            shutil.copyfile(file, folder / copy)
            settings[other] = {"maker": maker, "file": copy}
    contestants = []
    for name, setting in settings.items():
        what = "the model alone, ids to logits" if setting["maker"] in ("litert", "onnx") else TO[task]
        call = functools.partial(in_page, page, address, folder, {**setting, "inputs": inputs})
        contestants.append(Contestant(name, what, call))
    return contestants, missing


def _classes(bundle: Path) -> int:
    """The number of labels, or of tags."""
    [path] = [path for name in ("labels.txt", "tags.txt") if (path := bundle / name).exists()]
    return len(path.read_text(encoding="utf-8").splitlines())


def in_turn(contestants: Sequence[Contestant], rounds: int) -> tuple[dict[str, list[Times]], dict[str, str]]:
    """The times of each contestant in each round; and what the browser said where one failed."""
    found: dict[str, list[Times]] = {one.name: [] for one in contestants}
    failed: dict[str, str] = {}
    for number in range(rounds):
        for one in contestants:
            if one.name in failed:
                continue
            print(f"timing: round {number + 1}, {one.name}", file=sys.stderr, flush=True)
            try:
                found[one.name].append(one.run())
            except BrowserError as error:
                failed[one.name] = f"the browser says: {' '.join(str(error).split())[:200]}"
    return found, failed


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


def versions(packages: Path, opened: tuple[Browser, str] | None) -> dict[str, str]:
    """The versions of the tools, and of npm's packages."""
    tools = {}
    if opened is not None:
        tools["Chromium"] = str(opened[0].run("return navigator.userAgent.match(/Chrome?.([0-9.]+)/)[1]"))
    for name, command in {"Node": "node", "Rust": "rustc", "Java": "java"}.items():
        if shutil.which(command):
            output = subprocess.run([command, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
            numbers = re.search(r"\d+(\.\d+)+", output)
            tools[name] = numbers[0] if numbers else output.strip()
    for name, package in PACKAGES.items():
        if (packages / package / "package.json").exists():
            tools[name] = read_object(packages / package / "package.json")["version"]
    return tools


def packed(contents: Sequence[bytes]) -> Row:
    """Bytes of files, and of each compressed on its own; brotli's are None without the program, and for many bytes."""
    brotli = shutil.which("brotli") if sum(map(len, contents)) < MOST_BROTLI else None
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
        again = {*arguments.parts, *(["bytes"] if "timing" in arguments.parts else [])}
        record.drop(lambda row: row["part"] in again)
    if "page" in arguments.parts:
        measure_page(record, [arguments.classifier, arguments.tagger])
    if "timing" in arguments.parts:
        measure_timing(record, arguments)
    if "strings" in arguments.parts:
        measure_strings(record, arguments.golden)
    print(table(record.rows))


if __name__ == "__main__":
    main()
