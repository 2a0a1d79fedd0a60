"""The best classifier within a budget of bytes, compared with its teachers, fastText and ONNX Runtime.

    python -m benchmarks.budget --data ../shared/data [--cases sst2 online_shopping] [--seeds 0 1 2]

It measures `textapp compress --budget`: a grid of students, from which validation accuracy chooses one. The search runs
with seed 0, and the chosen student is trained again with the other seeds. fastText gets the labels of all texts that
the students learn from, the same budget and five minutes of its own autotune on the validation texts. The test split is
read once for each model. The teachers are runs of `benchmarks.accuracy`. It writes results/budget.json and
results/budget.md.
"""

import argparse
import dataclasses
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import textapp
from benchmarks.compression import score_together
from benchmarks.compression_rival import train_fasttext
from benchmarks.datasets import PHRASES, files
from benchmarks.models import bundle_score, exported, finished_runs, main_score, metrics_of, model_bytes, read_test
from benchmarks.record import Record, spread
from textapp.compress.config import QuantizeConfig
from textapp.compress.teachers import RunTeacher
from textapp.search.budget import BUNDLES, QUANTIZED, SEARCH, STUDENTS, Students, search_within_budget
from textapp.search.candidates import Candidate
from textapp.task import task
from textapp.training.run import Run
from textapp.training.run_folder import SOFT_TARGETS

RESULTS = Path(__file__).parents[1] / "results"
RUNS, WORK = Path("saved_models/accuracy"), Path("saved_models/budget")
TASK = "classification"


@dataclasses.dataclass(frozen=True)
class Case:
    """Teachers, their data and a budget.

    Attributes:
        title: Title of the table.
        teachers: Model of `benchmarks.accuracy` whose runs are the teachers.
        data: Name of the data set; see `benchmarks.datasets.files`.
        budget: Bytes.
        target: Smallest share of the teachers' accuracy that the project wants.
        settings: Settings of the students.
        phrases: Whether training also uses SST's phrases: without labels, but fastText gets them with labels.
    """

    title: str
    teachers: str
    data: str
    budget: int
    target: float
    settings: tuple[str, ...]
    phrases: bool = False


CASES = {
    "sst2": Case("SST-2", "sst2_vectors", "sst2", 150_000, 0.975, ("max_tokens=64", "epochs=10"), phrases=True),
    "online_shopping": Case(
        "online_shopping_10_cats (Chinese)",
        "online_shopping",
        "online_shopping",
        200_000,
        0.985,
        ("tokenizer=char", "max_tokens=256", "epochs=8"),
    ),
}


