"""Compares encoders: score, parameters, training speed, and bytes and latency of the int8 model, over seeds.

    python -m benchmarks.encoders --data ../shared/data [--tasks sst2] [--encoders recurrent none] [--seeds 0 1 2]

Each encoder is trained by `textapp.train` with the same preset, and exported with its fastest lowering. The test split
is read once for each seed, by the last step of the run. Settings were not tuned for single encoders: each encoder gives
a token 128 numbers, as 2 x 64 units do. The benchmark can be stopped at any time and resumes. It writes one line for
each task, encoder and seed to results/encoders.json, and the table results/encoders.md.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import time
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
# by a data set, see `benchmarks.datasets.files`: title, task, preset, settings
TASKS: dict[str, tuple[str, str, str, list[str]]] = {
    "sst2": ("SST-2 (sentences), accuracy", "classification", "sentences", ["adversarial=0", "max_tokens=128"]),
    "conll2003": (
        "CoNLL-2003, strict entity F1",
        "tagging",
        "english",
        ["units=64", "max_tokens=128", "repair=true"],  # a few of its tags break the rules of IOB1
    ),
}
WIDE = "units=128"
ENCODERS = {
    "recurrent": ("BiLSTM", []),
    "gru": ("BiGRU", ["cell=gru"]),
    "one_direction": ("LSTM, one direction", ["bidirectional=false", WIDE]),
    "light_recurrence": ("light recurrence", ["encoder=light_recurrence"]),
    "light_recurrence_2": ("light recurrence, 2 layers", ["encoder=light_recurrence", "num_layers=2"]),
    "convolution": ("convolution, 3 layers", ["encoder=convolution", "num_layers=3", WIDE]),
    "gated": ("gated convolution, 3 layers", ["encoder=convolution", "num_layers=3", "gated=true", WIDE]),
    "transformer": ("transformer, 2 layers", ["encoder=transformer", "num_layers=2", "dropout=0.1", WIDE]),
    "none": ("none", ["encoder=none"]),
}


def measure(name: str, encoder: str, seed: int, data: Path, work: Path, more: list[str]) -> dict[str, Any]:
    """Trains, exports and times one seed."""
    _, task_name, preset, settings = TASKS[name]
    same = task(task_name).preset(preset).override(settings)  # first: an encoder may lack what the others use
    config = same.override([*ENCODERS[encoder][1], *more, f"seed={seed}"])
    run = work / name / f"{encoder}_{seed}"
    metrics = trained(task_name, config, run, **files(name, data, work))
    bundle = exported(run, run.with_name(f"{run.name}_bundle"), lowering="unrolled", lengths=LENGTHS)
    timed = subprocess.run(
        [sys.executable, "-m", "benchmarks.encoders", "--time", str(bundle)],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    return {
        "task": name,
        "encoder": encoder,
        "seed": seed,
        "valid": main_score(metrics, "valid"),
        "test": main_score(metrics, "test"),
        "parameters": metrics["parameters"],
        "epochs": metrics["epochs"],
        "tokens_per_second": metrics["data"]["train"]["tokens"] * metrics["epochs"] / metrics["seconds"],
        "int8_bytes": model_bytes(bundle),
        **json.loads(timed.stdout),
    }


def time_model(bundle: Path) -> dict[str, float]:
    """Median microseconds of a call of the model, by the length of a signature, in a process without TensorFlow."""
    predictor = load(bundle)
    if predictor.model is None:
        raise ValueError(f"`bundle` must hold a model. Received: {bundle}")
    rng = random.Random(0)
    figures = {}
    for length in LENGTHS:
        inputs = predictor.encoder.encode(rng.choices(predictor.encoder.vocabulary.tokens[2:], k=length))
        times = []
        for _ in range(WARM_UP + CALLS):
            began = time.perf_counter()
            predictor.model.run(inputs)
            times.append(time.perf_counter() - began)
        figures[f"us_{length}"] = 1e6 * statistics.median(times[WARM_UP:])
    return figures


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown: a table for each task, a line for each encoder."""
    lines = [
        "# Encoders",
        "",
        "`python -m benchmarks.encoders --data DATA`: test scores in %, mean ± standard deviation over seeds; training "
        "tokens a second of the whole command, with reading, tracing and validation; the int8 model unrolled, with "
        f"signatures for {', '.join(map(str, LENGTHS))} tokens, and the median time of a call of each.",
        "",
        environment_line(describe_environment(PACKAGES)),
    ]
    for name, (title, *_) in TASKS.items():
        of_task = [row for row in rows if row["task"] == name]
        if not of_task:
            continue
        times = " | ".join(f"µs, {length} tokens" for length in LENGTHS)
        lines += ["", f"## {title}", ""]
        lines += [f"| encoder | test | valid | parameters | tokens/s | int8 bytes | {times} | seeds |"]
        lines += ["|---|--:|--:|--:|--:|--:|" + "--:|" * (len(LENGTHS) + 1)]
        for encoder, (label, _) in ENCODERS.items():
            found = [row for row in of_task if row["encoder"] == encoder]
            if found:
                scores = [spread([100 * row[part] for row in found], ".1f") for part in ("test", "valid")]
                figures = [
                    f"{statistics.mean(row[key] for row in found):,.0f}"
                    for key in ("parameters", "tokens_per_second", "int8_bytes", *(f"us_{n}" for n in LENGTHS))
                ]
                lines.append(f"| {' | '.join([label, *scores, *figures, str(len(found))])} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures the missing rows and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, default=Path("saved_models/encoders"))
    parser.add_argument("--results", type=Path, default=RESULTS / "encoders.json")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--encoders", nargs="+", choices=ENCODERS, default=list(ENCODERS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--set", nargs="+", default=[], dest="settings", help="further settings, to try things out")
    parser.add_argument("--time", type=Path, help="only time the model of this bundle")
    arguments = parser.parse_args()
    if arguments.time:
        print(json.dumps(time_model(arguments.time)))
        return
    record = Record(arguments.results, table, order=lambda row: (list(TASKS).index(row["task"]), row["encoder"]))
    for name in arguments.tasks:
        for encoder in arguments.encoders:
            for seed in arguments.seeds:
                if not record.has(task=name, encoder=encoder, seed=seed):
                    work, data = arguments.work.resolve(), arguments.data.resolve()
                    record.add(measure(name, encoder, seed, data, work, arguments.settings))
    print(table(record.rows))


if __name__ == "__main__":
    main()
