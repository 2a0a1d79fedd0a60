"""Latency of a call to the model: textapp's lowerings, the stock conversion of Keras 3, and ONNX Runtime.

    python -m benchmarks.latency [--data ../shared/data]

A masked BiLSTM + attention classifier with random weights, in two sizes, is converted in each way. Then a new process
that never loads TensorFlow (`latency_timing`) times all files in turn, with one thread and one text a call. This round
is repeated. There are two sets of rows: random tokens at full length, and the test sentences of SST-2. The stock
conversion gets the sentences padded to full length; textapp's length signatures get them padded to the next power of
two. It writes results/latency.json and the table results/latency.md.
"""

import argparse
import dataclasses
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import keras
import numpy as np
import tensorflow as tf

from benchmarks.environment import describe_environment, environment_line
from benchmarks.latency_rivals import STOCK_OUTPUT, STOCK_SIGNATURE, convert_stock, export_onnx
from benchmarks.latency_timing import CHECKED_ROWS
from textapp.config import Encoder, Words
from textapp.data.batches import bucket_widths
from textapp.data.readers import read_examples
from textapp.data.rows import TokenRows
from textapp.export import convert, lower
from textapp.export.conversion import Recipe, signature_name
from textapp.export.lowering import Lowering
from textapp.export.model_inputs import keras_logits, padded_rows, token_inputs
from textapp.files import write_json, write_text
from textapp.models.model import text_model
from textapp.tasks.classification.head import classification_head
from textapp.text.tokenizer import Tokenizer
from textapp.text.vocabulary import Vocabulary

ROOT = Path(__file__).parents[1]
PACKAGES = ["tensorflow", "keras", "ai-edge-litert", "onnxruntime", "numpy"]
VOCABULARY_SIZE, EMBEDDING_DIM = 8_000, 64
SIZES = [(64, 64), (128, 128)]  # units, tokens
TURNS = 5  # within a round
FULL, TEXTS = "full", "texts"
TITLES = {FULL: "Full length", TEXTS: "SST-2 test sentences"}
SUFFIXES = {FULL: ("", "", ""), TEXTS: (", padded", ", length signatures", ", unpadded")}  # stock, textapp, ONNX
RECIPES: dict[str, Recipe] = {"int8": "dynamic_wi8_afp32", "float32": "float32"}
PROMISES = {  # largest share of the stock int8 conversion's time
    "textapp fused, int8": 0.5,
    "textapp unrolled, int8": 0.3,
    "textapp unrolled, int8, length signatures": 0.15,
}
# The largest allowed difference from Keras' logits, as a share of the largest logit: wrong files are not compared.
TOLERANCE = {"float32": 1e-4, "int8": 0.05}


@dataclasses.dataclass(frozen=True)
class Contestant:
    """A file and how to call it, with the fields that `latency_timing` reads."""

    name: str
    rows: str  # FULL or TEXTS
    weights: str  # a key of RECIPES
    file: str
    runtime: str = "litert"
    signatures: dict[int, str] = dataclasses.field(default_factory=dict)  # by length in tokens
    output: str = ""
    features: int = 0  # of the core in C


def prepare(model: keras.Model, length: int, kinds: Sequence[str], folder: Path) -> list[Contestant]:
    """Converts a model in every way, into `folder`. Stock Keras in int8 is the first for each kind of rows."""
    export_onnx(model, folder / "float32.onnx", folder / "int8.onnx")
    contestants = []
    for weights, recipe in RECIPES.items():
        stock = folder / f"stock_{weights}.tflite"
        stock.write_bytes(convert_stock(model, length, int8=weights == "int8"))
        for rows in kinds:
            padded, signed, unpadded = SUFFIXES[rows]
            name, signatures = f"stock Keras 3, {weights}{padded}", {length: STOCK_SIGNATURE}
            contestants.append(Contestant(name, rows, weights, str(stock), "litert", signatures, STOCK_OUTPUT))
            lengths = [length] if rows == FULL else bucket_widths(length)
            signatures = {each: signature_name(each) for each in lengths}
            for lowering in get_args(Lowering):
                file = folder / f"{lowering}_{weights}_{rows}.tflite"
                file.write_bytes(convert(lower(model, lowering), lengths, recipe))
                name = f"textapp {lowering}, {weights}{signed}"
                contestants.append(Contestant(name, rows, weights, str(file), "litert", signatures, "logits"))
            onnx = folder / f"{weights}.onnx"
            contestants.append(
                Contestant(f"ONNX Runtime, {weights}{unpadded}", rows, weights, str(onnx), "onnxruntime")
            )
    return contestants


