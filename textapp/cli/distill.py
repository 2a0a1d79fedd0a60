"""`textapp distill`: trained models in, a small student of theirs out."""

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from textapp.cli.native_log import native_log_hidden
from textapp.cli.output import print_json, say
from textapp.cli.train import AsJson, Force, Out, Settings
from textapp.compress.config import DistillConfig, distill_preset
from textapp.config import PRESETS_HELP
from textapp.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from textapp.compress.soft_labels import Teacher


def distill(
    teachers: Annotated[
        list[Path],
        typer.Argument(
            metavar="TEACHER...",
            help="Runs, bundles, or files of soft labels (JSON lines of text and probs); several teach together.",
        ),
    ],
    out: Out,
    train: Annotated[
        str | None, typer.Option(help="Labelled texts; by default the files of the first teacher, a run.")
    ] = None,
    valid: Annotated[str | None, typer.Option(help="Validation texts; by default likewise.")] = None,
    test: Annotated[str | None, typer.Option(help="Test texts, scored once at the end; by default likewise.")] = None,
    unlabelled: Annotated[
        list[str] | None,
        typer.Option(
            help="More texts for the teachers to label: one a line, a table, or a tar of .txt files; repeatable."
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="Settings of the student: " + ", ".join(PRESETS_HELP) + "; by default a small one."),
    ] = None,
    settings: Settings = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Train a small classifier on what larger ones say. The same command goes on after a crash."""
    config = distill_preset(preset)
    with native_log_hidden():
        from textapp.compress.distillation import distill as train_student

        opened = [_open(path) for path in teachers]
        if train is None:
            config, files = _files_of(opened[0], config)
            train, valid, test = files["train"], valid or files["valid"], test or files["test"]
        metrics = train_student(
            config.override(settings or []),
            out,
            teachers=opened,
            train=train,
            valid=valid,
            test=test,
            unlabelled=unlabelled or [],
            force=force,
            report=say,
        )
    say(f"run:   {out}")
    say(f"watch: tensorboard --logdir {quote(str(out / 'logs'))}")
    say(f"next:  textapp export {quote(str(out))} --out {quote(f'export/bundles/{out.name}')}")
    if as_json:
        print_json(metrics)


def _open(path: Path) -> "Teacher":
    """Opens a run, a bundle or a file of soft labels."""
    from textapp.compress.soft_labels import SoftLabels
    from textapp.compress.teachers import RunTeacher

    if (path / "bundle.json").exists():
        return _BundleTeacher(path)
    if path.is_dir():
        return RunTeacher(path)
    return SoftLabels.read(path)


def _files_of(teacher: "Teacher", config: DistillConfig) -> tuple[DistillConfig, dict[str, Any]]:
    """The files that a run was trained on, and the settings with which it read and divided them."""
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
            raise InputError(f"{path}: not a bundle of a classifier")
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
