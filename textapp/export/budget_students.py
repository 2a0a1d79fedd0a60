"""What a search within a budget asks of each task: settings of students, their bytes, training and bundles."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import keras
import numpy as np

from textapp.compress.candidates import Candidate, Shape
from textapp.compress.config import DistillConfig, DistillTaggerConfig
from textapp.compress.distillation import distill
from textapp.compress.soft_labels import Teacher
from textapp.compress.student_preparation import StudentFiles
from textapp.compress.tagger_data import TransferSentences
from textapp.compress.tagger_distillation import distill_tagger
from textapp.compress.tagger_teachers import TaggerTeacher, main_score
from textapp.compress.teachers import check_teachers
from textapp.config import LARGEST
from textapp.export.conversion import Recipe, convert
from textapp.export.lowering import Lowering, lower
from textapp.export.run import export_run, export_tagger_run
from textapp.tasks.tagging.head import without_crf
from textapp.text.vocabulary import Vocabulary
from textapp.training import run
from textapp.training.ner import build_tagger
from textapp.training.sentiment import build_model

RECIPES: dict[int, Recipe] = {8: "dynamic_wi8_afp32", 4: "dynamic_wi8_afp32_emb4"}
"""How embedding rows of so many bits are stored."""


class Students(Protocol):
    """The students of one task, all settings of theirs but those of the grid fixed."""

    decided: ClassVar[tuple[str, ...]]
    """The settings that the grid decides."""

    answers: ClassVar[str]
    """The file of a student's folder that holds what its teachers said."""

    factorized: ClassVar[bool]
    """Whether their tables can be factorized."""

    @property
    def config(self) -> DistillConfig | DistillTaggerConfig:
        """The settings."""

    @property
    def teachers(self) -> Sequence[Any]:
        """Their teachers, each with a `name` and its `sha256`."""

    def words(self, files: Mapping[str, Any]) -> int:
        """Reads `train`, `valid` and `unlabelled`, as training will, and counts the words that have a row at most."""

    def file_bytes(self, shape: Shape, words: int, lowering: Lowering, lengths: Sequence[int]) -> int:
        """Bytes of the file of a student with so many words, measured on one that has learned nothing yet."""

    def distill(self, candidate: Candidate, out: Path, **options: Any) -> dict[str, Any]:
        """Trains one; see `textapp.compress.distillation.distill`."""

    def export(self, trained: Path, folder: Path, **options: Any) -> dict[str, Any]:
        """Exports one; see `textapp.export.run.export_run`."""

    def score(self, metrics: dict[str, Any]) -> float:
        """Of a split's scores the one by which students are compared."""


@dataclasses.dataclass(frozen=True)
class Classifiers:
    """Students of `textapp distill` that give texts labels; `Students`."""

    config: DistillConfig
    teachers: Sequence[Teacher]

    decided: ClassVar[tuple[str, ...]] = (
        *("embedding_dim", "units", "attention_units"),
        *("embedding_rank", "vocabulary_size"),
    )
    answers: ClassVar[str] = run.SOFT_LABELS
    factorized: ClassVar[bool] = True

    def settings(self, candidate: Candidate) -> DistillConfig:
        """The settings of one of them."""
        sizes = dict.fromkeys(("embedding_dim", "units", "attention_units"), candidate.width)
        more = {"embedding_rank": candidate.rank, "vocabulary_size": candidate.vocabulary_size}
        return DistillConfig.from_dict({**self.config.to_dict(), **sizes, **more})

    def words(self, files: Mapping[str, Any]) -> int:
        """See `Students`."""
        check_teachers(self.config, self.teachers)
        config = dataclasses.replace(self.config, vocabulary_size=LARGEST)
        return len(StudentFiles.read(config, {**files, "test": None}, self.teachers, _quiet).vocabulary)

    def file_bytes(self, shape: Shape, words: int, lowering: Lowering, lengths: Sequence[int]) -> int:
        """See `Students`."""
        model = build_model(self.settings(_candidate(shape, words)), words, len(self.teachers[0].labels))
        return _bytes(model, shape, lowering, lengths)

    def distill(self, candidate: Candidate, out: Path, **options: Any) -> dict[str, Any]:
        """See `Students`."""
        return distill(self.settings(candidate), out, teachers=self.teachers, **options)

    def export(self, trained: Path, folder: Path, **options: Any) -> dict[str, Any]:
        """See `Students`."""
        return export_run(trained, folder, **options)

    def score(self, metrics: dict[str, Any]) -> float:
        """See `Students`."""
        return float(metrics["accuracy"])


@dataclasses.dataclass(frozen=True)
class Taggers:
    """Students of `textapp distill` that tag tokens; `Students`. They know the characters that their teacher knows."""

    config: DistillTaggerConfig
    teachers: Sequence[TaggerTeacher]

    decided: ClassVar[tuple[str, ...]] = ("embedding_dim", "units", "vocabulary_size", "character_vocabulary_size")
    answers: ClassVar[str] = run.SOFT_TAGS
    factorized: ClassVar[bool] = False

    def settings(self, candidate: Candidate) -> DistillTaggerConfig:
        """The settings of one of them."""
        sizes = {"embedding_dim": candidate.width, "units": candidate.width}
        sizes["vocabulary_size"] = candidate.vocabulary_size
        if self.config.characters:
            sizes["character_vocabulary_size"] = self._num_characters
        return DistillTaggerConfig.from_dict({**self.config.to_dict(), **sizes})

    def words(self, files: Mapping[str, Any]) -> int:
        """See `Students`."""
        config = dataclasses.replace(self.config, vocabulary_size=LARGEST)
        read = TransferSentences.read(config, {**files, "test": None}, self.teachers, _quiet)
        return len(read.data.encoder.vocabulary)

    def file_bytes(self, shape: Shape, words: int, lowering: Lowering, lengths: Sequence[int]) -> int:
        """See `Students`."""
        config = self.settings(_candidate(shape, words))
        characters = self._num_characters if config.characters else None
        model, _ = without_crf(build_tagger(config, words, characters, self.teachers[0].tag_set))
        return _bytes(model, shape, lowering, lengths, config.max_characters)

    def distill(self, candidate: Candidate, out: Path, **options: Any) -> dict[str, Any]:
        """See `Students`."""
        return distill_tagger(self.settings(candidate), out, teachers=self.teachers, **options)

    def export(self, trained: Path, folder: Path, **options: Any) -> dict[str, Any]:
        """See `Students`."""
        return export_tagger_run(trained, folder, **options)

    def score(self, metrics: dict[str, Any]) -> float:
        """See `Students`."""
        return main_score(metrics)

    @property
    def _num_characters(self) -> int:
        """How many characters the first teacher that looks into its tokens knows; the setting where none does."""
        files = (Path(os.fspath(teacher.name)) / run.CHARACTERS for teacher in self.teachers)
        known = (len(Vocabulary.load(path)) for path in files if path.exists())
        return min(next(known, self.config.character_vocabulary_size), self.config.character_vocabulary_size)


def _quiet(line: str) -> None:
    """Says nothing: training will."""


def _candidate(shape: Shape, words: int) -> Candidate:
    """A shape with so many words."""
    return Candidate(shape.width, shape.rank, shape.embedding_bits, words)


def _bytes(
    model: keras.Model, shape: Shape, lowering: Lowering, lengths: Sequence[int], max_characters: int | None = None
) -> int:
    """Bytes of a model's file, once it is trained: equal weights, as biases of 0, would be stored once."""
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(rng.standard_normal(variable.shape))
    return len(convert(lower(model, lowering), lengths, RECIPES[shape.embedding_bits], max_characters))
