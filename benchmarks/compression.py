"""Small students of large teachers on SST-2: accuracy against bytes, over seeds.

    python -m benchmarks.compression --data ../shared/data [--seeds 0 1 2]

The teachers are the three classifiers with own word vectors of `benchmarks.accuracy` (task sst2_vectors), together;
what they say of the sentences and of the phrases is kept and read by all students. Beside each student stands the same
one trained on the labelled sentences alone. Settings were chosen on validation data; the test split is read once a
model. Writes results/compression.json, a line a student and seed, and the table results/compression.md.
"""

import argparse
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from textapp.compress.distillation import distill
from textapp.compress.soft_labels import SoftLabels, mean_probabilities
from textapp.training.sentiment import train_sentiment

from benchmarks.record import Record, spread
from textapp.compress.config import DistillConfig
from textapp.compress.teachers import RunTeacher
from textapp.config import SentimentConfig
from textapp.data.readers import read_examples
from textapp.export.conversion import Recipe
from textapp.export.run import export_run
from textapp.runtime import Predictor, load
from textapp.runtime.latency import measure_latency

RESULTS = Path(__file__).parents[1] / "results"
TEACHERS = Path("saved_models/accuracy/sst2_vectors")
RECIPES: tuple[Recipe, ...] = ("dynamic_wi8_afp32", "dynamic_wi8_afp32_emb4")
WIDTH = ("embedding_dim=24", "units=24", "attention_units=24", "epochs=10")
STUDENTS = {
    "medium": ("vocabulary_size=8000",),
    "small": ("vocabulary_size=5600",),
    "tiny": ("vocabulary_size=4000", "embedding_rank=12"),
}
# What suits the same student best where there are no teachers: more dropout, fewer and smaller steps.
ALONE = ("embedding_dropout=0.5", "dropout=0.5", "learning_rate=3e-3", "batch_size=64", "epochs=20")


def measure(name: str, seed: int, data: Path, work: Path) -> dict[str, Any]:
    """Trains, exports and scores a student and its like without teachers."""
    files = {part: data / f"sst2/stsa.binary.{end}" for part, end in (("train", "train"), ("valid", "dev"))}
    test = data / "sst2/stsa.binary.test"
    phrases = data / "sst2/glue_phrases_train.tsv"
    config = DistillConfig().override([*WIDTH, *STUDENTS[name], f"seed={seed}"])
    cached = work / next(iter(STUDENTS)) / "seed_0" / "soft_labels.jsonl.gz"
    teachers: Sequence[Any] = [SoftLabels.read(cached)] if cached.exists() else run_teachers()
    student = work / name / f"seed_{seed}"
    if not (student / "metrics.json").exists():
        distill(config, student, teachers=teachers, test=test, unlabelled=[phrases], **files)
    alone = work / name / f"seed_{seed}_alone"
    if not (alone / "metrics.json").exists():
        settings = SentimentConfig.from_dict(config.student.to_dict()).override(ALONE)
        train_sentiment(settings, alone, test=test, **files)
    row: dict[str, Any] = {"student": name, "seed": seed}
    for kind, folder in (("distilled", student), ("alone", alone)):
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        row |= {f"{kind}_{part}": metrics[part]["accuracy"] for part in ("valid", "test")}
        row |= {"parameters": metrics["parameters"], "count": metrics["test"]["count"]}
    for recipe in RECIPES:
        bundle = work / name / f"seed_{seed}_{recipe}"
        if not bundle.exists():
            export_run(student, bundle, recipe=recipe, lengths=[64])
        row |= {f"{recipe}_{key}": value for key, value in score_bundle(bundle, str(test)).items()}
    return row


def run_teachers() -> list[RunTeacher]:
    """The finished runs that teach."""
    folders = sorted(path for path in TEACHERS.glob("seed_?") if (path / "metrics.json").exists())
    if not folders:
        raise SystemExit(f"{TEACHERS}: no teacher; run `python -m benchmarks.accuracy --tasks sst2_vectors` first")
    return [RunTeacher(folder) for folder in folders]


def score_bundle(bundle: Path, test: str) -> dict[str, Any]:
    """Accuracy, bytes and time of a bundle on the test sentences."""
    predictor, examples = load(bundle), read_examples(test)
    assert isinstance(predictor, Predictor)
    labels = [predictor.labels[index] for index in predictor.label_indices(examples.texts)]
    return {
        "test": float(np.mean([label == true for label, true in zip(labels, examples.labels, strict=True)])),
        "bytes": (bundle / "model.tflite").stat().st_size,
        "text_to_label_ms_p50": measure_latency(predictor, examples.texts).text_to_label_ms_p50,
    }


def measure_teachers(data: Path) -> dict[str, Any]:
    """The teachers alone and together on the test split, and their size."""
    teachers = run_teachers()
    examples = read_examples(data / "sst2/stsa.binary.test")
    true = np.array([teachers[0].labels.index(label) for label in examples.labels])
    each = [teacher.probabilities(examples.texts) for teacher in teachers]
    together = mean_probabilities(teachers, examples.texts, teachers[0].labels)
    return {
        "student": "teachers",
        "each": [float((probs.argmax(axis=1) == true).mean()) for probs in each],
        "together": float((together.argmax(axis=1) == true).mean()),
        "parameters": teachers[0].parameters,
    }


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown, one line a student."""
    teachers = next(row for row in rows if row["student"] == "teachers")
    one, together = statistics.mean(teachers["each"]), teachers["together"]
    lines = [
        "# Compression",
        "",
        "`python -m benchmarks.compression --data DATA`: SST-2 test accuracy in %, mean ± standard deviation over "
        f"seeds; one signature of 64 tokens. Teachers: {100 * one:.2f} each (mean of {len(teachers['each'])}, "
        f"{teachers['parameters']:,} parameters), {100 * together:.2f} together. All students: `{' '.join(WIDTH)}`.",
        "",
        "| student | parameters | of one teacher's | alone | distilled | of one teacher | of all together "
        "| int8: accuracy, bytes | rows of 4 bits: accuracy, bytes | text to label, ms (p50) | seeds |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, settings in STUDENTS.items():
        of_name = [row for row in rows if row["student"] == name]
        if not of_name:
            continue

        def mean(key: str, of_name: list[dict[str, Any]] = of_name) -> float:
            return statistics.mean(row[key] for row in of_name)

        def percent(key: str, of_name: list[dict[str, Any]] = of_name) -> str:
            return spread([100 * row[key] for row in of_name])

        stored = [f"{percent(f'{recipe}_test')}, {mean(f'{recipe}_bytes'):,.0f}" for recipe in RECIPES]
        cells = [
            f"{name} (`{' '.join(settings)}`)",
            f"{mean('parameters'):,.0f}",
            f"1/{teachers['parameters'] / mean('parameters'):.0f}",
            percent("alone_test"),
            percent("distilled_test"),
            f"{mean('distilled_test') / one:.1%}",
            f"{mean('distilled_test') / together:.1%}",
            *stored,
            f"{mean(f'{RECIPES[-1]}_text_to_label_ms_p50'):.3f}",
            str(len(of_name)),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures what is not measured yet and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--work", type=Path, default=Path("saved_models/compression"), help="folder for runs, bundles")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    arguments = parser.parse_args()
    record = Record(RESULTS / "compression.json", table)
    if not record.has(student="teachers"):
        record.add(measure_teachers(arguments.data))
    for seed in arguments.seeds:
        for name in STUDENTS:
            if not record.has(student=name, seed=seed):
                record.add(measure(name, seed, arguments.data, arguments.work))
    print(table(record.rows))


if __name__ == "__main__":
    main()