def time_round(contestants: Sequence[Contestant], rows: dict[str, list[list[int]]], folder: Path) -> dict[str, Any]:
    """Times all contestants in a new process; see `latency_timing.measure`."""
    job = {"contestants": [dataclasses.asdict(each) for each in contestants], "rows": rows, "turns": TURNS}
    path = folder / "job.json"
    path.write_text(json.dumps(job), encoding="utf-8")
    command = [sys.executable, "-m", "benchmarks.latency_timing", str(path)]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)


def summarize(
    contestants: Sequence[Contestant],
    rounds: Sequence[dict[str, Any]],
    expected: dict[str, np.ndarray],
) -> list[dict[str, Any]]:
    """One line for each contestant: times, ratios to the stock int8 conversion by round, size, difference to Keras.

    Args:
        contestants: The others are compared with the first for each kind of rows.
        rounds: The results of `time_round`.
        expected: Keras' logits `(N, C)` for the first rows of each kind.

    Raises:
        RuntimeError: A file gives other scores than Keras.
    """
    lines = []
    for each in contestants:
        reference = next(other.name for other in contestants if other.rows == each.rows)
        line: dict[str, Any] = {"name": each.name, "rows": each.rows, "bytes": Path(each.file).stat().st_size}
        for key in ("ms_p50", "ms_mean"):
            line[key] = statistics.median(result[each.name][key] for result in rounds)
            line[f"{key}_rounds"] = [result[each.name][key] for result in rounds]
            line[f"{key}_ratio_rounds"] = [result[each.name][key] / result[reference][key] for result in rounds]
            line[f"{key}_ratio"] = statistics.median(line[f"{key}_ratio_rounds"])
        wanted = expected[each.rows]
        got = np.asarray(rounds[0][each.name]["logits"])
        line["difference"] = float(np.abs(got - wanted).max() / np.abs(wanted).max())
        if not line["difference"] <= TOLERANCE[each.weights]:
            raise RuntimeError(f"{each.name}: logits differ from Keras' by {line['difference']:.1e} of the largest")
        if each.name in PROMISES:
            line["promised"] = PROMISES[each.name]
            line["kept"] = line["ms_p50_ratio"] <= line["promised"]
        lines.append(line)
    return lines


