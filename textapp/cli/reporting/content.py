"""The content of a report, for HTML and Markdown: the compared models and the tables about them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from textapp.answers import ReliabilityBin
from textapp.cli.output import printable
from textapp.cli.reporting.training import Training
from textapp.compress.lineage import Lineage
from textapp.errors import InputError
from textapp.runtime.size_breakdown import FileParts
from textapp.tasks.examination import Examination
from textapp.tasks.intervals import WILSON, Difference, Interval
from textapp.text.characters import counted

NONE = "–"
SPLITS = ("valid", "test")


class Comparison(NamedTuple):
    """How models are compared. Models can be compared if this is equal for them.

    Attributes:
        task: Name of their task.
        result: The word for what is predicted for a text.
        metric: The key of the score that they are compared by.
        title: The name of this score for people.
        counted: The items that the scores' `count` counts.
    """

    task: str
    result: str
    metric: str
    title: str
    counted: str


@dataclass(frozen=True)
class Timing:
    """Milliseconds of a call: medians over rounds.

    Attributes:
        ms_p50: Median time from text to result.
        ms_p95: 95th percentile of this time.
        model_ms_p50: Median time of the model only.
        rounds: `ms_p50` of each round.
    """

    ms_p50: float
    ms_p95: float
    model_ms_p50: float
    rounds: tuple[float, ...]


@dataclass(frozen=True)
class Baseline:
    """The quick model that a training was compared with.

    Attributes:
        model: What it is.
        splits: For each held-out split of the training, the score of the trained model and of the baseline.
    """

    model: str
    splits: dict[str, tuple[float, float]]

    @classmethod
    def of_metrics(cls, metrics: Mapping[str, Any], metric: str) -> "Baseline | None":
        """Reads it from the content of `metrics.json`; None without a baseline. Raises `ValueError` if it is broken."""
        if "baseline" not in metrics:
            return None
        try:
            entry = metrics["baseline"]
            names = [name for name in SPLITS if name in entry]
            splits = {name: (metrics[name][metric], entry[name][metric]) for name in names}
            model = entry["model"]
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a baseline: {error}") from error
        if not isinstance(model, str) or any(type(score) is not float for pair in splits.values() for score in pair):
            raise ValueError("not a baseline: a field has a wrong type")
        return cls(model, splits)


@dataclass(frozen=True)
class Variant:
    """A model that is compared with others.

    Attributes:
        name: The end of its path, long enough to differ from the other names.
        path: The path on the command line.
        scores: The scores of `textapp evaluate`.
        score: The score by which models are compared, from 0 to 1.
        model_bytes: Size of model.tflite and ngrams.bin, or of a run's model.keras.
        lineage: What was done to the model before its export; None if its bundle does not say.
        device: The properties that only a bundle has; None for a run.
        reliability: How often its predictions are right, by their confidence; empty if they have none.
        baseline: The quick model that its training was compared with; None for a bundle and without one.
        intervals: The confidence intervals of scores, by their keys.
        interval: That of `score`; None if not known.
    """

    name: str
    path: str
    scores: dict[str, Any]
    score: float
    model_bytes: int
    lineage: Lineage | None
    device: "Device | None"
    reliability: tuple[ReliabilityBin, ...] = ()
    baseline: Baseline | None = None
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    interval: Interval | None = None

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """The ends of the interval of the score in points; None if not known."""
        return (None, None) if self.interval is None else (100 * self.interval.low, 100 * self.interval.high)

    def to_dict(self) -> dict[str, Any]:
        """The variant as JSON values."""
        fields = asdict(self)
        del fields["interval"]
        intervals = {key: interval._asdict() for key, interval in self.intervals.items()}
        return {**fields, "lineage": self.lineage and self.lineage.to_dict(), "intervals": intervals}


@dataclass(frozen=True)
class Device:
    """The properties of a bundle, and its time on this machine.

    Attributes:
        recipe: How the weights are stored.
        lowering: How recurrent layers run.
        lengths: Numbers of tokens that texts are padded to.
        parts: The bytes of the parts of model.tflite.
        beside_bytes: Bytes of the bundle's other files: vocabulary, labels or tags, bundle.json.
        timing: The time of a call.
    """

    recipe: str
    lowering: str
    lengths: tuple[int, ...]
    parts: FileParts
    beside_bytes: int
    timing: Timing


@dataclass(frozen=True)
class Report:
    """Models compared on the same data.

    Attributes:
        comparison: How they are compared.
        data: The data that they were scored on.
        variants: The models, in the order of the command line.
        timed: Number of texts that each bundle was timed on in each round; 0 without bundles.
        rounds: Number of rounds.
        threads: Number of threads of a call.
        machine: The machine that the bundles were timed on.
        differences: The score of each model after the first minus that of the first, and a test; None for a model that
            reads other examples from the data than the first. Empty for one model.
        examination: What the only model makes of the examples one by one; None for several models.
        training: How the only model was trained; None for several models and for a bundle.
        examples: The number of examples in the data.
        model_noun: Name of a model of the task.
    """

    comparison: Comparison
    data: str
    variants: tuple[Variant, ...]
    timed: int
    rounds: int
    threads: int
    machine: str
    differences: tuple[Difference | None, ...] = ()
    examination: Examination | None = None
    training: Training | None = None
    examples: int = 0
    model_noun: str = "model"

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "metric": self.comparison.metric,
            "data": self.data,
            "timed": self.timed,
            "rounds": self.rounds,
            "threads": self.threads,
            "machine": self.machine,
            "variants": [variant.to_dict() for variant in self.variants],
            "differences_to_first": [one and one._asdict() for one in self.differences],
        }

    def html(self) -> str:
        """The page: of one model, or of several side by side."""
        if self.examination is not None:
            from textapp.cli.reporting.model_page import model_page  # which reads this file

            return model_page(self)
        from textapp.cli.reporting.page import page

        return page(self)

    def _repr_html_(self) -> str:
        """The page in a notebook, in a frame of its own, so that neither changes the style of the other."""
        return f'<iframe srcdoc="{escape(self.html())}" style="width:100%;height:640px;border:0"></iframe>'

    @property
    def data_name(self) -> str:
        """The name of the data without its folders, which may tell who works where."""
        return self.data.replace("\\", "/").rstrip("/").rpartition("/")[2]

    @property
    def has_confidence(self) -> bool:
        """Whether predictions of the models have a confidence."""
        return all(variant.reliability for variant in self.variants)

    @property
    def title(self) -> str:
        """A headline."""
        count = len(self.variants)
        return f"{counted(count, 'model')}: {self.comparison.title}, bytes, latency"

    def notes(self) -> list[str]:
        """Notes on how the figures were measured, one or two sentences each."""
        *fewer, most = sorted({variant.scores["count"] for variant in self.variants})
        count = " or ".join([*(f"{number:,}" for number in fewer), counted(most, self.comparison.counted)])
        lines = [f"Scores: {self.comparison.title} as of textapp evaluate on {self.data_name}, {count}."]
        methods = {variant.interval.method for variant in self.variants if variant.interval is not None}
        if methods:
            how = (
                "Wilson's score method" if methods == {WILSON} else "percentiles of 2,000 bootstrap resamples of texts"
            )
            lines.append(
                f"Intervals: 95 % confidence, by {how}: the range of scores that other texts of the same source would "
                "give, not other seeds of a training."
            )
        if any(self.differences):
            tests = {one.method for one in self.differences if one is not None}
            line = (
                f"Differences: of the same texts; their intervals are by the paired bootstrap, p by "
                f"{' and '.join(sorted(tests))}, of two sides."
            )
            if len(self.differences) > 1:
                line += " p is raised for the number of tests by Holm's method."
            lines.append(line)
        if self.timed:
            lines.append(
                f"Latency: one text a call from string to {self.comparison.result}, on "
                f"{counted(self.threads, 'thread')} of {self.machine}; {counted(self.timed, 'text')} of the data. "
                f"All bundles in turn, {counted(self.rounds, 'round')}: the median round, and from the fastest to the "
                "slowest."
            )
        if any(variant.device is None for variant in self.variants):
            lines.append(
                "Runs are Keras models for training: model.keras may also hold the optimizer's state, and has no "
                "latency on a device."
            )
        if any(variant.device and variant.lineage is None for variant in self.variants):
            lines.append(f"{NONE} under parameters and before the export: that bundle does not tell.")
        return lines


def bundles(report: Report) -> list[tuple[int, Variant, Device]]:
    """The bundles with their numbers."""
    numbered = enumerate(report.variants, start=1)
    return [(number, variant, variant.device) for number, variant in numbered if variant.device is not None]


def short_names(paths: Sequence[Path]) -> list[str]:
    """The shortest ends of paths that differ from each other, with control characters escaped.

    Raises:
        InputError: Two paths are the same folder.
    """
    places = [path.resolve().parts for path in paths]
    names = []
    for index, place in enumerate(places):
        if place in places[:index]:
            raise InputError(f"{paths[index]}: is given twice")
        others = [other for other in places if other != place]
        depth = next((n for n in range(1, len(place)) if all(other[-n:] != place[-n:] for other in others)), len(place))
        names.append(printable("/".join(place[-depth:])))
    return names
