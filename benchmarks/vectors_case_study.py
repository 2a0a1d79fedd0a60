"""Measures whether in-domain word vectors help a classifier with few labels, as is often claimed.

    python -m benchmarks.vectors_case_study --data ../shared/data [--tasks online_shopping sst2] [--seeds 0 1 2]

BiLSTM + attention is trained on 200, 1,000, 5,000 and all labelled texts. Its embedding is either random, or starts
from vectors of 200 dimensions that textapp trained on unlabelled text:

- online_shopping_10_cats (Chinese reviews by characters): vectors from the reviews of the training split.
- SST-2 (English sentences): vectors from wiki_en and IMDb's training and unlabelled reviews; none of its test reviews.

Both arms have the same settings, labelled texts and validation texts. There are at most as many validation texts as
labelled texts, because a project with 200 labels has no thousands of validation texts. For each size, validation
accuracy chooses whether the vectors are trained, frozen, or frozen at first, in runs with another seed that read no
test split. The test split is read once for each run, by its last step.

The benchmark can be stopped at any time and resumes. It writes to results/: vectors_case_study.json with one line for
each run, the tables vectors_case_study.md and the plot vectors_case_study.png.
"""

import argparse
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.datasets import files
from benchmarks.models import trained
from benchmarks.own_vectors import DIM, own_vectors
from benchmarks.own_vectors import WORK as VECTORS_WORK
from benchmarks.record import Record, spread
from textapp.config import ModelConfig
from textapp.data.readers import read_examples
from textapp.files import replacing, write_text
from textapp.task import task as find_task

RESULTS = Path(__file__).parents[1] / "results"
WORK = Path("saved_models/vectors_case_study")
CLAIM = 12  # %, claimed by the article that the project starts from
CHOICE_SEED = 1000  # seed of the runs that choose; no reported run has it
ALL = 0  # means all labelled texts
SIZES = (200, 1000, 5000, ALL)
# task: title, preset
TASKS = {
    "online_shopping": ("online_shopping_10_cats (Chinese reviews)", "chinese"),
    "sst2": ("SST-2, sentences only (English)", "sentences"),
}
LANGUAGES = {"online_shopping": "chinese", "sst2": "english"}
EXTRA_WORDS = {"online_shopping": 6_000, "sst2": 30_000}
# Few texts need small batches and many epochs, to have enough steps. The same for both arms.
BY_SIZE = {
    200: ["batch_size=16", "epochs=40", "patience=10"],
    1000: ["batch_size=32", "epochs=25", "patience=8"],
    5000: ["batch_size=64", "epochs=15", "patience=5"],
    ALL: ["patience=5"],
}
# The ways to train the vectors that are tried.
WAYS = {
    "trained": [],
    "frozen": ["embedding_rate=0"],
    "frozen at first": ["freeze_epochs=2", "embedding_rate=0.2"],
}


