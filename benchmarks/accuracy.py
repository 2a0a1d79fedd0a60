"""Accuracy on public data: Keras against the int8 bundle, mean and spread over seeds.

    python -m benchmarks.accuracy --data ../shared/data [--tasks sst2 imdb] [--seeds 0 1 2]

Each task is trained with a preset chosen on validation data; the test split is read once a seed, by the run's own last
step and by its bundles. The work can be stopped at any moment and goes on where it was. Writes results/accuracy.json, a
line a seed, and the table results/accuracy.md.
"""

import argparse
import csv
import hashlib
import json
import statistics
from pathlib import Path
from typing import Any

from textapp.training.sentiment import train_sentiment

from benchmarks.own_vectors import own_vectors
from benchmarks.record import Record, spread
from textapp.config import sentiment_preset
from textapp.data.readers import check_labels, read_examples
from textapp.export.run import export_run
from textapp.files import write_text
from textapp.runtime import load
from textapp.tasks.classification.scores import accuracy, confusion_matrix

RESULTS = Path(__file__).parents[1] / "results"
BUNDLES = [
    ("float32", "fused"),
    ("dynamic_wi8_afp32", "fused"),
    ("float32", "unrolled"),
    ("dynamic_wi8_afp32", "unrolled"),
]
UNROLLED_TOKENS = 64  # long texts make large files and slow conversions unrolled: fused is for them
# task: title, preset, least accuracy that the project promises
TASKS = {
    "sst2": ("SST-2, sentences only", "sentences", 0.815),
    "sst2_plain": ("SST-2, sentences only, not adversarially", "sentences", 0.815),
    "sst2_vectors": ("SST-2, sentences only, own vectors", "sentences", 0.83),
    "sst2_phrases": ("SST-2, with phrases", "phrases", 0.845),
    "sst2_phrases_plain": ("SST-2, with phrases, not adversarially", "phrases", 0.845),
    "sst2_phrases_vectors": ("SST-2, with phrases, own vectors", "phrases", 0.85),
    "imdb": ("IMDb", "reviews", 0.885),
    "imdb_plain": ("IMDb, not adversarially", "reviews", 0.885),
    "imdb_vectors": ("IMDb, own vectors", "reviews", 0.90),
    "online_shopping": ("online_shopping_10_cats (Chinese)", "chinese", 0.92),
}
VECTORS = "_vectors"  # such a task starts from the English vectors of `benchmarks.own_vectors`
PLAIN = "_plain"  # such a task shows what adversarial training brings
# Chosen on validation data, as the presets.
SETTINGS: dict[str, list[str]] = {
    "sst2_plain": ["adversarial=0"],
    "sst2_phrases_plain": ["adversarial=0"],
    "imdb_plain": ["adversarial=0", "epochs=3"],
    "sst2_vectors": ["extra_words=20000", "adversarial=0"],
    "sst2_phrases_vectors": ["extra_words=20000"],
    "imdb_vectors": ["vocabulary_size=30000", "word_dropout=0.2"],
}


def files(task: str, data: Path, work: Path) -> dict[str, str | None]:
    """The splits of a task; without `valid`, a share of `train` is taken."""
    task = task.removesuffix(VECTORS).removesuffix(PLAIN)
    if task == "sst2":
        return {name: str(data / f"sst2/stsa.binary.{part}") for name, part in SST.items()}
    if task == "sst2_phrases":
        return {**files("sst2", data, work), "train": str(data / "sst2/glue_phrases_train.tsv")}
    if task == "imdb":
        archive = data / "imdb/aclImdb_labelled.tar.gz"
        return {"train": f"{archive}#train", "valid": None, "test": f"{archive}#test"}
    return split_online_shopping(data / "online_shopping_10_cats/online_shopping_10_cats.csv", work / task / "splits")


SST = {"train": "train", "valid": "dev", "test": "test"}


