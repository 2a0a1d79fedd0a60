"""Quantization to few bits: only rounding, quantization-aware training, and the float model, over seeds.

    python -m benchmarks.quantization [--cases rows4 rows2] [--seeds 0 1 2]

It runs `textapp quantize` with default settings on runs of `benchmarks.accuracy` (sst2 and sst2_plain: classifiers
without word vectors, with and without adversarial training; conll2003: taggers) and exports the result. Settings were
chosen on validation data; the test split is read once for each model. It writes one line for each case and seed to
results/quantization.json, and the table results/quantization.md.
"""

import argparse
import dataclasses
import statistics
from pathlib import Path
from typing import Any

import textapp
from benchmarks.models import bundle_score, exported, main_score, metrics_of, model_bytes, read_test
from benchmarks.record import Record, spread
from textapp.compress.config import QuantizeConfig
from textapp.files import read_object

RESULTS = Path(__file__).parents[1] / "results"
WAYS = ("float", "post_training", "quantization_aware")


@dataclasses.dataclass(frozen=True)
class Case:
    """Runs and how to quantize them.

    Attributes:
        title: Title of the row.
        runs: Folder of the runs (one for each seed) in the folder of all runs.
        config: Settings of the quantization.
    """

    title: str
    runs: str
    config: QuantizeConfig


SST2, PLAIN, CONLL = "accuracy/sst2", "accuracy/sst2_plain", "tagging/conll2003"
ROWS4, ROWS2 = QuantizeConfig(embedding_bits=4), QuantizeConfig(embedding_bits=2)
CASES = {
    "rows8": Case("SST-2: 8 bits", SST2, QuantizeConfig()),
    "rows4": Case("SST-2: 8 bits, embedding rows 4", SST2, ROWS4),
    "rows2": Case("SST-2: 8 bits, embedding rows 2", SST2, ROWS2),
    "bits4": Case("SST-2: 4 bits, embedding rows 4", SST2, QuantizeConfig(bits=4, embedding_bits=4)),
    "bits2": Case("SST-2: 2 bits, embedding rows 2", SST2, QuantizeConfig(bits=2, embedding_bits=2)),
    "static": Case("SST-2: 8 bits, activations 8", SST2, QuantizeConfig(activation_bits=8, lowering="unrolled")),
    "plain_rows2": Case("SST-2, not adversarially: 8 bits, embedding rows 2", PLAIN, ROWS2),
    "tagger_rows4": Case("CoNLL-2003, F1: 8 bits, embedding rows 4", CONLL, ROWS4),
    "tagger_rows2": Case("CoNLL-2003, F1: 8 bits, embedding rows 2", CONLL, ROWS2),
}


def measure(name: str, seed: int, runs: Path, work: Path) -> dict[str, Any]:
    """Trains a run further with rounded weights, exports it and scores the bundle."""
    case = CASES[name]
    run, folder = runs / case.runs / f"seed_{seed}", work / f"{name}_{seed}"
    if not (folder / "metrics.json").exists():
        textapp.quantize(case.config, run, folder)
    metrics = metrics_of(folder)
    quantization = metrics["quantization"]
    row = {"case": name, "seed": seed, "kept": quantization["kept"], "minutes": metrics["seconds"] / 60}
    for way in WAYS:
        row |= {f"{way}_{part}": main_score(quantization[way], part) for part in ("valid", "test")}
    bundle = exported_beside(run=folder, recipe=quantization["recipe"], lowering=case.config.lowering)
    test = read_test(folder, read_object(folder / "config.json")["test"])
    float32 = exported_beside(run=run, recipe="float32", lowering=case.config.lowering)
    row |= {"bundle_test": bundle_score(textapp.load(bundle), test), "bytes": model_bytes(bundle)}
    return {**row, "float32_bytes": model_bytes(float32)}


def exported_beside(run: Path, recipe: str, lowering: str) -> Path:
    """The bundle of a run, in the place where the benchmarks that train runs write theirs."""
    return exported(run, run.with_name(f"{run.name}_{recipe}_{lowering}"), recipe=recipe, lowering=lowering)


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown, one line for each case."""
    lines = [
        "# Quantization",
        "",
        "`python -m benchmarks.quantization`: SST-2 (sentences), test accuracy, and CoNLL-2003, strict entity F1 on "
        "test, in %, mean ± standard deviation over seeds. Differences are to the float model, seed by seed. Kept is "
        "the better one on validation data; the bundle is of that.",
        "",
        "| bits | float | rounded alone | difference | quantization-aware | difference | validation: rounded, aware "
        "| bundle | bytes | of float32 | aware kept | minutes | seeds |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, case in CASES.items():
        of_case = [row for row in rows if row["case"] == name]
        if not of_case:
            continue

        def percent(key: str, of_case: list[dict[str, Any]] = of_case) -> str:
            return spread([100 * row[key] for row in of_case])

        cells = [case.title, percent("float_test")]
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
    """Measures the missing rows and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("saved_models/quantization"), help="folder for runs, bundles")
    parser.add_argument("--runs", type=Path, default=Path("saved_models"), help="folder of the runs to quantize")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the figures")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    arguments = parser.parse_args()
    record = Record(
        arguments.results / "quantization.json", table, order=lambda row: (list(CASES).index(row["case"]), row["seed"])
    )
    for seed in arguments.seeds:
        for case in arguments.cases:
            if not record.has(case=case, seed=seed):
                record.add(measure(case, seed, arguments.runs, arguments.work))
    print(table(record.rows))


if __name__ == "__main__":
    main()
