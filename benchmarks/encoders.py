"""Compares encoders: score, parameters, training speed, and bytes and latency of the int8 model, over seeds.

    python -m benchmarks.encoders --data ../shared/data [--tasks sst2] [--encoders recurrent none] [--parts training]

Each encoder is trained by `textapp.train` with the same preset, and exported with its fastest lowering. The test split
is read once for each seed, by the last step of the run. Settings were not tuned for single encoders: each encoder gives
a token 128 numbers, as 2 x 64 units do. Training is measured in CPU seconds, so that other work on the machine hardly
counts. The part `latency` times the exported models in turn; it needs a quiet machine. The benchmark can be stopped at
any time and resumes. It writes one line for each task, encoder and seed to results/encoders.json, and the table
results/encoders.md.
"""

import argparse
import functools
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.datasets import files
from benchmarks.environment import describe_environment, environment_line
from benchmarks.models import exported, main_score, model_bytes, trained
from benchmarks.record import Record, spread
from textapp.runtime.loading import load
from textapp.task import task

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
PACKAGES = ["tensorflow", "keras", "ai_edge_litert", "numpy"]
LENGTHS = [16, 64, 128]  # tokens; each is a signature of the model
CALLS, WARM_UP = 300, 50
ROUNDS = 3  # processes that time a model
PARTS = ("training", "latency")
RECIPES = {"int8": "dynamic_wi8_afp32", "float32": "float32"}
# by a data set, see `benchmarks.datasets.files`: title, task, preset, settings
TASKS: dict[str, tuple[str, str, str, list[str]]] = {
    "sst2": ("SST-2 (sentences), accuracy", "classification", "sentences", ["adversarial=0", "max_tokens=128"]),
    "online_shopping": ("online_shopping_10_cats (Chinese), accuracy", "classification", "chinese", ["max_tokens=128"]),
    "conll2003": (
        "CoNLL-2003, strict entity F1",
        "tagging",
        "english",
        ["units=64", "max_tokens=128", "repair=true"],  # a few of its tags break the rules of IOB1
    ),
}
WIDE = "units=128"
MONITORS = ("val_accuracy", "val_entity_f1")
COLUMNS = {
    **{f"core_us_{length}": f"µs core, {length} tokens" for length in LENGTHS},
    **{f"litert_us_{length}": f"µs LiteRT, {length}" for length in LENGTHS},
    "float_us_64": "µs LiteRT, 64, float32",
}
ENCODERS = {
    "recurrent": ("BiLSTM", []),
    "gru": ("BiGRU", ["cell=gru"]),
    "simple": ("simple RNN, both directions", ["cell=rnn"]),
    "one_direction": ("LSTM, one direction", ["bidirectional=false", WIDE]),
    "light_recurrence": ("light recurrence", ["encoder=light_recurrence"]),
    "light_recurrence_2": ("light recurrence, 2 layers", ["encoder=light_recurrence", "num_layers=2"]),
    "convolution": ("convolution, 3 layers", ["encoder=convolution", "num_layers=3", WIDE]),
    "gated": ("gated convolution, 3 layers", ["encoder=convolution", "num_layers=3", "gated=true", WIDE]),
    "transformer": ("transformer, 2 layers", ["encoder=transformer", "num_layers=2", "dropout=0.1", WIDE]),
    "none": ("none", ["encoder=none"]),
}


SEEDS = {"sst2": [0, 1, 2], "online_shopping": [0], "conll2003": [0]}


def measure(name: str, encoder: str, seed: int, data: Path, work: Path, more: list[str]) -> dict[str, Any]:
    """Trains and exports one seed."""
    _, task_name, preset, settings = TASKS[name]
    same = task(task_name).preset(preset).override(settings)  # first: an encoder may lack what the others use
    config = same.override([*ENCODERS[encoder][1], *more, f"seed={seed}"])
    run = run_of(work, name, encoder, seed)
    began = time.process_time()
    metrics = trained(task_name, config, run, **files(name, data, work))
    seconds = time.process_time() - began
    scores = [next(logs[key] for key in MONITORS if key in logs) for logs in metrics["history"]]
    for name_of, recipe in RECIPES.items():
        exported(run, bundle_of(run, name_of), recipe=recipe, lowering="unrolled", lengths=LENGTHS)
    return {
        "task": name,
        "encoder": encoder,
        "seed": seed,
        "valid": main_score(metrics, "valid"),
        "test": main_score(metrics, "test"),
        "parameters": metrics["parameters"],
        "epochs": metrics["epochs"],
        "best_epoch": 1 + max(range(len(scores)), key=scores.__getitem__),
        "tokens_per_cpu_second": metrics["data"]["train"]["tokens"] * metrics["epochs"] / seconds,
        "int8_bytes": model_bytes(bundle_of(run, "int8")),
        "float32_bytes": model_bytes(bundle_of(run, "float32")),
    }


def run_of(work: Path, name: str, encoder: str, seed: int) -> Path:
    """The folder of a run."""
    return work / name / f"{encoder}_{seed}"


