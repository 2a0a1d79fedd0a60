"""What every task answers: one contract for all commands.

A model is words -> encoder -> head. What depends on the task is asked of a `Task`: how its files are read and split,
what a model has to learn from them, its head and loss, what a teacher tells a student, what counts as a good score,
which files a run and a bundle hold. No command branches on a task's name: it calls `task(name)` and asks.

The device's half of a task is a module of `textapp.runtime` that needs NumPy alone: `device(name)`.
A new task is a folder of `textapp.tasks`, a file of `textapp.runtime` and an entry of `_TASKS`.
"""

import abc
import functools
import importlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, NamedTuple, Protocol, Self, TypeVar

from textapp.errors import InputError

if TYPE_CHECKING:
    import keras
    import numpy as np

    from textapp.config import ModelConfig
    from textapp.data.rows import EncodedRows, TargetRows
    from textapp.text.tokenizer import Tokenizer

Report = Callable[[str], None]
"""Is given each line of progress."""

Save = Callable[[Path], None]
"""Writes a file to a path."""

PathLike = str | os.PathLike[str]

_TASKS = {"classification": "classifier", "tagging": "tagger", "multilabel": "multilabel-classifier"}
"""The tasks, and what a model of each is called on the command line."""

_EARLIER_NAMES = {"sentiment": "classification", "ner": "tagging"}
"""What runs made by textapp 0.1 call them; also short names of commands."""


class Examples(Protocol):
    """Examples of a file with what people say of them; `str()` is a line that counts them."""

    @property
    def source(self) -> str:
        """The file, or what else a message should name."""

    def __len__(self) -> int:
        """The number of examples."""

    def select(self, indices: Any) -> Self:
        """The examples at some positions, in that order."""


class Targets(Protocol):
    """What a model chooses from: labels, tags."""

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each of the model's outputs, C of them."""


class Files(NamedTuple):
    """The files of a training."""

    train: PathLike
    valid: PathLike | None = None
    test: PathLike | None = None
    vectors: PathLike | None = None


class Compared(NamedTuple):
    """What an export is checked and scored on.

    Attributes:
        rows: Tokens of each row, as the model reads them, cut to the longest signature.
        questions: What the `decide` of a predictor is asked.
        examples: The examples of these questions, with their targets; None where these are not known.
    """

    rows: list[list[str]]
    questions: Sequence[Any]
    examples: Any = None


ConfigType = TypeVar("ConfigType", bound="ModelConfig")
ExamplesType = TypeVar("ExamplesType", bound=Examples)
TargetsType = TypeVar("TargetsType", bound=Targets)


