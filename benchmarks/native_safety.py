"""The core in C with hostile input, and with threads: minutes of each fuzz target, and of four threads on one model.

    python -m benchmarks.native_safety [--seconds 600] [--work DIR] [--parts text threads]

The parts are `text`, `json`, `model_file`, `bundle` (the targets of native/fuzz, built by clang with libFuzzer, which
check addresses and undefined behaviour) and `threads` (native/bench/threads.c, which checks data races); by default
those without a result yet. A target ends with its first finding, which stays in DIR/found. It writes
results/native_safety.json and .md.
"""

import argparse
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.environment import describe_environment, environment_line
from clients.conformance.bundles import bundles, tokenizer_bundles
from clients.conformance.golden import texts
from clients.conformance.strings import strings
from native import library
from native.fuzz import seeds
from textapp.errors import InputError
from textapp.files import read_object, write_json, write_text

ROOT = Path(__file__).parents[1]
TARGETS = ("text", "json", "model_file", "bundle")
PARTS = (*TARGETS, "threads")
FUZZING = ["-std=c99", "-O1", "-g", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=undefined"]
RACING = ["-std=c99", "-O1", "-g", "-fsanitize=thread"]
THREADS = 4
COMPILERS = ("clang", "clang-19", "clang-18", "clang-17", "clang-16", "clang-15", "clang-14")
_LARGEST = 1 << 16  # bytes of an input
_LIMITS = ["-rss_limit_mb=3000", "-timeout=30", f"-max_len={_LARGEST}", "-print_final_stats=1", "-verbosity=1"]
_JSON = (
    '{"a": [1, -2.5e-3, 0, 1e400, 9007199254740993.5, "\\u00e9\\ud83d\\ude00\\n", true, null], "b": {"上海": false}}',
    "[" * 60 + "1" + "]" * 60,
    f"[-2.55566503131{'6' * 60}4181]",
)


def write_seeds(target: str, folder: Path) -> None:
    """Writes the inputs that a target begins with; those that it found earlier stay."""
    folder.mkdir(parents=True, exist_ok=True)
    if target == "bundle":
        for made in (*bundles(), *list(tokenizer_bundles())[:3]):
            shutil.rmtree(folder.parent / "bundle-seed", ignore_errors=True)
            (folder / f"seed-{made.name}").write_bytes(seeds.seed(made.write(folder.parent / "bundle-seed")))
        return
    contents: list[bytes] = []
    if target == "text":
        # Settings of native/fuzz/text.c; the last is the tokenizer bert.
        settings = bytes([0, 200]), bytes([9, 3]), bytes([0x72, 200]), bytes([0x3D, 40]), bytes([0x80, 200])
        for number, text in enumerate(strings(300, seed=30)):
            contents.append(settings[number % len(settings)] + text.encode("utf-8", "surrogatepass"))
        contents.append(settings[0] + "[PAD]\n[UNK]\na\nb\ncé\n".encode())
    elif target == "json":
        contents = [one.encode() for one in _JSON]
        contents += [made.files["crf.json"] for made in bundles() if "crf.json" in made.files]
    else:
        contents = [_model_seed(made.files, made.fields) for made in bundles()]
    for number, content in enumerate(contents):
        (folder / f"seed-{number}").write_bytes(content)


def _model_seed(files: Any, fields: Any) -> bytes:
    """What model_file.c reads: what the bundle says of its model, and the model."""
    per_token = "tags.txt" in files
    outputs = files["tags.txt" if per_token else "labels.txt"].count(b"\n")
    inputs = [(1, files["vocabulary.txt"].count(b"\n"))]
    if "characters.txt" in files:
        inputs.append((fields["max_characters"], files["characters.txt"].count(b"\n")))
    if fields.get("shapes"):
        inputs.append((1, 33))
    lengths = fields["lengths"]
    head = bytes([per_token]) + outputs.to_bytes(2, "little") + bytes([len(inputs) - 1])
    head += b"".join(bytes([width]) + rows.to_bytes(2, "little") for width, rows in inputs)
    head += bytes([len(lengths) - 1]) + b"".join(length.to_bytes(2, "little") for length in lengths)
    content: bytes = files["model.tflite"]
    return head + content


def fuzzing_compiler(work: Path) -> str:
    """The first clang that has libFuzzer and the sanitizers."""
    source = work / "empty.c"
    source.write_text("int LLVMFuzzerTestOneInput(void) { return 0; }\n")
    for name in COMPILERS:
        command = [name, *FUZZING, str(source), "-o", str(work / "empty")]
        if shutil.which(name) and not subprocess.run(command, capture_output=True, check=False).returncode:
            return name
    raise InputError(f"none of {', '.join(COMPILERS)} is here with libFuzzer; install clang and its libclang-rt")


def fuzz(target: str, seconds: int, work: Path) -> dict[str, Any]:
    """Runs a target. Returns what libFuzzer reports."""
    compiler = fuzzing_compiler(work)
    corpus, found = work / "corpus" / target, work / "found"
    write_seeds(target, corpus)
    found.mkdir(exist_ok=True)
    program = work / target
    source = library.NATIVE / "fuzz" / f"{target}.c"
    library.build(program, [compiler], options=FUZZING, link=["-fsanitize=fuzzer,address,undefined"], more=[source])
    command = [str(program), f"-max_total_time={seconds}", *_LIMITS, f"-artifact_prefix={found}/{target}-", str(corpus)]
    before = {*found.iterdir()}
    with (work / f"{target}.log").open("w") as log:
        status = subprocess.run(command, cwd=work, stdout=log, stderr=subprocess.STDOUT, check=False).returncode
    report = (work / f"{target}.log").read_text(errors="replace")
    stats = {name: int(number) for name, number in re.findall(r"stat::(\w+):\s+(\d+)", report)}
    reached = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", report)
    if not reached:
        raise RuntimeError(f"{target}: {report[-2000:]}")
    new = sorted(path.name for path in {*found.iterdir()} - before if "-slow-unit-" not in path.name)
    options = " ".join(one for one in FUZZING if one.startswith("-fsan") or one.startswith("-O"))
    return {
        "command": f"{compiler} {options} native/fuzz/{target}.c native/src/*.c; "
        f"./{target} -max_total_time={seconds} {shlex.join(_LIMITS[:3])} CORPUS",
        "seconds": seconds,
        "inputs": stats.get("number_of_executed_units", 0),
        "branches": int(reached[-1][0]),
        "corpus": int(reached[-1][2]),
        "findings": len(new) or int(status != 0),
        "found": new,
    }


def race(seconds: int, work: Path) -> dict[str, Any]:
    """Runs threads that share each of two models."""
    program = work / "threads"
    source = library.NATIVE / "bench/threads.c"
    link = ["-fsanitize=thread", "-lpthread"]
    library.build(program, library.compiler(), options=RACING, link=link, more=[source])
    lines = work / "lines.txt"
    chosen = [text for text in texts(250) if "\n" not in text and "\0" not in text and len(text) < 900]
    content = "".join(f"{text}\n" for text in chosen).encode("utf-8", "surrogatepass")
    lines.write_bytes(content)
    rows = []
    for made in bundles():
        if made.name not in ("tagger", "ngrams"):
            continue
        folder = work / f"threads-{made.name}"
        shutil.rmtree(folder, ignore_errors=True)
        command = [program, made.write(folder), lines, str(seconds // 2), str(THREADS)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        report = re.fullmatch(r"(\d+) threads, (\d+) texts, (\d+) different\n", done.stdout)
        if not report:
            raise RuntimeError(f"threads: {done.stdout}{done.stderr[-2000:]}")
        races = done.stderr.count("WARNING: ThreadSanitizer")
        rows.append({"bundle": made.name, "texts": int(report[2]), "different": int(report[3]), "races": races})
    return {
        "command": f"cc {' '.join(RACING[1:])} native/bench/threads.c native/src/*.c -lpthread; "
        f"./threads BUNDLE TEXTS {seconds // 2} {THREADS}",
        "seconds": seconds,
        "threads": THREADS,
        "bundles": rows,
    }


def has_findings(row: dict[str, Any]) -> bool:
    """Whether a target found an input, or threads gave different answers or raced."""
    return bool(row.get("findings")) or any(one["different"] or one["races"] for one in row.get("bundles", ()))


def table(result: dict[str, Any]) -> str:
    """The results in Markdown."""
    parts = result["parts"]
    lines = ["# The core in C: hostile input, threads", "", f"`{result['command']}`", ""]
    lines += [environment_line(result["environment"]), ""]
    if rows := {name: parts[name] for name in TARGETS if name in parts}:
        lines += [
            "| fuzz target | seconds | inputs | branches reached | inputs kept | findings |",
            "|---|--:|--:|--:|--:|--:|",
        ]
        lines += [
            f"| {name} | {row['seconds']:,} | {row['inputs']:,} | {row['branches']:,} | {row['corpus']:,} | "
            f"{row['findings']:,} |"
            for name, row in rows.items()
        ]
        lines += ["", *(f"- {name}: `{row['command']}`" for name, row in rows.items())]
    if row := parts.get("threads"):
        lines += ["", f"{row['threads']} threads on one model, {row['seconds']:,} seconds: `{row['command']}`", ""]
        lines += ["| bundle | texts | different answers | data races |", "|---|--:|--:|--:|"]
        lines += [
            f"| {one['bundle']} | {one['texts']:,} | {one['different']:,} | {one['races']:,} |"
            for one in row["bundles"]
        ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Runs the parts that are asked for, and keeps the results of the others."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, help="by default those without a result")
    parser.add_argument("--seconds", type=int, default=600, help="of each part")
    parser.add_argument("--work", type=Path, default=ROOT / "saved_models/native_safety", help="corpora and findings")
    parser.add_argument("--out", type=Path, default=ROOT / "results/native_safety", help="results, without the suffix")
    arguments = parser.parse_args()
    path = arguments.out.with_suffix(".json")
    parts = read_object(path)["parts"] if path.exists() else {}
    work = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    for part in arguments.parts or [part for part in PARTS if part not in parts]:
        print(f"{part}: {arguments.seconds} seconds", file=sys.stderr)
        parts[part] = fuzz(part, arguments.seconds, work) if part in TARGETS else race(arguments.seconds, work)
        result = {
            "command": f"python -m benchmarks.native_safety --seconds {arguments.seconds}",
            "environment": describe_environment([]),
            "parts": {name: parts[name] for name in PARTS if name in parts},
        }
        write_json(path, result)
        write_text(arguments.out.with_suffix(".md"), table(result))
    print(arguments.out.with_suffix(".md").read_text(encoding="utf-8"))
    return int(any(map(has_findings, parts.values())))


if __name__ == "__main__":
    sys.exit(main())