class Compression:
    """The runs of one case, and where they are."""

    def __init__(self, name: str, data: Path, runs: Path, work: Path, more: list[str]):
        self.name, self.case, self.work = name, CASES[name], work / name
        self.files = files(self.case.data, data, runs)
        self.more = [str(data / PHRASES)] if self.case.phrases else []
        command = f"python -m benchmarks.accuracy --models {self.case.teachers}"
        self.runs = finished_runs(runs / self.case.teachers, command)
        config = task(TASK).student_preset(None).override([*self.case.settings, *more])
        self.students = Students(task(TASK), config, [RunTeacher(run) for run in self.runs])
        self.test = read_test(self.runs[0], str(self.files["test"]))

    @property
    def splits(self) -> dict[str, Any]:
        """The files to learn from."""
        return {"train": self.files["train"], "valid": self.files["valid"], "unlabelled": self.more}

    def search(self) -> dict[str, Any]:
        """Searches with seed 0, or reads the finished search."""
        out = self.work / "search"
        done: dict[str, Any] = json.loads((out / SEARCH).read_text(encoding="utf-8")) if (out / SEARCH).exists() else {}
        if "chosen" in done:
            return done
        return search_within_budget(self.students, out, budget=self.case.budget, **self.splits)

    def teaching(self) -> dict[str, Any]:
        """The scores of each teacher and of all teachers together on the test split."""
        return {
            "kind": "teachers",
            "each": [main_score(metrics_of(run), "test") for run in self.runs],
            "together": score_together(self.runs, self.test),
            "parameters": metrics_of(self.runs[0])["parameters"],
        }

    def bundle(self, seed: int) -> Path:
        """The chosen student's bundle, trained with a seed."""
        search = self.search()
        row = next(row for row in search["candidates"] if row["name"] == search["chosen"])
        if seed == 0:
            return self.work / "search" / BUNDLES / search["chosen"]
        candidate = Candidate(**{field.name: row[field.name] for field in dataclasses.fields(Candidate)})
        student, quantized = (self.work / f"seed_{seed}" / name for name in ("student", "quantized"))
        bundle = self.work / f"seed_{seed}" / "bundle"
        if not (student / "metrics.json").exists():
            soft_targets = self.work / "search" / STUDENTS / search["candidates"][0]["name"] / SOFT_TARGETS
            config = self.students.settings(candidate).replaced(seed=seed)
            teachers = self.students.teachers
            textapp.distill(TASK, config, student, teachers=teachers, **self.splits, soft_targets_from=soft_targets)
        if not (quantized / "metrics.json").exists():
            epochs = search["command"]["quantize_epochs"]
            rounding = QuantizeConfig(embedding_bits=candidate.embedding_bits, epochs=epochs)
            textapp.quantize(rounding, student, quantized)
        recipe = metrics_of(quantized)["quantization"]["recipe"]
        return exported(quantized, bundle, recipe=recipe, lengths=search["command"]["lengths"])

    def student(self, seed: int) -> dict[str, Any]:
        """The test score of the chosen student, trained with a seed."""
        bundle = self.bundle(seed)
        predictor = textapp.load(bundle)
        return {
            "kind": "student",
            "seed": seed,
            "name": self.search()["chosen"],
            "test": bundle_score(predictor, self.test),
            "bytes": model_bytes(bundle),
            "parameters": predictor.bundle.description["lineage"]["parameters"],
        }

    def fasttext(self, seed: int) -> dict[str, Any]:
        """The test score of fastText, trained with a seed."""
        paths = {name: str(self.files[name]) for name in ("train", "valid", "test")}
        row = train_fasttext(**paths, work=self.work, budget=self.case.budget, seed=seed, more=self.more)
        return {"kind": "fasttext", "seed": seed, **row}

    def latency(self) -> dict[str, Any]:
        """Milliseconds from text to label: student, teacher, and the student in ONNX Runtime, in turn."""
        from benchmarks.latency_rivals import export_onnx

        teacher, student = exported(self.runs[0], self.work / "teacher"), self.bundle(0)
        onnx = self.work / "student.int8.onnx"
        quantized = self.work / "search" / QUANTIZED / self.search()["chosen"]
        export_onnx(Run.load(quantized).model, self.work / "student.onnx", onnx)
        child = "benchmarks.budget_latency"  # a process that never loads TensorFlow
        command = [sys.executable, "-m", child, str(student), str(teacher), str(onnx), str(self.files["test"])]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        times: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return {"kind": "latency", **times, "onnx_bytes": onnx.stat().st_size}


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown: for each task, a table of the results and a table of the search."""
    lines = ["# Within a budget of bytes", "", "`python -m benchmarks.budget --data DATA`"]
    for name, case in CASES.items():
        of_task = [row for row in rows if row["task"] == name]
        kinds = {kind: [row for row in of_task if row["kind"] == kind] for kind in ("student", "fasttext", "latency")}
        teachers = next((row for row in of_task if row["kind"] == "teachers"), None)
        search = next((row for row in of_task if row["kind"] == "search"), None)
        if teachers is None or search is None or not kinds["student"]:
            continue
        one, together = statistics.mean(teachers["each"]), teachers["together"]
        lines += [
            "",
            f"## {case.title}, at most {case.budget:,} bytes of model file",
            "",
            f"Teachers: {100 * one:.2f} each (mean of {len(teachers['each'])}, {teachers['parameters']:,} parameters), "
            f"{100 * together:.2f} together. Target: {case.target:.1%} of them.",
            "",
            "| | test accuracy, % | of one teacher | of all together | bytes | parameters | seeds |",
            "|---|--:|--:|--:|--:|--:|--:|",
        ]
        for title, of_kind in (
            (f"textapp, {search['chosen']}", kinds["student"]),
            ("fastText, autotuned and quantized", kinds["fasttext"]),
        ):
            if of_kind:
                accuracy = [100 * row["test"] for row in of_kind]
                mean = statistics.mean(accuracy) / 100
                parameters = f"{of_kind[0]['parameters']:,}" if "parameters" in of_kind[0] else "–"
                size = statistics.mean(row["bytes"] for row in of_kind)
                lines.append(
                    f"| {title} | {spread(accuracy)} | {mean / one:.1%} | {mean / together:.1%} | {size:,.0f} "
                    f"| {parameters} | {len(of_kind)} |"
                )
        for row in kinds["latency"]:
            lines += [
                "",
                f"From text to label, p50 on one core, in turn: student {row['student']:.3f} ms, in ONNX Runtime int8 "
                f"{row['onnx']:.3f} ms ({row['onnx_bytes']:,} bytes), teacher {row['teacher']:.3f} ms.",
            ]
        lines += [
            "",
            "The search, seed 0, by validation accuracy:",
            "",
            "| student | words | unknown | parameters | bytes | validation, float | rounded |",
            "|---|--:|--:|--:|--:|--:|--:|",
        ]
        lines += [
            f"| {row['name']}{' (chosen)' if row['name'] == search['chosen'] else ''} | {row['vocabulary_size']:,} "
            f"| {row['oov_rate']:.1%} | {row['parameters']:,} | {row['bytes']:,} | {100 * row['valid_float']:.2f} "
            f"| {100 * row['valid']:.2f} |"
            for row in search["candidates"]
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures the missing rows and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--work", type=Path, default=WORK, help="folder for runs and bundles")
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the teachers")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the figures")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--set", nargs="+", default=[], dest="settings", help="for the students, to try things out")
    arguments = parser.parse_args()
    if arguments.settings and (arguments.results == RESULTS or arguments.work == WORK):
        parser.error("--set is for trials: give --results and --work of their own")
    record = Record(arguments.results / "budget.json", table)
    for name in arguments.cases:
        work = Compression(name, arguments.data, arguments.runs, arguments.work, arguments.settings)
        if not record.has(task=name, kind="teachers"):
            record.add({"task": name, **work.teaching()})
        if not record.has(task=name, kind="search"):
            searched = work.search()
            record.add({"task": name, "kind": "search", **{key: searched[key] for key in ("candidates", "chosen")}})
        for seed in arguments.seeds:
            for kind, measure in (("student", work.student), ("fasttext", work.fasttext)):
                if not record.has(task=name, kind=kind, seed=seed):
                    record.add({"task": name, **measure(seed)})
        if not record.has(task=name, kind="latency"):
            record.add({"task": name, **work.latency()})
    print(table(record.rows))


if __name__ == "__main__":
    main()
