"""Scores bundles and runs on the same data, and times the bundles in turn."""

import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from textapp.cli.opened import Opened, is_bundle, open_model
from textapp.cli.reporting.content import Baseline, Comparison, Device, Report, Timing, Variant, short_names
from textapp.cli.reporting.tables import percent
from textapp.cli.reporting.training import Training
from textapp.compress.lineage import Lineage
from textapp.errors import InputError
from textapp.files import named_errors, read_object
from textapp.runtime import Predictor
from textapp.runtime.bundle import Bundle
from textapp.runtime.latency import measure_latency
from textapp.runtime.size_breakdown import size_breakdown
from textapp.task import Task, canonical_name, device, task
from textapp.tasks.intervals import Difference
from textapp.text.characters import counted, printable


def measure(
    paths: Sequence[Path],
    data: str,
    options: Mapping[str, Any],
    *,
    count: int,
    rounds: int,
    threads: int,
    mistakes: int,
    say: Callable[[str], None],
) -> Report:
    """Compares models, or examines one.

    Bundles are timed before a run is opened, because TensorFlow's threads would slow them.

    Args:
        paths: Bundles and runs of one task.
        data: File of examples to score them on.
        options: How to read the file, if the file or a run does not say: see `Task.read_options`.
        count: Number of texts to time, evenly spaced.
        rounds: How often each bundle is timed, in turn.
        threads: Threads that a call may use.
        mistakes: The largest number of mistakes, and of texts that it is least sure of, to find of one model.
        say: Prints a message about each step.

    Raises:
        InputError: A path is neither bundle nor run, or is given twice; models have different tasks; the data does not
            fit.
    """
    names = short_names(paths)
    bundles = {path: open_model(path, threads) for path in paths if is_bundle(path)}
    comparison = _common(paths, bundles)
    options = task(comparison.task).check_options(options)
    examples = {path: opened.read(data, options) for path, opened in bundles.items()}
    texts: Sequence[str] = []
    if bundles:
        first, opened = next(iter(bundles.items()))
        texts = opened.task.texts(examples[first], opened.predictor.tokenizer)
        texts = texts[:: -(-len(texts) // count)]
        each = f"{counted(rounds, 'round')} of {counted(len(texts), 'text')}"
        say(f"timing {counted(len(bundles), 'bundle')} in turn, {each}")
    predictors = [opened.predictor for opened in bundles.values()]
    timings = dict(zip(bundles, _time_in_turn(predictors, texts, rounds), strict=True))
    variants: list[Variant] = []
    differences: list[Difference | None] = []
    reference: tuple[Any, list[Any]] | None = None
    examination = training = None
    for path, name in zip(paths, names, strict=True):
        opened = bundles.get(path) or open_model(path)
        given = examples.get(path) or opened.read(data, options)
        if path == paths[0]:
            say(str(given))
        opened.task.report_unseen(f"{data}, for {name},", given, opened.predictor.targets, say)
        decisions = opened.decisions(given)
        scores = opened.score(given, decisions)
        intervals = opened.task.intervals(given, decisions, opened.predictor.targets)
        bundle = opened.predictor.bundle
        if reference is None:
            reference = given, decisions
        else:
            first, known = reference
            same = first == given
            targets = opened.predictor.targets
            differences.append(opened.task.difference(given, known, decisions, targets) if same else None)
            if not same:
                say(f"note: {name} reads other examples from {data} than {names[0]}, so their scores are not paired")
        if len(paths) == 1:
            training = None if opened.run is None else Training.of_run(opened.run, comparison.metric)
            trained = {} if training is None else training.target_counts
            examination = opened.task.examine(given, decisions, opened.predictor, mistakes, trained)
        say(f"{name}: {comparison.title} {percent(scores[comparison.metric])} %")
        variants.append(
            Variant(
                name=name,
                path=os.fspath(path),
                scores=scores,
                score=scores[comparison.metric],
                model_bytes=_size(path / "model.keras") if bundle is None else bundle.model_bytes,
                lineage=Lineage.of_run(path) if bundle is None else _lineage(bundle),
                device=None if bundle is None else _device(bundle, timings[path]),
                reliability=opened.task.reliability(given, decisions, opened.predictor.targets),
                baseline=_baseline(path, comparison.metric) if bundle is None else None,
                intervals=intervals,
                interval=intervals.get(comparison.metric),
            )
        )
    return Report(
        comparison=comparison,
        data=printable(data),
        variants=tuple(variants),
        timed=len(texts),
        rounds=rounds,
        threads=threads,
        machine=_machine(),
        differences=tuple(differences),
        examination=examination,
        training=training,
        examples=0 if reference is None else len(reference[0]),
        model_noun=task(comparison.task).model_noun,
    )


def _common(paths: Sequence[Path], bundles: Mapping[Path, Opened]) -> Comparison:
    """How all models are compared. Raises `InputError` if they cannot be compared, or a path is not a model."""
    found = [_comparison(path, bundles.get(path)) for path in paths]
    for path, comparison in zip(paths, found, strict=True):
        if comparison != found[0]:
            raise InputError(
                f"{path}: {_kind(comparison)}, but {paths[0]} is {_kind(found[0])}; only models of one task can be "
                "compared"
            )
    return found[0]


def _kind(comparison: Comparison) -> str:
    """The kind of the models of a comparison, for messages."""
    return f"a {task(comparison.task).model_noun} (text to {comparison.result})"


def _comparison(path: Path, opened: Opened | None) -> Comparison:
    """How a model is compared; a run is not opened for it."""
    if opened is not None:
        return _comparison_by(opened.task, opened.predictor.targets)
    metrics = read_object(path / "metrics.json") if (path / "metrics.json").exists() else {}
    name = canonical_name(metrics.get("task"))
    if name is None:
        return _comparison(path, open_model(path))  # which raises an error that says what is wrong
    found = task(name)
    return _comparison_by(found, found.read_targets(path, metrics))


def _comparison_by(found: Task[Any, Any, Any], targets: Any) -> Comparison:
    """How models with these targets are compared."""
    return Comparison(
        task=found.name,
        result=device(found.name).result(targets),
        metric=found.main_score(targets),
        title=found.main_score_title(targets),
        counted=found.counted(targets),
    )


def _time_in_turn(predictors: Sequence[Predictor], texts: Sequence[str], rounds: int) -> list[Timing]:
    """The times of each bundle. They take turns, so that other work of the machine slows all of them."""
    figures: list[list[dict[str, float]]] = [[] for _ in predictors]
    for _ in range(rounds):
        for predictor, measured in zip(predictors, figures, strict=True):
            times = measure_latency(predictor, texts)
            measured.append({"ms_p50": times.ms_p50, "ms_p95": times.ms_p95, "model_ms_p50": times.model_ms_p50})
    return [
        Timing(
            **{key: statistics.median(each[key] for each in measured) for key in measured[0]},
            rounds=tuple(each["ms_p50"] for each in measured),
        )
        for measured in figures
    ]


def _device(bundle: Bundle, timing: Timing) -> Device:
    """The properties of a bundle."""
    beside = {*bundle.description["sha256"], "bundle.json"} - {"model.tflite"}
    return Device(
        recipe=bundle.description["recipe"],
        lowering=bundle.description["lowering"],
        lengths=tuple(bundle.signatures),
        parts=size_breakdown(bundle.model),
        beside_bytes=sum(_size(bundle.folder / name) for name in beside),
        timing=timing,
    )


def _lineage(bundle: Bundle) -> Lineage | None:
    """The lineage of the run that a bundle was made from; None if the bundle has none."""
    lineage = bundle.description.get("lineage")
    if lineage is None:
        return None
    try:
        return Lineage.from_dict(lineage)
    except ValueError as error:
        raise InputError(f'{bundle.folder / "bundle.json"}: "lineage": {error}') from error


def _baseline(run: Path, metric: str) -> Baseline | None:
    """The baseline of a run. Raises `InputError` if its entry of `metrics.json` is broken."""
    path = run / "metrics.json"
    metrics = read_object(path)
    try:
        return Baseline.of_metrics(metrics, metric)
    except ValueError as error:
        raise InputError(f'{path}: "baseline": {error}; restore the file, or train the run again') from error


def _size(path: Path) -> int:
    """The bytes of a file."""
    with named_errors(path):
        return path.stat().st_size


def _machine() -> str:
    """The processor, its cores and the interpreter's version."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    processor = " ".join(filter(None, [names[0] if names else platform.processor(), platform.machine()]))
    return f"{processor} ({os.cpu_count()} cores), LiteRT {version('ai-edge-litert')}"
