"""Changes 5 % of the labels of public data sets, and counts how many of them `textapp data check --labels` lists first.

    python -m benchmarks.changed_labels --data ../shared/data

The changed labels and the new ones are random, with three seeds. The data have wrong labels of their own and texts that
fit several labels; here they count as false alarms. It writes results/changed_labels.json and
results/changed_labels.md.
"""

import argparse
import dataclasses
import random
from collections.abc import Sequence
from pathlib import Path

from benchmarks.record import Record, Row, spread
from textapp.data.readers import Examples, read_examples
from textapp.task import task

RESULTS = Path(__file__).parents[1] / "results"
SETS = {
    "trec": ("trec/train.txt", None),
    "customer_reviews": ("customer_reviews/custrev.all", None),
    "chnsenticorp": ("chnsenticorp/train.tsv", "text_a"),
}
SEEDS = (0, 1, 2)
SHARE = 0.05  # of the labels
FIRST = 50  # texts of the list


def with_changed_labels(examples: Examples, seed: int) -> tuple[Examples, set[int]]:
    """Examples of which some have another label, and the positions of these."""
    generator, names = random.Random(seed), sorted(set(examples.labels))
    wrong = set(generator.sample(range(len(examples)), round(SHARE * len(examples))))
    labels = [
        generator.choice([name for name in names if name != label]) if number in wrong else label
        for number, label in enumerate(examples.labels)
    ]
    return dataclasses.replace(examples, labels=labels), wrong


def measure(name: str, data: Path, seed: int) -> Row:
    """The shares of changed labels in the list of one data set."""
    file, text_column = SETS[name]
    classification = task("classification")
    examples, wrong = with_changed_labels(read_examples(data / file, text_column), seed)
    tokenizer = classification.tokenizer(classification.config())
    numbers = [doubt.number for doubt in classification.doubts(examples, tokenizer, None, print)]
    count = len(wrong)
    return {
        "data": name,
        "seed": seed,
        "texts": len(examples),
        "changed": count,
        "listed": len(numbers) / len(examples),
        "precision_first": len(wrong & set(numbers[:FIRST])) / FIRST,
        "precision": len(wrong & set(numbers[:count])) / count,
        "recall_double": len(wrong & set(numbers[: 2 * count])) / count,
        "recall": len(wrong & set(numbers)) / count,
    }


def table(rows: Sequence[Row]) -> str:
    """The rows as Markdown."""
    lines = [
        "# Labels that were changed, found again",
        "",
        "`python -m benchmarks.changed_labels --data DATA`: 5 % of the labels of a training file are changed at "
        "random. `textapp data check --labels` lists texts, the most doubtful first. Percent, means ± standard "
        "deviations of three seeds: how many of the first 50 texts, and of as many as were changed, have a changed "
        "label; how many of the changed ones are among twice as many texts, a tenth of the file, and in the whole "
        "list.",
        "",
        "| data | texts | of the first 50 | of the first 5 % | found in 10 % | listed | found in the list |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name in dict.fromkeys(row["data"] for row in rows):
        some = [row for row in rows if row["data"] == name]
        keys = ("precision_first", "precision", "recall_double", "listed", "recall")
        cells = " | ".join(spread([100 * row[key] for row in some], ".1f") for key in keys)
        lines.append(f"| {name} | {some[0]['texts']:,} | {cells} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures what is not yet in the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    arguments = parser.parse_args()
    record = Record(RESULTS / "changed_labels.json", table)
    for name in SETS:
        for seed in SEEDS:
            if not record.has(data=name, seed=seed):
                record.add(measure(name, arguments.data, seed))


if __name__ == "__main__":
    main()
