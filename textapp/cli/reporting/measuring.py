"""Bundles and runs, scored on the same data and timed in turn."""

import os
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textapp.cli.native_log import native_log_hidden
from textapp.cli.opened import open_model, task_of
from textapp.cli.output import printable
from textapp.cli.reporting.content import (
    LABELS,
    SPANS,
    TAGS,
    Device,
    Report,
    Task,
    Timing,
    Variant,
    percent,
    short_names,
)
from textapp.cli.scoring import label_scores, read_for, tagger_scores
from textapp.compress.lineage import Lineage
from textapp.data.readers import check_labels, read_examples
from textapp.errors import InputError
from textapp.files import named_errors, read_json
from textapp.runtime import BundleTagger, Predictor, Tagger, load
from textapp.runtime.latency import measure_latency, measure_tag_latency
from textapp.runtime.parts import file_parts
from textapp.tasks.tagging.scores import unseen_tags

if TYPE_CHECKING:
    from textapp.data.readers import Examples

Bundle = Predictor | BundleTagger


@dataclass(frozen=True)
class Data:
    """What models are scored on, and how it is read.

    Attributes:
        path: File or folder.
        text_column: Of labelled texts, where the header does not tell.
        label_column: Likewise.
        token_column: Of tagged sentences.
        tag_column: Likewise.
        repair: Whether broken tag sequences are mended rather than refused.
    """

    path: str
    text_column: str | None = None
    label_column: str | None = None
    token_column: str | None = None
    tag_column: str | None = None
    repair: bool = False