def split_online_shopping(path: Path, folder: Path) -> dict[str, str | None]:
    """Splits by the SHA-1 of the raw review, duplicates and empty ones left out: the rule of the data's README."""
    splits: dict[str, list[dict[str, str]]] = {"train": [], "valid": [], "test": []}
    seen = set()
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["review"].strip() and row["review"] not in seen:
                seen.add(row["review"])
                part = int(hashlib.sha1(row["review"].encode()).hexdigest(), 16) % 10
                splits[{0: "test", 1: "valid"}.get(part, "train")].append(
                    {"text": row["review"], "label": row["label"]}
                )
    for name, rows in splits.items():
        write_text(folder / f"{name}.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return {name: str(folder / f"{name}.jsonl") for name in splits}


def measure(task: str, seed: int, data: Path, work: Path) -> dict[str, Any]:
    """Trains, exports and scores one seed."""
    paths = files(task, data, work)
    run = work / task / f"seed_{seed}"
    vectors = own_vectors("english", data) if task.endswith(VECTORS) else None
    settings = SETTINGS.get(task, [])
    config = sentiment_preset(TASKS[task][1], vectors=vectors is not None).override([*settings, f"seed={seed}"])
    metrics_file = run / "metrics.json"
    if not metrics_file.exists():
        train_sentiment(config, run, **paths, vectors=vectors)  # type: ignore[arg-type]
    metrics = json.loads(metrics_file.read_text(encoding="utf-8"))
    test = read_examples(str(paths["test"]))
    row: dict[str, Any] = {
        "task": task,
        "seed": seed,
        "valid": metrics["valid"]["accuracy"],
        "keras": metrics["test"]["accuracy"],
        "count": metrics["test"]["count"],
        "parameters": metrics["parameters"],
        "epochs": metrics["epochs"],
        "minutes": metrics["seconds"] / 60,
    }
    for recipe, lowering in BUNDLES:
        if lowering == "unrolled" and config.max_tokens > UNROLLED_TOKENS:
            continue
        bundle = work / task / f"seed_{seed}_{recipe}_{lowering}"
        if not bundle.exists():
            export_run(run, bundle, recipe=recipe, lowering=lowering)
        predictor = load(bundle)
        check_labels(test, predictor.labels)
        row[f"{recipe}_{lowering}_bytes"] = (bundle / "model.tflite").stat().st_size
        if recipe != "float32":
            labels = [predictor.labels.index(label) for label in test.labels]
            predicted = list(predictor.label_indices(test.texts))
            row[f"{recipe}_{lowering}"] = accuracy(confusion_matrix(labels, predicted, len(predictor.labels)))
    return row


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown, one line a task."""
    lines = [
        "# Accuracy",
        "",
        "`python -m benchmarks.accuracy --data DATA`: test accuracy in %, mean ± standard deviation over seeds.",
        "",
        "| task (preset) | promised | Keras | int8 fused | int8 unrolled | largest difference | bytes int8 fused "
        "| of float32 | seeds | minutes a run |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for task, (title, preset, promised) in TASKS.items():
        of_task = [row for row in rows if row["task"] == task]
        if not of_task:
            continue

        def percent(key: str, of_task: list[dict[str, Any]] = of_task) -> str:
            values = [100 * row[key] for row in of_task if key in row]
            return spread(values) if values else "–"

        int8 = [f"dynamic_wi8_afp32_{lowering}" for lowering in ("fused", "unrolled")]
        difference = max(abs(row[key] - row["keras"]) for row in of_task for key in int8 if key in row)
        size = statistics.mean(row[f"{int8[0]}_bytes"] for row in of_task)
        share = statistics.mean(row[f"{int8[0]}_bytes"] / row["float32_fused_bytes"] for row in of_task)
        chosen = " ".join([preset, *SETTINGS.get(task, [])])
        lines.append(
            f"| {title} (`{chosen}`) | {100 * promised:.1f} | {percent('keras')} | {percent(int8[0])} "
            f"| {percent(int8[1])} | {100 * difference:.2f} | {size:,.0f} | {share:.1%} | {len(of_task)} | "
            f"{statistics.mean(row['minutes'] for row in of_task):.1f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures what is not measured yet and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--work", type=Path, default=Path("saved_models/accuracy"), help="folder for runs and bundles")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    arguments = parser.parse_args()
    record = Record(RESULTS / "accuracy.json", table, order=lambda row: (list(TASKS).index(row["task"]), row["seed"]))
    for seed in arguments.seeds:
        for task in arguments.tasks:
            if not record.has(task=task, seed=seed):
                record.add(measure(task, seed, arguments.data, arguments.work))
    print(table(record.rows))


if __name__ == "__main__":
    main()
