"""Small students of large teachers: score against parameters and bytes, over seeds.

    python -m benchmarks.compression --data ../shared/data [--studies compression tagger_students] [--seeds 0 1 2]

The teachers are three runs of `benchmarks.accuracy` together: sst2_vectors, classifiers with word vectors, and
conll2003, taggers without. All students read the same stored soft targets. Each student is compared with the same model
trained only on the true labels. Settings were chosen on validation data; the test split is read once for each model. It
writes one line for each student and seed to results/compression.json and results/tagger_students.json, and a table
beside each file.
"""

import argparse
import dataclasses
import functools
import statistics
from pathlib import Path
from typing import Any

import textapp
from benchmarks.datasets import PHRASES, files
from benchmarks.models import exported, finished_runs, main_score, metrics_of, read_test, test_row, trained
from benchmarks.record import Record, spread
from textapp.compress.soft_targets import mean_probabilities
from textapp.compress.teachers import RunTeacher
from textapp.data.rows import encode_rows
from textapp.export.conversion import Recipe
from textapp.task import task
from textapp.training.run import Run
from textapp.training.run_folder import SOFT_TARGETS

RESULTS = Path(__file__).parents[1] / "results"
WORK = Path("saved_models")
RECIPES: tuple[Recipe, ...] = ("dynamic_wi8_afp32", "dynamic_wi8_afp32_emb4")


@dataclasses.dataclass(frozen=True)
class Study:
    """Students of the same teachers, with their rows in one file.

    Attributes:
        title: Title of the table.
        says: What the scores are.
        task: Task of teachers and students.
        teachers: Folder of the teachers' runs, in the folder of all runs.
        command: The command that trains the teachers.
        data: Name of the data set.
        settings: Settings of all students.
        students: Name of a student -> more settings; the name is None if there is only one.
        alone: The best settings for a student without teachers.
        unlabelled: Files of more texts for the teachers to label.
        lengths: Lengths of the bundles; None for the default of `textapp export`.
    """

    title: str
    says: str
    task: str
    teachers: str
    command: str
    data: str
    settings: tuple[str, ...]
    students: dict[str | None, tuple[str, ...]] = dataclasses.field(default_factory=lambda: {None: ()})
    alone: tuple[str, ...] = ()
    unlabelled: tuple[str, ...] = ()
    lengths: list[int] | None = None


STUDIES = {
    "compression": Study(
        "Compression",
        "SST-2 test accuracy in %, mean ± standard deviation over seeds; one signature of 64 tokens.",
        "classification",
        "accuracy/sst2_vectors",
        "python -m benchmarks.accuracy --models sst2_vectors",
        "sst2",
        ("embedding_dim=24", "units=24", "attention_units=24", "epochs=10"),
        {
            "medium": ("vocabulary_size=8000",),
            "small": ("vocabulary_size=5600",),
            "tiny": ("vocabulary_size=4000", "embedding_rank=12"),
        },
        # More dropout, fewer and smaller steps.
        ("embedding_dropout=0.5", "dropout=0.5", "learning_rate=3e-3", "batch_size=64", "epochs=20"),
        (PHRASES,),
        [64],
    ),
    "tagger_students": Study(
        "Students of taggers",
        "CoNLL-2003 test, strict entity F1 in %, mean ± standard deviation over seeds. Target: 97 % of one teacher's "
        "score at a tenth of its parameters.",
        "tagging",
        "tagging/conll2003",
        "python -m benchmarks.accuracy --models conll2003",
        "conll2003",
        ("zero_digits=true", "repair=true", "epochs=20", "batch_size=16"),
    ),
}


def measure(name: str, student: str | None, seed: int, data: Path, work: Path, more: list[str]) -> dict[str, Any]:
    """Trains, exports and scores a student, with and without teachers; `more` are further settings, for trials."""
    study, found = STUDIES[name], task(STUDIES[name].task)
    teachers = finished_runs(work / study.teachers, study.command)
    place = work / name if student is None else work / name / student
    paths = files(study.data, data, work / name)
    config = found.student_preset(None).override([*study.settings, *study.students[student], f"seed={seed}", *more])
    run, alone = place / f"seed_{seed}", place / f"seed_{seed}_alone"
    if not (run / "metrics.json").exists():
        cached = work / name / (next(iter(study.students)) or "") / "seed_0" / SOFT_TARGETS
        textapp.distill(
            study.task,
            config,
            run,
            teachers=[RunTeacher(folder) for folder in teachers],
            **paths,
            unlabelled=[data / path for path in study.unlabelled],
            soft_targets_from=cached if cached.exists() and seed != 0 else None,
        )
    plain = {key: config.get(key) for key in found.config.settings() if key in config.settings()}
    trained(study.task, found.config.from_dict(plain).override([*study.alone, *more]), alone, **paths)
    row: dict[str, Any] = {} if student is None else {"student": student}
    row |= {"seed": seed}
    for kind, folder in (("distilled", run), ("alone", alone)):
        metrics = metrics_of(folder)
        row |= {f"{kind}_{part}": main_score(metrics, part) for part in ("valid", "test")}
        row |= {"parameters": metrics["parameters"], f"{kind}_minutes": metrics["seconds"] / 60}
    test = read_test(run, paths["test"])
    for recipe in RECIPES:
        bundle = exported(run, place / f"seed_{seed}_{recipe}", recipe=recipe, lengths=study.lengths)
        row |= {f"{recipe}_{key}": value for key, value in test_row(bundle, test).items()}
    return row


