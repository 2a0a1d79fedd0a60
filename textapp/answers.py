"""The part of a task's contract that is about a model's answers: decisions, scores, and lines for people.

`textapp.task` has the rest of the contract, and finds a task by its name.
"""

import abc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, Protocol, Self, TypeVar

if TYPE_CHECKING:
    import keras
    import numpy as np

    from textapp.config import ModelConfig
    from textapp.data.rows import EncodedRows
    from textapp.tasks.examination import Examination, Examiner
    from textapp.tasks.intervals import Difference, Interval
    from textapp.text.terminal import Screen
    from textapp.text.tokenizer import Tokenizer


class Examples(Protocol):
    """Examples of a file with their true targets; `str()` is one line with their counts."""

    @property
    def source(self) -> str:
        """The file, or another name of the source, for messages."""

    def __len__(self) -> int:
        """The number of examples."""

    def location(self, index: int) -> str:
        """Where an example is, for messages: `reviews.tsv:17`."""

    def select(self, indices: Any) -> Self:
        """The examples at some positions, in that order."""


class Targets(Protocol):
    """What a model chooses from, such as labels or tags."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the model's C outputs, in order."""


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Predictions of similar confidence.

    Attributes:
        count: The number of predictions.
        confidence: The mean of their probabilities.
        accuracy: The share of right ones. For honest probabilities it is about the confidence.
    """

    count: int
    confidence: float
    accuracy: float


class Baseline(NamedTuple):
    """A quick model of a task, which shows what a trained model must beat.

    Attributes:
        title: What it is, in a few words.
        extent: What it was fitted to: `words and characters of 1,000 texts`.
        decoded: A function from examples and their rows, encoded, to what `score` needs, as from `Answers.decoded`.
    """

    title: str
    extent: str
    decoded: "Callable[[Any, EncodedRows], np.ndarray]"


ConfigType = TypeVar("ConfigType", bound="ModelConfig")
ExamplesType = TypeVar("ExamplesType", bound=Examples)
TargetsType = TypeVar("TargetsType", bound=Targets)


class Answers(abc.ABC, Generic[ConfigType, ExamplesType, TargetsType]):
    """What a task makes of the outputs of a model. It has no state.

    Attributes:
        model_noun: Name of a model of the task, as in `textapp train classifier`.
        score_titles: Titles, by key, of the scores that are shown before and after an export.
    """

    model_noun: ClassVar[str]
    score_titles: ClassVar[Mapping[str, str]]

    # Decisions

    @abc.abstractmethod
    def decoded(self, model: "keras.Model") -> Callable[[Any, Any], Any]:
        """Returns a function from outputs and mask to what `score` needs: a tensor with the same leading axes."""

    @abc.abstractmethod
    def probabilities(self, model: "keras.Model") -> Callable[[Any, Any], Any]:
        """Returns a function from outputs and mask to a teacher's probabilities `(B, C)` or `(B, T, C)`."""

    # Scores

    @abc.abstractmethod
    def decisions(self, rows: "EncodedRows", decoded: "np.ndarray", targets: TargetsType) -> list[Any]:
        """Converts the results of `decoded` to those of a predictor's `decide`: one per row.

        A decision is a `textapp.text.labels.Decision`, a tuple of labels or a list of tags.
        """

    @abc.abstractmethod
    def score_decisions(self, examples: ExamplesType, decisions: Sequence[Any], targets: TargetsType) -> dict[str, Any]:
        """Scores the decisions of a model about each example. The scores are ready for JSON."""

    def score(
        self, examples: ExamplesType, rows: "EncodedRows", decoded: "np.ndarray", targets: TargetsType
    ) -> dict[str, Any]:
        """Scores the results of `decoded` for all rows of the examples. The scores are ready for JSON."""
        return self.score_decisions(examples, self.decisions(rows, decoded, targets), targets)

    def calibrated(
        self, examples: ExamplesType, rows: "EncodedRows", decoded: "np.ndarray", targets: TargetsType
    ) -> TargetsType:
        """Returns targets with a decision rule that fits the outputs on validation examples; by default unchanged.

        Args:
            examples: The validation examples.
            rows: The same examples, encoded.
            decoded: The results of `decoded` for all rows.
            targets: The targets of the model.
        """
        del examples, rows, decoded
        return targets

    @abc.abstractmethod
    def baseline(
        self,
        config: ConfigType,
        train: ExamplesType,
        rows: "EncodedRows",
        targets: TargetsType,
        tokenizer: "Tokenizer",
    ) -> Baseline:
        """Fits the baseline of the settings; the usual one of the task takes seconds.

        Args:
            config: The settings.
            train: The training examples.
            rows: The same examples, encoded for the training of a model.
            targets: The targets.
            tokenizer: The tokenizer of texts.
        """

    @abc.abstractmethod
    def score_soft(
        self, examples: ExamplesType, rows: "EncodedRows", probs: "np.ndarray", targets: TargetsType
    ) -> dict[str, Any]:
        """Scores probabilities, `(N, C)` or `(sum of lengths, C)`, by the most probable target of each unit."""

    @abc.abstractmethod
    def main_score(self, targets: TargetsType) -> str:
        """The key of the score that compares models; higher is better."""

    def monitor(self, config: ConfigType, targets: TargetsType, target_counts: "np.ndarray") -> str:
        """The key of the validation score that chooses the best epoch and stops a training early.

        It is one of `score`, or `loss` for the loss of `fit`; by default `main_score`.

        Args:
            config: The settings.
            targets: The targets of the model.
            target_counts: How often each target occurs in the training split, see `EncodedRows.target_counts`.
        """
        del config, target_counts
        return self.main_score(targets)

    def report_decisions(
        self,
        config: ConfigType,
        examples: ExamplesType,
        rows: "EncodedRows",
        decoded: "np.ndarray",
        targets: TargetsType,
        report: Callable[[str], None],
    ) -> None:
        """Warns of what the decisions of a trained model on validation examples lack; by default of nothing."""

    @abc.abstractmethod
    def main_score_title(self, targets: TargetsType) -> str:
        """The name of that score in words."""

    @abc.abstractmethod
    def counted(self, targets: TargetsType) -> str:
        """The noun for what the `count` of scores counts."""

    @abc.abstractmethod
    def describe_scores(self, scores: Mapping[str, Any]) -> str:
        """The scores in a few words."""

    def reliability(
        self, examples: ExamplesType, decisions: Sequence[Any], targets: TargetsType
    ) -> tuple[ReliabilityBin, ...]:
        """Compares the confidence of decisions with how often they are right; empty if they have no confidence."""
        del examples, decisions, targets
        return ()

    @abc.abstractmethod
    def examiner(self) -> "Examiner":
        """The functions of the task's module `examination`, which need only NumPy."""

    def intervals(
        self, examples: ExamplesType, decisions: Sequence[Any], targets: TargetsType
    ) -> "dict[str, Interval]":
        """The confidence intervals of `score_decisions`, by the keys of the scores."""
        return self.examiner().intervals(examples, decisions, targets)

    def difference(
        self, examples: ExamplesType, first: Sequence[Any], second: Sequence[Any], targets: TargetsType
    ) -> "Difference":
        """The main score of the decisions `second` minus that of `first`, about the same examples, and a test of it."""
        return self.examiner().difference(examples, first, second, targets)

    def examine(
        self,
        examples: ExamplesType,
        decisions: Sequence[Any],
        predictor: Any,
        most: int,
        trained: Mapping[str, int],
    ) -> "Examination":
        """Finds what a model makes of examples one by one: mistakes, confusions, those that it is least sure of.

        Args:
            examples: The examples.
            decisions: The decisions of the model about them.
            predictor: The model.
            most: The largest number of mistakes, and of examples that the model is least sure of.
            trained: How often each target occurs in the training data, by name; empty if not known.
        """
        scores = self.score_decisions(examples, decisions, predictor.targets)
        return self.examiner().examine(self.score_titles, examples, decisions, scores, predictor, most, trained)

    def split_scope(
        self, examples: ExamplesType, label: str, targets: TargetsType
    ) -> tuple[ExamplesType, ExamplesType]:
        """Splits off the examples whose label says that no label of the model fits them.

        Only tasks whose predictors take `min_confidence` have this and `score_answers`.

        Raises:
            InputError: The model has the label, or no example or each example has it.
        """
        del examples, label, targets
        raise NotImplementedError(f"a {self.model_noun} always gives its answer")

    def score_answers(
        self, examples: ExamplesType, decisions: Sequence[Any], outside: Sequence[Any], min_confidence: float
    ) -> dict[str, float | None]:
        """Scores a model that gives no answer where its confidence is less than `min_confidence`.

        Args:
            examples: The examples.
            decisions: The decisions about them.
            outside: The decisions about examples that no label of the model fits.
            min_confidence: The least probability of an answer.

        Returns:
            `min_confidence`, `coverage` and `selective_accuracy`; if there are decisions in `outside`, also
            `in_scope_accuracy` and `out_of_scope_recall`. They are ready for JSON.
        """
        del examples, decisions, outside, min_confidence
        raise NotImplementedError(f"a {self.model_noun} always gives its answer")

    def precision_thresholds(
        self, examples: ExamplesType, decisions: Sequence[Any], outside: Sequence[Any], precision: float
    ) -> dict[str, Any]:
        """Finds the least confidence from which on answers have a precision, for all targets and for each.

        Args:
            examples: The examples.
            decisions: The decisions about them.
            outside: The decisions about examples that no label of the model fits; an answer to one is wrong.
            precision: The least share of right answers.

        Returns:
            `precision`; `overall`, for the answers of all targets; `labels`, for the answers of each. The last two hold
            `min_confidence` and the `precision`, `recall` and `coverage` that answers from it on have. They are ready
            for JSON.
        """
        del examples, decisions, outside, precision
        raise NotImplementedError(f"a {self.model_noun} always gives its answer")

    def score_tables(self, scores: Mapping[str, Any]) -> list[tuple[Sequence[str], list[Sequence[str]]]]:
        """Detailed scores as tables, each a header and rows; none by default."""
        del scores
        return []

    # Lines for people

    @abc.abstractmethod
    def prediction_lines(
        self, texts: Sequence[str], predictions: Sequence[Any], targets: TargetsType, screen: "Screen"
    ) -> Iterator[str]:
        """Yields predictions for people, one line per text; more lines with what its tokens contribute.

        Args:
            texts: The texts.
            predictions: Their predictions, from a predictor.
            targets: The targets of the model.
            screen: Where they are shown: on a terminal in colours, and cut to its width where only a part matters.
        """

    def prediction_legend(self, targets: TargetsType, screen: "Screen", explain: bool) -> str:
        """What the colours of `prediction_lines` mean, in one line; empty if there are none.

        Args:
            targets: The targets of the model.
            screen: Where the predictions are shown.
            explain: Whether they have the contributions of tokens.
        """
        del targets, screen, explain
        return ""

    def prediction_notes(self, prediction: Any, number: int, longest: int) -> Iterator[str]:
        """Yields notes about the prediction of a text; none by default.

        Args:
            prediction: The prediction, from a predictor.
            number: The number of the text, from 1.
            longest: The largest number of tokens that the model reads.
        """
        del prediction, number, longest
        return iter(())
