"""Regression as a `textapp.task.Task`: classification, except for what numbers change."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textapp.task import Files, PathLike, Report, Task
from textapp.tasks.classification.task import Classification, evenly_spaced
from textapp.tasks.regression.config import PRESETS, RegressionConfig, RegressionStudentConfig

if TYPE_CHECKING:
    import keras
    import numpy as np

    from textapp.answers import Baseline
    from textapp.data.doubts import Doubt
    from textapp.data.near_duplicates import Conflict
    from textapp.data.profile import Profile
    from textapp.data.readers import Examples
    from textapp.data.rows import EncodedRows, TargetRows
    from textapp.tasks.examination import Examiner
    from textapp.text.estimates import Estimate, Numbers
    from textapp.text.terminal import Screen
    from textapp.text.tokenizer import Tokenizer

_SAME = 0.05  # standard deviations of the training texts: smaller differences are of no use to anybody


class Regression(Classification):
    """Each text has one number or several: stars, a price, the days until an answer."""

    name = "regression"
    model_noun = "regressor"
    short_name = "regression"
    does = "estimates one number of each text, or several"
    target_noun = "number"
    exclusive = False
    numeric = True
    config = RegressionConfig
    student_config: Any = RegressionStudentConfig
    presets = PRESETS
    files_help = (
        "texts with numbers: TSV, CSV, JSON lines or parquet with a column of numbers, several columns "
        "(label_column=a,b) or a JSON list of numbers, each also gzipped"
    )
    inherited_settings = ("label_column", "loss", "low_quantile", "high_quantile")
    score_titles: ClassVar = {"pearson": "Pearson", "spearman": "Spearman"}

    def read(self, path: PathLike, config: Any = None, targets: Any = None, **options: Any) -> "Examples":
        """See `Task`."""
        from textapp.tasks.regression.data import read_numbers

        del targets
        return read_numbers(path, config, **options)

    def read_splits(
        self, config: Any, files: Files, seed: int, report: Report
    ) -> "tuple[Examples, dict[str, Examples]]":
        """See `Task`."""
        from textapp.tasks.regression.data import read_splits

        return read_splits(config, files, seed, report)

    def profile(self, config: Any, files: Files, train: "Examples", held_out: "Mapping[str, Examples]") -> "Profile":
        """See `Task`."""
        from textapp.tasks.regression.data import profile

        del held_out
        return profile(config, files, train)

    def targets(self, config: Any, train: "Examples", report: Report, known: Any = None) -> "Numbers":  # type: ignore[override]
        """See `Task`: with the mean and the standard deviation of each number."""
        from textapp.tasks.regression.data import scaled_numbers

        return scaled_numbers(config, train, report, known)

    def known_examples(self, examples: "Examples", targets: Any) -> "Examples":
        """See `Task`: all."""
        del targets
        return examples

    def report_targets(self, config: Any, targets: Any, target_counts: Any, report: Report) -> None:
        """See `Task`: nothing, as numbers have no classes."""

    def check(self, examples: "Examples", targets: Any, model: str = "the model", validation: bool = False) -> None:
        """See `Task`: texts must have as many numbers as the model."""
        from textapp.tasks.regression.data import check_width

        del validation
        check_width(examples, len(targets.columns), model)

    def report_unseen(self, name: str, examples: "Examples", targets: Any, report: Report) -> None:
        """See `Task`: nothing, as any number may occur."""

    def rows(
        self,
        config: Any,
        examples: "Examples",
        targets: Any,
        tokenizer: "Tokenizer",
        training: bool = False,
        keep_empty: bool = False,
    ) -> "TargetRows":
        """See `Task`."""
        from textapp.tasks.regression.data import number_rows

        del training
        return number_rows(config, examples, targets, tokenizer, keep_empty)

    def describe_conflict(self, examples: "Examples", conflict: "Conflict") -> list[str]:
        """See `Task`."""
        return [", ".join(f"{value:g}" for value in examples.labels[number]) for number in conflict.numbers]

    def doubts(self, examples: "Examples", tokenizer: "Tokenizer", predictor: Any, report: Report) -> "list[Doubt]":
        """See `Task`: none, because no number is less probable than another one."""
        del examples, tokenizer, predictor
        report("not judged: the numbers of a regressor, which have no probabilities")
        return []

    def head(self, config: Any, targets: Any) -> Callable[[Any, Any], Any]:
        """See `Task`: attention pooling and standardized numbers."""
        from textapp.tasks.regression.head import regression_head

        return regression_head(len(targets), config.attention_units, config.encoder.dropout)

    def loss(self, config: Any, model: "keras.Model", target_counts: "np.ndarray") -> "keras.losses.Loss":
        """See `Task`."""
        from textapp.tasks.regression.losses import StandardizedLoss

        del target_counts
        loss, width = config.loss, model.output_shape[-1]
        ends = loss.quantiles
        quantiles = () if ends is None else [one for one in (0.5, *ends) for _ in range(width // 3)]
        return StandardizedLoss(loss.loss, loss.huber_delta, quantiles)

    def metrics(self) -> "list[keras.metrics.Metric]":
        """See `Task`: none; the scores of an epoch are in the units of the user."""
        return []

    def soft_distance(self, config: Any, model: "keras.Model") -> Callable[[Any, Any, Any], Any]:
        """See `Task`."""
        from textapp.tasks.regression.losses import soft_distance

        del config, model
        return soft_distance()

    def probabilities(self, model: "keras.Model") -> Callable[[Any, Any], Any]:
        """See `Task`: the outputs, which `soft_numbers` converts."""
        return self.decoded(model)

    def soft_numbers(self, outputs: "np.ndarray", targets: Any) -> "np.ndarray":
        """See `Task`: in the units of the user."""
        import numpy as np

        return np.asarray(list(map(targets.decode, outputs.tolist()))).reshape(-1, len(targets))

    def soft_outputs(self, numbers: "np.ndarray", targets: Any) -> "np.ndarray":
        """See `Task`: standardized."""
        import numpy as np

        return np.asarray((numbers - np.asarray(targets.offsets)) / np.asarray(targets.scales))

    def decisions(self, rows: "EncodedRows", decoded: "np.ndarray", targets: Any) -> "list[Estimate]":
        """See `Task`: an estimate of each row."""
        del rows
        return [targets.estimate(targets.decode(row)) for row in decoded.tolist()]

    def agree(self, before: Any, after: Any, targets: Any) -> bool:
        """See `Task`: whether no number differs by more than a twentieth of a standard deviation."""
        rows = zip(before.values, after.values, targets.scales, strict=False)
        return all(abs(one - other) <= _SAME * scale for one, other, scale in rows)

    def score_decisions(self, examples: "Examples", decisions: Sequence[Any], targets: Any) -> dict[str, Any]:
        """See `Task`."""
        from textapp.tasks.regression.scores import number_scores

        return number_scores(examples.labels, decisions, targets)

    def score(self, examples: "Examples", rows: "EncodedRows", decoded: "np.ndarray", targets: Any) -> dict[str, Any]:
        """See `Task`."""
        from textapp.tasks.regression.scores import number_scores

        true = [examples.labels[row] for row in rows.sources.tolist()]
        return number_scores(true, self.decisions(rows, decoded, targets), targets)

    def monitor(self, config: Any, targets: Any, target_counts: "np.ndarray") -> str:
        """See `Task`: by default the loss, which also sees whether numbers are too high or too low."""
        del targets, target_counts
        return "loss" if config.monitor == "auto" else str(config.monitor)

    def report_decisions(
        self,
        config: Any,
        examples: "Examples",
        rows: "EncodedRows",
        decoded: "np.ndarray",
        targets: Any,
        report: Report,
    ) -> None:
        """See `Task`: a model that gives all texts nearly the same number."""
        del config, examples, rows
        for name, spread in zip(targets.columns, decoded.std(axis=0).tolist(), strict=False):
            if spread < _SAME:
                report(f"warning: the model estimates nearly the same {name} for each text of valid; try more epochs")

    def calibrated(self, examples: "Examples", rows: "EncodedRows", decoded: "np.ndarray", targets: Any) -> "Numbers":  # type: ignore[override]
        """See `Task`: with intervals as wide as the numbers of the examples need."""
        from textapp.tasks.regression.scores import interval_margins

        found: Numbers = targets
        if found.quantiles is None:
            return found
        true = [examples.labels[row] for row in rows.sources.tolist()]
        return found.shifted(interval_margins(true, self.decisions(rows, decoded, targets), targets))

    def reliability(self, examples: "Examples", decisions: Sequence[Any], targets: Any) -> tuple[()]:
        """See `Task`: none, because numbers have no confidence."""
        del examples, decisions, targets
        return ()

    def examiner(self) -> "Examiner":
        """See `Task`."""
        from textapp.tasks.regression import examination

        return examination

    def baseline(
        self, config: Any, train: "Examples", rows: "EncodedRows", targets: Any, tokenizer: "Tokenizer"
    ) -> "Baseline":
        """See `Task`: ridge regression over n-grams."""
        from textapp.tasks.regression.baseline import ridge

        return ridge(train, rows, targets, tokenizer, config.training.seed)

    def score_soft(
        self, examples: "Examples", rows: "EncodedRows", probs: "np.ndarray", targets: Any
    ) -> dict[str, Any]:
        """See `Task`: `probs` are numbers in the units of the user."""
        from textapp.tasks.regression.scores import number_scores

        true = [examples.labels[row] for row in rows.sources.tolist()]
        return number_scores(true, list(map(targets.estimate, probs.tolist())), targets)

    def main_score(self, targets: Any) -> str:
        """See `Task`."""
        del targets
        return "pearson"

    def main_score_title(self, targets: Any) -> str:
        """See `Task`."""
        return self.score_titles[self.main_score(targets)]

    def describe_scores(self, scores: Mapping[str, Any]) -> str:
        """See `Task`."""
        from textapp.text.characters import counted

        inside = f", {scores['coverage']:.1%} inside of the intervals" if "coverage" in scores else ""
        return (
            f"mean absolute error {scores['mae']:.4g}, root mean squared error {scores['rmse']:.4g}, Pearson "
            f"{scores['pearson']:.4f}, Spearman {scores['spearman']:.4f}{inside} on {counted(scores['count'], 'text')}"
        )

    def score_tables(self, scores: Mapping[str, Any]) -> list[tuple[Sequence[str], list[Sequence[str]]]]:
        """See `Task`: the scores of each number, of several."""
        from textapp.tasks.regression.scores import NUMBERS
        from textapp.text.characters import printable

        if NUMBERS not in scores:
            return []
        keys = list(next(iter(scores[NUMBERS].values())))
        rows: list[Sequence[str]] = [
            [printable(name), *(f"{part[key]:.4g}" for key in keys)] for name, part in scores[NUMBERS].items()
        ]
        return [(["number", *keys], rows)]

    def read_texts(self, path: PathLike, tokenizer: "Tokenizer", count: int, **options: Any) -> list[str]:
        """See `Task`."""
        del tokenizer
        return self.read(path, **options).texts[:count]

    def prediction_lines(
        self, texts: Sequence[str], predictions: Sequence[Any], targets: Any, screen: "Screen"
    ) -> Iterator[str]:
        """See `Task`: numbers with their intervals, and the text with its attention."""
        from textapp.tasks.regression.terminal import prediction_lines

        del targets
        return prediction_lines(texts, predictions, screen)

    def listed_targets(self, targets: Any) -> tuple[str, Sequence[str]]:
        """See `Task`."""
        return "numbers", targets.columns

    def shown_counts(self, targets: Any, counts: "np.ndarray") -> dict[str, int]:
        """See `Task`: none, because each text has each number."""
        del targets, counts
        return {}

    def describe_targets(self, targets: Any) -> dict[str, Any]:
        """See `Task`."""
        return {"labels": list(targets.names), **_scaling(targets)}

    def read_targets(self, folder: Path, metrics: Mapping[str, Any]) -> "Numbers":  # type: ignore[override]
        """See `Task`."""
        from textapp.errors import InputError
        from textapp.files import read_line_file
        from textapp.text.estimates import SCALING, numbers_of

        path = folder / "metrics.json"
        for key, (is_valid, rule) in SCALING.items():
            if key not in metrics or not is_valid(metrics[key]):
                raise InputError(f'{path}: "{key}" must be {rule}')
        found = numbers_of(read_line_file(folder / self.target_files[0], metrics.get("labels")), metrics)
        if found is None:
            raise InputError(f'{path}: "quantiles", "offsets" and "scales" do not fit "labels"')
        return found

    def read_sample(self, path: Path, targets: Any) -> "Examples":
        """See `Task`."""
        del targets
        return self.read(path)

    def dashboards(self, folder: Path, data: Any, scores: Any, validation: Any, probe: Any) -> list[Any]:
        """See `Task`."""
        from textapp.tasks.regression.dashboards import regression_dashboards

        valid = data.examples["valid"]
        shown = valid.select(evenly_spaced(len(valid)))
        return regression_dashboards(folder, data, scores, validation, probe, shown)

    def device_fields(self, config: Any, model: "keras.Model", targets: Any) -> dict[str, Any]:
        """See `Task`."""
        del config, model
        return _scaling(targets)

    def teacher_targets(self, config: Any, train: "Examples", teachers: Any, report: Report) -> "Numbers":  # type: ignore[override]
        """See `Task`."""
        from textapp.tasks.regression.data import student_numbers

        return student_numbers(config, train, teachers, report)

    def targets_of_names(self, names: Iterable[str], source: str, known: Any = None) -> "Numbers":  # type: ignore[override]
        """See `Task`."""
        from textapp.tasks.regression.data import numbers_from_names

        del known
        return numbers_from_names(sorted(names), source)

    split_scope = Task.split_scope
    score_answers = Task.score_answers
    precision_thresholds = Task.precision_thresholds


def _scaling(targets: Any) -> dict[str, Any]:
    """What a run and a bundle know of the numbers besides their names."""
    quantiles = targets.quantiles
    return {
        "quantiles": None if quantiles is None else list(quantiles),
        "offsets": list(targets.offsets),
        "scales": list(targets.scales),
    }


TASK = Regression()
