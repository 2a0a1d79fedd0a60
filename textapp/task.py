"""The contract of a task, which all commands use.

A model is words -> encoder -> head. A `Task` has everything that depends on the task: how its files are read and split,
what a model learns from them, its head and loss, the soft targets of a teacher, the scores, the files of a run and of a
bundle. No command branches on a task's name: it calls the members of `task(name)`. The members about answers, from
outputs to scores, are those of `textapp.answers.Answers`.

The device half of a task is a module of `textapp.runtime` that needs only NumPy: `device(name)`.
A new task is a folder in `textapp.tasks`, a file in `textapp.runtime` and an entry in `_TASKS`.
"""

import abc
import functools
import importlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Protocol

from textapp.answers import Answers, ConfigType, ExamplesType, TargetsType
from textapp.errors import InputError, quoted

if TYPE_CHECKING:
    import keras
    import numpy as np

    from textapp.data.doubts import Doubt
    from textapp.data.near_duplicates import Conflict
    from textapp.data.profile import Profile
    from textapp.data.rows import TargetRows
    from textapp.text.tokenizer import Tokenizer

Report = Callable[[str], None]
"""Receives each line of progress."""

Save = Callable[[Path], None]
"""Writes a file to a path."""

PathLike = str | os.PathLike[str]

_TASKS = {"classification": "classifier", "tagging": "tagger", "multilabel": "multilabel-classifier"}
"""The tasks, and the name of a model of each on the command line."""

_EARLIER_NAMES = {"sentiment": "classification", "ner": "tagging"}
"""Names of the tasks in runs of textapp 0.1; also short names of commands."""


class Files(NamedTuple):
    """The files of a training."""

    train: PathLike
    valid: PathLike | None = None
    test: PathLike | None = None
    vectors: PathLike | None = None


class Compared(NamedTuple):
    """The data to check and score an export.

    Attributes:
        rows: The tokens that the model reads for each row, cut to the longest signature.
        questions: The inputs of a predictor's `decide`.
        examples: The examples of these inputs, with their targets; None if the targets are not known.
    """

    rows: list[list[str]]
    questions: Sequence[Any]
    examples: Any = None