def bundle_of(run: Path, recipe: str) -> Path:
    """The folder of a run's bundle."""
    return run.with_name(f"{run.name}_{recipe}")


def latencies(run: Path) -> dict[str, float]:
    """Median microseconds of a call of a run's models, over processes that have no TensorFlow."""
    rounds = []
    for _ in range(ROUNDS):
        command = [sys.executable, "-m", "benchmarks.encoders", "--time", str(run)]
        timed = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
        rounds.append(json.loads(timed.stdout))
    return {name: statistics.median(figures[name] for figures in rounds) for name in rounds[0]}


def time_models(run: Path) -> dict[str, float]:
    """Median microseconds of a call by engine and length in tokens, of a process without TensorFlow."""
    figures = {}
    for engine, recipe in (("core", "int8"), ("litert", "int8"), ("float", "float32")):
        predictor = load(bundle_of(run, recipe), engine="native" if engine == "core" else "litert")
        words = predictor.encoder.vocabulary.tokens[2:]
        rng = random.Random(0)
        for length in LENGTHS:
            inputs = predictor.encoder.encode(rng.choices(words, k=length))
            call: Callable[[], object]
            if predictor.core is None:
                call = functools.partial(predictor.score, inputs)
            else:
                call = predictor.core.prepared(inputs)
            times = []
            for _ in range(WARM_UP + CALLS):
                began = time.perf_counter()
                call()
                times.append(time.perf_counter() - began)
            figures[f"{engine}_us_{length}"] = 1e6 * statistics.median(times[WARM_UP:])
    return figures


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown: a table for each task, a line for each encoder."""
    lines = [
        "# Encoders",
        "",
        "`python -m benchmarks.encoders --data DATA`: test scores in %, mean ± standard deviation over seeds; the best "
        "epoch and the epochs until training stopped; training tokens a CPU second of the whole command, with reading, "
        "tracing and validation; bytes of the int8 model, unrolled, with signatures for "
        f"{', '.join(map(str, LENGTHS))} tokens. µs are the median time of a call of the model: int8 in the core in C, "
        "int8 and float32 in LiteRT.",
        "",
        environment_line(describe_environment(PACKAGES)),
    ]
    for name, (title, *_) in TASKS.items():
        of_task = [row for row in rows if row["task"] == name]
        if not of_task:
            continue
        times = " | ".join(COLUMNS.values())
        lines += ["", f"## {title}", ""]
        lines += [f"| encoder | test | valid | best epoch | parameters | tokens/CPU s | int8 bytes | {times} | seeds |"]
        lines += ["|---|--:|--:|--:|--:|--:|--:|" + "--:|" * (len(COLUMNS) + 1)]
        for encoder, (label, _) in ENCODERS.items():
            found = [row for row in of_task if row["encoder"] == encoder]
            if found:
                scores = [spread([100 * row[part] for row in found], ".1f") for part in ("test", "valid")]
                epochs = " of ".join(
                    f"{statistics.mean(row[key] for row in found):.1f}" for key in ("best_epoch", "epochs")
                )
                figures = [
                    mean_of(found, key) for key in ("parameters", "tokens_per_cpu_second", "int8_bytes", *COLUMNS)
                ]
                lines.append(f"| {' | '.join([label, *scores, epochs, *figures, str(len(found))])} |")
    return "\n".join(lines) + "\n"


def mean_of(rows: list[dict[str, Any]], key: str) -> str:
    """The mean of a figure over the rows that have it, or a dash."""
    values = [row[key] for row in rows if key in row]
    return f"{statistics.mean(values):,.0f}" if values else "–"


def main() -> None:
    """Measures what is missing and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, default=Path("saved_models/encoders"))
    parser.add_argument("--results", type=Path, default=RESULTS / "encoders.json")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--encoders", nargs="+", choices=ENCODERS, default=list(ENCODERS))
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--seeds", nargs="+", type=int, help="by default 3 for the small set, 1 for the others")
    parser.add_argument("--set", nargs="+", default=[], dest="settings", help="further settings, to try things out")
    parser.add_argument("--time", type=Path, help="only time the models of this run")
    arguments = parser.parse_args()
    if arguments.time:
        print(json.dumps(time_models(arguments.time)))
        return
    record = Record(arguments.results, table, order=lambda row: (list(TASKS).index(row["task"]), row["encoder"]))
    work, data = arguments.work.resolve(), arguments.data.resolve()
    if "training" in arguments.parts:
        for name in arguments.tasks:
            for encoder in arguments.encoders:
                for seed in arguments.seeds or SEEDS[name]:
                    if not record.has(task=name, encoder=encoder, seed=seed):
                        record.add(measure(name, encoder, seed, data, work, arguments.settings))
    if "latency" in arguments.parts:
        for row in record.rows:
            run = run_of(work, row["task"], row["encoder"], row["seed"])
            if row["task"] in arguments.tasks and "core_us_64" not in row and bundle_of(run, "int8").exists():
                record.drop(row.__eq__)
                record.add({**row, **latencies(run)})
    print(table(record.rows))


if __name__ == "__main__":
    main()