class Task(abc.ABC, Generic[ConfigType, ExamplesType, TargetsType]):
    """One task. Members are stateless: all that a task knows of a model is in config, targets and weights.

    Attributes:
        name: The one word for it in config.json, metrics.json, bundle.json and on the command line.
        model_noun: What a model of it is called: `textapp train classifier`.
        short_name: Another name of that command.
        does: What a model of it does, as a verb and its object.
        unit: What one prediction is about. Of a text, outputs are `(B, ...)`, of a token `(B, T, ...)`.
        config: The class of its settings.
        student_config: The class of the settings of a student, which add a section `distillation`.
        presets: Settings by the name of a preset.
        presets_help: A few words on each.
        files_help: Which files it reads, for the command line's help.
        exclusive: Whether a unit has exactly one of the targets, so that probabilities sum to 1, or any number of them.
        files_hold_tokens: Whether tokens may come from files, and not from the tokenizer alone. They are then
            normalized before they are looked up.
        read_options: Names of the options with which its files can be read: columns, a scheme.
        teacher_settings: Names of the settings that a student must share with its teachers.
        inherited_settings: Names of those that it takes from a teacher where no preset is named.
        target_files: Names of the files of a run and of a bundle that hold the targets.
        sample_name: Name of the file of a run that holds some validation examples.
        head_sizes: Names of the settings of the head that grow with the width of a student.
        score_titles: Titles of the scores that are shown before and after an export, by their keys.
    """

    name: ClassVar[str]
    model_noun: ClassVar[str]
    short_name: ClassVar[str]
    does: ClassVar[str]
    unit: ClassVar[Literal["text", "token"]]
    exclusive: ClassVar[bool] = True
    config: type[ConfigType]
    student_config: type[Any]
    presets: ClassVar[Mapping[str, Mapping[str, Any]]]
    presets_help: ClassVar[Mapping[str, str]]
    files_help: ClassVar[str]
    files_hold_tokens: ClassVar[bool] = False
    read_options: ClassVar[tuple[str, ...]]
    teacher_settings: ClassVar[tuple[str, ...]] = ()
    inherited_settings: ClassVar[tuple[str, ...]] = ()
    target_files: ClassVar[tuple[str, ...]]
    sample_name: ClassVar[str]
    head_sizes: ClassVar[tuple[str, ...]] = ()
    score_titles: ClassVar[Mapping[str, str]]

    # Data

    @abc.abstractmethod
    def tokenizer(self, config: ConfigType) -> "Tokenizer":
        """What cuts texts into tokens."""

    def cuts_all(self, config: ConfigType) -> bool:
        """Whether the tokenizer cuts all that a model reads, so that no token is left which it would cut further."""
        del config
        return not self.files_hold_tokens

    @abc.abstractmethod
    def read(
        self,
        path: PathLike,
        config: ConfigType | None = None,
        targets: TargetsType | None = None,
        **options: Any,
    ) -> ExamplesType:
        """Reads the examples of a file.

        Args:
            path: The file or folder.
            config: Says how files are read, as far as `options` do not and the file's format allows it.
            targets: What the model that is to be scored on them chooses from; None where that is not known.
            **options: Some of `read_options`.

        Raises:
            InputError: The file breaks a rule.
        """

    @abc.abstractmethod
    def read_splits(
        self, config: ConfigType, files: Files, seed: int, report: Report
    ) -> tuple[ExamplesType, dict[str, ExamplesType]]:
        """Reads training examples and held-out ones, and keeps them apart by the task's rule.

        Args:
            config: The settings.
            files: The files; without `valid` a share of `train` is held out.
            seed: Chooses that share.
            report: Is given each line of progress.

        Returns:
            Training examples, and by name the held-out ones: `valid`, and `test` where it was given.
        """

    @abc.abstractmethod
    def targets(self, config: ConfigType, train: ExamplesType, report: Report) -> TargetsType:
        """What a model will choose from. Raises `InputError` where training examples cannot teach it."""

    @abc.abstractmethod
    def check(self, examples: ExamplesType, targets: TargetsType, model: str = "the model") -> None:
        """Raises `InputError` where examples cannot be scored with a model of these targets, called `model`."""

    def report_unseen(self, name: str, examples: ExamplesType, targets: TargetsType, report: Report) -> None:
        """Warns of what examples have and a model of these targets cannot give, where `check` allows that."""

    @abc.abstractmethod
    def rows(
        self,
        config: ConfigType,
        examples: ExamplesType,
        targets: TargetsType,
        tokenizer: "Tokenizer",
        training: bool = False,
        keep_empty: bool = False,
    ) -> "TargetRows":
        """Examples as rows of tokens with their targets.

        Args:
            config: The settings.
            examples: The examples.
            targets: What the model chooses from.
            tokenizer: What cuts texts.
            training: Whether they are trained on, so that long ones may be cut into several rows.
            keep_empty: Whether an example without a token is kept, as an empty row.

        Raises:
            InputError: No example has a token.
        """

    def stream_rows(
        self,
        config: ConfigType,
        path: PathLike,
        held_out: Sequence[ExamplesType],
        tokenizer: "Tokenizer",
        report: Report,
    ) -> "Iterable[tuple[list[str], Any]]":
        """The rows of a file, read anew at each iteration, for files larger than memory.

        Args:
            config: The settings.
            path: The file.
            held_out: Examples whose texts are left out.
            tokenizer: What cuts texts.
            report: Is given each line of progress, at the first iteration alone.

        Returns:
            Tokens, one or more, and target as a name: a label, or a list of a tag for each token.
        """
        del config, path, held_out, tokenizer, report
        raise InputError(f"setting stream: a {self.model_noun} is trained from memory; leave it false")

    # Model

    @abc.abstractmethod
    def head(self, config: ConfigType, targets: TargetsType) -> Callable[[Any, Any], Any]:
        """What makes outputs of encoded tokens `(B, T, H)` and their mask `(B, T)`."""

    @abc.abstractmethod
    def loss(self, config: ConfigType, model: "keras.Model") -> "keras.losses.Loss":
        """The loss of the true targets; rows whose sample weight is 0 do not count."""

    def metrics(self) -> "list[keras.metrics.Metric]":
        """Metrics that `fit` weighs and shows, of plain or of soft targets; none by default."""
        return []

    @abc.abstractmethod
    def soft_distance(self, config: Any, model: "keras.Model") -> Callable[[Any, Any, Any], Any]:
        """How far a student is from its teachers, for `textapp.compress.soft_loss`.

        Args:
            config: A student's settings.
            model: The student.

        Returns:
            A function of the teachers' probabilities `(B, C)` or `(B, T, C)`, the student's outputs and the mask
            `(B, T)`, None of a text, to a loss for each row, `(B,)`.
        """

    @abc.abstractmethod
    def decoded(self, model: "keras.Model") -> Callable[[Any, Any], Any]:
        """What scores are computed from: a function of outputs and mask to a tensor of the same leading axes."""

    @abc.abstractmethod
    def probabilities(self, model: "keras.Model") -> Callable[[Any, Any], Any]:
        """What a teacher says: a function of outputs and mask to probabilities `(B, C)` or `(B, T, C)`."""

    # Scores

    @abc.abstractmethod
    def decisions(self, rows: "EncodedRows", decoded: "np.ndarray", targets: TargetsType) -> list[Any]:
        """What `decoded` gave for all rows, as the `decide` of a predictor says it: a name a row, or a list of them."""

    @abc.abstractmethod
    def score_decisions(self, examples: ExamplesType, decisions: Sequence[Any], targets: TargetsType) -> dict[str, Any]:
        """Scores what a model decided about each example: ready for JSON."""

    def score(
        self, examples: ExamplesType, rows: "EncodedRows", decoded: "np.ndarray", targets: TargetsType
    ) -> dict[str, Any]:
        """Scores what `decoded` gave for all rows of examples: ready for JSON."""
        return self.score_decisions(examples, self.decisions(rows, decoded, targets), targets)

    def calibrated(
        self, examples: ExamplesType, rows: "EncodedRows", decoded: "np.ndarray", targets: TargetsType
    ) -> TargetsType:
        """Targets with the rule of decision that suits a model's outputs on validation examples; unchanged by default.

        Args:
            examples: The validation examples.
            rows: The same, encoded.
            decoded: What `decoded` gave for all rows.
            targets: What the model chooses from.
        """
        del examples, rows, decoded
        return targets

    @abc.abstractmethod
    def score_soft(
        self, examples: ExamplesType, rows: "EncodedRows", probs: "np.ndarray", targets: TargetsType
    ) -> dict[str, Any]:
        """Scores probabilities, `(N, C)` or `(sum of lengths, C)`, by the most probable target of each unit."""

    @abc.abstractmethod
    def main_score(self, targets: TargetsType) -> str:
        """The key of the score by which models are compared; the higher the better."""

    @abc.abstractmethod
    def main_score_title(self, targets: TargetsType) -> str:
        """The same in words."""

    @abc.abstractmethod
    def counted(self, targets: TargetsType) -> str:
        """What the `count` of scores counts, in the plural."""

    @abc.abstractmethod
    def describe_scores(self, scores: Mapping[str, Any]) -> str:
        """The scores in a few words."""

    def score_tables(self, scores: Mapping[str, Any]) -> list[tuple[Sequence[str], list[Sequence[str]]]]:
        """Scores in detail, as tables of a header and rows; none by default."""
        del scores
        return []

    # Predictors

    @abc.abstractmethod
    def questions(self, examples: ExamplesType) -> Sequence[Any]:
        """What the `decide` of a predictor is asked about examples: a text or a list of tokens each."""

    @abc.abstractmethod
    def texts(self, examples: ExamplesType, tokenizer: "Tokenizer") -> list[str]:
        """Examples as texts, for example to time a predictor on them."""

    @abc.abstractmethod
    def read_texts(self, path: PathLike, tokenizer: "Tokenizer", count: int, **options: Any) -> list[str]:
        """The first texts of a file of examples, `count` at most; what its targets are does not matter."""

    @abc.abstractmethod
    def prediction_lines(
        self, texts: Sequence[str], predictions: Sequence[Any], targets: TargetsType, colours: bool
    ) -> Iterator[str]:
        """Predictions for people, a line a text.

        Args:
            texts: What was predicted.
            predictions: What came of it, from a predictor.
            targets: What the model chooses from.
            colours: Whether to use the colours of a terminal.
        """

    def prediction_notes(self, predictions: Sequence[Any], longest: int) -> Iterator[str]:
        """What people should know about predictions of a model that reads `longest` tokens; nothing by default."""
        del predictions, longest
        return iter(())

    # Files of a run and of a bundle

    @abc.abstractmethod
    def describe_targets(self, targets: TargetsType) -> dict[str, Any]:
        """What `metrics.json` says of the targets."""

    @abc.abstractmethod
    def files(self, targets: TargetsType) -> dict[str, Save]:
        """The files of a run and of a bundle that hold the targets, by name."""

    @abc.abstractmethod
    def read_targets(self, folder: Path, metrics: Mapping[str, Any]) -> TargetsType:
        """Reads a run's targets. Raises `InputError` where its files are broken."""

    @abc.abstractmethod
    def save_sample(self, path: Path, examples: ExamplesType) -> None:
        """Writes examples as `read_sample` reads them."""

    @abc.abstractmethod
    def read_sample(self, path: Path, targets: TargetsType) -> ExamplesType:
        """Reads a run's sample."""

    @abc.abstractmethod
    def dashboards(self, folder: Path, data: Any, scores: Any, validation: Any, probe: Any) -> list[Any]:
        """TensorBoard's pages.

        Args:
            folder: Where the log goes.
            data: The `textapp.training.prepare.Prepared`.
            scores: The `textapp.training.validation.ValidationScores` that `fit` calls before.
            validation: Batches of the validation split.
            probe: Inputs and targets for the norms of gradients; None for some of the validation split.
        """

    def device_model(self, model: "keras.Model") -> "keras.Model":
        """The part of a model that goes into the file, to logits; it shares all weights. By default all of it."""
        return model

    def device_files(self, model: "keras.Model", targets: TargetsType) -> dict[str, Save]:
        """Files of a bundle besides those of `files`, by name: what a decoder needs of the model. None by default."""
        del model, targets
        return {}

    def device_fields(self, config: ConfigType, model: "keras.Model", targets: TargetsType) -> dict[str, Any]:
        """What bundle.json says for this task alone; nothing by default."""
        del config, model, targets
        return {}

    @abc.abstractmethod
    def compared(self, config: ConfigType, examples: ExamplesType, tokenizer: "Tokenizer", longest: int) -> Compared:
        """What an export is checked on, from examples; rows of `longest` tokens at most."""

    # Teachers and students

    @abc.abstractmethod
    def items(self, config: ConfigType, examples: ExamplesType, tokenizer: "Tokenizer", training: bool) -> list[Any]:
        """What teachers are asked about examples, an item a row of `rows`: a text, or the tokens of one."""

    @abc.abstractmethod
    def unlabelled_items(self, config: ConfigType, path: PathLike, tokenizer: "Tokenizer") -> Iterator[Any]:
        """The items of a file of texts without targets."""

    @abc.abstractmethod
    def item_tokens(self, item: Any, tokenizer: "Tokenizer", longest: int) -> list[str]:
        """The tokens of an item, `longest` at most."""

    @abc.abstractmethod
    def item_text(self, item: Any) -> str:
        """An item as one text, by which duplicates are found."""

    def augmented_items(self, config: Any, items: Sequence[Any], tokenizer: "Tokenizer") -> Iterator[Any]:
        """New items made from labelled ones, for teachers to label, as a student's settings say; none by default."""
        del config, items, tokenizer
        return iter(())

    @abc.abstractmethod
    def item_to_json(self, item: Any) -> dict[str, Any]:
        """An item as a line of a file of soft targets holds it."""

    @abc.abstractmethod
    def item_from_json(self, row: Mapping[str, Any], location: str) -> Any:
        """The inverse. Raises `InputError` naming `location` where the row holds none."""

    @abc.abstractmethod
    def teacher_targets(
        self, config: Any, train: ExamplesType, teachers: Sequence[tuple[str, TargetsType]], report: Report
    ) -> TargetsType:
        """The targets of a student. Raises `InputError` where teachers, by name, have others than its examples."""

    @abc.abstractmethod
    def targets_of_names(self, names: Iterable[str], source: str) -> TargetsType:
        """Targets with these names, in the task's order. Raises `InputError` naming `source` where they are too few."""

    @property
    def reading_settings(self) -> tuple[str, ...]:
        """Names of the task's settings that say how files are read."""
        return tuple(name for name in self.read_options if name in self.config.settings())

    def preset(self, name: str | None, vectors: bool = False) -> ConfigType:
        """The settings of a preset; without a name, the defaults. With `vectors` these decide the dimension."""
        from textapp.config import preset

        config = preset(self.config, self.presets, name)
        return config.replaced(embedding_dim=None) if vectors else config

    def student_preset(self, name: str | None) -> Any:
        """The settings of a student by a preset; without a name, small ones."""
        from textapp.config import preset

        return preset(self.student_config, self.presets, name)

    def check_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options that were given, of all that a command has. Raises `InputError` where one is another task's."""
        given = {name: value for name, value in options.items() if value not in (None, False)}
        for name in given:
            if name not in self.read_options:
                option = f"--{name.replace('_', '-')}"
                mine = ", ".join(f"--{known.replace('_', '-')}" for known in self.read_options if known in options)
                raise InputError(f"{option}: is no option of a {self.model_noun}, which has {mine}")
        return given


