"""Bytes of the core in C by part, on several processors, and the memory of a context.

    python -m benchmarks.native_size

Each file of native/src is compiled alone, with the options of the library, and its code and constants are counted. The
whole library is also compressed by gzip and brotli. A classifier of 64 units (random weights, int8) shows the memory of
a model and of a context, and a small tagger how a context grows with the text. It writes results/native_size.json and
.md.
"""

import argparse
import gzip
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.environment import describe_environment, environment_line
from native import library
from native.check import CROSS, Skipped, needed
from textapp.files import write_json, write_text

ROOT = Path(__file__).parents[1]
PACKAGES = ["tensorflow", "keras", "ai-edge-litert", "numpy"]
PARTS = {
    "text": "utf8 normalize tokenize words windows vocabulary ngrams",
    "tables of Unicode": "tables",
    "engine": "tflite graph plan engine operators operators_element operators_int8 operators_join operators_lookup "
    "operators_lstm operators_lstm_int8 operators_move operators_product operators_reduce shared fixed_point loops",
    "kernels": "kernels kernels_scalar kernels_sse41 kernels_avx2 kernels_avx_vnni kernels_avx512_vnni kernels_neon "
    "kernels_neon_dot kernels_wasm_simd kernels_wasm_relaxed",
    "decoding": "tags viterbi marginals",
    "bundle": "bundle description targets ngram_model json json_check decimal",
    "predictions, selftest": "model predict tagging selftest",
    "memory, numbers, hashes": "base numbers hashes",
}
"""Part -> files of native/src, as the headers of native/README.md divide them."""

UNITS, TOKENS = 64, 64
TAGGER, TEXTS = ROOT / "tests/samples/tagger/bundle", (1000, 4000)
_ALLOCATED, _SECTION_HEADER = 2, struct.Struct("<IIQQQQIIQQ")
_NOTES = (".eh_frame", ".comment", ".note")


def elf_bytes(content: bytes) -> int:
    """The bytes of code and constants in an object file of ELF64, without tables for debuggers."""
    (start,) = struct.unpack_from("<Q", content, 0x28)
    size, count, names = struct.unpack_from("<HHH", content, 0x3A)
    headers = [_SECTION_HEADER.unpack_from(content, start + number * size) for number in range(count)]
    strings = headers[names][4]
    total = 0
    for header in headers:
        place = strings + header[0]
        name = content[place : content.index(b"\0", place)].decode()
        if header[2] & _ALLOCATED and not name.startswith(_NOTES):
            total += header[5]
    return total


def wasm_bytes(content: bytes) -> int:
    """The bytes of code and constants in an object file of WebAssembly."""
    at, total = 8, 0
    while at < len(content):
        kind, size, shift, at = content[at], 0, 0, at + 1
        while True:
            byte = content[at]
            size |= (byte & 127) << shift
            shift, at = shift + 7, at + 1
            if byte < 128:
                break
        if kind in (10, 11):
            total += size
        at += size
    return total


def compressed(content: bytes) -> dict[str, int]:
    """The bytes of a file, and after gzip and brotli, if its program is here."""
    sizes = {"raw": len(content), "gzip": len(gzip.compress(content, 9, mtime=0))}
    if program := shutil.which("brotli"):
        done = subprocess.run([program, "-q", "11", "-c"], input=content, stdout=subprocess.PIPE, check=True)
        sizes["brotli"] = len(done.stdout)
    return sizes


def by_part(command: Sequence[str], processor: str, options: Sequence[str]) -> dict[str, int]:
    """The bytes of each part."""
    kernels = library.kernel_options(processor)
    files = {file: part for part, names in PARTS.items() for file in names.split()}
    sources = {path.stem: path for path in (library.NATIVE / "src").glob("*.c")}
    if files.keys() != sources.keys():
        raise RuntimeError(f"files of no part, or missing: {sorted(files.keys() ^ sources.keys())}")
    sizes = dict.fromkeys(PARTS, 0)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "one.o")
        for name, part in files.items():
            own = kernels.get(sources[name].name, [])
            subprocess.run(
                [*command, *options, *own, "-I", library.NATIVE / "include", "-c", sources[name], "-o", made],
                check=True,
            )
            content = made.read_bytes()
            sizes[part] += wasm_bytes(content) if content.startswith(b"\0asm") else elf_bytes(content)
    return sizes


