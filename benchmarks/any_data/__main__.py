"""Compares `textapp train` without a preset with quick rivals, on data that no setting was chosen for.

    python -m benchmarks.any_data --data ../shared/data [--sets trec ...] [--sizes 200 1000 all] [--seeds 0 1 2]
                                  [--models svm textapp ...] [--folds] [--minutes 60]

Classifiers are compared with the most frequent class, with a linear SVM over TF-IDF n-grams and with fastText, taggers
with a CRF over features. All get the same texts; `svm_all`, the same SVM, also learns from the validation texts, as the
n-grams of textapp do in the end.
textapp is the command line without a preset; its only settings are the seed and how broken tags are read.
`textapp_vectors` also starts from word vectors of unlabelled text, on three sets.

Parts: the published ones, without duplicates and leaks in the training and validation parts. A sample of 1,000 or 200
labels is drawn by the seed, with the shares of the classes and at least one text of each class. It has a quarter as
many validation texts beside it, because no user with few labels has thousands of them. Every model gets the same texts.
Taggers are measured with all labels only. `--folds` adds five folds of the training part, by the first seed, for sets
whose test part has less than 2,000 texts, because one point is noise there.

fastText is tuned once a set and size, on the validation part of the first seed that is measured; the other seeds and
the folds use these settings. A large set with all labels, and a model without randomness, take one seed.

Each row is stored when it is measured, so the benchmark can be stopped and resumes. It writes results/any_data.json
and the table results/any_data.md. After a change of textapp, `--again --models textapp` measures its rows again.
"""

import argparse
import importlib.util
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.any_data.contestants import MODELS, OF_TASK, Trial, clear, measure
from benchmarks.any_data.parts import ALL, FOLDS, SIZES
from benchmarks.any_data.sets import SETS
from benchmarks.any_data.table import order, table
from benchmarks.compression_rival import TUNING_SECONDS
from benchmarks.environment import describe_environment
from benchmarks.record import Record

RESULTS = Path(__file__).parents[2] / "results"
WORK = Path("saved_models/any_data")
PACKAGES = {"fasttext": "fasttext", "crf": "pycrfsuite"}  # of the extra `bench`
DETERMINISTIC = ("majority", "svm", "svm_all", "crf")  # the same labels with each seed on the same texts
VERSIONS = ("tensorflow", "keras", "scikit-learn", "numpy")


def trials(arguments: argparse.Namespace) -> Iterator[Trial]:
    """What is measured, the cheapest first."""
    first = arguments.seeds[0]
    for size in sorted(arguments.sizes, key=SIZES.index):
        for seed in arguments.seeds:
            for name in arguments.sets:
                one = SETS[name]
                few, repeated = size != ALL, seed != first
                if not (few and one.task == "tagging") and not (repeated and one.one_seed and not few):
                    yield from trials_of(arguments, name, size, 0, seed)
    if arguments.folds:
        for name in arguments.sets:
            for fold in range(1, FOLDS + 1) if SETS[name].small_test else ():
                yield from trials_of(arguments, name, ALL, fold, first)


def trials_of(arguments: argparse.Namespace, name: str, size: str, fold: int, seed: int) -> Iterator[Trial]:
    """The contestants on one part of a set."""
    for model in OF_TASK[SETS[name].task]:
        with_vectors = model != "textapp_vectors" or (SETS[name].vectors and size == ALL and not fold)
        random = model not in DETERMINISTIC or size != ALL or seed == arguments.seeds[0]
        if model in arguments.models and with_vectors and random:
            yield Trial(name, size, fold, seed, model)


def tuned_settings(record: Record, trial: Trial) -> dict[str, Any] | None:
    """The settings that fastText's search found for a set and size, if it has run."""
    found = (
        row for row in record.rows if (row["set"], row["size"], row["model"]) == (trial.set, trial.size, "fasttext")
    )
    return next((row["settings"] for row in found), None)


def main() -> None:
    """Measures the missing rows and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--work", type=Path, default=WORK, help="folder for parts and runs")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the figures")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES), help="numbers of labels")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--folds", action="store_true", help="also five folds of sets with a small test part")
    parser.add_argument("--again", action="store_true", help="first drop the chosen rows and their runs")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="start no measurement after this time")
    parser.add_argument("--tuning", type=int, default=TUNING_SECONDS, help="seconds of fastText's search")
    arguments = parser.parse_args()
    for model, package in PACKAGES.items():
        if model in arguments.models and importlib.util.find_spec(package) is None:
            print(f"{model}: left out, because {package} is not installed: pip install -e '.[bench]'", flush=True)
            arguments.models.remove(model)
    began, record = time.monotonic(), Record(arguments.results / "any_data.json", table, order)
    chosen = list(trials(arguments))
    if arguments.again:
        record.drop(lambda row: Trial(*(row[field] for field in Trial._fields)) in chosen)
        for trial in chosen:
            clear(trial, arguments.work)
    environment = {**describe_environment(VERSIONS), "usable cores": len(os.sched_getaffinity(0))}
    for trial in chosen:
        if record.has(**trial._asdict()):
            continue
        if time.monotonic() - began > 60 * arguments.minutes:
            print(f"stopped after {arguments.minutes:g} minutes; the same command continues", flush=True)
            break
        figures = measure(trial, arguments.data, arguments.work, tuned_settings(record, trial), arguments.tuning)
        record.add({**trial._asdict(), **figures, "environment": environment})
        print(*trial, f"test {100 * figures['test']:.2f}", flush=True)
    print(table(record.rows))


if __name__ == "__main__":
    main()