def subset(path: str, size: int, seed: int, out: Path) -> str:
    """Draws `size` random examples, or all. A larger size includes the examples of a smaller one."""
    if not out.exists():
        examples = read_examples(path)
        chosen = np.random.default_rng(seed).permutation(len(examples.texts))[: size or None]
        rows = ({"text": examples.texts[row], "label": examples.labels[row]} for row in chosen)
        write_text(out, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return str(out)


class Study:
    """The runs of one task, and their folders.

    Args:
        task: One of `TASKS`.
        data: Folder of the data sets.
        work: Folder for runs, vectors and subsets.
        settings: More settings for each run of both arms.
        vectors_settings: More settings for the vectors.
    """

    def __init__(self, task: str, data: Path, work: Path, settings: Sequence[str], vectors_settings: Sequence[str]):
        self.task, self.work, self.settings = task, work, list(settings)
        self.paths = files(task, data, work)
        self.vectors = own_vectors(
            LANGUAGES[task], data, work if vectors_settings else VECTORS_WORK, vectors_settings, self.paths["train"]
        )

    def config(self, size: int, seed: int, way: str | None) -> ModelConfig:
        """Settings of a run; with `way=None`, of a run with a random embedding."""
        by_arm = [f"embedding_dim={DIM}"]
        if way is not None:
            by_arm += [f"extra_words={EXTRA_WORDS[self.task]}", *WAYS[way]]
        preset = find_task("classification").preset(TASKS[self.task][1])
        # `freeze_epochs` is checked together with epochs and patience: one override for all.
        config: ModelConfig = preset.override([*BY_SIZE[size], *self.settings, *by_arm, f"seed={seed}"])
        return config

    def run(self, size: int, seed: int, way: str | None, test: bool) -> dict[str, Any]:
        """Trains a run if it is not finished; returns its metrics."""
        folder = self.work / self.task / f"size_{size or 'all'}" / f"seed_{seed}"
        name = "random" if way is None else way.replace(" ", "_")
        out = folder / (name if test else f"choice_{name}")
        return trained(
            "classification",
            self.config(size, seed, way),
            out,
            train=subset(str(self.paths["train"]), size, seed, folder / "train.jsonl"),
            valid=subset(str(self.paths["valid"]), size, seed, folder / "valid.jsonl"),
            test=self.paths["test"] if test else None,
            vectors=None if way is None else self.vectors,
        )

    def choose(self, size: int) -> tuple[str, dict[str, float]]:
        """The way to train the vectors with the best validation accuracy, and the accuracy of each."""
        tried = {way: self.run(size, CHOICE_SEED, way, test=False)["valid"]["accuracy"] for way in WAYS}
        return max(tried, key=lambda way: tried[way]), tried

    def measure(self, size: int, seed: int) -> list[dict[str, Any]]:
        """Both arms of one size and seed."""
        chosen, tried = self.choose(size)
        rows = []
        for arm, way in (("random", None), ("own vectors", chosen)):
            metrics = self.run(size, seed, way, test=True)
            rows.append(
                {
                    "task": self.task,
                    "size": size,
                    "seed": seed,
                    "arm": arm,
                    "way": way,
                    "labelled": metrics["data"]["train"]["count"],
                    "valid": metrics["valid"]["accuracy"],
                    "test": metrics["test"]["accuracy"],
                    "count": metrics["test"]["count"],
                    "unknown": metrics["data"]["test"]["oov_rate"],
                    "epochs": metrics["epochs"],
                    "minutes": metrics["seconds"] / 60,
                    **({} if way is None else {"tried": tried}),
                }
            )
        return rows


def sizes_of(rows: list[dict[str, Any]], task: str) -> list[int]:
    """The sizes of a task that have rows; all labelled texts come last."""
    return sorted({row["size"] for row in rows if row["task"] == task}, key=lambda size: size or float("inf"))


def column(rows: list[dict[str, Any]], task: str, size: int, arm: str, key: str = "test") -> list[Any]:
    """One figure of the runs of an arm, by seed."""
    chosen = [row for row in rows if (row["task"], row["size"], row["arm"]) == (task, size, arm)]
    return [row[key] for row in sorted(chosen, key=lambda row: row["seed"])]


def gains(rows: list[dict[str, Any]], task: str, size: int) -> tuple[float, float]:
    """The mean gain of the vectors: in points, and in % of the random arm's accuracy."""
    random, own = (statistics.mean(column(rows, task, size, arm)) for arm in ("random", "own vectors"))
    return 100 * (own - random), 100 * (own / random - 1)


def verdict(rows: list[dict[str, Any]], task: str) -> str:
    """A sentence on the sizes at which the claim holds."""
    by_size = {size: gains(rows, task, size) for size in sizes_of(rows, task)}
    names = {size: f"{size:,}" if size else "all" for size in by_size}
    points = [names[size] for size, (gain, _) in by_size.items() if gain >= CLAIM]
    relative = [names[size] for size, (_, gain) in by_size.items() if gain >= CLAIM]
    if not relative:
        best = max(by_size, key=lambda size: by_size[size][0])
        return (
            f"The claimed +{CLAIM} % holds at no size: own vectors add most with {names[best]} labelled texts, "
            f"{by_size[best][0]:+.1f} points ({by_size[best][1]:+.1f} % of the random arm's accuracy)."
        )
    where = (
        f"The claimed +{CLAIM} % holds with {' and '.join(relative)} labelled texts, read as a share of the accuracy"
    )
    return f"{where}; read as points, {'with ' + ' and '.join(points) if points else 'at no size'}."


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown: a table and a sentence for each task."""
    lines = [
        "# Own word vectors against random ones",
        "",
        "`python -m benchmarks.vectors_case_study --data DATA`: test accuracy in %, mean ± standard deviation over "
        "seeds.",
        f"BiLSTM + attention, {DIM} dimensions in both arms, the same settings, texts and validation texts. The way to "
        "train the vectors was chosen by validation accuracy. Unknown: share of the test tokens.",
    ]
    for task, (title, _) in TASKS.items():
        if not sizes_of(rows, task):
            continue
        lines += [
            "",
            f"## {title}",
            "",
            "| labelled texts | random | own vectors | points | relative | way chosen | unknown, random | unknown, own "
            "| seeds |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        for size in sizes_of(rows, task):
            random, own = (
                spread([100 * value for value in column(rows, task, size, arm)]) for arm in ("random", "own vectors")
            )
            unknown = [column(rows, task, size, arm, "unknown") for arm in ("random", "own vectors")]
            points, relative = gains(rows, task, size)
            labelled = max(column(rows, task, size, "random", "labelled"))
            name = f"{size:,}" if size else f"all ({labelled:,})"
            lines.append(
                f"| {name} | {random} | {own} | {points:+.2f} "
                f"| {relative:+.1f} % | {column(rows, task, size, 'own vectors', 'way')[0]} "
                f"| {statistics.mean(unknown[0]):.1%} | {statistics.mean(unknown[1]):.1%} "
                f"| {len(unknown[1])} |"
            )
        lines += ["", verdict(rows, task)]
    return "\n".join(lines) + "\n"


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Draws accuracy over the number of labelled texts, one panel for each task: means as lines, runs as points."""
    tasks = [task for task in TASKS if sizes_of(rows, task)]
    figure = Figure(figsize=(5.5 * len(tasks), 4), layout="constrained")
    for axes, task in zip(figure.subplots(1, len(tasks), squeeze=False)[0], tasks, strict=True):
        for arm, color in (("random", "tab:gray"), ("own vectors", "tab:blue")):
            of_arm = [row for row in rows if (row["task"], row["arm"]) == (task, arm)]
            sizes = sizes_of(of_arm, task)
            counts = [statistics.mean(column(rows, task, size, arm, "labelled")) for size in sizes]
            means = [100 * statistics.mean(column(rows, task, size, arm)) for size in sizes]
            axes.plot(counts, means, "o-", color=color, label=arm)
            axes.scatter(
                [row["labelled"] for row in of_arm], [100 * row["test"] for row in of_arm], 12, color, alpha=0.5
            )
        axes.set(xscale="log", title=TASKS[task][0], xlabel="labelled texts", ylabel="test accuracy, %")
        axes.set_xticks(counts, [f"{count:,.0f}" for count in counts], rotation=30, horizontalalignment="right")
        axes.set_xticks([], minor=True)
        axes.grid(alpha=0.3)
        axes.legend()
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=150)


def main() -> None:
    """Measures the missing rows and writes tables and plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--work", type=Path, default=WORK, help="folder for runs")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the figures")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--sizes", nargs="+", type=int, choices=SIZES, default=list(SIZES), help=f"{ALL} means all")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--set", dest="settings", action="append", default=[], help="for both arms, to try things out")
    parser.add_argument("--vectors-set", action="append", default=[], help="for the vectors, to try things out")
    arguments = parser.parse_args()
    if (arguments.settings or arguments.vectors_set) and (arguments.results == RESULTS or arguments.work == WORK):
        parser.error("--set and --vectors-set are for trials: give --results and --work of their own")
    record = Record(
        arguments.results / "vectors_case_study.json",
        table,
        order=lambda row: (list(TASKS).index(row["task"]), row["size"] or 10**9, row["seed"]),
    )
    for task in arguments.tasks:
        study = Study(task, arguments.data, arguments.work, arguments.settings, arguments.vectors_set)
        for seed in arguments.seeds:
            for size in arguments.sizes:
                if not record.has(task=task, size=size, seed=seed):
                    record.add(*study.measure(size, seed))
                    draw(record.rows, arguments.results / "vectors_case_study.png")
    print(table(record.rows))


if __name__ == "__main__":
    main()