def measure_libraries() -> dict[str, Any]:
    """The bytes on each processor whose compiler is here."""
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "library")
        for processor in (library.machine(), "aarch64"):
            try:
                command = library.compiler() if processor == library.machine() else [needed(CROSS[processor][0])]
            except Skipped as reason:
                print(f"{processor}: skipped: {reason}", file=sys.stderr)
                continue
            whole = library.build(path, command, processor=processor).read_bytes()
            rows[processor] = {**compressed(whole), "parts": by_part(command, processor, library.COMPILE)}
        rows |= measure_wasm(Path(folder))
    return rows


def measure_wasm(folder: Path) -> dict[str, Any]:
    """The bytes of each kind of WebAssembly."""
    from clients.web import build

    try:
        command = build.tools().compiler
    except build.BuildError as reason:
        print(f"WebAssembly: skipped: {reason}", file=sys.stderr)
        return {}
    rows = {}
    for kind, path in zip(build.KINDS, build.build(folder, list(build.KINDS)), strict=True):
        parts = by_part(command, "wasm", [*build.COMPILE, *build.KINDS[kind]])
        rows[f"WebAssembly, {kind}"] = {**compressed(path.read_bytes()), "parts": parts}
    return rows


def measure_tagger() -> dict[str, int]:
    """The bytes of a context of the sample's tagger, which has a CRF, for texts of two sizes."""
    from textapp.runtime import load

    core = load(TAGGER, engine="native").core
    sizes = {str(size): core._core.textapp_context_size(core._model, size) for size in TEXTS}
    return {"tags": len((TAGGER / "tags.txt").read_text(encoding="utf-8").split()), **sizes}


def measure_memory() -> dict[str, int]:
    """The bytes of a classifier in memory, and of a context for texts of 1,000 bytes."""
    import keras

    from benchmarks.native import WORDS, write_bundle
    from textapp.config import Encoder, Words
    from textapp.export import convert, lower
    from textapp.models.model import text_model
    from textapp.runtime import load
    from textapp.tasks.classification.head import classification_head

    keras.utils.set_random_seed(0)
    head = classification_head(num_classes=2)
    model = text_model(Words(embedding_dim=64), Encoder(units=UNITS), head, vocabulary_size=WORDS)
    recipe = "dynamic_wi8_afp32"
    content = convert(lower(model, "fused"), [TOKENS], recipe)
    with tempfile.TemporaryDirectory() as folder:
        core = load(write_bundle(Path(folder, "bundle"), content, [TOKENS], recipe), engine="native").core
    return {
        "file": len(content),
        "model": sum(block.size for block in core._blocks),
        "context": core._core.textapp_context_size(core._model, 1000),
    }


def table(result: dict[str, Any]) -> str:
    """The results in Markdown."""
    libraries, memory, tagger = result["libraries"], result["memory"], result["tagger"]
    each = (tagger["4000"] - tagger["1000"]) / 3000
    lines = ["# Bytes and memory of the core in C", "", f"`{result['command']}`", ""]
    lines += [environment_line(result["environment"]), ""]
    lines += [f"| | {' | '.join(libraries)} |", f"|---|{'--:|' * len(libraries)}"]
    for part in PARTS:
        sizes = [f"{row['parts'][part]:,}" for row in libraries.values()]
        lines.append(f"| {part} | {' | '.join(sizes)} |")
    for name in ("raw", "gzip", "brotli"):
        sizes = [f"{row[name]:,}" if name in row else "" for row in libraries.values()]
        lines.append(f"| the whole file, {name} | {' | '.join(sizes)} |")
    lines += [
        "",
        f"A classifier of {UNITS} units and {TOKENS} tokens, int8: a file of {memory['file']:,} bytes, "
        f"{memory['model']:,} bytes for the loaded model (packed weights, vocabulary, plan; the rest is read in the "
        f"file), and {memory['context']:,} bytes for a context, for texts of at most 1,000 bytes.",
        "",
        f"A tagger of {tagger['tags']} tags with a CRF, for words in NFKC: {tagger['1000']:,} bytes for a context, for "
        f"texts of at most 1,000 bytes, and {tagger['4000']:,} for 4,000: {each:.0f} for each byte of text.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "results/native_size", help="results, without the suffix")
    arguments = parser.parse_args()
    result = {
        "command": "python -m benchmarks.native_size",
        "environment": describe_environment(PACKAGES),
        "libraries": measure_libraries(),
        "memory": measure_memory(),
        "tagger": measure_tagger(),
    }
    write_json(arguments.out.with_suffix(".json"), result)
    write_text(arguments.out.with_suffix(".md"), table(result))
    print(table(result))


if __name__ == "__main__":
    main()
