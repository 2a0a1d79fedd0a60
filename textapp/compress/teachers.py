"""Finished runs as teachers."""

import abc
import functools
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from textapp.compress.config import DistillConfig
from textapp.compress.soft_labels import SoftLabels
from textapp.config import NerConfig, SentimentConfig
from textapp.errors import InputError
from textapp.files import read_bytes
from textapp.text.tokenizer import Token
from textapp.training import run
from textapp.training.predictor import RunPredictor

Settings = TypeVar("Settings", SentimentConfig, NerConfig)


def sources(
    folder: Path,
    teachers: Sequence[Any],
    *,
    train: str | os.PathLike[str],
    valid: str | os.PathLike[str] | None,
    unlabelled: Sequence[str | os.PathLike[str]],
    test: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """What students learn from, as `config.json` names it: `teachers`, `train`, `valid`, `test`, `unlabelled`.

    Args:
        folder: Where students will be written.
        teachers: Each with a `name` and its `sha256`.
        train: A file.
        valid: A file or None.
        unlabelled: Files.
        test: A file or None.

    Raises:
        InputError: A teacher stands in `folder`.
    """
    for teacher in teachers:
        place = Path(teacher.name).resolve()
        if folder.resolve() in (place, *place.parents):
            raise InputError(f"{folder}: holds the teacher {teacher.name}; choose another --out")
    return {
        "teachers": [{"path": teacher.name, "sha256": teacher.sha256} for teacher in teachers],
        "train": os.fspath(train),
        "valid": None if valid is None else os.fspath(valid),
        "test": None if test is None else os.fspath(test),
        "unlabelled": [os.fspath(path) for path in unlabelled],
    }


def check_teachers(config: DistillConfig, teachers: Sequence[Any]) -> None:
    """Raises `InputError` where a classifier's teacher cannot teach as the settings want."""
    for teacher in teachers:
        if config.augment and isinstance(teacher, SoftLabels):
            raise InputError(f"setting augment: {teacher.name} is a file, which knows no new texts; set augment=0")
        for key in config.matching:
            if not isinstance(teacher, RunTeacher):
                raise InputError(
                    f"setting {key}: {teacher.name} is no run, and only runs show their attention and contexts; "
                    f"set {key}=0"
                )


class TeachingRun(abc.ABC, Generic[Settings]):
    """A finished run that teaches, whatever its task: what it was made of.

    Args:
        folder: The run folder.
        command: What its `config.json` says.
        config: Its settings.
        parameters: Number of its weights.
        files: The names of those of its files on which its answers depend.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        command: dict[str, Any],
        config: Settings,
        parameters: int | None,
        files: Sequence[str],
    ):
        self.name = os.fspath(folder)
        self.config: Settings = config
        self.command, self.parameters = command, parameters
        self._files = files

    @functools.cached_property
    def sha256(self) -> str:
        """Of everything that its answers depend on."""
        digests = (hashlib.sha256(read_bytes(Path(self.name) / name)).digest() for name in self._files)
        return hashlib.sha256(b"".join(digests)).hexdigest()

    @property
    def split_seed(self) -> int:
        """With what it chose its validation texts, where it took them from its training file."""
        seed: int | None = self.command.get("distillation", {}).get("split_seed")  # of a student that teaches in turn
        return self.config.seed if seed is None else seed

    def learned(self, train: str, valid_fraction: float, split_seed: int) -> bool:
        """Whether it was trained on validation texts that are taken from `train` in this way, as far as it tells."""
        own = (self.command.get("valid"), self.config.valid_fraction, self.split_seed)
        return self.command.get("train") == train and own != (None, valid_fraction, split_seed)

    @abc.abstractmethod
    def open(self) -> None:
        """Loads the model, which otherwise waits for the first question. Raises `InputError` where it is broken."""


def open_runs(teachers: Sequence[Any]) -> None:
    """Loads the teachers that are runs, so that a broken one is told of before anything is written."""
    for teacher in teachers:
        if isinstance(teacher, TeachingRun):
            teacher.open()


class RunTeacher(TeachingRun[SentimentConfig]):
    """The model of a run of `textapp train sentiment` or `textapp distill`, loaded when it is first asked.

    Args:
        folder: The run folder.

    Attributes:
        command: What the run's `config.json` says, `train`, `valid` and `test` among it.
        config: Its settings.

    Raises:
        InputError: It is no finished run of a classifier.
    """

    def __init__(self, folder: str | os.PathLike[str]):
        name = os.fspath(folder)
        command, metrics = run.read_finished(Path(folder))
        if metrics.get("task") != "sentiment":
            raise InputError(f"{name}: not a run of a classifier; its task is {metrics.get('task')}")
        config = SentimentConfig.from_dict(command["settings"], str(Path(folder) / run.CONFIG))
        self.labels = run.read_names(Path(folder) / run.LABELS, metrics.get("labels"))
        files = (run.MODEL, run.TOKENIZER, run.VOCABULARY, run.LABELS)
        super().__init__(folder, command, config, metrics.get("parameters"), files)

    def open(self) -> None:
        """See `TeachingRun`."""
        _ = self._predictor

    def __contains__(self, text: object) -> bool:
        return isinstance(text, str)

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """Class probabilities of texts, float64 `(N, C)`."""
        logits = np.float64(self._predictor.logits(texts))
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        probs: np.ndarray[Any, Any] = powers / powers.sum(axis=1, keepdims=True)
        return probs

    @property
    def context_width(self) -> int:
        """How many numbers its context of a text has: the encoder's, in both directions."""
        return 2 * self.config.units

    def read(self, text: str) -> list[Token]:
        """The tokens of a text that it reads."""
        return self._predictor.run.tokenizer.tokenize(text)[: self._predictor.max_tokens]

    def states(self, texts: Sequence[str]) -> tuple[list[np.ndarray], np.ndarray]:
        """Attention weights on these tokens, float32 `(T,)` of each text, and contexts, float32 `(N, H)`."""
        return self._predictor.states(texts)

    @functools.cached_property
    def _predictor(self) -> RunPredictor:
        return RunPredictor(run.Run.load(self.name))