def measure(units: int, length: int, texts: list[list[int]], arguments: argparse.Namespace) -> dict[str, Any]:
    """Converts and times one size of the model."""
    generator = np.random.default_rng(arguments.seed)
    keras.utils.set_random_seed(arguments.seed)
    model = text_model(
        Words(embedding_dim=EMBEDDING_DIM),
        Encoder(units=units),
        classification_head(num_classes=2),
        vocabulary_size=VOCABULARY_SIZE,
        # Keras' initial table is so small that all texts have similar scores, which would hide a defect.
        vectors=generator.normal(size=(VOCABULARY_SIZE, EMBEDDING_DIM)),
    )
    rows = {FULL: generator.integers(2, VOCABULARY_SIZE, (arguments.calls, length)).tolist()}
    if texts:
        rows[TEXTS] = [text[:length] for text in texts]
    expected = {
        kind: keras_logits(model, padded_rows([token_inputs(ids) for ids in of_kind[:CHECKED_ROWS]], length))
        for kind, of_kind in rows.items()
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        contestants = prepare(model, length, list(rows), folder)
        rounds = []
        for number in range(arguments.rounds):
            print(f"units {units}, {length} tokens: round {number + 1} of {arguments.rounds}", file=sys.stderr)
            rounds.append(time_round(contestants, rows, folder))
        lines = summarize(contestants, rounds, expected)
    return {
        "units": units,
        "tokens": length,
        "rows": {kind: len(of_kind) for kind, of_kind in rows.items()},
        "lines": lines,
    }


def read_texts(data: Path, limit: int | None) -> list[list[int]]:
    """The test sentences of SST-2 as ids of a vocabulary of its training sentences; none without the data."""
    folder = data / "sst2"
    if not folder.is_dir():
        print(f"{folder}: is not there; the real texts are left out", file=sys.stderr)
        return []
    tokenizer = Tokenizer()
    train, test = (read_examples(folder / f"stsa.binary.{split}").texts for split in ("train", "test"))
    counts = TokenRows.read(map(tokenizer.words, train)).counts()
    vocabulary = Vocabulary.build(counts, VOCABULARY_SIZE, min_count=1)
    return [vocabulary.encode(tokenizer.words(text)) for text in test[:limit]]


def table(result: dict[str, Any]) -> str:
    """The result as Markdown."""
    lines = [
        "# Latency of a call to the model",
        "",
        f"`{result['command']}`: masked BiLSTM + attention, V = {VOCABULARY_SIZE:,}, E = {EMBEDDING_DIM}, "
        "random weights; one thread, one text a call, all in turn in a process of their own, "
        f"median of {result['rounds']} rounds (smallest to largest). Ratios are to the stock Keras 3 conversion with "
        "int8 weights, round by round. "
        "ONNX has no mask: with one its LSTM becomes a loop. It gets no padding either, so that its scores are right.",
        "",
        environment_line(result["environment"]),
    ]
    for model in result["models"]:
        for kind, count in model["rows"].items():
            lines += [
                "",
                f"## {TITLES[kind]}: {model['units']} units, {model['tokens']} tokens, {count:,} rows a round",
                "",
                "| | p50 ms | p50 ratio | promised | mean ms | mean ratio | bytes |",
                "|---|--:|--:|--:|--:|--:|--:|",
            ]
            lines += [_row(line) for line in model["lines"] if line["rows"] == kind]
    return "\n".join(lines) + "\n"


def _row(line: dict[str, Any]) -> str:
    """A contestant as a row of the table."""

    def spread(key: str) -> str:
        values = line[f"{key}_rounds"]
        return f"{line[key]:.3f} ({min(values):.3f} to {max(values):.3f})"

    promised = f"{line['promised']} {'kept' if line['kept'] else 'missed'}" if "promised" in line else ""
    return (
        f"| {line['name']} | {spread('ms_p50')} | {spread('ms_p50_ratio')} | {promised} | {line['ms_mean']:.3f} | "
        f"{line['ms_mean_ratio']:.3f} | {line['bytes']:,} |"
    )


def main() -> None:
    """Measures all sizes and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT / "../shared/data", help="folder of the data sets")
    parser.add_argument("--out", type=Path, default=ROOT / "results/latency", help="results, without the suffix")
    parser.add_argument("--rounds", type=int, default=5, help="processes that time everything once")
    parser.add_argument("--calls", type=int, default=500, help="full-length calls a contestant and round")
    parser.add_argument("--texts", type=int, help="use only so many of the sentences")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    tf.config.set_visible_devices([], "GPU")  # a trace on a GPU would hold cuDNN ops
    texts = read_texts(arguments.data, arguments.texts)
    result: dict[str, Any] = {
        "command": "python -m benchmarks.latency --data DATA "
        f"--rounds {arguments.rounds} --calls {arguments.calls} --seed {arguments.seed}"
        + (f" --texts {arguments.texts}" if arguments.texts else ""),
        "environment": describe_environment(PACKAGES),
        "rounds": arguments.rounds,
        "models": [measure(units, length, texts, arguments) for units, length in SIZES],
    }
    write_json(arguments.out.with_suffix(".json"), result)
    write_text(arguments.out.with_suffix(".md"), table(result))
    print(table(result))


if __name__ == "__main__":
    main()
