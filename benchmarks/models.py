"""Functions for benchmarks of trained models of any task: train a run once, export its bundle, score the bundle."""

import statistics
from pathlib import Path
from typing import Any

import textapp
from textapp.config import ModelConfig
from textapp.files import read_object
from textapp.runtime.latency import measure_latency
from textapp.runtime.predictor import Predictor
from textapp.task import task

MOST_TIMED = 5_000  # texts


def trained(task_name: str, config: ModelConfig, run: Path, **files: Any) -> dict[str, Any]:
    """Trains a run if it is not finished, without a baseline, which would add to its time; returns its metrics."""
    if not (run / "metrics.json").exists():
        textapp.train(task_name, config.replaced(baseline=False), run, **files)
    return metrics_of(run)


def metrics_of(run: Path) -> dict[str, Any]:
    """The content of `metrics.json` of a finished run."""
    return read_object(run / "metrics.json")


def finished_runs(folder: Path, command: str) -> list[Path]:
    """The finished runs of a folder, one for each seed. If there is none, exits with the command that makes them."""
    runs = sorted(path for path in folder.glob("seed_?") if (path / "metrics.json").exists())
    if not runs:
        raise SystemExit(f"{folder}: no finished run; first run `{command}`")
    return runs


def main_score(metrics: dict[str, Any], part: str) -> float:
    """The main score of the run's task on a split."""
    scores = metrics[part]
    return float(scores.get("accuracy", scores.get("entity_f1")))


def exported(run: Path, bundle: Path, **options: Any) -> Path:
    """Exports a run if its bundle does not exist; returns the bundle."""
    if not bundle.exists():
        textapp.export(run, bundle, **options)
    return bundle


def model_bytes(bundle: Path) -> int:
    """Size of a bundle's model file."""
    return (bundle / "model.tflite").stat().st_size


def read_test(run: Path, path: str) -> Any:
    """Examples to score a run's bundles on, read with the settings of the run."""
    found = task(metrics_of(run)["task"])
    return found.read(path, found.config.from_dict(read_object(run / "config.json")["settings"], str(run)))


def bundle_score(predictor: Predictor, test: Any) -> float:
    """The score of a bundle's predictions. Labels that the training split lacks count as wrong."""
    found = task(predictor.task)
    decisions = list(predictor.decide(found.questions(test)))
    if found.unit == "text":
        return float(statistics.mean(one.label == label for one, label in zip(decisions, test.labels, strict=True)))
    scores = found.score_decisions(test, decisions, predictor.targets)
    return float(scores[found.main_score(predictor.targets)])


def bundle_latency(predictor: Predictor, test: Any) -> dict[str, float]:
    """Median milliseconds from text to result, under their name in `textapp bench`."""
    texts = task(predictor.task).texts(test, predictor.tokenizer)
    latency = measure_latency(predictor, texts[:: -(-len(texts) // MOST_TIMED)]).to_dict()
    return {name: value for name, value in latency.items() if name.startswith("text_to_") and name.endswith("p50")}


def test_row(bundle: Path, test: Any) -> dict[str, float]:
    """Score, bytes and time of a bundle: `test`, `bytes`, `text_to_label_ms_p50` or `text_to_spans_ms_p50`."""
    predictor = textapp.load(bundle)
    row = {"test": bundle_score(predictor, test), "bytes": model_bytes(bundle)}
    return {**row, **bundle_latency(predictor, test)}
