"""Few bits: rounding alone and quantization-aware training beside the float model, over seeds.

    python -m benchmarks.quantization [--cases rows4 rows2] [--seeds 0 1 2]

What `textapp quantize` does, with its default settings, to runs of `benchmarks.accuracy` (tasks sst2 and sst2_plain:
classifiers without word vectors, trained with and without an adversary) and of `benchmarks.tagging` (conll2003), and
the bundle of what it kept. Settings were chosen on validation data; the test split is read once a model. Writes
results/quantization.json, a line a case and seed, and the table results/quantization.md.
"""

import argparse
import dataclasses
import json
import statistics
from pathlib import Path
from typing import Any

from benchmarks.compression import score_bundle
from benchmarks.record import Record, spread
from benchmarks.tagging import measure_bundle, read_test
from textapp.compress.config import QuantizeConfig
from textapp.compress.quantize import quantize_run
from textapp.config import NerConfig
from textapp.export.run import export_run, export_tagger_run

RESULTS = Path(__file__).parents[1] / "results"
WAYS = ("float", "post_training", "quantization_aware")


@dataclasses.dataclass(frozen=True)
class Case:
    """What is rounded.

    Attributes:
        title: For people.
        runs: Folder of the runs, one a seed.
        config: How.
        score: What `metrics.json` tells them apart by.
    """

    title: str
    runs: Path
    config: QuantizeConfig
    score: str = "accuracy"


SST2, PLAIN = Path("saved_models/accuracy/sst2"), Path("saved_models/accuracy/sst2_plain")
CONLL = Path("saved_models/tagging/conll2003")
ROWS4, ROWS2 = QuantizeConfig(embedding_bits=4), QuantizeConfig(embedding_bits=2)
F1 = "entity_f1"
CASES = {
    "rows8": Case("SST-2: 8 bits", SST2, QuantizeConfig()),
    "rows4": Case("SST-2: 8 bits, embedding rows 4", SST2, ROWS4),
    "rows2": Case("SST-2: 8 bits, embedding rows 2", SST2, ROWS2),
    "bits4": Case("SST-2: 4 bits, embedding rows 4", SST2, QuantizeConfig(bits=4, embedding_bits=4)),
    "bits2": Case("SST-2: 2 bits, embedding rows 2", SST2, QuantizeConfig(bits=2, embedding_bits=2)),
    "static": Case("SST-2: 8 bits, activations 8", SST2, QuantizeConfig(activation_bits=8, lowering="unrolled")),
    "plain_rows2": Case("SST-2, not adversarially: 8 bits, embedding rows 2", PLAIN, ROWS2),
    "tagger_rows4": Case("CoNLL-2003, F1: 8 bits, embedding rows 4", CONLL, ROWS4, F1),
    "tagger_rows2": Case("CoNLL-2003, F1: 8 bits, embedding rows 2", CONLL, ROWS2, F1),
}


def measure(name: str, seed: int, work: Path) -> dict[str, Any]:
    """Trains a run on with rounded weights, exports it and scores the bundle."""
    case = CASES[name]
    run, folder = case.runs / f"seed_{seed}", work / f"{name}_{seed}"
    if not (folder / "metrics.json").exists():
        quantize_run(case.config, run, folder)
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    quantization = metrics["quantization"]
    bundle = exported(case, folder, quantization["recipe"])
    row = {"case": name, "seed": seed, "kept": quantization["kept"], "minutes": metrics["seconds"] / 60}
    row |= {f"{way}_{part}": quantization[way][part][case.score] for way in WAYS for part in ("valid", "test")}
    return {
        **row,
        "bundle_test": score(case, bundle, json.loads((folder / "config.json").read_text(encoding="utf-8"))),
        "bytes": bytes_of(bundle),
        "float32_bytes": bytes_of(exported(case, run, "float32")),
    }


def exported(case: Case, run: Path, recipe: str) -> Path:
    """The bundle of a run, beside it, as the benchmarks that train runs leave theirs."""
    bundle = run.with_name(f"{run.name}_{recipe}_{case.config.lowering}")
    if not bundle.exists():
        export = export_tagger_run if case.score == F1 else export_run
        export(run, bundle, recipe=recipe, lowering=case.config.lowering)
    return bundle


def score(case: Case, bundle: Path, command: dict[str, Any]) -> float:
    """The score of a bundle on the test split of its run."""
    if case.score == F1:
        test = read_test(NerConfig.from_dict(command["settings"], "the run"), command["test"])
        return float(measure_bundle(bundle, test)["int8"])
    return float(score_bundle(bundle, command["test"])["test"])


def bytes_of(bundle: Path) -> int:
    """Size of its model file."""
    return (bundle / "model.tflite").stat().st_size


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown, one line a case."""
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