class Task(Answers[ConfigType, ExamplesType, TargetsType]):
    """One task. It has no state: everything about one model is in its config, targets and weights.

    Attributes:
        name: Name of the task in config.json, metrics.json, bundle.json and on the command line.
        short_name: Another name of the command `textapp train` with `model_noun`.
        does: What a model of the task does, as a verb and its object.
        target_noun: What a model chooses for a unit, as a noun: a label or a tag.
        unit: What one prediction is about. Outputs are `(B, ...)` for a text, `(B, T, ...)` for a token.
        config: The class of its settings.
        student_config: The class of a student's settings, which add a section `distillation`.
        presets: The settings of each preset, by name.
        presets_help: A few words about each preset.
        files_help: The files that the task reads, for the command line's help.
        exclusive: Whether each unit has exactly one target, so that probabilities sum to 1, or any number of targets.
        files_hold_tokens: Whether tokens may come from files, not only from the tokenizer. They are then normalized
            before the vocabulary look-up.
        read_options: Names of the options for reading its files: columns, a scheme.
        teacher_settings: Names of the settings that a student must share with its teachers.
        inherited_settings: Names of the settings that a student takes from a teacher if no preset is given.
        target_files: Names of the files of a run and of a bundle that hold the targets.
        sample_name: Name of the run's file of some validation examples.
        head_sizes: Names of the head's settings that grow with the width of a student.
    """

    name: ClassVar[str]
    short_name: ClassVar[str]
    does: ClassVar[str]
    target_noun: ClassVar[str]
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

    # Data

    @abc.abstractmethod
    def tokenizer(self, config: ConfigType) -> "Tokenizer":
        """The tokenizer of texts."""

    def cuts_all(self, config: ConfigType) -> bool:
        """Whether everything that a model reads goes through the tokenizer, tokens of files included."""
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
            config: Gives the reading settings that `options` lack, if the file's format has them.
            targets: The targets of the model to score on the examples; None if not known.
            **options: Some of `read_options`.

        Raises:
            InputError: The file breaks a rule.
        """

    @abc.abstractmethod
    def read_splits(
        self, config: ConfigType, files: Files, seed: int, report: Report
    ) -> tuple[ExamplesType, dict[str, ExamplesType]]:
        """Reads training and held-out examples, and handles overlap between them by the task's rule.

        Args:
            config: The settings.
            files: The files; without `valid`, a share of `train` is held out.
            seed: Seed for the choice of that share.
            report: Receives each line of progress.

        Returns:
            Training examples, and the held-out examples by name: `valid`, and `test` if given.
        """

    @abc.abstractmethod
    def profile(
        self, config: ConfigType, files: Files, train: ExamplesType, held_out: Mapping[str, ExamplesType]
    ) -> "Profile":
        """Measures the training examples, for the choice of settings, on a sample and within seconds.

        Args:
            config: The settings; only those for reading files matter.
            files: The files.
            train: The training examples, from `read_splits`.
            held_out: The held-out examples by name.

        Raises:
            InputError: With `stream`, the training file breaks a rule.
        """

    @abc.abstractmethod
    def targets(
        self, config: ConfigType, train: ExamplesType, report: Report, known: TargetsType | None = None
    ) -> TargetsType:
        """The targets of a new model.

        Args:
            config: The settings.
            train: The training examples.
            report: Receives each line of progress.
            known: The targets of the run that the training starts from. They stay, in their order, and new ones follow.

        Raises:
            InputError: The training examples are not enough to learn from, or have targets of another kind than the
                run.
        """

    @abc.abstractmethod
    def known_examples(self, examples: ExamplesType, targets: TargetsType) -> ExamplesType:
        """The examples of whose targets a model has each one."""

    def check_installed(self, config: ConfigType) -> None:
        """Raises `InputError` if the settings need a library that is not installed; by default they need none."""

    @abc.abstractmethod
    def check(
        self, examples: ExamplesType, targets: TargetsType, model: str = "the model", validation: bool = False
    ) -> None:
        """Raises `InputError` if a model of these targets cannot be scored on the examples.

        Args:
            examples: The examples.
            targets: The targets of the model.
            model: The name of the model in messages.
            validation: Whether the examples also choose the epoch, by a loss or a threshold that knows their targets.
        """

    def report_targets(
        self, config: ConfigType, targets: TargetsType, target_counts: "Mapping[str, np.ndarray]", report: Report
    ) -> None:
        """Warns of targets that are likely to be mistakes, or that have too few examples; by default of none.

        Args:
            config: The settings.
            targets: The targets of the model.
            target_counts: For `train` and `valid`, how often each target occurs, see `EncodedRows.target_counts`.
            report: Receives each line.
        """

    def report_unseen(self, name: str, examples: ExamplesType, targets: TargetsType, report: Report) -> None:
        """Warns of targets in the examples that the model lacks, if `check` allows them."""

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
        """Converts examples to rows of tokens with their targets.

        Args:
            config: The settings.
            examples: The examples.
            targets: The targets of the model.
            tokenizer: The tokenizer of texts.
            training: Whether the rows are for training: long examples may then become several rows.
            keep_empty: Whether an example without tokens becomes an empty row; otherwise it is left out.

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
        """Reads the rows of a file again at each iteration, for files larger than memory.

        Args:
            config: The settings.
            path: The file.
            held_out: Examples whose texts are left out.
            tokenizer: The tokenizer of texts.
            report: Receives each line of progress, at the first iteration only.

        Returns:
            Tokens, one or more, and the target by name: a label, or a list with a tag for each token.

        Raises:
            NotImplementedError: The task has no such rows; its config refuses `stream`, see `ModelConfig.in_memory`.
        """
        del config, path, held_out, tokenizer, report
        raise NotImplementedError(f"a {self.model_noun} is trained from memory")

    # Targets that may be wrong

    @abc.abstractmethod
    def conflicts(self, examples: ExamplesType) -> "list[Conflict]":
        """Finds examples that are the same, or nearly the same, and have different targets."""

    @abc.abstractmethod
    def describe_conflict(self, examples: ExamplesType, conflict: "Conflict") -> list[str]:
        """The targets of each example of a conflict; of tokens only those on which the examples differ."""

    def doubts(self, examples: ExamplesType, tokenizer: "Tokenizer", predictor: Any, report: Report) -> "list[Doubt]":
        """Finds targets that are less probable than others, by a quick model that was fitted to the other examples.

        Args:
            examples: The examples.
            tokenizer: The tokenizer of texts.
            predictor: A predictor of the task whose probabilities count as well; None for none.
            report: Receives each line of progress.

        Returns:
            The most doubtful first; none for tasks whose targets are not of texts.

        Raises:
            InputError: The examples are not enough.
        """
        del examples, tokenizer, predictor
        report(f"not judged: the targets of a {self.model_noun}, which are not of whole texts")
        return []

    # Model

    @abc.abstractmethod
    def head(self, config: ConfigType, targets: TargetsType) -> Callable[[Any, Any], Any]:
        """Returns a function from encoded tokens `(B, T, H)` and their mask `(B, T)` to the outputs."""

    @abc.abstractmethod
    def loss(self, config: ConfigType, model: "keras.Model", target_counts: "np.ndarray") -> "keras.losses.Loss":
        """The loss of the true targets; rows with sample weight 0 do not count.

        Args:
            config: The settings.
            model: The model.
            target_counts: How often each target occurs in the training split, see `EncodedRows.target_counts`.
        """

    def metrics(self) -> "list[keras.metrics.Metric]":
        """Weighted metrics of `fit`, for true or for soft targets; none by default."""
        return []

    @abc.abstractmethod
    def soft_distance(self, config: Any, model: "keras.Model") -> Callable[[Any, Any, Any], Any]:
        """The distance between a student and its teachers, for `textapp.compress.soft_loss`.

        Args:
            config: The student's settings.
            model: The student.

        Returns:
            A function from the teachers' probabilities `(B, C)` or `(B, T, C)`, the student's outputs and the mask
            `(B, T)` (None if the unit is a text) to a loss for each row, `(B,)`.
        """

    # Predictors

    @abc.abstractmethod
    def questions(self, examples: ExamplesType) -> Sequence[Any]:
        """The input of a predictor's `decide` for each example: a text or a list of tokens."""

    @abc.abstractmethod
    def texts(self, examples: ExamplesType, tokenizer: "Tokenizer") -> list[str]:
        """Examples as texts, for example to time a predictor on them."""

    @abc.abstractmethod
    def read_texts(self, path: PathLike, tokenizer: "Tokenizer", count: int, **options: Any) -> list[str]:
        """Reads the first texts of a file of examples, at most `count`. The targets do not matter."""

    # Files of a run and of a bundle

    def listed_targets(self, targets: TargetsType) -> tuple[str, Sequence[str]]:
        """What a model chooses from, for people: a noun in the plural, and the names."""
        return f"{self.target_noun}s", targets.names

    def shown_counts(self, targets: TargetsType, counts: "np.ndarray") -> dict[str, int]:
        """How many examples have each label, or how many spans each type, for people.

        Args:
            targets: The targets.
            counts: From `EncodedRows.target_counts`.
        """
        known = counts[: len(targets.names)]  # without those that only test examples have
        return dict(zip(targets.names, (known if known.ndim == 1 else known[:, 1]).tolist(), strict=True))

    @abc.abstractmethod
    def describe_targets(self, targets: TargetsType) -> dict[str, Any]:
        """The entries of `metrics.json` about the targets."""

    @abc.abstractmethod
    def files(self, targets: TargetsType) -> dict[str, Save]:
        """The files of targets in a run and in a bundle, by name."""

    @abc.abstractmethod
    def read_targets(self, folder: Path, metrics: Mapping[str, Any]) -> TargetsType:
        """Reads a run's targets. Raises `InputError` if its files are broken."""

    @abc.abstractmethod
    def save_sample(self, path: Path, examples: ExamplesType) -> None:
        """Writes a run's sample of examples, which `read_sample` reads."""

    @abc.abstractmethod
    def read_sample(self, path: Path, targets: TargetsType) -> ExamplesType:
        """Reads a run's sample."""

    @abc.abstractmethod
    def dashboards(self, folder: Path, data: Any, scores: Any, validation: Any, probe: Any) -> list[Any]:
        """Makes the callbacks that write TensorBoard's pages.

        Args:
            folder: Folder of the log.
            data: The `textapp.training.prepare.Prepared`.
            scores: The `textapp.training.validation.ValidationScores`, which `fit` calls before these.
            validation: Batches of the validation split.
            probe: Inputs and targets for gradient norms; None for some of the validation split.
        """

    def device_model(self, model: "keras.Model") -> "keras.Model":
        """The part of a model that is exported, up to its logits, with shared weights. By default the whole model."""
        return model

    def device_files(self, model: "keras.Model", targets: TargetsType) -> dict[str, Save]:
        """More files of a bundle besides `files`, by name, such as the scores of a decoder. None by default."""
        del model, targets
        return {}

    def device_fields(self, config: ConfigType, model: "keras.Model", targets: TargetsType) -> dict[str, Any]:
        """The fields of bundle.json that only this task has; none by default."""
        del config, model, targets
        return {}

    @abc.abstractmethod
    def compared(self, config: ConfigType, examples: ExamplesType, tokenizer: "Tokenizer", longest: int) -> Compared:
        """The data to check an export, from examples; rows of at most `longest` tokens."""

    # Teachers and students

    @abc.abstractmethod
    def items(self, config: ConfigType, examples: ExamplesType, tokenizer: "Tokenizer", training: bool) -> list[Any]:
        """The items that teachers label, one for each row of `rows`: a text, or the tokens of a text."""

    @abc.abstractmethod
    def unlabelled_items(self, config: ConfigType, path: PathLike, tokenizer: "Tokenizer") -> Iterator[Any]:
        """The items of a file of texts without targets."""

    @abc.abstractmethod
    def item_tokens(self, item: Any, tokenizer: "Tokenizer", longest: int) -> list[str]:
        """The tokens of an item, at most `longest`."""

    @abc.abstractmethod
    def item_text(self, item: Any) -> str:
        """An item as one text, to find duplicates."""

    def augmented_items(self, config: Any, items: Sequence[Any], tokenizer: "Tokenizer") -> Iterator[Any]:
        """Yields new items made from labelled ones, which teachers label; none by default."""
        del config, items, tokenizer
        return iter(())

    @abc.abstractmethod
    def item_to_json(self, item: Any) -> dict[str, Any]:
        """An item as JSON, for a line of a file of soft targets."""

    @abc.abstractmethod
    def item_from_json(self, row: Mapping[str, Any], location: str) -> Any:
        """The inverse of `item_to_json`. Raises `InputError` naming `location` if the row has no item."""

    @abc.abstractmethod
    def teacher_targets(
        self, config: Any, train: ExamplesType, teachers: Sequence[tuple[str, TargetsType]], report: Report
    ) -> TargetsType:
        """The targets of a student. Raises `InputError` if a teacher has other targets than the student's examples."""

    @abc.abstractmethod
    def targets_of_names(self, names: Iterable[str], source: str, known: TargetsType | None = None) -> TargetsType:
        """Targets with these names, in the task's order, after those of `known`.

        Raises:
            InputError: There are too few; the message names `source`.
        """

    @property
    def reading_settings(self) -> tuple[str, ...]:
        """Names of the task's settings for reading files."""
        return tuple(name for name in self.read_options if name in self.config.settings())

    def preset(self, name: str | None, vectors: bool = False) -> ConfigType:
        """The settings of a preset, or the defaults if `name` is None. With `vectors`, these give the dimension."""
        from textapp.config import preset

        config = preset(self.config, self.presets, name)
        return config.replaced(embedding_dim=None) if vectors else config

    def student_preset(self, name: str | None) -> Any:
        """The settings of a student from a preset, or the settings of a small student if `name` is None."""
        from textapp.config import preset

        return preset(self.student_config, self.presets, name)

    def check_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the options that are set, of all that a command has. Raises `InputError` for one of another task."""
        given = {name: value for name, value in options.items() if value not in (None, False)}
        for name in given:
            if name not in self.read_options:
                option = f"--{name.replace('_', '-')}"
                known_options = ", ".join(
                    f"--{known.replace('_', '-')}" for known in self.read_options if known in options
                )
                raise InputError(f"{option}: is no option of a {self.model_noun}, which has {known_options}")
        return given


def names() -> tuple[str, ...]:
    """The names of all tasks."""
    return tuple(_TASKS)


def canonical_name(name: object) -> str | None:
    """The name of a task, from its present or earlier name; None for any other value."""
    name = _EARLIER_NAMES.get(str(name), str(name))
    return name if name in _TASKS else None


@functools.cache
def task(name: str) -> Task[Any, Any, Any]:
    """A task by its name. Loads neither TensorFlow nor Keras: members load what they need.

    Raises:
        InputError: No task has that name.
    """
    known = canonical_name(name)
    if known is None:
        raise InputError(f"task {quoted(name)}: must be one of {', '.join(_TASKS)}")
    found: Task[Any, Any, Any] = importlib.import_module(f"textapp.tasks.{known}.task").TASK
    return found


def command_with(setting: str) -> str | None:
    """The command that has a setting, of any task; None if none has it."""
    found = [task(name) for name in names()]
    for one in found:
        if setting in one.config.settings():
            return f"textapp train {one.model_noun}"
    return "textapp distill" if any(setting in one.student_config.settings() for one in found) else None


class DeviceHalf(Protocol):
    """The members of a task's module in `textapp.runtime`, which needs only NumPy.

    Attributes:
        FIELDS: Rules for the fields of bundle.json that only this task has, see `textapp.runtime.bundle_format`.
    """

    FIELDS: Mapping[str, Any]

    def result(self, targets: Any) -> str:
        """The noun for the result of a text."""

    def file_names(self, description: Mapping[str, Any]) -> tuple[str, ...]:
        """The files of a bundle that only this task has."""

    def logits_shape(self, targets: Any) -> Callable[[int], tuple[int, ...]]:
        """The shape of the model's logits by the number of tokens."""

    def read_targets(self, description: Mapping[str, Any], files: Mapping[str, bytes], folder: Path) -> Any:
        """The targets of the model. Raises `InputError` if a file is broken."""

    def predictor(self, *args: Any) -> Any:
        """Makes a predictor from tokenizer, encoder, targets, description, files, folder, longest text and model."""


def device(name: str) -> DeviceHalf:
    """The device half of a task, a module of `textapp.runtime`. Raises `InputError` as `task` does."""
    known = canonical_name(name)
    if known is None:
        raise InputError(f"task {quoted(name)}: must be one of {', '.join(_TASKS)}")
    half: DeviceHalf = importlib.import_module(f"textapp.runtime.{known}")
    return half
