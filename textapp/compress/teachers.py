"""Teachers of any task: finished runs, bundles, files of soft targets."""

import dataclasses
import functools
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from textapp.compress.soft_targets import SoftTargets, Teacher, parse_line
from textapp.data.lines import read_lines
from textapp.data.rows import encode_untargeted
from textapp.errors import InputError
from textapp.runtime import load
from textapp.settings import as_text
from textapp.task import Task, names, task
from textapp.text.tokenizer import Tokenizer
from textapp.training import run, run_folder
from textapp.training.ngram_model import with_ngrams
from textapp.training.outputs import RowOutputs
from textapp.training.predictor import run_scores

EMPTY = [""]  # the tokens of a text without any: the unknown word


class RunTeacher:
    """The model of a finished run as a `Teacher`. The model is loaded on its first use.

    Args:
        folder: The run folder.

    Attributes:
        task: The run's task.
        command: The content of its `config.json`, with `train`, `valid` and `test`.
        config: Its settings.
        targets: Its targets.
        parameters: Its number of parameters.

    Raises:
        InputError: The folder is not a finished run.
    """

    def __init__(self, folder: str | os.PathLike[str]):
        path = Path(folder)
        self.name = os.fspath(folder)
        self.command, metrics = run_folder.read_finished(path)
        self.task = run.task_of(path, metrics)
        self.config = self.task.config.from_run(self.command["settings"], str(path / run_folder.CONFIG))
        self.targets = self.task.read_targets(path, metrics)
        self.parameters: int | None = metrics.get("parameters")

    @functools.cached_property
    def sha256(self) -> str:
        """SHA-256 of all files that its probabilities depend on, hexadecimal."""
        return run.content_hash(Path(self.name), self.task, self.config)

    @property
    def split_seed(self) -> int:
        """The seed of its validation split, if that was taken from its training file."""
        seed = self.command.get("distillation", {}).get("split_seed")  # if the teacher is itself a student
        return int(self.config.training.seed if seed is None else seed)

    def trained_on_validation(self, train: str, valid_fraction: float, split_seed: int) -> bool:
        """Whether its training had examples of this validation split of `train`, as far as `config.json` shows."""
        split = (self.command.get("valid"), self.config.data.valid_fraction, self.split_seed)
        return self.command.get("train") == train and split != (None, valid_fraction, split_seed)

    def shared_settings(self) -> dict[str, Any]:
        """The settings that its students must share."""
        return {name: self.config.get(name) for name in self.task.teacher_settings}

    def open(self) -> None:
        """Loads the model now, before its first use. Raises `InputError` if it is broken."""
        _ = self._run

    def __contains__(self, item: object) -> bool:
        return True

    def probabilities(self, items: Sequence[Any]) -> np.ndarray:
        """See `Teacher`."""
        tokenizer, longest = self._run.tokenizer, self.config.data.max_tokens
        tokens = [self.task.item_tokens(item, tokenizer, longest) or EMPTY for item in items]
        rows = encode_untargeted(tokens, self._run.encoder)
        ngrams = self._run.ngrams_of_train  # a student is judged on validation texts, which the final one may know
        if ngrams is None:
            return self._probabilities(rows)
        logits = with_ngrams(ngrams, rows, self._decoded(rows))
        return np.asarray(self.task.probabilities(self._run.model)(logits, None))

    def score(self, examples: Any) -> dict[str, Any]:
        """Its scores on examples."""
        return run_scores(dataclasses.replace(self._run, ngrams=self._run.ngrams_of_train), examples)

    @functools.cached_property
    def _run(self) -> run.Run:
        return run.Run.load(self.name)

    @functools.cached_property
    def _probabilities(self) -> RowOutputs:
        model = self._run.model
        return RowOutputs(model, self.task.probabilities(model), self.task.unit == "token")

    @functools.cached_property
    def _decoded(self) -> RowOutputs:
        model = self._run.model
        return RowOutputs(model, self.task.decoded(model), self.task.unit == "token")


class BundleTeacher:
    """A bundle as a `Teacher`.

    Args:
        folder: The bundle.
    """

    parameters = None  # unknown: a bundle has weights in many forms, some of them twice

    def __init__(self, folder: str | os.PathLike[str]):
        self._predictor = load(folder)
        self.name = os.fspath(folder)
        self.task = task(self._predictor.task)
        self.targets = self._predictor.targets

    @functools.cached_property
    def sha256(self) -> str:
        """SHA-256 of all its files, as listed in bundle.json, hexadecimal."""
        return hashlib.sha256(repr(sorted(self._description["sha256"].items())).encode()).hexdigest()

    def shared_settings(self) -> dict[str, Any]:
        """The settings that its students must share."""
        tokenizer: Tokenizer = self._predictor.tokenizer
        known = {**self._description, "tokenizer": tokenizer.kind, "normalization": tokenizer.normalization}
        return {name: known[name] for name in self.task.teacher_settings if known.get(name) is not None}

    def __contains__(self, item: object) -> bool:
        return True

    def probabilities(self, items: Sequence[Any]) -> np.ndarray:
        """See `Teacher`."""
        return np.asarray(self._predictor.probabilities(items))

    @property
    def _description(self) -> dict[str, Any]:
        description: dict[str, Any] = self._predictor.bundle.description
        return description


