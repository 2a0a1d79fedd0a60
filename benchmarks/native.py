"""The core in C: latency beside the other runtimes, text to label and to spans, texts a second, bytes and memory.

    python -m benchmarks.native [--data ../shared/data] [--parts latency batches texts throughput library]

Models have random weights. The model's latency is measured as in `benchmarks.latency`: all contestants in turn, one
thread, one text a call, random tokens at full length, in a process that never loads TensorFlow. The core is called
through Python, with the inputs at their place. `batches` has four texts at once beside one by one. Then a classifier
and a tagger predict the test sentences of SST-2 and CoNLL-2003, or generated ones: in Python with LiteRT, in Python
with the core, and in the core alone. `textapp predict --file` reads the same sentences many times. It writes
results/native.json and results/native.md.
"""

import argparse
import hashlib
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.environment import describe_environment, environment_line
from benchmarks.native_batches import batch_lines, measure_batches, one_context
from textapp.files import read_object, write_json, write_text
from textapp.runtime import Predictor, load
from textapp.runtime.native import processors
from textapp.runtime.native_library import LIBRARY, library, library_path

ROOT = Path(__file__).parents[1]
PACKAGES = ["tensorflow", "keras", "ai-edge-litert", "onnxruntime", "numpy"]
SIZES = [(64, 64), (64, 16), (128, 128), (64, 600)]  # units, tokens
LONGEST_UNROLLED = 128  # tokens: its file has some operators a step
SETS = {"AVX-512 VNNI": 0b1011, "AVX-VNNI": 0b111, "AVX2": 0b11, "SSE4.1": 0b1, "plain C": 0}  # features of textapp.h
REFERENCE = "ONNX Runtime, int8"
PARTS = ("latency", "batches", "texts", "throughput", "library")
WORDS = 8_000
LINES = 100_000
_COPIES = 20  # of a text in one call of the core, so that the call itself costs nothing


def kernel_sets() -> dict[str, int]:
    """The kernels that this processor runs, by name, the fastest first."""
    features = library().textapp_features()
    return {name: bits for name, bits in SETS.items() if bits & ~features == 0}


def write_bundle(folder: Path, content: bytes, lengths: Sequence[int], recipe: str) -> Path:
    """Writes the bundle of a classifier of two labels whose words are w2, w3, ..."""
    from textapp.export.conversion import signature_name

    folder.mkdir()
    words = "".join(f"{word}\n" for word in ["[PAD]", "[UNK]", *(f"w{number}" for number in range(2, WORDS))])
    files = {"model.tflite": content, "vocabulary.txt": words.encode(), "labels.txt": b"no\nyes\n"}
    for name, part in files.items():
        (folder / name).write_bytes(part)
    description = {
        "format": "textapp-bundle",
        "format_version": 1,
        "task": "classification",
        "tokenizer": {"kind": "word", "lowercase": True, "normalization": "nfkc"},
        "textapp_version": "0",
        "lengths": list(lengths),
        "signatures": {str(length): signature_name(length) for length in lengths},
        "lowering": "fused",
        "recipe": recipe,
        "metrics": None,
        "checks": None,
        "versions": {},
        "sha256": {name: hashlib.sha256(part).hexdigest() for name, part in files.items()},
    }
    write_json(folder / "bundle.json", description)
    return folder


def random_model(units: int, generator: np.random.Generator, seed: int) -> Any:
    """A classifier of two labels with random weights."""
    import keras
    import tensorflow as tf

    from benchmarks.latency import EMBEDDING_DIM
    from textapp.config import Encoder, Words
    from textapp.models.model import text_model
    from textapp.tasks.classification.head import classification_head

    tf.config.set_visible_devices([], "GPU")
    keras.utils.set_random_seed(seed)
    return text_model(
        Words(embedding_dim=EMBEDDING_DIM),
        Encoder(units=units),
        classification_head(num_classes=2),
        vocabulary_size=WORDS,
        vectors=generator.normal(size=(WORDS, EMBEDDING_DIM)),
    )


