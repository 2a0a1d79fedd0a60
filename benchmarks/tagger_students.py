"""Small students of taggers on CoNLL-2003: strict entity F1 against parameters and bytes, over seeds.

    python -m benchmarks.tagger_students --data ../shared/data [--seeds 0 1 2]

The teachers are the three taggers without word vectors of `benchmarks.tagging` (task conll2003), together. Beside each
student stands the same one trained on the true tags alone. Settings were chosen on validation data; the test split is
read once a model. Writes results/tagger_students.json, a line a seed, and the table results/tagger_students.md.
"""

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from textapp.compress.tagger_distillation import distill_tagger
from textapp.compress.tagger_teachers import TaggerTeacher
from textapp.training.ner import train_ner

from benchmarks.record import Record, spread
from benchmarks.tagging import files, measure_bundle, read_test
from textapp.compress.config import DistillTaggerConfig
from textapp.export.conversion import Recipe
from textapp.export.run import export_tagger_run

RESULTS = Path(__file__).parents[1] / "results"
TEACHERS = Path("saved_models/tagging/conll2003")
RECIPES: tuple[Recipe, ...] = ("dynamic_wi8_afp32", "dynamic_wi8_afp32_emb4")
SETTINGS = ("zero_digits=true", "repair=true", "epochs=20", "batch_size=16")
PROMISED = 0.97  # of one teacher's F1, at a tenth of its parameters


def run_teachers() -> list[Path]:
    """The finished runs that teach."""
    folders = sorted(path for path in TEACHERS.glob("seed_?") if (path / "metrics.json").exists())
    if not folders:
        raise SystemExit(f"{TEACHERS}: no teacher; run `python -m benchmarks.tagging --tasks conll2003` first")
    return folders


def measure(seed: int, data: Path, work: Path) -> dict[str, Any]:
    """Trains, exports and scores a student and its like without teachers."""
    paths = files("conll2003", data, work)
    config = DistillTaggerConfig().override([*SETTINGS, f"seed={seed}"])
    student, alone = work / f"seed_{seed}", work / f"seed_{seed}_alone"
    if not (student / "metrics.json").exists():
        teachers = [TaggerTeacher(folder) for folder in run_teachers()]
        distill_tagger(config, student, teachers=teachers, **paths, report=print)  # type: ignore[arg-type]
    if not (alone / "metrics.json").exists():
        train_ner(config.student, alone, **paths, report=print)  # type: ignore[arg-type]
    row: dict[str, Any] = {"seed": seed}
    for kind, folder in (("distilled", student), ("alone", alone)):
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        row |= {f"{kind}_{part}": metrics[part]["entity_f1"] for part in ("valid", "test")}
        row |= {"parameters": metrics["parameters"], f"{kind}_minutes": metrics["seconds"] / 60}
    test = read_test(config.student, paths["test"])
    for recipe in RECIPES:
        bundle = work / f"seed_{seed}_{recipe}"
        if not bundle.exists():
            export_tagger_run(student, bundle, recipe=recipe)
        measured = measure_bundle(bundle, test)
        row |= {f"{recipe}_test": measured["int8"], f"{recipe}_bytes": measured["int8_bytes"]}
        row["text_to_spans_ms_p50"] = measured["text_to_spans_ms_p50"]
    return row


def measure_teachers() -> dict[str, Any]:
    """What the teachers' runs say of themselves."""
    metrics = [json.loads((folder / "metrics.json").read_text(encoding="utf-8")) for folder in run_teachers()]
    return {
        "seed": "teachers",
        "each": [of_one["test"]["entity_f1"] for of_one in metrics],
        "parameters": metrics[0]["parameters"],
    }


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown."""
    teachers = next(row for row in rows if row["seed"] == "teachers")
    students = [row for row in rows if row["seed"] != "teachers"]
    one = statistics.mean(teachers["each"])
    lines = [
        "# Students of taggers",
        "",
        "`python -m benchmarks.tagger_students --data DATA`: CoNLL-2003 test, strict entity F1 in %, mean ± standard "
        f"deviation over seeds. Teachers: {100 * one:.2f} each (mean of {len(teachers['each'])}, "
        f"{teachers['parameters']:,} parameters). Promised: {PROMISED:.0%} of it at a tenth of the parameters.",
        "",
        f"Student: `textapp distill TEACHER... {' '.join(f'--set {setting}' for setting in SETTINGS)}`.",
        "",
        "| student | F1 | of one teacher | parameters | of one teacher's | bytes | text to spans, ms (p50) | seeds |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]

    def line(title: str, key: str, size: str | None) -> str:
        values = [row[key] for row in students]
        mean = statistics.mean(values)
        parameters = statistics.mean(row["parameters"] for row in students)
        stored = "–" if size is None else f"{statistics.mean(row[size] for row in students):,.0f}"
        time = "–" if size is None else f"{statistics.mean(row['text_to_spans_ms_p50'] for row in students):.2f}"
        return (
            f"| {title} | {spread([100 * value for value in values])} | {mean / one:.1%} | {parameters:,.0f} "
            f"| 1/{teachers['parameters'] / parameters:.1f} | {stored} | {time} | {len(values)} |"
        )

    if students:
        lines.append(line("alone", "alone_test", None))
        lines.append(line("distilled", "distilled_test", None))
        for title, recipe in zip(("distilled, int8", "distilled, rows of 4 bits"), RECIPES, strict=True):
            lines.append(line(title, f"{recipe}_test", f"{recipe}_bytes"))
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures what is not measured yet and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--work", type=Path, default=Path("saved_models/tagger_students"), help="folder for runs")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    arguments = parser.parse_args()
    record = Record(RESULTS / "tagger_students.json", table)
    if not record.has(seed="teachers"):
        record.add(measure_teachers())
    for seed in arguments.seeds:
        if not record.has(seed=seed):
            record.add(measure(seed, arguments.data, arguments.work))
    print(table(record.rows))


if __name__ == "__main__":
    main()
