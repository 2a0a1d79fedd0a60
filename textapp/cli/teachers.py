"""Teachers as a command line names them: runs, bundles and files of soft labels."""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from textapp.compress.config import DistillConfig, DistillTaggerConfig
from textapp.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from textapp.compress.soft_labels import Teacher
    from textapp.compress.tagger_teachers import TaggerTeacher

TeacherPaths = Annotated[
    list[Path],
    typer.Argument(
        metavar="TEACHER...",
        help="Runs, bundles, or files of soft labels (JSON lines of text and probs); of taggers runs alone. "
        "Several teach together.",
    ),
]
Unlabelled = Annotated[
    list[str] | None,
    typer.Option(help="More texts for the teachers to label: one a line, a table, or a tar of .txt files; repeatable."),
]


def of_classifiers(
    paths: Sequence[Path], config: DistillConfig, files: Mapping[str, Any]
) -> "tuple[list[Teacher], DistillConfig, dict[str, Any]]":
    """Opens classifiers as teachers: runs, bundles, and files of soft labels.

    Args:
        paths: Theirs.
        config: Of the student.
        files: The student's, by name. Without `train` those of the first teacher take the places that are empty.

    Returns:
        The teachers, the student's settings with what it must share with the first, and its files.

    Raises:
        InputError: A path is no teacher, or there is no `train` and the first teacher is no run.
    """
    from textapp.compress.teachers import RunTeacher

    opened = [_open(path) for path in paths]
    first = opened[0]
    if files["train"] is not None:
        return opened, config, dict(files)
    if not isinstance(first, RunTeacher):
        raise InputError(f"--train is missing: {first.name} does not tell what it was trained on, as a run does")
    config = dataclasses.replace(
        config,
        text_column=first.config.text_column,
        label_column=first.config.label_column,
        valid_fraction=first.config.valid_fraction,
        split_seed=first.split_seed,
    )
    return opened, config, _filled(files, first.command)


def of_taggers(
    paths: Sequence[Path], config: DistillTaggerConfig, files: Mapping[str, Any], words: bool
) -> "tuple[list[TaggerTeacher], DistillTaggerConfig, dict[str, Any]]":
    """Opens runs of taggers as teachers, as `of_classifiers`; `words` as for `TaggerTeacher.instruct`."""
    from textapp.compress.tagger_teachers import TaggerTeacher

    opened = [TaggerTeacher(path) for path in paths]
    own_files = files["train"] is None
    config = opened[0].instruct(config, words=words, files=own_files)
    return opened, config, _filled(files, opened[0].command) if own_files else dict(files)


def _filled(files: Mapping[str, Any], command: Mapping[str, Any]) -> dict[str, Any]:
    """The files of a command where none are given."""
    return {name: path or command.get(name) for name, path in files.items()}


def _open(path: Path) -> "Teacher":
    """Opens a classifier's run or bundle, or a file of soft labels."""
    from textapp.compress.soft_labels import SoftLabels
    from textapp.compress.teachers import RunTeacher

    if (path / "bundle.json").exists():
        return _BundleTeacher(path)
    if path.is_dir():
        return RunTeacher(path)
    return SoftLabels.read(path)


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