def names() -> tuple[str, ...]:
    """The names of all tasks."""
    return tuple(_TASKS)


def canonical_name(name: object) -> str | None:
    """The name of a task, given that or the name that earlier runs have for it; None for anything else."""
    name = _EARLIER_NAMES.get(str(name), str(name))
    return name if name in _TASKS else None


@functools.cache
def task(name: str) -> Task[Any, Any, Any]:
    """A task by its name. Loads neither TensorFlow nor Keras: members load what they need.

    Raises:
        InputError: There is none of that name.
    """
    known = canonical_name(name)
    if known is None:
        raise InputError(f"task {name!r}: must be one of {', '.join(_TASKS)}")
    found: Task[Any, Any, Any] = importlib.import_module(f"textapp.tasks.{known}.task").TASK
    return found


class DeviceHalf(Protocol):
    """What a module of `textapp.runtime` has to offer for a task, with NumPy alone.

    Attributes:
        FIELDS: The rules of what bundle.json says for this task alone, see `textapp.runtime.bundle_format`.
    """

    FIELDS: Mapping[str, Any]

    def result(self, targets: Any) -> str:
        """What a text is turned into, in a word."""

    def file_names(self, description: Mapping[str, Any]) -> tuple[str, ...]:
        """The files of a bundle of this task, besides those of every task."""

    def logits_shape(self, targets: Any) -> Callable[[int], tuple[int, ...]]:
        """The shape of the model's logits by the number of tokens."""

    def read_targets(self, description: Mapping[str, Any], files: Mapping[str, bytes], folder: Path) -> Any:
        """What the model chooses from. Raises `InputError` where a file is broken."""

    def predictor(self, *args: Any) -> Any:
        """A predictor: of tokenizer, encoder, targets, description, files, folder, longest text and model."""


def device(name: str) -> DeviceHalf:
    """The device's half of a task, a module of `textapp.runtime`. Raises `InputError` as `task` does."""
    known = canonical_name(name)
    if known is None:
        raise InputError(f"task {name!r}: must be one of {', '.join(_TASKS)}")
    half: DeviceHalf = importlib.import_module(f"textapp.runtime.{known}")
    return half
