"""Teachers as a command line names them: runs, bundles and files of soft labels."""

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from textapp.compress.config import DistillConfig
from textapp.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from textapp.compress.soft_labels import Teacher

TeacherPaths = Annotated[
    list[Path],
    typer.Argument(
        metavar="TEACHER...",
        help="Runs, bundles, or files of soft labels (JSON lines of text and probs); several teach together.",
    ),
]
Unlabelled = Annotated[
    list[str] | None,
    typer.Option(help="More texts for the teachers to label: one a line, a table, or a tar of .txt files; repeatable."),
]


def open_teacher(path: Path) -> "Teacher":
    """Opens a run, a bundle or a file of soft labels, of a classifier. Raises `InputError` where it is none."""
    from textapp.compress.soft_labels import SoftLabels
    from textapp.compress.teachers import RunTeacher

    if (path / "bundle.json").exists():
        return _BundleTeacher(path)
    if path.is_dir():
        return RunTeacher(path)
    return SoftLabels.read(path)


def files_of(teacher: "Teacher", config: DistillConfig) -> tuple[DistillConfig, dict[str, Any]]:
    """The files that a run was trained on, and the settings with which it read and divided them.

    Raises:
        InputError: The teacher is no run.
    """
    from textapp.compress.teachers import RunTeacher

    if not isinstance(teacher, RunTeacher):
        raise InputError(f"--train is missing: {teacher.name} does not tell what it was trained on, as a run does")
    trained = teacher.config
    return (
        dataclasses.replace(
            config,
            text_column=trained.text_column,
            label_column=trained.label_column,
            valid_fraction=trained.valid_fraction,
            split_seed=teacher.split_seed,
        ),
        teacher.command,
    )


class _BundleTeacher:
    """A bundle as a teacher; the compress stage knows no runtime."""

    parameters = None  # it holds weights in many forms, and some more than once

    def __init__(self, path: Path):
        from textapp.runtime import Predictor, load

        predictor = load(path)
        if not isinstance(predictor, Predictor):
            raise InputError(f"{path}: not a bundle of a classifier; taggers teach as runs")
        self._predictor = predictor
        self.name, self.labels = str(path), self._predictor.labels

    @cached_property
    def sha256(self) -> str:
        """Of all its files, as bundle.json has them."""
        from hashlib import sha256

        return sha256(repr(sorted(self._predictor.bundle.description["sha256"].items())).encode()).hexdigest()

    def __contains__(self, text: object) -> bool:
        return isinstance(text, str)

    def probabilities(self, texts: Sequence[str]) -> "np.ndarray":
        """Class probabilities of texts, float64 `(N, C)`."""
        import numpy as np

        return np.asarray([[said.probs[label] for label in self.labels] for said in self._predictor.predict(texts)])