def measure(
    paths: Sequence[Path], data: Data, *, count: int, rounds: int, threads: int, say: Callable[[str], None]
) -> Report:
    """Compares models.

    Bundles are timed before a run is opened: TensorFlow's threads would slow them.

    Args:
        paths: Bundles and runs of one task.
        data: What to score them on.
        count: How many of its texts to time, evenly spaced.
        rounds: How often each bundle is timed, in turn.
        threads: That a call may use.
        say: Is told each step.

    Raises:
        InputError: A path is neither bundle nor run, or given twice; tasks are mixed; the data does not fit.
    """
    names = short_names(paths)
    bundles = {path: _open(path, threads) for path in paths if (path / "bundle.json").exists()}
    task = _common_task(paths, bundles)
    examples = read_examples(data.path, data.text_column, data.label_column) if task == LABELS else None
    if examples is not None:
        say(str(examples))
        for opened in bundles.values():
            if isinstance(opened, Predictor):
                check_labels(examples, opened.labels)
    texts: Sequence[str] = []
    if bundles:
        texts = _texts(next(iter(bundles.values())), examples, data)
        texts = texts[:: -(-len(texts) // count)]
        say(f"timing {len(bundles)} bundles in turn, {rounds} times, {len(texts):,} texts each")
    timings = dict(zip(bundles, _time_in_turn(list(bundles.values()), texts, rounds), strict=True))
    variants = []
    for path, name in zip(paths, names, strict=True):
        bundle = bundles.get(path)
        scores = _scores(path, bundle, examples, data, say)
        say(f"{name}: {task.title} {percent(scores[task.metric])} %")
        variants.append(
            Variant(
                name=name,
                path=os.fspath(path),
                scores=scores,
                score=scores[task.metric],
                model_bytes=_size(path / "model.keras") if bundle is None else len(bundle.bundle.model),
                lineage=Lineage.of_run(path) if bundle is None else _lineage(bundle),
                device=None if bundle is None else _device(bundle, timings[path]),
            )
        )
    return Report(task, printable(data.path), tuple(variants), len(texts), rounds, threads, _machine())


def _open(path: Path, threads: int) -> Bundle:
    """Loads a bundle."""
    with native_log_hidden():
        return load(path, threads)


def _common_task(paths: Sequence[Path], bundles: dict[Path, Bundle]) -> Task:
    """The task of all models. Raises `InputError` where they have several, or a path is none."""
    tasks = [_task(path, bundles.get(path)) for path in paths]
    for path, task in zip(paths, tasks, strict=True):
        if task != tasks[0]:
            raise InputError(
                f"{path}: {task.does}, but {paths[0]} {tasks[0].does}; only models of one task can be compared"
            )
    return tasks[0]


def _task(path: Path, bundle: Bundle | None) -> Task:
    """The task of a model."""
    if isinstance(bundle, Predictor):
        return LABELS
    if bundle is not None:
        return TAGS if bundle.tag_set.scheme is None else SPANS
    if task_of(path) == "ner":
        return TAGS if read_json(path / "metrics.json").get("scheme") is None else SPANS
    if task_of(path) != "sentiment":
        open_model(path)  # says what is wrong with it
    return LABELS


def _texts(bundle: Bundle, examples: "Examples | None", data: Data) -> list[str]:
    """The texts to time; of tagged sentences their tokens with spaces between, or none where one is a character."""
    if examples is not None:
        return examples.texts
    assert isinstance(bundle, BundleTagger)
    sentences = read_for(bundle, data.path, data.token_column, data.tag_column, data.repair).sentences
    return [("" if bundle.tokenizer.kind == "char" else " ").join(tokens) for tokens in sentences]


def _time_in_turn(bundles: Sequence[Bundle], texts: Sequence[str], rounds: int) -> list[Timing]:
    """The times of each bundle; what else the machine does meanwhile hits all of them."""
    figures: list[list[dict[str, Any]]] = [[] for _ in bundles]
    for _ in range(rounds):
        for bundle, measured in zip(bundles, figures, strict=True):
            measured.append(_times(bundle, texts))
    return [
        Timing(
            **{key: statistics.median(each[key] for each in measured) for key in measured[0]},
            rounds=tuple(each["ms_p50"] for each in measured),
        )
        for measured in figures
    ]


def _times(bundle: Bundle, texts: Sequence[str]) -> dict[str, float]:
    """One round of one bundle."""
    if isinstance(bundle, Predictor):
        labels = measure_latency(bundle, texts)
        p50, p95, model = labels.text_to_label_ms_p50, labels.text_to_label_ms_p95, labels.model_ms_p50
    else:
        spans = measure_tag_latency(bundle, texts)
        p50, p95, model = spans.text_to_spans_ms_p50, spans.text_to_spans_ms_p95, spans.model_ms_p50
    return {"ms_p50": p50, "ms_p95": p95, "model_ms_p50": model}


def _scores(
    path: Path, bundle: Bundle | None, examples: "Examples | None", data: Data, say: Callable[[str], None]
) -> dict[str, Any]:
    """What `textapp evaluate` says of a model."""
    if examples is not None:
        classifier = open_model(path) if bundle is None else bundle
        assert not isinstance(classifier, Tagger)
        return label_scores(classifier, examples)
    if isinstance(bundle, BundleTagger):
        tagged = read_for(bundle, data.path, data.token_column, data.tag_column, data.repair)
        if unseen := unseen_tags(tagged, bundle.tag_set):
            say(f"warning: {path} does not know and will miss: {', '.join(unseen)}")
        return tagger_scores(bundle, tagged)
    with native_log_hidden():
        from textapp.training.ner_run import NerRun

        return NerRun.load(path).score(data.path, data.token_column, data.tag_column, data.repair, report=say)


def _device(model: Bundle, timing: Timing) -> Device:
    """What a bundle says of itself."""
    bundle = model.bundle
    beside = {*bundle.description["sha256"], "bundle.json"} - {"model.tflite"}
    return Device(
        recipe=bundle.description["recipe"],
        lowering=bundle.description["lowering"],
        lengths=tuple(bundle.signatures),
        parts=file_parts(bundle.model),
        beside_bytes=sum(_size(bundle.folder / name) for name in beside),
        timing=timing,
    )


def _lineage(model: Bundle) -> Lineage | None:
    """What a bundle says of the run that it was made from; None where it says nothing."""
    said = model.bundle.description.get("lineage")
    if said is None:
        return None
    try:
        return Lineage.from_dict(said)
    except ValueError as error:
        raise InputError(f'{model.bundle.folder / "bundle.json"}: "lineage": {error}') from error


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