def random_bundles(seed: int) -> Callable[[Path, int, int, str], Path]:
    """A function for `measure_batches` that writes the bundle of a classifier with random weights."""
    from textapp.export import convert, lower

    def write(folder: Path, units: int, tokens: int, recipe: Any) -> Path:
        lengths = [tokens // 2, tokens]  # a file of one length has no batches
        model = random_model(units, np.random.default_rng(seed), seed)
        return write_bundle(folder, convert(lower(model, "fused"), lengths, recipe), lengths, recipe)

    return write


def measure_latency(units: int, length: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Times one size of the model in every runtime."""
    from benchmarks.latency import RECIPES, TOLERANCE, Contestant, time_round
    from benchmarks.latency_rivals import STOCK_OUTPUT, STOCK_SIGNATURE, convert_stock, export_onnx
    from benchmarks.latency_timing import CHECKED_ROWS
    from textapp.export import convert, lower
    from textapp.export.conversion import signature_name
    from textapp.export.model_inputs import keras_logits, padded_rows, token_inputs

    generator = np.random.default_rng(arguments.seed)
    model = random_model(units, generator, arguments.seed)
    rows = {"full": generator.integers(2, WORDS, (arguments.calls, length)).tolist()}
    inputs = padded_rows([token_inputs(ids) for ids in rows["full"][:CHECKED_ROWS]], length)
    expected = keras_logits(model, inputs)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        export_onnx(model, folder / "float32.onnx", folder / "int8.onnx")
        contestants = [
            Contestant(f"ONNX Runtime, {w}", "full", w, str(folder / f"{w}.onnx"), "onnxruntime") for w in RECIPES
        ]
        stock = folder / "stock.tflite"
        stock.write_bytes(convert_stock(model, length, int8=True))
        contestants.append(
            Contestant(
                "stock Keras 3, LiteRT, int8",
                "full",
                "int8",
                str(stock),
                "litert",
                {length: STOCK_SIGNATURE},
                STOCK_OUTPUT,
            )
        )
        signatures = {length: signature_name(length)}
        for lowering in ("fused", "unrolled"):
            if lowering == "unrolled" and length > LONGEST_UNROLLED:
                continue
            file = folder / f"{lowering}.tflite"
            file.write_bytes(convert(lower(model, lowering), [length], RECIPES["int8"]))
            contestants.append(
                Contestant(
                    f"textapp {lowering}, LiteRT, int8", "full", "int8", str(file), "litert", signatures, "logits"
                )
            )
        for weights, recipe in RECIPES.items():
            content = convert(lower(model, "fused"), [length], recipe)
            bundle = write_bundle(folder / f"bundle_{weights}", content, [length], recipe)
            contestants += [
                Contestant(f"textapp core, {kernels}, {weights}", "full", weights, str(bundle), "native", features=bits)
                for kernels, bits in kernel_sets().items()
            ]
        rounds = []
        for number in range(arguments.rounds):
            print(f"units {units}, {length} tokens: round {number + 1} of {arguments.rounds}", file=sys.stderr)
            rounds.append(time_round(contestants, rows, folder))
    lines = []
    for each in contestants:
        got = np.asarray(rounds[0][each.name]["logits"])
        difference = float(np.abs(got - expected).max() / np.abs(expected).max())
        if not difference <= TOLERANCE[each.weights]:
            raise RuntimeError(f"{each.name}: logits differ from Keras' by {difference:.1e} of the largest")
        ratios = [result[each.name]["ms_p50"] / result[REFERENCE]["ms_p50"] for result in rounds]
        times = {key: statistics.median(one[each.name][key] for one in rounds) for key in ("ms_p50", "ms_p95")}
        lines.append(
            {"name": each.name, **times, "ratio": statistics.median(ratios), "ratios": ratios, "difference": difference}
        )
    return {"units": units, "tokens": length, "lines": lines}


def trained_bundles(data: Path, runs: Path) -> dict[str, tuple[Path, Path]]:
    """A classifier of SST-2 and a tagger of CoNLL-2003, trained for one epoch: of each its bundle and test file."""
    from benchmarks.models import exported, trained
    from textapp.task import task

    sst2, conll = data / "sst2", data / "conll2003"
    files = {
        "classification": {"train": sst2 / "stsa.binary.train", "valid": sst2 / "stsa.binary.dev"},
        "tagging": {"train": conll / "eng.testa"},  # its smaller file: the weights matter little for the time
    }
    tests = {"classification": sst2 / "stsa.binary.test", "tagging": conll / "eng.testb"}
    settings = {"classification": ["units=64", "max_tokens=64", "epochs=1"], "tagging": ["epochs=1", "repair=true"]}
    bundles = {}
    for name, parts in files.items():
        found = task(name)
        config = found.preset({"tagging": "english"}.get(name)).override(settings[name])
        if not all(path.exists() for path in parts.values()):
            print(f"{parts['train']}: is not there; {name} is left out", file=sys.stderr)
            continue
        trained(name, config, runs / name, **{part: str(path) for part, path in parts.items()})
        bundles[name] = exported(runs / name, runs / f"{name}_bundle"), tests[name]
    return bundles


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Times in milliseconds."""
    return {"ms_p50": 1e3 * float(np.percentile(seconds, 50)), "ms_p95": 1e3 * float(np.percentile(seconds, 95))}


def timed(call: Callable[[str], Any], texts: Sequence[str], copies: int = 1) -> list[float]:
    """Seconds of a call for each text; of each of `copies` that a call works on."""
    seconds = []
    for text in texts:
        start = time.perf_counter()
        call(text)
        seconds.append((time.perf_counter() - start) / copies)
    return seconds


def in_the_core(predictor: Predictor) -> tuple[Callable[[str], Any], int]:
    """A function that predicts a text in the core alone, and the number of times that it does so."""
    core = predictor.core
    assert core is not None
    if core.has_attention:
        one_context(core)
        return lambda text: core._scored([text] * _COPIES), _COPIES

    def tag(text: str) -> None:
        context, _ = core._predict(text, 1)
        core._give(context)

    return tag, 1


def measure_texts(bundle: Path, test: Path, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Times texts from end to end, all contestants in turn."""
    from textapp.task import task

    native, litert = (load(bundle, 1, engine) for engine in ("native", "litert"))
    texts = task(native.task).read_texts(str(test), native.tokenizer, arguments.calls)
    alone, copies = in_the_core(native)
    contestants: dict[str, tuple[Callable[[str], Any], int]] = {
        "Python with LiteRT": (litert.quick, 1),
        "Python with the core": (native.quick, 1),
        "the core alone": (alone, copies),
        "Python with LiteRT, with tokens": (lambda text: litert.predict([text]), 1),
        "Python with the core, with tokens": (lambda text: native.predict([text]), 1),
    }
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in contestants}
    for number in range(arguments.rounds + 1):
        for name, (call, times) in contestants.items():
            seconds = timed(call, texts, times)
            if number:  # the first round warms up
                rounds[name].append(percentiles(seconds))
    return [
        {"result": native.result, "name": name, "count": len(texts)}
        | {key: statistics.median(one[key] for one in measured) for key in ("ms_p50", "ms_p95")}
        for name, measured in rounds.items()
    ]


def measure_throughput(bundle: Path, test: Path, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Texts a second of `textapp predict --file`, the start of the command included."""
    from textapp.task import task

    predictor = load(bundle, engine="native")
    texts = task(predictor.task).read_texts(str(test), predictor.tokenizer, 10_000)
    lines = list(itertools.islice(itertools.cycle(" ".join(text.split()) for text in texts), arguments.lines))
    cores = str(processors())
    ways = {
        "LiteRT, one process": (["--workers", "1"], False),
        f"LiteRT, --workers {cores}": (["--workers", cores], False),
        "core, one process": (["--workers", "1"], True),
        f"core, --workers {cores}": (["--workers", cores], True),
        "core, one process, --json": (["--workers", "1", "--json"], True),
        f"core, --workers {cores}, --json": (["--workers", cores, "--json"], True),
    }
    rows = []
    program = [sys.executable, "-c", "import sys; from textapp.cli.main import main; sys.exit(main())"]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "texts.txt")
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        for name, (options, has_core) in ways.items():
            place = os.fspath(library_path()) if has_core else os.fspath(Path(folder, "none"))
            command = [*program, "predict", str(bundle), "--file", str(file), *options]
            start = time.perf_counter()
            done = subprocess.run(
                command, cwd=ROOT, env={**os.environ, LIBRARY: place}, stdout=subprocess.PIPE, check=True
            )
            seconds = time.perf_counter() - start
            if "--json" not in options and done.stdout.count(b"\n") != len(lines):
                raise RuntimeError(f"{name}: {done.stdout.count(10)} lines for {len(lines)}")
            print(f"{name}: {len(lines) / seconds:,.0f} texts a second", file=sys.stderr)
            rows.append({"result": predictor.result, "name": name, "texts": len(lines), "seconds": seconds})
    start = time.perf_counter()
    if predictor.core is not None and predictor.core.has_attention:
        count = sum(1 for _ in predictor.decide(lines))
        seconds = time.perf_counter() - start
        rows.append(
            {"result": predictor.result, "name": "core, decisions in Python", "texts": count, "seconds": seconds}
        )
    return rows


def measure_library(bundles: Sequence[Path]) -> dict[str, Any]:
    """Bytes of the library, seconds to load a bundle, and memory."""
    loads = []
    for bundle in bundles:
        script = (
            "import sys, time\n"
            "start = time.perf_counter()\n"
            "from textapp.runtime import load\n"
            "imported = time.perf_counter()\n"
            "predictor = load(sys.argv[1], engine=sys.argv[2])\n"
            "loaded = time.perf_counter()\n"
            "predictor.quick('A first text.')\n"
            "core = predictor.core\n"
            "print(imported - start, loaded - imported, time.perf_counter() - loaded,\n"
            "      0 if core is None else sum(block.size for block in core._blocks),\n"
            "      0 if core is None else core._core.textapp_context_size(core._model, 1000))\n"
        )
        for engine in ("native", "litert"):
            command = [sys.executable, "-c", script, str(bundle), engine]
            runs = [
                subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
                for _ in range(3)
            ]
            numbers = [statistics.median(float(run.split()[place]) for run in runs) for place in range(5)]
            loads.append(
                {
                    "bundle": bundle.name,
                    "engine": engine,
                    "import_ms": 1e3 * numbers[0],
                    "load_ms": 1e3 * numbers[1],
                    "first_ms": 1e3 * numbers[2],
                    "model_bytes": int(numbers[3]),
                    "context_bytes": int(numbers[4]),
                    "file_bytes": (bundle / "model.tflite").stat().st_size,
                }
            )
    return {"bytes": library_path().stat().st_size, "loads": loads}


def table(result: dict[str, Any]) -> str:
    """The result as Markdown."""
    lines = [
        "# The core in C",
        "",
        f"`{result['command']}`: random weights (latency) or one epoch of training (texts); one thread, median of "
        f"{result['rounds']} rounds, all contestants in turn. The core is called from Python.",
        "",
        environment_line(result["environment"]),
    ]
    for model in result.get("latency", []):
        lines += [
            "",
            f"## The model alone: {model['units']} units, {model['tokens']} tokens",
            "",
            f"| | p50 ms | p95 ms | of {REFERENCE} (smallest to largest) | difference to Keras |",
            "|---|--:|--:|--:|--:|",
        ]
        lines += [
            f"| {line['name']} | {line['ms_p50']:.4f} | {line['ms_p95']:.4f} | {line['ratio']:.2f} "
            f"({min(line['ratios']):.2f} to {max(line['ratios']):.2f}) | {line['difference']:.1e} |"
            for line in model["lines"]
        ]
    if rows := result.get("batches"):
        lines += batch_lines(rows)
    if rows := result.get("texts"):
        lines += ["", "## From a text to its result", "", "| | result | p50 ms | p95 ms |", "|---|---|--:|--:|"]
        lines += [f"| {row['name']} | {row['result']} | {row['ms_p50']:.4f} | {row['ms_p95']:.4f} |" for row in rows]
    if rows := result.get("throughput"):
        lines += [
            "",
            "## `textapp predict --file`",
            "",
            "| | result | texts | texts a second |",
            "|---|---|--:|--:|",
        ]
        lines += [
            f"| {row['name']} | {row['result']} | {row['texts']:,} | {row['texts'] / row['seconds']:,.0f} |"
            for row in rows
        ]
    if found := result.get("library"):
        lines += [
            "",
            f"## Loading; the library has {found['bytes']:,} bytes",
            "",
            "| bundle | engine | import, ms | load, ms | first, ms | file, bytes | model, bytes | context, bytes |",
            "|---|---|--:|--:|--:|--:|--:|--:|",
        ]
        for row in found["loads"]:
            memory = [f"{row[key]:,}" if row[key] else "" for key in ("model_bytes", "context_bytes")]
            lines.append(
                f"| {row['bundle']} | {row['engine']} | {row['import_ms']:.0f} | {row['load_ms']:.1f} | "
                f"{row['first_ms']:.2f} | {row['file_bytes']:,} | {' | '.join(memory)} |"
            )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures the parts that are asked for, and keeps the results of the others."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT / "../shared/data", help="folder of the data sets")
    parser.add_argument("--runs", type=Path, default=ROOT / "saved_models/native", help="folder of the two runs")
    parser.add_argument("--out", type=Path, default=ROOT / "results/native", help="results, without the suffix")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--rounds", type=int, default=5, help="processes that time everything once")
    parser.add_argument("--calls", type=int, default=500, help="calls of a contestant in a round")
    parser.add_argument("--lines", type=int, default=LINES, help="lines of `predict --file`")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    path = arguments.out.with_suffix(".json")
    earlier = read_object(path) if path.exists() else {}
    result: dict[str, Any] = {
        **earlier,
        "command": f"python -m benchmarks.native --data DATA --rounds {arguments.rounds} --calls {arguments.calls}",
        "environment": describe_environment(PACKAGES),
        "rounds": arguments.rounds,
    }
    if "latency" in arguments.parts:
        result["latency"] = [measure_latency(units, length, arguments) for units, length in SIZES]
    if "batches" in arguments.parts:
        from benchmarks.latency import RECIPES

        write = random_bundles(arguments.seed)
        result["batches"] = measure_batches(write, dict(RECIPES), arguments.seed)
    if {"texts", "throughput", "library"} & set(arguments.parts):
        bundles = trained_bundles(arguments.data, arguments.runs)
        if "texts" in arguments.parts:
            result["texts"] = [row for pair in bundles.values() for row in measure_texts(*pair, arguments)]
        if "throughput" in arguments.parts:
            result["throughput"] = [row for pair in bundles.values() for row in measure_throughput(*pair, arguments)]
        if "library" in arguments.parts:
            result["library"] = measure_library([bundle for bundle, _ in bundles.values()])
    write_json(path, result)
    write_text(arguments.out.with_suffix(".md"), table(result))
    print(table(result))


if __name__ == "__main__":
    main()