def open_teachers(paths: Sequence[str | os.PathLike[str]]) -> tuple[Task[Any, Any, Any], list[Any]]:
    """Opens runs, bundles and files of soft targets, all of one task.

    Raises:
        InputError: A path is none of these, or the teachers have different tasks.
    """
    opened: list[Any] = []
    files = []
    for path in map(Path, paths):
        if (path / "bundle.json").exists():
            opened.append(BundleTeacher(path))
        elif path.is_dir():
            opened.append(RunTeacher(path))
        else:
            opened.append(path)
            files.append(path)
    found = next((teacher.task for teacher in opened if not isinstance(teacher, Path)), None)
    if found is None:
        found = _task_of_file(files[0])
    teachers = [SoftTargets.read(one, found) if isinstance(one, Path) else one for one in opened]
    for teacher in teachers:
        if teacher.task is not found:
            raise InputError(
                f"{teacher.name}: a {teacher.task.model_noun}, but {teachers[0].name} is a {found.model_noun}; all "
                "teachers must be of one task"
            )
    return found, teachers


def student_settings(
    found: Task[Any, Any, Any], teachers: Sequence[Any], preset: str | None, files: Mapping[str, Any]
) -> tuple[Any, dict[str, Any]]:
    """The settings and files of a student, with those that it must or should share with its first teacher.

    Args:
        found: The task.
        teachers: From `open_teachers`.
        preset: Name of the student's preset, or None for a small student.
        files: The student's files by name. Without `train`, missing files are those of the first teacher, and are read
            and split as in its training.

    Returns:
        The settings, and the files.

    Raises:
        InputError: There is no `train`, and the first teacher is not a run.
    """
    first = teachers[0]
    config = found.student_preset(preset)
    if hasattr(first, "shared_settings"):
        config = config.replaced(**first.shared_settings())
    if isinstance(first, RunTeacher) and preset is None:
        config = config.replaced(**{name: first.config.get(name) for name in found.inherited_settings})
    if files["train"] is not None:
        return config, dict(files)
    if not isinstance(first, RunTeacher):
        raise InputError(f"--train is missing: {first.name} does not tell what it was trained on; only a run does")
    reading = {name: first.config.get(name) for name in (*found.reading_settings, "valid_fraction")}
    config = config.replaced(**reading, split_seed=first.split_seed)
    return config, {name: path or first.command.get(name) for name, path in files.items()}


def check_shared(config: Any, teachers: Sequence[Any]) -> None:
    """Raises `InputError` if a student has other values than a teacher for settings that they must share."""
    for teacher in teachers:
        shared = teacher.shared_settings() if hasattr(teacher, "shared_settings") else {}
        for name, wanted in shared.items():
            if config.get(name) != wanted:
                raise InputError(
                    f"setting {name}: {as_text(wanted)} for {teacher.name}, but "
                    f"{as_text(config.get(name))} for the student; they must be the same"
                )


def open_runs(teachers: Sequence[Teacher]) -> None:
    """Loads the teachers that are runs, to report a broken one before anything is written."""
    for teacher in teachers:
        if isinstance(teacher, RunTeacher):
            teacher.open()


def sources(folder: Path, teachers: Sequence[Teacher], files: Mapping[str, Any], unlabelled: Sequence[Any]) -> Any:
    """The sources of a student for `config.json`: `teachers`, `train`, `valid`, `test`, ..., `unlabelled`.

    Raises:
        InputError: A teacher is inside `folder`.
    """
    for teacher in teachers:
        place = Path(teacher.name).resolve()
        if folder.resolve() in (place, *place.parents):
            raise InputError(f"{folder}: holds the teacher {teacher.name}; choose another --out")
    return {
        "teachers": [{"path": teacher.name, "sha256": teacher.sha256} for teacher in teachers],
        **{name: None if path is None else os.fspath(path) for name, path in files.items()},
        "unlabelled": [os.fspath(path) for path in unlabelled],
    }


def _task_of_file(path: Path) -> Task[Any, Any, Any]:
    """The task of a file of soft targets, from its first line. Raises `InputError` if it fits no task."""
    line = next((line for line in read_lines(path) if line.strip()), "")
    errors = []
    for found in map(task, names()):
        try:
            parse_line(line, found, f"{path}:1", None)
        except InputError as error:
            errors.append(str(error))
            continue
        return found
    raise InputError(errors[0])