def measure_teachers(name: str, data: Path, work: Path) -> dict[str, Any]:
    """The scores of each teacher and of all together on the test split, and their size."""
    study = STUDIES[name]
    runs = finished_runs(work / study.teachers, study.command)
    test = read_test(runs[0], str(files(study.data, data, work / name)["test"]))
    return {
        "seed" if None in study.students else "student": "teachers",
        "each": [main_score(metrics_of(run), "test") for run in runs],
        "together": score_together(runs, test),
        "parameters": metrics_of(runs[0])["parameters"],
    }


def score_together(runs: list[Path], test: Any) -> float:
    """The score of the mean of the runs' probabilities."""
    first = Run.load(runs[0])
    found, targets = first.task, first.targets
    rows = encode_rows(found.rows(first.config, test, targets, first.tokenizer), first.encoder)
    items = found.items(first.config, test, first.tokenizer, training=False)
    probs = mean_probabilities([RunTeacher(run) for run in runs], items, targets.names)
    return float(found.score_soft(test, rows, probs, targets)[found.main_score(targets)])


def markdown(name: str, rows: list[dict[str, Any]]) -> str:
    """The rows of a study as Markdown, one line for each student."""
    study = STUDIES[name]
    teachers = next(row for row in rows if "each" in row)
    one, together, size = statistics.mean(teachers["each"]), teachers.get("together"), teachers["parameters"]
    both = f", {100 * together:.2f} together" if together else ""
    lines = [
        f"# {study.title}",
        "",
        f"`python -m benchmarks.compression --data DATA`: {study.says} Teachers: {100 * one:.2f} each (mean of "
        f"{len(teachers['each'])}, {size:,} parameters){both}. All students: `{' '.join(study.settings)}`.",
        "",
        "| student | parameters | of one teacher's | alone | distilled | of one teacher | of all together "
        "| int8: score, bytes | rows of 4 bits: score, bytes | text to result, ms (p50) | seeds |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for student, settings in study.students.items():
        found = [row for row in rows if "each" not in row and row.get("student") == student]
        if not found:
            continue

        def mean(key: str, found: list[dict[str, Any]] = found) -> float:
            return statistics.mean(row[key] for row in found)

        def percent(key: str, found: list[dict[str, Any]] = found) -> str:
            return spread([100 * row[key] for row in found])

        time = next(key for key in reversed(found[0]) if key.endswith("_ms_p50"))
        cells = [
            f"{student} (`{' '.join(settings)}`)" if student else "student",
            f"{mean('parameters'):,.0f}",
            f"1/{size / mean('parameters'):.1f}",
            percent("alone_test"),
            percent("distilled_test"),
            f"{mean('distilled_test') / one:.1%}",
            f"{mean('distilled_test') / together:.1%}" if together else "–",
            *(f"{percent(f'{recipe}_test')}, {mean(f'{recipe}_bytes'):,.0f}" for recipe in RECIPES),
            f"{mean(time):.3f}",
            str(len(found)),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures the missing rows and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--work", type=Path, default=WORK, help="folder of all runs, the teachers' among them")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the figures")
    parser.add_argument("--studies", nargs="+", choices=STUDIES, default=list(STUDIES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--set", nargs="+", default=[], dest="settings", help="further settings, to try things out")
    arguments = parser.parse_args()
    if arguments.settings and (arguments.results == RESULTS or arguments.work == WORK):
        parser.error("--set is for trials: give --results and --work of their own")
    for name in arguments.studies:
        record = Record(arguments.results / f"{name}.json", functools.partial(markdown, name))
        if not any("each" in row for row in record.rows):
            record.add(measure_teachers(name, arguments.data, arguments.work))
        for seed in arguments.seeds:
            for student in STUDIES[name].students:
                known = {"seed": seed} if student is None else {"student": student, "seed": seed}
                if not record.has(**known):
                    record.add(measure(name, student, seed, arguments.data, arguments.work, arguments.settings))
        print(markdown(name, record.rows))


if __name__ == "__main__":
    main()
