"""Multi-label classification as a `textapp.task.Task`: classification, except for what several labels change."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from textapp.task import Files, PathLike, Report
from textapp.tasks.classification.config import ClassificationConfig, StudentConfig
from textapp.tasks.classification.task import Classification, evenly_spaced

if TYPE_CHECKING:
    import keras
    import numpy as np

    from textapp.data.readers import Examples
    from textapp.data.rows import EncodedRows
    from textapp.tasks.examination import Examiner
    from textapp.text.labels import IndependentLabels
    from textapp.text.terminal import Screen
    from textapp.text.tokenizer import Tokenizer


_Monitor = Annotated[
    Literal["auto", "micro_f1", "macro_f1", "loss"],
    "Validation score that chooses the best epoch and stops early; auto: micro_f1.",
]


@dataclasses.dataclass(frozen=True)
class MultilabelConfig(ClassificationConfig):
    """The settings of `textapp train multilabel-classifier`: those of a classifier, without `stream`."""

    in_memory = "a multilabel-classifier"

    monitor: _Monitor = "auto"  # type: ignore[assignment]


@dataclasses.dataclass(frozen=True)
class MultilabelStudentConfig(StudentConfig):
    """The settings of `textapp distill` for a multilabel-classifier."""

    monitor: _Monitor = "auto"  # type: ignore[assignment]


class Multilabel(Classification):
    """Each text has any number of labels: the topics of an article, the complaints of a review."""

    name = "multilabel"
    model_noun = "multilabel-classifier"
    short_name = "multilabel"
    does = "gives each text any number of its labels"
    exclusive = False
    config = MultilabelConfig
    student_config = MultilabelStudentConfig
    files_help = (
        "texts with labels: TSV or CSV with a header and `a,b` as labels, or JSON lines with a list of them, each also "
        "gzipped"
    )
    score_titles: ClassVar = {"micro_f1": "micro F1", "macro_f1": "macro F1"}

    def read(
        self,
        path: PathLike,
        config: ClassificationConfig | None = None,
        targets: Any = None,
        **options: Any,
    ) -> "Examples":
        """See `Task`."""
        from textapp.tasks.classification.data import read_labelled

        del targets
        return read_labelled(path, config, several=True, **options)

    def read_splits(
        self, config: ClassificationConfig, files: Files, seed: int, report: Report
    ) -> "tuple[Examples, dict[str, Examples]]":
        """See `Task`."""
        from textapp.tasks.classification.data import read_splits

        return read_splits(config, files, seed, report, several=True)

    def targets(
        self, config: ClassificationConfig, train: "Examples", report: Report, known: Any = None
    ) -> "IndependentLabels":
        """See `Task`."""
        from textapp.tasks.classification.data import label_set
        from textapp.text.labels import IndependentLabels

        if all(len(names) == 1 for names in train.labels):
            report(
                f"note: each text of {train.source} has exactly one label; `textapp train classifier` is made for such "
                "data and always gives one label"
            )
        return label_set(config, train, report, IndependentLabels, known)

    def loss(
        self, config: ClassificationConfig, model: "keras.Model", target_counts: "np.ndarray"
    ) -> "keras.losses.Loss":
        """See `Task`: a binary cross-entropy for each label."""
        import keras

        from textapp.tasks.classification.losses import label_loss
        from textapp.tasks.multilabel.losses import WeightedBinaryCrossentropy

        del model
        plain = keras.losses.BinaryCrossentropy
        return label_loss(config.loss, target_counts, plain, WeightedBinaryCrossentropy)

    def monitor(self, config: ClassificationConfig, targets: Any, target_counts: "np.ndarray") -> str:
        """See `Task`: by default micro F1; unlike accuracy, it sees whether rare labels are found."""
        del target_counts
        return self.main_score(targets) if config.monitor == "auto" else config.monitor

    def metrics(self) -> "list[keras.metrics.Metric]":
        """See `Task`: none, because thresholds are not known before the end of an epoch."""
        return []

    def soft_distance(self, config: StudentConfig, model: "keras.Model") -> Callable[[Any, Any, Any], Any]:
        """See `Task`."""
        from textapp.tasks.multilabel.losses import soft_distance

        del model
        return soft_distance(config.distillation.distillation_loss, config.distillation.temperature)

    def probabilities(self, model: "keras.Model") -> Callable[[Any, Any], Any]:
        """See `Task`."""
        from keras import ops

        del model
        return lambda outputs, _: ops.sigmoid(outputs)

    def decisions(self, rows: "EncodedRows", decoded: "np.ndarray", targets: Any) -> list[tuple[str, ...]]:
        """See `Task`: the labels of each row whose probabilities reach their thresholds; none without tokens."""
        import numpy as np

        from textapp.tasks.multilabel.scores import sigmoid

        logits = np.where(rows.lengths[:, None] > 0, decoded, -np.inf)
        return [targets.chosen(row) for row in sigmoid(logits).tolist()]

    def score_decisions(
        self, examples: "Examples", decisions: Sequence[tuple[str, ...]], targets: Any
    ) -> dict[str, Any]:
        """See `Task`."""
        return _scores(examples.labels, decisions, targets)

    def score(self, examples: "Examples", rows: "EncodedRows", decoded: "np.ndarray", targets: Any) -> dict[str, Any]:
        """See `Task`."""
        true = [examples.labels[row] for row in rows.sources.tolist()]
        return _scores(true, self.decisions(rows, decoded, targets), targets)

    def calibrated(
        self, examples: "Examples", rows: "EncodedRows", decoded: "np.ndarray", targets: Any
    ) -> "IndependentLabels":
        """See `Task`: with a threshold for each label."""
        import numpy as np

        from textapp.tasks.multilabel.scores import best_thresholds, sigmoid
        from textapp.text.labels import IndependentLabels

        true = np.asarray(targets.encode(examples.labels[row] for row in rows.sources.tolist()), bool)
        return IndependentLabels(targets.names, tuple(best_thresholds(true, sigmoid(decoded))))

    def reliability(self, examples: "Examples", decisions: Sequence[Any], targets: Any) -> tuple[()]:
        """See `Task`: none, because a set of labels has no confidence."""
        del examples, decisions, targets
        return ()

    def examiner(self) -> "Examiner":
        """See `Task`."""
        from textapp.tasks.multilabel import examination

        return examination

    def score_soft(
        self, examples: "Examples", rows: "EncodedRows", probs: "np.ndarray", targets: Any
    ) -> dict[str, Any]:
        """See `Task`: with thresholds chosen on the examples themselves, as for a student."""
        import numpy as np

        from textapp.tasks.multilabel.scores import best_thresholds, multilabel_scores

        true = np.asarray(targets.encode(examples.labels[row] for row in rows.sources.tolist()), bool)
        return multilabel_scores(true, probs >= np.asarray(best_thresholds(true, probs)), targets.names)

    def main_score(self, targets: Any) -> str:
        """See `Task`."""
        del targets
        return "micro_f1"

    def main_score_title(self, targets: Any) -> str:
        """See `Task`."""
        return self.score_titles[self.main_score(targets)]

    def describe_scores(self, scores: Mapping[str, Any]) -> str:
        """See `Task`."""
        from textapp.text.characters import counted

        return (
            f"micro F1 {scores['micro_f1']:.4f}, macro F1 {scores['macro_f1']:.4f}, exact match "
            f"{scores['exact_match']:.4f} on {counted(scores['count'], 'text')}"
        )

    def score_tables(self, scores: Mapping[str, Any]) -> list[tuple[Sequence[str], list[Sequence[str]]]]:
        """See `Task`: the scores of each label."""
        from textapp.tasks.multilabel.scores import LABELS
        from textapp.text.characters import printable

        rows: list[Sequence[str]] = [
            [printable(name), *(f"{part[key]:.4f}" for key in ("precision", "recall", "f1")), f"{part['count']:,}"]
            for name, part in scores[LABELS].items()
        ]
        return [(["label", "precision", "recall", "F1", "texts"], rows)]

    def read_texts(self, path: PathLike, tokenizer: "Tokenizer", count: int, **options: Any) -> list[str]:
        """See `Task`."""
        del tokenizer
        return self.read(path, **options).texts[:count]

    def prediction_lines(
        self, texts: Sequence[str], predictions: Sequence[Any], targets: Any, screen: "Screen"
    ) -> Iterator[str]:
        """See `Task`: labels with their probabilities, and the text with its attention."""
        from textapp.errors import quoted_name
        from textapp.tasks.classification.terminal import coloured_label, contribution_lines, mark_tokens
        from textapp.text.characters import printable

        numbers = {name: number for number, name in enumerate(targets.names)}
        gap = "  " if screen.colours else "\t"
        for text, prediction in zip(texts, predictions, strict=True):
            labels = ", ".join(
                f"{coloured_label(printable(quoted_name(label)), numbers[label], screen)} {prediction.probs[label]:.3f}"
                for label in prediction.labels
            )
            line = f"{labels or '-'}{gap}{mark_tokens(text, prediction, screen)}"
            yield "\n".join([line, *contribution_lines(prediction.tokens, screen)])

    def describe_targets(self, targets: Any) -> dict[str, Any]:
        """See `Task`."""
        return {"labels": list(targets.names), "thresholds": list(targets.thresholds)}

    def read_targets(self, folder: Path, metrics: Mapping[str, Any]) -> "IndependentLabels":
        """See `Task`."""
        from textapp.errors import InputError
        from textapp.text.labels import IndependentLabels, are_thresholds

        names = super().read_targets(folder, metrics).names
        thresholds: Any = metrics.get("thresholds")
        if not are_thresholds(thresholds) or len(thresholds) != len(names):
            raise InputError(f'{folder / "metrics.json"}: "thresholds" must be {len(names)} numbers from 0 to 1')
        return IndependentLabels(names, tuple(thresholds))

    def read_sample(self, path: Path, targets: Any) -> "Examples":
        """See `Task`."""
        del targets
        return self.read(path)

    def dashboards(self, folder: Path, data: Any, scores: Any, validation: Any, probe: Any) -> list[Any]:
        """See `Task`."""
        from textapp.tasks.multilabel.dashboards import multilabel_dashboards

        valid = data.examples["valid"]
        shown = valid.select(evenly_spaced(len(valid)))
        return multilabel_dashboards(folder, data, scores, validation, probe, shown)

    def device_fields(self, config: ClassificationConfig, model: "keras.Model", targets: Any) -> dict[str, Any]:
        """See `Task`."""
        del config, model
        return {"thresholds": list(targets.thresholds)}

    def targets_of_names(self, names: Iterable[str], source: str, known: Any = None) -> "IndependentLabels":
        """See `Task`."""
        from textapp.tasks.classification.data import labels_of
        from textapp.text.labels import IndependentLabels

        return labels_of(names, source, IndependentLabels, known)


def _scores(true: Sequence[Iterable[str]], decisions: Sequence[Iterable[str]], targets: Any) -> dict[str, Any]:
    """Scores predicted labels. A true label that the model lacks counts as missed."""
    import numpy as np

    from textapp.tasks.multilabel.scores import multilabel_scores
    from textapp.text.labels import IndependentLabels

    unseen = {name for some in true for name in some} - set(targets.names)
    labels = IndependentLabels((*targets.names, *sorted(unseen)))
    known, chosen = (np.asarray(labels.encode(sets), bool) for sets in (true, decisions))
    return multilabel_scores(known, chosen, labels.names)


TASK = Multilabel()
