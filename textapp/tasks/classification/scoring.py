"""How a classifier is scored: the members of `textapp.task.Task` from the outputs of a model to its scores."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from textapp.answers import Baseline, ReliabilityBin
from textapp.task import Report, Task
from textapp.tasks.classification.config import ClassificationConfig

if TYPE_CHECKING:
    import keras
    import numpy as np

    from textapp.data.readers import Examples
    from textapp.data.rows import EncodedRows
    from textapp.tasks.examination import Examiner
    from textapp.text.labels import Labels
    from textapp.text.tokenizer import Tokenizer


class LabelScoring(Task[ClassificationConfig, "Examples", "Labels"]):
    """The scores of a task whose texts have one label."""

    def decoded(self, model: "keras.Model") -> Callable[[Any, Any], Any]:
        """See `Task`: the logits themselves, which also give the loss."""
        del model
        return lambda outputs, _: outputs

    def probabilities(self, model: "keras.Model") -> Callable[[Any, Any], Any]:
        """See `Task`."""
        from keras import ops

        del model
        return lambda outputs, _: ops.softmax(outputs, axis=-1)

    def decisions(self, rows: "EncodedRows", decoded: "np.ndarray", targets: Any) -> list[Any]:
        """See `Task`: the label of the highest logit of each row."""
        from textapp.tasks.classification.scores import confidences
        from textapp.text.labels import Decision

        del rows
        pairs = zip(decoded.argmax(axis=1).tolist(), confidences(decoded, targets.temperature).tolist(), strict=True)
        return [Decision(targets.names[number], confidence) for number, confidence in pairs]

    def score_decisions(self, examples: "Examples", decisions: Sequence[Any], targets: "Labels") -> dict[str, Any]:
        """See `Task`."""
        from textapp.tasks.classification.scores import label_scores

        predicted = targets.encode(decision.label for decision in decisions)
        probs = [decision.confidence for decision in decisions]
        return label_scores(targets.encode(examples.labels), predicted, probs)

    def score(self, examples: "Examples", rows: "EncodedRows", decoded: "np.ndarray", targets: Any) -> dict[str, Any]:
        """See `Task`: with the mean cross-entropy."""
        import numpy as np

        from textapp.tasks.classification.scores import classification_scores

        labels = targets.encode(examples.labels[row] for row in rows.sources.tolist())
        return classification_scores(np.asarray(labels), decoded, targets.temperature)

    def monitor(self, config: ClassificationConfig, targets: "Labels", target_counts: "np.ndarray") -> str:
        """See `Task`."""
        from textapp.tasks.classification.balance import is_skewed

        if config.monitor != "auto":
            return config.monitor
        return "macro_f1" if is_skewed(target_counts) else self.main_score(targets)

    def report_decisions(
        self,
        config: ClassificationConfig,
        examples: "Examples",
        rows: "EncodedRows",
        decoded: "np.ndarray",
        targets: "Labels",
        report: Report,
    ) -> None:
        """See `Task`: labels that no text gets."""
        from textapp.data.readers import names_of
        from textapp.tasks.classification.balance import report_unpredicted

        chosen = self.decisions(rows, decoded, targets)
        predicted = {name for one in chosen for name in names_of(getattr(one, "label", one))}
        report_unpredicted(config, examples, predicted, report)

    def calibrated(self, examples: "Examples", rows: "EncodedRows", decoded: "np.ndarray", targets: Any) -> "Labels":
        """See `Task`: with the temperature of the probabilities."""
        import numpy as np

        from textapp.tasks.classification.temperature import best_temperature
        from textapp.text.labels import ExclusiveLabels

        labels = targets.encode(examples.labels[row] for row in rows.sources.tolist())
        return ExclusiveLabels(targets.names, best_temperature(np.asarray(labels), decoded))

    def reliability(
        self, examples: "Examples", decisions: Sequence[Any], targets: "Labels"
    ) -> tuple[ReliabilityBin, ...]:
        """See `Task`."""
        from textapp.tasks.classification.scores import reliability

        del targets
        return reliability(_right(examples, decisions), [decision.confidence for decision in decisions])

    def examiner(self) -> "Examiner":
        """See `Task`."""
        from textapp.tasks.classification import examination

        return examination

    def split_scope(self, examples: "Examples", label: str, targets: "Labels") -> "tuple[Examples, Examples]":
        """See `Task`."""
        from textapp.tasks.classification.data import split_scope

        return split_scope(examples, label, targets)

    def score_answers(
        self, examples: "Examples", decisions: Sequence[Any], outside: Sequence[Any], min_confidence: float
    ) -> dict[str, float | None]:
        """See `Task`."""
        from textapp.tasks.classification.scores import answer_scores

        probs, other_probs = ([decision.confidence for decision in part] for part in (decisions, outside))
        return answer_scores(_right(examples, decisions), probs, other_probs, min_confidence)

    def precision_thresholds(
        self, examples: "Examples", decisions: Sequence[Any], outside: Sequence[Any], precision: float
    ) -> dict[str, Any]:
        """See `Task`."""
        from textapp.tasks.classification.scores import precision_thresholds

        true = [*examples.labels, *[None] * len(outside)]
        answers = [*decisions, *outside]
        predicted, probs = [one.label for one in answers], [one.confidence for one in answers]
        return precision_thresholds(true, predicted, probs, precision)

    def baseline(
        self,
        config: ClassificationConfig,
        train: "Examples",
        rows: "EncodedRows",
        targets: "Labels",
        tokenizer: "Tokenizer",
    ) -> Baseline:
        """See `Task`: a linear model over n-grams."""
        from textapp.tasks.classification.baseline import linear_model

        return linear_model(train, rows, tokenizer, len(targets), config.training.seed)

    def score_soft(
        self, examples: "Examples", rows: "EncodedRows", probs: "np.ndarray", targets: "Labels"
    ) -> dict[str, Any]:
        """See `Task`."""
        labels = targets.encode(examples.labels[row] for row in rows.sources.tolist())
        return {"accuracy": float((probs.argmax(axis=1) == labels).mean()), "count": len(labels)}

    def main_score(self, targets: "Labels") -> str:
        """See `Task`."""
        del targets
        return "accuracy"

    def main_score_title(self, targets: "Labels") -> str:
        """See `Task`."""
        return self.main_score(targets)

    def counted(self, targets: "Labels") -> str:
        """See `Task`."""
        del targets
        return "text"

    def describe_scores(self, scores: Mapping[str, Any]) -> str:
        """See `Task`."""
        from textapp.text.characters import counted

        texts = counted(scores["count"], "text")
        return (
            f"accuracy {scores['accuracy']:.4f}, macro F1 {scores['macro_f1']:.4f}, calibration error "
            f"{scores['ece']:.4f} on {texts}"
        )


def _right(examples: "Examples", decisions: Sequence[Any]) -> list[bool]:
    """Whether each decision is the true label."""
    return [decision.label == label for decision, label in zip(decisions, examples.labels, strict=True)]
