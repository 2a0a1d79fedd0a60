"""Few bits on SST-2: rounding alone and quantization-aware training beside the float model, over seeds.

    python -m benchmarks.quantization [--seeds 0 1 2]

What `textapp quantize` does to the classifiers without word vectors of `benchmarks.accuracy` (task sst2), with its
default settings, and the bundle of what it kept. Settings were chosen on validation data; the test split is read once a
model. Writes results/quantization.json, a line a case and seed, and the table results/quantization.md.
"""

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from benchmarks.compression import score_bundle
from benchmarks.record import Record, spread
from textapp.compress.config import QuantizeConfig
from textapp.compress.quantize import quantize_run
from textapp.export.run import export_run

RESULTS = Path(__file__).parents[1] / "results"
RUNS = Path("saved_models/accuracy/sst2")
FLOAT32 = "float32_fused"  # of the bundles that `benchmarks.accuracy` leaves beside the runs
# Case: title, settings
CASES = {
    "rows8": ("8 bits", QuantizeConfig()),
    "rows4": ("8 bits, embedding rows 4", QuantizeConfig(embedding_bits=4)),
    "rows2": ("8 bits, embedding rows 2", QuantizeConfig(embedding_bits=2)),
    "bits4": ("4 bits, embedding rows 4", QuantizeConfig(bits=4, embedding_bits=4)),
    "bits2": ("2 bits, embedding rows 2", QuantizeConfig(bits=2, embedding_bits=2)),
    "static": ("8 bits, activations 8", QuantizeConfig(activation_bits=8, lowering="unrolled")),
}
WAYS = ("float", "post_training", "quantization_aware")


def measure(case: str, seed: int, work: Path) -> dict[str, Any]:
    """Trains a run on with rounded weights, exports it and scores the bundle."""
    run, folder, bundle = RUNS / f"seed_{seed}", work / f"{case}_{seed}", work / f"{case}_{seed}_bundle"
    _, config = CASES[case]
    if not (folder / "metrics.json").exists():
        quantize_run(config, run, folder)
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    quantization = metrics["quantization"]
    if not bundle.exists():
        export_run(folder, bundle, recipe=quantization["recipe"], lowering=config.lowering)
    scored = score_bundle(bundle, json.loads((folder / "config.json").read_text(encoding="utf-8"))["test"])
    float_bytes = (RUNS / f"seed_{seed}_{FLOAT32}" / "model.tflite").stat().st_size
    row = {"case": case, "seed": seed, "kept": quantization["kept"], "minutes": metrics["seconds"] / 60}
    row |= {f"{way}_{part}": quantization[way][part]["accuracy"] for way in WAYS for part in ("valid", "test")}
    return row | {"bundle_test": scored["test"], "bytes": scored["bytes"], "float32_bytes": float_bytes}


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown, one line a case."""
    lines = [
        "# Quantization",
        "",
        "`python -m benchmarks.quantization`: SST-2 (sentences) test accuracy in %, mean ± standard "
        "deviation over seeds. Differences are to the float model, seed by seed. Kept is the better one on validation "
        "data; the bundle is of that.",
        "",
        "| bits | float | rounded alone | difference | quantization-aware | difference | validation: rounded, aware "
        "| bundle | bytes | of float32 | aware kept | minutes | seeds |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for case, (title, _) in CASES.items():
        of_case = [row for row in rows if row["case"] == case]
        if not of_case:
            continue

        def percent(key: str, of_case: list[dict[str, Any]] = of_case) -> str:
            return spread([100 * row[key] for row in of_case])

        cells = [title, percent("float_test")]
        for way in WAYS[1:]:
            differences = [100 * (row[f"{way}_test"] - row["float_test"]) for row in of_case]
            cells += [percent(f"{way}_test"), spread(differences, sign="+")]
        cells += [
            f"{percent('post_training_valid')}, {percent('quantization_aware_valid')}",
            percent("bundle_test"),
            f"{statistics.mean(row['bytes'] for row in of_case):,.0f}",
            f"{statistics.mean(row['bytes'] / row['float32_bytes'] for row in of_case):.1%}",
            f"{sum(row['kept'] == 'quantization_aware' for row in of_case)} of {len(of_case)}",
            f"{statistics.mean(row['minutes'] for row in of_case):.1f}",
            str(len(of_case)),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures what is not measured yet and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("saved_models/quantization"), help="folder for runs, bundles")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    arguments = parser.parse_args()
    record = Record(
        RESULTS / "quantization.json", table, order=lambda row: (list(CASES).index(row["case"]), row["seed"])
    )
    for seed in arguments.seeds:
        for case in arguments.cases:
            if not record.has(case=case, seed=seed):
                record.add(measure(case, seed, arguments.work))
    print(table(record.rows))


if __name__ == "__main__":
    main()
